"""Faults in error responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ..event_edits import cut
from ..hooks import Context, Hook, fault
from ..request_hooks import SPOILED, envelope, error, refused
from ..shapes import Dict, Refusal, Reply, to_json
from ..validate import parse

FORM, REAL, SAME = "error.envelope", "error.real-status", "error.streaming-same-status"
TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/app/server/api/responses.py", line 214, in create_response\n'
    "    raise ValueError(reason)\nValueError: bad request"
)
PAGE = "<html><head><title>400 Bad Request</title></head><body><h1>400</h1><hr>openresty</body></html>"


def body(kind: str, text: str) -> Callable[[Reply], Reply]:
    return lambda reply: reply.having("Content-Type", kind).saying(text)


def bad_request(how: Callable[[Context, Reply], Reply], stream: bool | None = None) -> Hook[Reply]:
    """Rewrites responses to invalid requests; with `stream` only streaming or only plain ones."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        wanted = not ctx.served and reply.status == 400 and stream in (None, ctx.stream)
        return how(ctx, reply) if wanted else reply

    return hook


def at_first(name: str, how: Callable[[Reply], Reply]) -> Hook[Reply]:
    """Rewrites the response to the first request that would be served; its retry is served."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        return how(replace(reply, framing="length")) if ctx.served and ctx.count(name) == 0 else reply

    return hook


def opened(ctx: Context, reply: Reply) -> Reply:
    """Opens a stream with HTTP 200 and reports the error in it."""
    inner = json.loads(reply.body.removeprefix(b"data:"))["error"]
    event = {"type": "error", "sequence_number": 0, **{name: inner.get(name) for name in ("code", "message")}}
    text = f"event: error\ndata: {to_json(event)}\n\n"
    return reply.coded(200).having("Content-Type", "text/event-stream").saying(text)


def opened_as_error(ctx: Context, reply: Reply) -> Reply:
    """The same, the type of the event being that of the error."""
    inner = json.loads(reply.body.removeprefix(b"data:"))["error"]
    text = f"event: error\ndata: {to_json({'type': 'error', 'sequence_number': 0, **inner})}\n\n"
    return reply.coded(200).having("Content-Type", "text/event-stream").saying(text)


def failed(ctx: Context, reply: Reply) -> Reply:
    """Sends a failed Response with HTTP 200."""
    inner = json.loads(reply.body.removeprefix(b"data:"))["error"]
    what = {"code": "invalid_request", "message": inner["message"]}
    one: Dict = {"id": ctx.new_id("resp_"), "object": "response", "created_at": int(ctx.now),
           "status": "failed",
           "error": what, "incomplete_details": None, "model": ctx.body.get("model"), "metadata": None,
           "output": [], "output_text": "", "usage": None}  # fmt: skip
    return reply.coded(200).saying(one)


def dead(test: Callable[[Context], bool]) -> Hook[Refusal | None]:
    """Responds with HTTP 500 from a certain request on."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        with ctx.lock:
            if ctx.memory.get("dead"):
                return SPOILED
            if refusal and test(ctx):
                ctx.memory["dead"] = True
        return refusal

    return hook


