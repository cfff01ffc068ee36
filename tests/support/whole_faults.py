"""Faults that many responses meet, or that change a stream as a whole: each is one defect and must be one cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.emulator import Behaviour, Context, Reply
from conformance.emulator.faults.tools import as_markup
from conformance.emulator.hooks import fault
from conformance.emulator.shapes import Item, Refusal

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


def _wrapped(stream: bool | None, as_text: bool = False) -> Callable[[Context, Reply], Reply]:
    """A refusal as a Response with HTTP 200 that has failed, or that is complete and has the error as its text; with
    ``stream`` only for such requests."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        if not 400 <= reply.status < 500 or ctx.method != "POST" or stream not in (None, ctx.stream):
            return reply
        error = json.loads(reply.body.decode().removeprefix("data:"))["error"]
        says = f"Error: {error['message']} {error.get('param') or ''}".strip()
        body = _response(ctx, says) if as_text else _response(ctx, says, "failed")
        if not ctx.stream:
            return reply.coded(200).having("Content-Type", "application/json").saying(body)
        chunks = [(0.0, f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode()) for one in _events(body)]
        return Reply(200, "OK", [("Content-Type", "text/event-stream")], chunks)

    return hook


def _response(ctx: Context, says: str, status: str = "completed") -> Object:
    part = {"type": "output_text", "text": says, "annotations": []}
    item = {"id": ctx.new_id("msg_"), "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    failed = status == "failed"
    return {
        "id": ctx.new_id("resp_"), "object": "response", "created_at": int(ctx.now), "status": status,
        "error": {"code": "server_error", "message": says} if failed else None, "incomplete_details": None,
        "model": ctx.body.get("model") or "mimo-v2.5-pro", "metadata": None, "output": [] if failed else [item],
        "output_text": "" if failed else says,
        "usage": None if failed else {
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18},
    }  # fmt: skip


def _events(final: Object) -> list[Object]:
    """The stream of a Response with at most one message."""
    begun = {**final, "status": "in_progress", "error": None, "output": [], "output_text": "", "usage": None}
    made: list[Object] = [{"type": f"response.{name}", "response": begun} for name in ("created", "in_progress")]
    for item in final["output"]:
        [part], place = item["content"], {"item_id": item["id"], "output_index": 0, "content_index": 0}
        opened = {**item, "status": "in_progress", "content": []}
        made += [
            {"type": "response.output_item.added", "output_index": 0, "item": opened},
            {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **place, "delta": part["text"]},
            {"type": "response.output_text.done", **place, "text": part["text"]},
            {"type": "response.content_part.done", **place, "part": part},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
        ]
    made.append({"type": f"response.{final['status']}", "response": final})
    return [{**one, "sequence_number": number} for number, one in enumerate(made)]


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


def _heartbeat(write: Callable[[bytes, bytes], bytes]) -> Callable[[Context, list[bytes]], list[bytes]]:
    """Writes each third event with a heartbeat: by its event line and the JSON of its data."""

    def hook(_: Context, chunks: list[bytes]) -> list[bytes]:
        made = []
        for number, chunk in enumerate(chunks):
            head, _, data = chunk.partition(b"\ndata: ")
            made.append(write(head, data.strip()) if number % 3 == 2 and data else chunk)
        return made

    return hook


def _closed_as_reasoning(_: Context, events: list[Object]) -> list[Object]:
    for event in events:
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "message":
            parts = [{"type": "reasoning_text", "text": part["text"]} for part in event["item"]["content"]]
            event["item"] = {"id": event["item"]["id"], "type": "reasoning", "status": "completed", "content": parts}
    return events


def _calls_as_text_in_streams(ctx: Context, items: list[Item]) -> list[Item]:
    return as_markup(ctx, items) if ctx.stream else items


def _queued_with_202(ctx: Context, reply: Reply) -> Reply:
    """Accepts a background request, as OpenAI does not, with 202."""
    if ctx.body.get("background") is not True or ctx.stream or reply.status != 200:
        return reply
    queued = json.loads(reply.body) | {"status": "queued", "output": [], "output_text": "", "usage": None}
    return replace(reply.coded(202), chunks=[(0, json.dumps(queued).encode())])


def _only_begun_and_ended(_: Context, events: list[Object]) -> list[Object]:
    """A refusal that is sent as an empty success."""
    if events[-1]["type"] == "response.completed":
        events[-1]["response"] |= {"output": [], "output_text": ""}
        return [events[0], events[-1]]
    return events


def _messages_at_the_end(_: Context, events: list[Object]) -> list[Object]:
    """Streams only the other items; the messages are in the final Response."""
    messages = {event["output_index"] for event in events if event.get("item", {}).get("type") == "message"}
    return [event for event in events if event.get("output_index") not in messages]


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
        empty = {"output": [], "output_text": ""}
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
        ("every refusal a failed Response with 200", "reply", _wrapped(None), "error.real-status",
         "an error with HTTP 200"),
        ("every refused stream a failed Response with 200", "reply", _wrapped(True), "error.streaming-same-status",
         "for the plain request, HTTP 200 with stream: true"),
        ("every refusal the text of a completed Response", "reply", _wrapped(None, as_text=True), "error.real-status",
         "is the text of a completed Response"),
        ("every refused stream the text of a completed Response", "reply", _wrapped(True, as_text=True),
         "error.real-status", "is the text of a completed Response"),
        ("a comment glued to the data field", "chunks",
         _heartbeat(lambda head, data: head + b"\n: keepalive" + b"data: " + data + b"\n\n"), "sse.frames-parse",
         "is in a comment line, which parsers ignore"),
        ("a comment with a blank line in an event", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data[:40] + b"\n: ping\n\n" + data[40:] + b"\n\n"),
         "sse.data-is-json-object", "frame 2 is a part of an event, which the comment ': ping' interrupts"),
        ("a comment in the line of the data", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data[:40] + b": ping\n\n" + data[40:] + b"\n\n"),
         "sse.data-is-json-object", "frame 2 is a part of an event, which the comment ': ping' interrupts"),
        ("an event divided by a blank line", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data[:40] + b"\n\n" + data[40:] + b"\n\n"),
         "sse.data-is-json-object", "frame 2 is a part of an event, which a blank line interrupts"),
        ("an event divided by a line break", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data[:40] + b"\n" + data[40:] + b"\n\n"),
         "sse.data-is-json-object", "frame 2 is a part of an event, which a line break interrupts"),
        ("a comment behind the data", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data + b": keepalive\n\n"),
         "sse.data-is-json-object", "frame 2: the comment ': keepalive' is on the line of the data"),
        ("a comment in place of the blank line", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data + b"\n: keepalive\n"), "sse.data-is-json-object",
         "frame 2 contains the data of 2 events: the blank line between them is missing"),
        ("a heartbeat as data", "chunks",
         _heartbeat(lambda head, data: head + b"\ndata: " + data + b"\n\ndata: ping\n\n"), "sse.data-is-json-object",
         "is not a JSON object: 'ping'"),
        ("a final output in another order", "events", _final(list.reverse), "sum.final-output",
         "the final output has the streamed items in another order"),
        ("a final output that lacks an item", "events", _final(list.pop), "sum.final-output",
         "the final output does not contain 1 message of the streamed items"),
        ("events of another stream in front", "chunks", _of_another, "lifecycle.each-once",
         "for another response: the stream contains the events of two"),
        ("calls only in the final output", "events", _calls_at_the_end, "sum.final-output",
         "the final output has 1 function_call that was not streamed"),
        ("messages only in the final output", "events", _messages_at_the_end, "sum.final-output",
         "the final output has 1 message that was not streamed"),
        ("202 for a background request", "reply", _queued_with_202, "unsupported.background-not-honoured",
         "background: true is in effect"),
        ("calls as text in streams", "draft", _calls_as_text_in_streams, "tools.called-either-way",
         "the output text contains <tool_call>"),
        ("created and completed only", "events", _only_begun_and_ended, "response.not-empty",
         "a completed response has no output item"),
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
