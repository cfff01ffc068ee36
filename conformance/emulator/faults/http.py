"""Faults of HTTP and of the JSON body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..hooks import Behaviour, Context, Hook, fault
from ..refusals import of
from ..request_hooks import SPOILED, Rewrite, bytes_of, served
from ..shapes import Dict, Refusal, Reply, sent, to_json

UTF8, UNUSUAL = "http.body-is-utf8-json", "http.unusual-request-answered"
AFTER_CLOSED = "http.served-after-closed-stream"
CRASHED = {"error": {"message": "Internal Server Error", "code": "500"}}
HTML = "<!DOCTYPE html><html><body><h1>{}</h1><hr>nginx/1.24.0</body></html>"


def plain(how: Rewrite) -> Hook[Reply]:
    return served(how, stream=False)


def stream(how: Rewrite) -> Hook[Reply]:
    return served(how, stream=True)


def typed(value: str) -> Rewrite:
    return lambda reply: reply.having("Content-Type", value)


def swap(old: str, new: bytes) -> Hook[Reply]:
    """Replaces the first occurrence of some text in a plain body by raw bytes."""
    return plain(bytes_of(lambda data: data.replace(old.encode(), new, 1)))


def other_method(status: int, body: str | Dict, kind: str = "application/json", method: str = "GET") -> Hook[Reply]:
    def hook(ctx: Context, reply: Reply) -> Reply:
        wrong = ctx.method == method and reply.status == 405 and ctx.sent("upgrade") is None
        return reply.coded(status).having("Content-Type", kind).saying(body) if wrong else reply

    return hook


def redirect(status: int, target: str) -> Rewrite:
    return lambda reply: Reply(status, "Redirect", [("Location", target)], [])


def half(reply: Reply) -> Reply:
    body = reply.body[: len(reply.body) // 2]
    return replace(reply.having("Content-Length", str(len(reply.body))).saying(body), ending="cut")


def unread(status: int) -> Hook[Reply]:
    """Leaves the body of a refused request on the connection."""
    return lambda _, reply: replace(reply, ending="unread") if reply.status == status else reply


def python_repr(reply: Reply) -> Reply:
    text = reply.body.decode().replace("null", "None").replace('"', "'")
    return reply.saying(text)


def crashes(name: str, when: str, test: Callable[[Context], bool]) -> Behaviour:
    """A fault of requests in a form that the documentation does not show."""
    return fault(
        f"http.{name}-is-500",
        f"Responds with HTTP 500 if {when}.",
        UNUSUAL,
        validate=lambda ctx, refusal: SPOILED if test(ctx) else refusal,
        reply=lambda ctx, reply: (
            reply.coded(500).having("Content-Type", "application/json").saying(CRASHED)
            if not ctx.served and reply.status != 401 and test(ctx)
            else reply
        ),
    )


def declines(name: str, says: str, test: Callable[[Context], bool]) -> Behaviour:
    """A fault that refuses a form of request that must be served."""
    refusal = of(400, "Param Incorrect", "the request is not understood", "invalid_request_error")
    return fault(
        f"http.{name}-refused",
        says,
        "http.request-form-served",
        validate=lambda ctx, given: refusal if test(ctx) else given,
    )


def of_type(ctx: Context) -> str:
    return ctx.sent("content-type") or ""


def after_closed(refused: Refusal, for_good: bool) -> Hook[Refusal | None]:
    """Refuses the request after a stream that the client closed, or all of them."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        with ctx.lock:
            closed = ctx.memory.get("closed") if for_good else ctx.memory.pop("closed", False)
        return refused if closed else refusal

    return hook


def hung_after_closed(ctx: Context, reply: Reply) -> Reply:
    return replace(reply, chunks=[], ending="stall") if ctx.memory.get("closed") else reply


