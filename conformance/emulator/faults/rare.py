"""Faults that only one scenario shows: lenient parsing, strict limits, lost characters."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..auth import REFUSED
from ..event_edits import cut, events, everywhere, items_in, parts_in, put, response, snapshot
from ..hooks import Context, Hook, fault
from ..refusals import bad_parameter
from ..request_hooks import SPOILED, crash, hung_up, input_items, input_parts, inside, refuse, refused
from ..shapes import Dict, Item, Refusal, Reply, to_json
from .auth import either
from .outside import echo_previous, remembered


def coerced(wanted: Callable[[Any], bool]) -> Hook[Refusal | None]:
    """Accepts a max_output_tokens that is not an integer."""

    def hook(ctx: Context, refusal: Refusal | None) -> Refusal | None:
        value: Any = ctx.body.get("max_output_tokens")
        if refusal is None or not wanted(value):
            return refusal
        ctx.body["max_output_tokens"] = int(float(value))
        return None

    return hook


def unknown_part(body: Dict) -> bool:
    return any(str(part.get("type")).startswith("part-") for part in input_parts(body))


def bare_call(body: Dict) -> bool:
    return any(one.get("type") == "function_call" and "id" not in one for one in input_items(body))


def too_long(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return replace(SPOILED, status=413) if len(ctx.raw) > 4000 and not refusal else refusal


def body_of(start: bytes) -> Hook[Refusal | None]:
    return lambda ctx, refusal: SPOILED if ctx.raw.startswith(start) else refusal


def announced_longer(reply: Reply) -> Reply:
    return replace(reply.having("Content-Length", str(len(reply.body) + 20)), ending="cut")


def unanswered(ctx: Context, reply: Reply) -> Reply:
    return hung_up(reply) if reply.status == 401 and b'"stream":true' in ctx.raw and either(ctx) else reply


def halved(ctx: Context, reply: Reply) -> Reply:
    """Replaces each character beyond the basic plane by its high surrogate."""
    if ctx.stream or not ctx.served:
        return reply
    return reply.saying("".join(_first_half(letter) for letter in reply.body.decode()))


def _first_half(letter: str) -> str:
    return letter if ord(letter) < 0x10000 else json.dumps(letter)[1:7]


def earlier(ctx: Context, one: Dict) -> Dict:
    return echo_previous(ctx, one) if ctx.stage in ("created", "in_progress") else one


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_a_wrong_key(about: str) -> Hook[Refusal | None]:
    return lambda _, refusal: REFUSED if refusal is not None and about in str(refusal.members) else refusal


def model_down(_: Context, refusal: Refusal | None) -> Refusal | None:
    unknown = refusal is not None and "Unsupported model" in str(refusal.members.get("message"))
    return replace(SPOILED, status=503) if unknown else refusal


def silent(ctx: Context, reply: Reply) -> Reply:
    """Closes the connection on a body that is not JSON."""
    try:
        json.loads(ctx.raw or b"{}")
    except (ValueError, RecursionError):
        return hung_up(reply)
    return reply


def first_fails(ctx: Context, reply: Reply) -> Reply:
    """Responds with HTTP 500 to the first attempt of a conversation and serves the retry."""
    again = ctx.count(f"seen {ctx.raw!r}") if ctx.served and "instructions" in ctx.body else 1
    return reply if again else reply.coded(500).saying(SPOILED.envelope())


def quotes_value(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    names = [name for name in ctx.body if name.startswith("x_")]
    if not names:
        return refusal
    message = f"Unknown parameter {names[0]} with value {to_json(ctx.body[names[0]])}"
    return Refusal(400, {"message": message, "code": "400", "param": names[0]})


def escapes(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    return bad_parameter("request body", "holds an escape").refusal if b"\\u" in ctx.raw and not refusal else refusal


def first_value(ctx: Context, reply: Reply) -> Reply:
    """Ignores the bytes after the first JSON value."""
    behind = ctx.raw.rpartition(b"}")[2].strip()
    if ctx.served or not behind or not ctx.raw.startswith(b"{") or reply.status != 400:
        return reply
    return reply.coded(200).saying(HELLO | {"id": ctx.new_id("resp_"), "created_at": int(ctx.now)})


def part_as_text(event: Dict) -> None:
    if event["part"]["type"] == "output_text":
        event["part"]["type"] = "text"


def shows_end(ctx: Context, reply: Reply) -> Reply:
    """Echoes the last four characters of an invalid key."""
    key = (ctx.sent("api-key") or "")[-4:]
    if reply.status != 401 or not key:
        return reply
    document = json.loads(reply.body.removeprefix(b"data:"))
    document["error"]["message"] = f"Incorrect API key provided: ****{key}"
    return reply.saying(("data:" if ctx.stream else "") + to_json(document))


def retext(how: Callable[[str], str]) -> Hook[Dict]:
    """Changes the text of plain responses only."""

    def edit(one: Dict) -> None:
        items_in(parts_in(lambda part: part.update(text=how(part["text"]))))(one)
        one["output_text"] = how(one["output_text"])

    return response(edit, "plain")


def no_emoji(text: str) -> str:
    return "".join("\ufffd" if ord(letter) > 0xFFFF else letter for letter in text)


def cached_by_input(ctx: Context, reply: Reply) -> Reply:
    """Keeps the response to each input, whatever the other members of the request are."""
    if not ctx.served:
        return reply
    with ctx.lock:
        kept: Reply = ctx.memory.setdefault(f"{ctx.stream} {ctx.body.get('input')!r}", reply)
    return kept


def escaped_emoji(_: Context, items: list[Item]) -> list[Item]:
    """Leaves the escapes of JSON in place of characters beyond U+FFFF."""

    def escape(text: str) -> str:
        return "".join(json.dumps(letter)[1:-1] if ord(letter) > 0xFFFF else letter for letter in text)

    return [replace(one, texts=tuple(map(escape, one.texts))) if one.kind == "message" else one for one in items]


def for_html(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, texts=tuple(map(html.escape, one.texts))) if one.kind == "message" else one for one in items]


def twice(text: str) -> str:
    return text.encode().decode("latin-1")


def twice_streamed(_: Context, stream: list[Dict]) -> list[Dict]:
    """Encodes every text of the stream twice."""
    return [json.loads(to_json(event).encode().decode("latin-1")) for event in stream]


HELLO: Dict = {
    "object": "response", "status": "completed", "error": None, "incomplete_details": None, "model": "mimo-v2.5-pro",
    "output": [{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello!", "annotations": []}]}],
    "output_text": "Hello!", "metadata": None,
    "usage": {"input_tokens": 4, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 2,
              "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 6},
}  # fmt: skip

FAULTS = [
    fault("request.cap-in-quotes-taken", "Accepts max_output_tokens as a string.",
          "request.wrong-type-refused", validate=coerced(lambda value: isinstance(value, str) and value.isdecimal())),
    fault("request.cap-with-fraction-taken", "Accepts max_output_tokens with a fraction.",
          "request.wrong-type-refused", validate=coerced(lambda value: isinstance(value, float))),
    fault("request.empty-instructions-are-500", "Responds with HTTP 500 to empty instructions.", "request.wrong-input",
          validate=crash(lambda body: body.get("instructions") == "")),
    fault("request.effort-null-is-500", "Responds with HTTP 500 to null as effort.", "request.wrong-input",
          validate=crash(lambda body: "effort" in (body.get("reasoning") or {}) and
                         inside(body, "reasoning", "effort") is None)),
    fault("request.unknown-part-is-500", "Responds with HTTP 500 to a part of an unknown type.", "request.wrong-input",
          validate=crash(unknown_part)),
    fault("request.tool-choice-null-is-500", "Responds with HTTP 500 to null as tool_choice.", "request.null-optional",
          validate=crash(lambda body: "tool_choice" in body and body["tool_choice"] is None)),
    fault("request.tool-choice-as-number-is-500",
          "Responds with HTTP 500 to a number as tool_choice.", "request.wrong-type",
          validate=crash(lambda body: isinstance(body.get("tool_choice"), int | float))),
    fault("auth.unknown-model-is-401", "Responds with HTTP 401 to an unknown model.",
          "auth.right-key-never-401", validate=as_a_wrong_key("Unsupported model")),
    fault("auth.bad-request-is-401", "Responds with HTTP 401 to every invalid request.",
          "auth.right-key-never-401", validate=as_a_wrong_key("")),
    fault("http.refusal-cut", "Sends a Content-Length larger than the error body.", "http.body-complete",
          reply=refused(announced_longer, but=())),
    fault("http.gzip-on-plain-bytes",
          "Sends Content-Encoding gzip with plain bodies that are not encoded.", "http.body-is-utf8-json",
          reply=lambda ctx, reply: reply if ctx.stream or not ctx.served else reply.having("Content-Encoding", "gzip")),
    fault("sse.gzip-on-plain-bytes", "Sends Content-Encoding gzip with streams that are not encoded.",
          "sse.frames-parse",
          reply=lambda ctx, reply: reply.having("Content-Encoding", "gzip") if ctx.stream and ctx.served else reply),
    fault("error.gzip-on-plain-bytes", "Sends Content-Encoding gzip with error bodies that are not encoded.",
          "error.envelope",
          reply=lambda ctx, reply: reply if ctx.served or not reply.body else reply.having("Content-Encoding", "gzip")),
    fault("auth.wrong-key-unanswered", "Closes the connection on an invalid key with stream: true.",
          "auth.refused-when-streaming", reply=unanswered),
    fault("response.half-a-character",
          "Omits the low surrogate of an emoji in plain responses.", "response.text-intact",
          reply=halved),
    fault("request.other-encoding-is-500",
          "Responds with HTTP 500 to a body that is not UTF-8.", "request.malformed-json",
          validate=lambda ctx, refusal: SPOILED if not _is_utf8(ctx.raw) else refusal),
    fault("undocumented.tool-choice-required-empty",
          "Sends a completed response without output for tool_choice required.",
          "undocumented.tool-choice-other",
          draft=lambda ctx, items: [] if ctx.body.get("tool_choice") == "required" else items),
    fault("unsupported.earlier-id-in-snapshots", "Echoes previous_response_id in response.created.",
          "unsupported.previous-response-id-not-honoured", validate=remembered, response=earlier),
    fault("request.string-body-is-500", "Responds with HTTP 500 to a body that is a JSON string.",
          "request.body-not-an-object", validate=body_of(b'"')),
    fault("request.null-body-is-500", "Responds with HTTP 500 to a body that is null.",
          "request.body-not-an-object", validate=body_of(b"null")),
    fault("request.bad-json-unanswered", "Closes the connection on a body that is not JSON.", "request.malformed-json",
          reply=silent),
    fault("request.unknown-model-is-503", "Responds with HTTP 503 to every unknown model.",
          "error.real-status", validate=model_down),
    fault("request.long-input-refused", "Refuses bodies of more than 4000 bytes.", "turns.history-accepted",
          validate=too_long),
    fault("tools.custom-tool-call-without-name", "Omits the name in calls of custom tools.",
          "item.custom_tool_call.schema", **everywhere(cut("name"), "custom_tool_call")),
    fault("tools.call-without-id-refused", "Refuses a returned call without an id.",
          "tools.output-parts-accepted", validate=refuse(bare_call, "input")),
    fault("request.escapes-refused", "Refuses bodies with JSON escapes.", "http.success-is-200", validate=escapes),
    fault("request.temperature-refused-while-thinking", "Refuses temperature if reasoning is enabled.",
          "http.success-is-200", validate=refuse(
              lambda body: "temperature" in body and inside(body, "reasoning", "effort") != "none", "temperature")),
    fault("request.temperature-beside-top-p-refused", "Refuses temperature and top_p in one request.",
          "turns.history-accepted", validate=refuse(lambda body: {"temperature", "top_p"} <= body.keys(), "top_p")),
    fault("request.garbage-behind-body-ignored", "Ignores the bytes after the first JSON value.",
          "request.malformed-json", reply=first_value),
    fault("tools.empty-output-is-500",
          "Responds with HTTP 500 to an empty tool output.", "http.documented-request-served",
          validate=crash(lambda body: any(one.get("output") == "" for one in input_items(body)))),
    fault("lifecycle.snapshot-with-reason",
          "Sends incomplete_details in response.created and .in_progress.", "lifecycle.snapshots",
          response=snapshot(put(incomplete_details={"reason": "max_output_tokens"}))),
    fault("identity.part-type-changes",
          "Sends part type text in content_part.added and output_text in content_part.done.",
          "identity.part-type", events=events(part_as_text, "content_part.added")),
    fault("http.first-time-is-500",
          "Responds with HTTP 500 to the first attempt and serves the retry.", "http.no-sporadic-error",
          reply=first_fails),
    fault("undocumented.value-quoted", "Refuses unknown parameters and echoes their values.",
          "undocumented.unknown-value-not-quoted", validate=quotes_value),
    fault("auth.key-case-ignored", "Compares keys case-insensitively.", "auth.almost-right-key-refused",
          auth=lambda ctx, refusal: None if either(ctx).lower() == ctx.key.lower() else refusal),
    fault("auth.key-end-shown", "Echoes the last four characters of an invalid key.",
          "auth.refusal-never-echoes-key", reply=shows_end),
    fault("response.emoji-lost", "Drops characters beyond the basic plane in plain responses.",
          "response.no-lost-character", response=retext(no_emoji)),
    fault("response.cached-by-input", "Responds with what an earlier request with the same input received.",
          "response.id-unique", reply=cached_by_input),
    fault("response.emoji-escaped-twice", "Leaves escapes of JSON in place of emoji.", "response.text-intact",
          draft=escaped_emoji),
    fault("response.escaped-for-html", "Escapes every text for HTML.", "response.text-not-html", draft=for_html),
    fault("response.encoded-twice", "Encodes the text of plain responses twice.", "response.text-intact",
          response=retext(twice)),
    fault("sum.encoded-twice", "Encodes every text of a stream twice.", "sum.no-replacement-characters",
          events=twice_streamed),
]  # fmt: skip
