"""Faults that many responses meet, or that change a stream as a whole: each is one defect and must be one cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.emulator import Behaviour, Context, Reply
from conformance.emulator.hooks import fault
from conformance.emulator.shapes import Refusal

Object = dict[str, Any]

_ENDS = ("response.completed", "response.incomplete")


def _success(_: Context, reply: Reply) -> Reply:
    return replace(reply, status=200, reason="OK") if 400 <= reply.status < 500 else reply


def _error_stream(ctx: Context, reply: Reply) -> Reply:
    """A refusal of a streaming request as a stream of one error event under 200."""
    if not (400 <= reply.status < 500 and ctx.stream):
        return reply
    error = json.loads(reply.body.decode().removeprefix("data:"))["error"]
    event = json.dumps({**error, "type": "error", "sequence_number": 0})
    chunk = f"event: error\ndata: {event}\n\n".encode()
    return Reply(200, "OK", [("Content-Type", "text/event-stream")], [(0, chunk)])


def _final(change: Callable[[list[Any]], object]) -> Callable[[Context, list[Object]], list[Object]]:
    """Changes the output of the final Response in streams."""

    def hook(_: Context, events: list[Object]) -> list[Object]:
        for event in events:
            if event["type"] in _ENDS and len(event["response"]["output"]) > 1:
                change(event["response"]["output"])
        return events

    return hook


def _only_the_frame(_: Context, events: list[Object]) -> list[Object]:
    kept = [one for one in events if one["type"] in ("response.created", "response.in_progress", *_ENDS)]
    for event in kept:
        if event["type"] in _ENDS:
            event["response"]["output"] = []
    return kept


def _of_another(ctx: Context, chunks: list[bytes]) -> list[bytes]:
    with ctx.lock:
        before, ctx.memory["chunks"] = ctx.memory.get("chunks", []), list(chunks)
    return [*(before[:6] if ctx.responses % 5 == 3 else []), *chunks]


def _closed_as_reasoning(_: Context, events: list[Object]) -> list[Object]:
    for event in events:
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "message":
            parts = [{"type": "reasoning_text", "text": part["text"]} for part in event["item"]["content"]]
            event["item"] = {"id": event["item"]["id"], "type": "reasoning", "status": "completed", "content": parts}
    return events


def _calls_at_the_end(_: Context, events: list[Object]) -> list[Object]:
    """Streams only the other items; the calls are in the final Response."""
    calls = {event["output_index"] for event in events if event.get("item", {}).get("type") == "function_call"}
    return [event for event in events if event.get("output_index") not in calls]


def _older_names(_: Context, events: list[Object]) -> list[Object]:
    for event in events:
        event["type"] = event["type"].replace("reasoning_text.", "reasoning.")
    return events


def _error_for_get(ctx: Context, reply: Reply) -> Reply:
    return reply.coded(200) if ctx.method == "GET" else reply


def _breaks(test: Callable[[Object], object]) -> Callable[[Context, Refusal | None], Refusal | None]:
    message = "The upstream model refused the request: " + "a long detail, " * 20 + "unsupported member"
    broken = Refusal(500, {"message": message, "code": "500"})
    return lambda ctx, usual: broken if ctx.body and test(ctx.body) else usual


def _role(name: str) -> Callable[[Object], bool]:
    return lambda body: (
        isinstance(body.get("input"), list)
        and any(isinstance(item, dict) and item.get("role") == name for item in body["input"])
    )


def _fault(name: str, **hooks: Any) -> Behaviour:
    return fault(f"whole.{name}", f"One defect: {name}.", **hooks)


def _fails_plain(test: Callable[[Object], bool]) -> Callable[[Context, Reply], Reply]:
    """Sends a failed Response with HTTP 200 for plain requests with such a body."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        if not ctx.served or ctx.stream or not test(ctx.body):
            return reply
        error = {"code": "server_error", "message": "the model failed"}
        empty = {"output": [], "output_text": "", "usage": None}
        failed = {**json.loads(reply.body), "status": "failed", "error": error, **empty}
        return replace(reply, framing="length").saying(failed)

    return hook


def _by_a_client(body: Object) -> bool:
    return "weather in Paris" in json.dumps(body)


#: Faults by name, each with the rule and the words of the one cause.
COMPLETE_BITS: dict[str, tuple[Behaviour, str, str]] = {
    name: (_fault(name, **{hook: function}), rule, words)
    for name, hook, function, rule, words in (
        ("every 4xx turned into a 200", "reply", _success, "error.real-status", "an error body with HTTP 200"),
        ("a refused stream answered with a 200 stream", "reply", _error_stream, "error.real-status",
         "an error with HTTP 200: the stream ends in error"),
        ("a final output in another order", "events", _final(list.reverse), "sum.final-output",
         "the final output has the streamed items in another order"),
        ("a final output that lacks an item", "events", _final(list.pop), "sum.final-output",
         "the final output does not contain 1 message of the streamed items"),
        ("events of another stream in front", "chunks", _of_another, "lifecycle.each-once",
         "for another response: the stream contains the events of two"),
        ("calls only in the final output", "events", _calls_at_the_end, "sum.final-output",
         "the final output has 1 function_call that was not streamed"),
        ("reasoning in events of other types", "events", _older_names, "sum.reasoning-deltas",
         "it is in events of the undocumented type response.reasoning.delta"),
        ("a terminal event sent twice, with one number", "numbered", lambda _, events: [*events, events[-1]],
         "lifecycle.one-terminal-last", "is a second terminal event"),
        ("an error body under 200 for GET", "reply", _error_for_get, "error.real-status",
         "an error body with HTTP 200"),
        ("no items in streams", "events", _only_the_frame, "response.not-empty",
         "a completed response has no output item"),
        ("an item closed as another type", "events", _closed_as_reasoning, "identity.event-fits-item",
         "closes the message of output_index 0 as 'reasoning'"),
        ("no items at all", "plan", lambda _, plan: replace(plan, items=()), "response.not-empty",
         "a completed response has no output item"),
        ("a call that nobody declared", "draft",
         lambda _, items: [replace(one, name="search_web") if one.kind == "function_call" else one for one in items],
         "tools.call-shape", "the name of a call is not that of a declared tool"),
        ("top_p 1.0 always 500", "validate", _breaks(lambda body: body.get("top_p") == 1.0), "request.top_p-accepted",
         "unsupported member"),
        ("system messages always 500", "validate", _breaks(_role("system")), "request.input-roles",
         "unsupported member"),
        ("every wrong key 429", "auth",
         lambda _, usual: Refusal(429, {"message": "slow down", "code": "429"}) if usual else None,
         "auth.wrong-bearer-refused", "every invalid key received HTTP 429, and none of the valid keys did"),
        ("every plain response failed", "reply", _fails_plain(lambda _: True), "response.ends-final",
         "the final status is 'failed'"),
        ("every plain response to a client failed", "reply", _fails_plain(_by_a_client), "response.ends-final",
         "the final status is 'failed'"),
        ("a plain response to a client's undocumented member failed", "reply",
         _fails_plain(lambda body: _by_a_client(body) and "include" in body), "http.client-request-answered",
         "the final status of the response is 'failed'"),
    )
}  # fmt: skip