def again(hook: Hook[Refusal | None]) -> Hook[Refusal | None]:
    """Handles a refused request otherwise when it is received once more."""

    def wrapped(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        return hook(ctx, refusal) if refusal and ctx.count(f"refused {ctx.raw!r}") else refusal

    return wrapped


def refused_again(how: Callable[[Reply], Reply]) -> Hook[Reply]:
    """Rewrites the refusal of a request that was refused before."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        again = not ctx.served and reply.status == 400 and ctx.count(f"refused {ctx.raw!r}")
        return how(reply) if again else reply

    return hook


def flat(document: Dict) -> Dict:
    return {"object": "error", **document["error"]}


def put_in(**members: object) -> Callable[[Dict], object]:
    return lambda one: one.update(members)


def stays_open(ctx: Context, reply: Reply) -> Reply:
    """Sends no end of a refused stream."""
    if not ctx.stream or reply.status != 400:
        return reply
    return replace(reply.without("content-length"), framing="chunked", ending="stall")


FAULTS = [
    fault("error.is-html", "Refuses with the HTML page of a gateway.", FORM, reply=refused(body("text/html", PAGE))),
    fault("error.is-text", "Refuses with plain text.", FORM,
          reply=refused(body("text/plain", "Bad Request"))),
    fault("error.in-latin-1", "Refuses with a message in Latin-1.", FORM, reply=refused(
        lambda reply: reply.saying(reply.body.replace(b'"message":"', b'"message":"Requ\xeate : ')))),
    fault("error.is-empty", "Refuses with an empty body.", FORM, reply=refused(lambda r: r.saying(b""))),
    fault("error.in-detail", "Refuses with the error format of a web framework.", FORM, reply=envelope(
        lambda document: {"detail": [{"loc": ["body"], "msg": document["error"]["message"], "type": "value"}]})),
    fault("error.without-envelope",
          "Sends the members of the error object at the top level.", FORM, reply=envelope(flat)),
    fault("error.is-a-string", "Sends a string as the error object.", FORM, reply=envelope(
        lambda document: {"error": document["error"]["message"]})),
    fault("error.is-null", "Sends null as the error object.", FORM,
          reply=envelope(lambda _: {"error": None})),
    fault("error.is-a-list", "Wraps the envelope in an array.", FORM, reply=envelope(lambda document: [document])),
    fault("error.without-message", "Omits the message.", FORM, reply=error(cut("message"))),
    fault("error.message-empty", "Sends an empty message.", FORM, reply=error(put_in(message=""))),
    fault("error.message-null", "Sends null as the message.", FORM, reply=error(put_in(message=None))),
    fault("error.message-is-an-object", "Sends an object as the message.", FORM,
          reply=error(put_in(message={"text": "Param Incorrect"}))),
    fault("error.code-is-a-number", "Sends a number as the code.", FORM, reply=error(put_in(code=400))),
    fault("error.param-is-a-list", "Sends an array as param.", FORM,
          reply=error(lambda one: one.update(param=["body", one["param"]]))),
    fault("error.type-is-a-number", "Sends a number as the type.", FORM, reply=error(put_in(type=4))),
    fault("error.json-broken", "Truncates the JSON of error bodies.", FORM, reply=refused(
        lambda reply: reply.saying(reply.body[:-2]))),
    fault("error.as-text-type", "Sends the Content-Type text/plain with error bodies.", "error.json-content-type",
          reply=refused(lambda reply: reply.having("Content-Type", "text/plain; charset=utf-8"))),
    fault("error.as-html-type", "Sends the Content-Type text/html with error bodies.", "error.json-content-type",
          reply=refused(lambda reply: reply.having("Content-Type", "text/html"))),
    fault("error.without-content-type", "Sends error bodies without Content-Type.", "error.json-content-type",
          reply=refused(lambda reply: reply.without("Content-Type"))),
    fault("error.with-traceback", "Sends a stack trace in the error message.", "error.no-internals",
          reply=error(put_in(message=TRACE))),
    fault("error.with-file-path", "Sends a file path in the error message.", "error.no-internals",
          reply=error(lambda one: one.update(
              message=f"{one['message']} (/usr/src/app/node_modules/gateway/lib/validate.js:88:13)"))),
    fault("error.with-markup", "Sends HTML in the error message.", "error.no-internals",
          reply=error(put_in(message=PAGE))),
    fault("error.under-200", "Sends error bodies with HTTP 200.", REAL, reply=bad_request(
        lambda _, reply: reply.coded(200))),
    fault("error.served-as-error-under-200", "Responds to requests with instructions with an error body and HTTP 200.",
          "error.success-is-no-error", reply=lambda ctx, reply: (
              reply.saying({"error": {"code": "500", "message": "Try again"}})
              if ctx.served and not ctx.stream and "instructions" in ctx.body else reply)),
    fault("error.as-failed-response", "Sends a failed Response with HTTP 200 for an invalid request.", REAL,
          reply=bad_request(failed)),
    fault("error.bad-request-is-500", "Responds with HTTP 500 to invalid requests.", REAL, reply=bad_request(
        lambda _, reply: reply.coded(500))),
    fault("error.bad-request-is-502", "Responds with a gateway's HTTP 502 to invalid requests.", REAL,
          reply=bad_request(lambda _, reply: reply.coded(502))),
    fault("error.bad-request-is-a-gateways-page", "Responds with HTTP 502 and HTML to invalid requests.", REAL,
          reply=bad_request(lambda _, reply: body("text/html", PAGE)(reply.coded(502)))),
    fault("error.does-not-survive-bad-json", "Responds with HTTP 500 to every request after invalid JSON.",
          "error.endpoint-survives",
          validate=dead(lambda ctx: bool(ctx.raw) and parse(ctx.raw)[1] is not None)),
    fault("error.does-not-survive-bad-parameter", "Responds with HTTP 500 to every request after an invalid parameter.",
          "error.endpoint-survives", validate=dead(lambda ctx: bool(ctx.body))),
    fault("error.opens-a-stream", "Reports an invalid request in a stream with HTTP 200.", SAME, REAL,
          reply=bad_request(opened, stream=True)),
    fault("error.opens-a-stream-typed-by-error", "Reports it in a stream whose event has the type of the error.", SAME,
          REAL, reply=bad_request(opened_as_error, stream=True)),
    fault("error.under-200-streaming", "Sends error bodies with HTTP 200 if stream is true.", SAME, REAL,
          reply=bad_request(lambda _, reply: reply.coded(200), stream=True)),
    fault("error.is-500-streaming", "Responds with HTTP 500 to invalid streaming requests.", SAME, REAL,
          reply=bad_request(lambda _, reply: reply.coded(500), stream=True)),
    fault("error.is-500-plain", "Responds with HTTP 500 to invalid plain requests.", SAME, REAL,
          reply=bad_request(lambda _, reply: reply.coded(500), stream=False)),
    fault("error.first-429-is-plain-text", "Sends one 429 in plain text.", FORM,
          reply=at_first("429", lambda reply: body("text/plain", "Too many requests")(reply.coded(429)))),
    fault("error.first-503-shows-its-stack", "Sends a stack trace in one 503.", "error.no-internals",
          reply=at_first("503", lambda reply: body("application/json", to_json({"error": {
              "message": TRACE, "type": "server_error", "param": "", "code": "503"}}))(reply.coded(503)))),
    fault("error.again-is-another-status", "Refuses the same request with HTTP 404 the second time.",
          "error.same-refusal-again", validate=again(lambda _, refusal: refusal and replace(refusal, status=404))),
    fault("error.again-is-another-code", "Refuses the same request with another code the second time.",
          "error.same-refusal-again", validate=again(
              lambda _, refusal: refusal and replace(refusal, members={**refusal.members, "code": "cooldown"}))),
    fault("error.again-is-500", "Responds with HTTP 500 to a refused request that is sent again.", REAL,
          validate=again(lambda _, refusal: SPOILED)),
    fault("error.again-is-served", "Serves a refused request that is sent again.", "request.unknown-model",
          validate=again(lambda _, refusal: None)),
    fault("error.again-is-text", "Refuses the same request in plain text the second time.", FORM,
          reply=refused_again(body("text/plain", "Bad Request"))),
    fault("error.stream-refusal-stays-open", "Sends no end of the response to a refused stream.", "http.no-stall",
          reply=stays_open),
    fault("error.cut-off", "Closes the connection on an invalid request.", REAL, reply=bad_request(
        lambda _, reply: Reply(reply.status, reply.reason, [("Content-Length", "1")], [], "length", "cut"))),
]  # fmt: skip