FAULTS = [
    fault("http.closed-stream-breaks-next", "Responds with HTTP 500 to the request after a closed stream.",
          AFTER_CLOSED, validate=after_closed(SPOILED, False)),
    fault("http.closed-stream-breaks-all", "Responds with HTTP 500 to all requests after a closed stream.",
          "http.documented-request-served", AFTER_CLOSED, validate=after_closed(SPOILED, True)),
    fault("http.closed-stream-occupies-slot", "Never responds after a stream that a client closed.",
          AFTER_CLOSED, reply=hung_after_closed),
    fault("http.refused-key-leaves-body-unread",
          "Does not read the body of a request with an invalid key, and keeps the connection open.",
          "http.connection-reusable", reply=unread(401)),
    fault("http.refusal-leaves-body-unread",
          "Does not read the body of a request with an unknown model, and keeps the connection open.",
          "http.connection-reusable", reply=unread(400)),
    fault("http.head-has-a-body", "Sends a body with the response to HEAD, and keeps the connection open.",
          "http.connection-reusable",
          reply=lambda ctx, reply: replace(reply, ending="unread") if ctx.method == "HEAD" else reply),
    fault("http.success-is-201", "Responds with HTTP 201.", "http.success-is-200",
          reply=served(lambda reply: reply.coded(201))),
    fault("http.success-is-202", "Responds with HTTP 202 to plain requests.", "http.success-is-200",
          reply=plain(lambda reply: reply.coded(202))),
    fault("http.stream-is-206", "Responds with HTTP 206 to streaming requests.", "http.success-is-200",
          reply=stream(lambda reply: reply.coded(206))),
    fault("http.json-as-text", "Sends the Content-Type text/plain with plain responses.", "http.json-content-type",
          reply=plain(typed("text/plain; charset=utf-8"))),
    fault("http.json-without-type", "Sends plain responses without Content-Type.", "http.json-content-type",
          reply=plain(lambda reply: reply.without("Content-Type"))),
    fault("http.json-as-event-stream",
          "Sends the Content-Type text/event-stream with plain responses.", "http.json-content-type",
          reply=plain(typed("text/event-stream"))),
    fault("http.json-as-octets",
          "Sends the Content-Type application/octet-stream with plain responses.", "http.json-content-type",
          reply=plain(typed("application/octet-stream"))),
    fault("http.stream-as-json", "Sends the Content-Type application/json with streams.", "http.stream-content-type",
          reply=stream(typed("application/json"))),
    fault("http.stream-as-text", "Sends the Content-Type text/plain with streams.", "http.stream-content-type",
          reply=stream(typed("text/plain; charset=utf-8"))),
    fault("http.stream-as-json-lines",
          "Sends the Content-Type application/x-ndjson with streams.", "http.stream-content-type",
          reply=stream(typed("application/x-ndjson"))),
    fault("http.stream-without-type", "Sends streams without Content-Type.", "http.stream-content-type",
          reply=stream(lambda reply: reply.without("Content-Type"))),
    fault("http.body-in-windows-1252", "Sends plain bodies in a legacy charset.", UTF8,
          reply=plain(bytes_of(lambda data: data.decode().encode("cp1252", "replace")))),
    fault("http.body-with-stray-byte", "Sends a byte in the body that is not UTF-8.", UTF8,
          reply=swap('"metadata":null', b'"metadata":{"note":"\xff"}')),
    fault("http.body-with-trailing-bytes", "Sends a superfluous brace after the JSON.", UTF8,
          reply=plain(bytes_of(lambda data: data + b"}"))),
    fault("http.body-twice", "Sends the JSON value twice.", UTF8,
          reply=plain(bytes_of(lambda data: data + b"\n" + data))),
    fault("http.body-with-nan", "Writes a number as NaN.", UTF8,
          reply=swap('"metadata":null', b'"metadata":null,"temperature":NaN')),
    fault("http.body-with-infinity", "Writes a number as Infinity.", UTF8,
          reply=swap('"metadata":null', b'"metadata":null,"top_p":Infinity')),
    fault("http.body-as-python", "Sends the representation of a Python dictionary instead of JSON.", UTF8,
          reply=plain(python_repr)),
    fault("http.body-with-bad-escape", "Sends an escape that is not valid JSON.", UTF8,
          reply=swap('"object":"response"', b'"object":"response","note":"a\\x20b"')),
    fault("http.body-with-raw-newline", "Sends an unescaped line break in a string.", UTF8,
          reply=swap('"object":"response"', b'"object":"response","note":"a\nb"')),
    fault("http.body-with-comment", "Sends a comment in the JSON.", UTF8,
          reply=swap('"metadata":null,', b'"metadata":null,/* none */')),
    fault("http.body-truncated", "Sends half of the body with a matching Content-Length.", UTF8,
          reply=plain(lambda reply: reply.saying(reply.body[: len(reply.body) // 2]))),
    fault("http.body-cut-by-connection",
          "Closes the connection halfway through a plain body.", UTF8, reply=plain(half)),
    fault("http.body-empty", "Sends an empty body with HTTP 200.", UTF8, reply=plain(lambda reply: reply.saying(b""))),
    fault("http.body-as-json-text", "Wraps the JSON in a JSON string.", UTF8, "response.schema",
          reply=plain(lambda reply: reply.saying(to_json(reply.body.decode())))),
    fault("http.body-with-duplicate-key", "Sends a duplicate member.", UTF8,
          reply=swap('"object":"response"', b'"object":"response","object":"response"')),
    fault("http.get-is-served", "Responds with HTTP 200 to GET on the endpoint.", "http.other-method-refused",
          reply=other_method(200, {"status": "ok"})),
    fault("http.get-is-500", "Responds with HTTP 500 to GET.", "http.other-method-refused",
          reply=other_method(500, CRASHED)),
    fault("http.get-is-html", "Refuses GET with an HTML page.", "http.other-method-refused",
          reply=other_method(405, HTML.format("405 Not Allowed"), "text/html")),
    fault("http.get-is-text", "Refuses GET with plain text.", "http.other-method-refused",
          reply=other_method(404, "404 page not found", "text/plain")),
    fault("http.redirects-to-slash", "Redirects the endpoint to itself with a slash.", "http.no-redirect",
          reply=served(redirect(307, "/v1/responses/"))),
    fault("http.redirects-streams", "Redirects streaming requests to another host.", "http.no-redirect",
          reply=stream(redirect(308, "http://stream.invalid/v1/responses"))),
    fault("http.redirects-get", "Redirects GET on the endpoint.", "http.no-redirect",
          "http.other-method-refused",
          reply=lambda ctx, reply: redirect(302, "/docs")(reply) if reply.status == 405 else reply),
    fault("http.plain-behind-data", "Sends data: before the JSON of plain responses.", UTF8,
          reply=plain(lambda reply: reply.saying(f"data: {reply.body.decode()}"))),
    fault("http.put-is-served", "Responds with HTTP 200 to PUT on the endpoint.", "http.other-method-refused",
          reply=other_method(200, {"status": "ok"}, method="PUT")),
    fault("http.put-is-500", "Responds with HTTP 500 to PUT.", "http.other-method-refused",
          reply=other_method(500, CRASHED, method="PUT")),
    fault("http.head-is-500",
          "Responds with HTTP 500 to HEAD.", UNUSUAL, reply=other_method(500, CRASHED, method="HEAD")),
    fault("http.options-is-500",
          "Responds with HTTP 500 to OPTIONS.", UNUSUAL, reply=other_method(500, CRASHED, method="OPTIONS")),
    crashes("content-type-of-a-form", "the Content-Type is that of a form",
            lambda ctx: of_type(ctx).startswith("application/x-www-form-urlencoded")),
    crashes("upgrade", "the request has an Upgrade header", lambda ctx: ctx.sent("upgrade") is not None),
    crashes("trailing-slash", "the path has a trailing slash", lambda ctx: ctx.path.endswith("/")),
    crashes("query", "the URL has a query", lambda ctx: "?" in ctx.path),
    crashes("no-content-type", "the request has no Content-Type",
            lambda ctx: ctx.method == "POST" and ctx.sent("content-type") is None),
    crashes("gzip-body", "the body is compressed", lambda ctx: ctx.sent("content-encoding") is not None),
    crashes("repeated-key", "the key is sent twice", lambda ctx: len(sent(ctx.headers, "api-key")) > 1),
    declines("charset", "Refuses a charset parameter in the Content-Type.", lambda ctx: "charset" in of_type(ctx)),
    declines("chunked", "Refuses chunked bodies.", lambda ctx: ctx.sent("transfer-encoding") is not None),
    declines("expectation", "Refuses Expect: 100-continue with HTTP 400.", lambda ctx: ctx.sent("expect") is not None),
    declines("chunked-charset", "Refuses chunked bodies with a charset in the Content-Type.",
             lambda ctx: ctx.sent("transfer-encoding") is not None and "charset" in of_type(ctx)),
    fault("http.length-beside-chunks", "Sends Content-Length beside Transfer-Encoding with streams.",
          "http.one-framing", reply=stream(lambda reply: reply.having("Content-Length", "100000"))),
]  # fmt: skip
