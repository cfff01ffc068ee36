"""What a response contains, in one form for both dialects, read from the recorded bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.decode import sse
from conformance.decode.body_kind import is_stream
from conformance.decode.events import mapping, objects, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Chunk, Exchange, Request, content_coding, decode
from conformance.proxy.records import Leg

#: How a response can end, by the finish reason of a chat completion.
FINISHES = {
    "stop": "completed",
    "tool_calls": "completed",
    "function_call": "completed",
    "length": "incomplete: max_output_tokens",
    "content_filter": "incomplete: content_filter",
}

#: The end of a response that reports a failure, and of one without an end.
FAILED, UNFINISHED = "failed", "unfinished"

#: The end of a plain Response that has no member ``status``.
WITHOUT_STATUS = "without the member status"


@dataclass(frozen=True)
class Call:
    """A function call; ``kind`` is the JSON type of its arguments, which are empty unless it is a string."""

    call_id: str
    name: str
    arguments: str
    kind: str = "string"


@dataclass(frozen=True)
class Outcome:
    """The content of a response.

    ``finish`` is ``completed``, ``incomplete: REASON``, ``failed`` or ``unfinished``. ``usage`` has the counters
    ``input``, ``output``, ``total``, ``cached`` and ``reasoning``, each None if it is not present; None without usage.
    """

    text: str
    reasoning: str
    calls: tuple[Call, ...]
    finish: str
    usage: dict[str, int | None] | None


def exchange_of(leg: Leg) -> Exchange:
    """The leg as the checks of an endpoint read it, with times from its own start."""
    chunks = tuple(Chunk(max(0.0, chunk.at - leg.began), chunk.data) for chunk in leg.chunks)
    ended: Any = {"closed": "time-out", "left": "time-out"}.get(leg.ended, leg.ended)
    return Exchange(
        key="proxy", scenario="proxy", sample=0, request=Request(leg.method, leg.target, leg.headers, leg.body),
        status=leg.status, headers=leg.reply_headers, chunks=chunks, ended=ended, detail=leg.detail, sent_at=0.0,
        elapsed=leg.ended_at - leg.began,
    )  # fmt: skip


def received(leg: Leg) -> Received:
    """The response of a leg in the dialect ``responses``."""
    if "_received" not in leg.__dict__:
        leg.__dict__["_received"] = Received(exchange_of(leg), "proxy")
    found: Received = leg.__dict__["_received"]
    return found


def streams(leg: Leg) -> bool:
    """Whether the body is an event stream."""
    return is_stream(leg.reply, "event-stream" in (leg.header("content-type", True) or "").lower())


def outcome(leg: Leg, dialect: str) -> Outcome:
    """The content of the response of a leg. :class:`CannotEvaluate` if it is no response of the dialect."""
    if not leg.ok:
        raise CannotEvaluate(f"received HTTP {leg.status}" if leg.status else f"no response: {leg.ended}")
    if coding := leg.wrong_coding:
        raise CannotEvaluate(f"received a body that is not in the Content-Encoding {coding} of its header")
    known: dict[str, Outcome] = leg.__dict__.setdefault("_outcomes", {})  # Many checks read the same response.
    if dialect not in known:
        known[dialect] = _chat(leg) if dialect == "chat" else _responses(leg)
    return known[dialect]


def _responses(leg: Leg) -> Outcome:
    one = received(leg)
    try:
        final = one.response
    except CannotEvaluate:
        if not streams(leg):
            raise
        return Outcome(deltas(leg, "output_text"), deltas(leg, "reasoning_text"), (), _failure(one), None)
    if not streams(leg) and not isinstance(final.get("output"), list):
        raise CannotEvaluate("received a body that is no Response")
    calls = tuple(
        Call(text(item.get("call_id")), text(item.get("name")), text(given := item.get("arguments")), _kind(given))
        for _, item in one.items("function_call")
    )
    reasoning = _reasoning(one, "content") or _reasoning(one, "summary")
    return Outcome(one.words, reasoning, calls, _finish(final, one), _usage(final.get("usage"), RESPONSES_USAGE))


def _kind(value: Any) -> str:
    """The JSON type of a value, for messages; a missing one is an empty string."""
    names = {dict: "object", list: "array", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "string")


def _reasoning(one: Received, member: str) -> str:
    """The texts of the reasoning items, of parts of any type: other rules are about the types. Some translators use
    summaries."""
    parts = (part for _, item in one.items("reasoning") for part in objects(item.get(member)))
    return "".join(text(part.get("text")) for part in parts)


def _failure(one: Received) -> str:
    try:
        return FAILED if one.of("error", "response.failed") else UNFINISHED
    except CannotEvaluate:
        return UNFINISHED


def _finish(final: dict[str, Any], one: Received) -> str:
    status = final.get("status")
    if one.looks_like_stream and one.terminal.type in ("error", "response.failed"):
        return FAILED
    if one.looks_like_stream and one.terminal.type == "response.completed" and status == "incomplete":
        return "completed (with the status incomplete)"
    if status == "incomplete":
        return f"incomplete: {mapping(final.get('incomplete_details')).get('reason')}"
    if status is None:  # A schema requires it; the event type is evidence too.
        return "completed" if one.looks_like_stream else WITHOUT_STATUS
    return str(status) if status in ("completed", "failed") else f"{UNFINISHED} ({status})"


def deltas(leg: Leg, kind: str) -> str:
    """The deltas of one kind (``output_text``, ``reasoning_text``, ...) of a stream, joined."""
    try:
        events = received(leg).of(f"response.{kind}.delta")
    except CannotEvaluate:
        return ""
    return "".join(text(event.data.get("delta")) for event in events)


def lacks_item(leg: Leg, kind: str) -> bool:
    """Whether it is a stream without an event of an item of this type."""
    if not streams(leg):
        return False
    made = received(leg)
    events = [*made.of("response.output_item.added"), *made.of("response.output_item.done")]
    return all(mapping(event.data.get("item")).get("type") != kind for event in events)


def has_failed(leg: Leg) -> bool:
    """Whether a response of the Responses API has the status of a success, and reports a failure."""
    try:
        return leg.ok and outcome(leg, "responses").finish == FAILED
    except CannotEvaluate:
        return False


def frames(leg: Leg) -> Iterator[str]:
    """The data of each event of a stream."""
    chunks = decode(leg.chunks, content_coding(leg.reply_headers))
    yield from (frame.data for frame in sse.parse(chunks, leg.reply).frames)


def _chat(leg: Leg) -> Outcome:
    if not streams(leg):
        try:
            body = json.loads(leg.reply)
        except ValueError:
            raise CannotEvaluate("the body is not JSON") from None
        choice = next(iter(objects(mapping(body).get("choices"))), {})
        message = mapping(choice.get("message"))
        calls = tuple(_call(one) for one in objects(message.get("tool_calls")))
        finish = FINISHES.get(text(choice.get("finish_reason")), UNFINISHED)
        usage = _usage(mapping(body).get("usage"), _CHAT_USAGE)
        return Outcome(text(message.get("content")), text(message.get("reasoning_content")), calls, finish, usage)
    return _chat_stream(leg)


def _call(one: dict[str, Any]) -> Call:
    function = mapping(one.get("function"))
    return Call(text(one.get("id")), text(function.get("name")), text(function.get("arguments")))


def _chat_stream(leg: Leg) -> Outcome:
    content, reasoning_text, finish, usage = "", "", UNFINISHED, None
    calls: dict[int, list[str]] = {}
    for data in frames(leg):
        try:
            value = mapping(json.loads(data))
        except ValueError:
            continue
        finish = FAILED if value.get("error") else finish
        usage = _usage(value.get("usage"), _CHAT_USAGE) or usage
        for choice in objects(value.get("choices")):
            delta = mapping(choice.get("delta"))
            content += text(delta.get("content"))
            reasoning_text += text(delta.get("reasoning_content"))
            for one in objects(delta.get("tool_calls")):
                made, call = _call(one), calls.setdefault(int(one.get("index", 0)), ["", "", ""])
                call[0], call[1], call[2] = call[0] or made.call_id, call[1] or made.name, call[2] + made.arguments
            finish = FINISHES.get(text(choice.get("finish_reason")), finish)
    found = tuple(Call(*calls[index]) for index in sorted(calls))
    return Outcome(content, reasoning_text, found, finish, usage)


_CHAT_USAGE = {
    "input": ("prompt_tokens",),
    "output": ("completion_tokens",),
    "total": ("total_tokens",),
    "cached": ("prompt_tokens_details", "cached_tokens"),
    "reasoning": ("completion_tokens_details", "reasoning_tokens"),
}
RESPONSES_USAGE = {
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "total": ("total_tokens",),
    "cached": ("input_tokens_details", "cached_tokens"),
    "reasoning": ("output_tokens_details", "reasoning_tokens"),
}


def _usage(value: Any, paths: dict[str, tuple[str, ...]]) -> dict[str, int | None] | None:
    if not isinstance(value, dict):
        return None
    found: dict[str, int | None] = {}
    for name, path in paths.items():
        one: Any = value
        for member in path:
            one = mapping(one).get(member)
        found[name] = one if isinstance(one, int) and not isinstance(one, bool) else None
    return found
