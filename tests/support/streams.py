"""Streams as lists of events: correct ones to begin with, edits that spoil them, and the bytes they make."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

from conformance.decode.events import Event, decode
from conformance.decode.sse import parse
from conformance.exchange.exchange import Chunk

Stream = list[dict[str, Any]]
Edit = Callable[[Stream], Stream]

#: The events of one item, and the item when it is done.
Written = tuple[Stream, dict[str, Any]]


def chunks(stream: Stream) -> tuple[Chunk, ...]:
    """One frame a chunk, ten milliseconds apart."""
    frames = [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in stream]
    return tuple(Chunk(10.0 * place, frame) for place, frame in enumerate(frames))


def decoded(stream: Stream) -> tuple[Event, ...]:
    """The events as the suite reads them from those bytes."""
    return decode(parse(chunks(stream)).frames)[0]


def message(index: int = 0, texts: Sequence[str] = ("Hello",), item_id: str = "") -> Written:
    """A message with a part for each text, two deltas a part."""
    item_id = item_id or f"msg_{index}"
    events: Stream = []
    for place, text in enumerate(texts):
        events += _part(index, place, item_id, "output_text", text, announced=True)
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    item = {"type": "message", "id": item_id, "role": "assistant", "content": parts}
    return _item(index, item, {**item, "content": []}, events)


def reasoning(index: int = 0, text: str = "Hmm so", announced: bool = True) -> Written:
    """A reasoning item; content_part around its text is optional."""
    item_id = f"rs_{index}"
    events = _part(index, 0, item_id, "reasoning_text", text, announced)
    item = {"type": "reasoning", "id": item_id, "summary": [], "content": [{"type": "reasoning_text", "text": text}]}
    return _item(index, item, {**item, "content": []}, events)


def call(index: int = 0, name: str = "look_up", arguments: str = '{"a": 1}') -> Written:
    """A function call, its arguments in two deltas."""
    item_id = f"fc_{index}"
    about = {"item_id": item_id, "output_index": index}
    kind = "response.function_call_arguments"
    events = [{"type": f"{kind}.delta", **about, "delta": half} for half in _halves(arguments)]
    events.append({"type": f"{kind}.done", **about, "name": name, "arguments": arguments})
    item = {"type": "function_call", "id": item_id, "call_id": f"call_{index}", "name": name, "arguments": arguments}
    return _item(index, item, {**item, "arguments": ""}, events)


def custom_call(index: int = 0, name: str = "run", given: str = "ls -l") -> Written:
    """A custom tool's call, its input in two deltas."""
    item_id = f"ct_{index}"
    about = {"item_id": item_id, "output_index": index}
    kind = "response.custom_tool_call_input"
    events = [{"type": f"{kind}.delta", **about, "delta": half} for half in _halves(given)]
    events.append({"type": f"{kind}.done", **about, "input": given})
    item = {"type": "custom_tool_call", "id": item_id, "call_id": f"call_{index}", "name": name, "input": given}
    return _item(index, item, {**item, "input": ""}, events)


def stream(*written: Written, overlap: bool = False, end: str = "completed") -> Stream:
    """A whole stream of these items, one after another, or all under way at a time."""
    output = [item for _, item in written]
    lists = [events for events, _ in written]
    middle = _interleaved(lists) if overlap else [event for events in lists for event in events]
    return [
        {"type": "response.created", "response": _response("in_progress", [])},
        {"type": "response.in_progress", "response": _response("in_progress", [])},
        *copy.deepcopy(middle),
        {"type": f"response.{end}", "response": _response(end, copy.deepcopy(output))},
    ]


def place(stream: Stream, name: str, nth: int = 0) -> int:
    """Where the nth event of that type stands (negative: from the end)."""
    return [at for at, one in enumerate(stream) if one["type"] == f"response.{name}"][nth]


def drop(*names: str, nth: int = 0) -> Edit:
    """Leaves the nth event of each of these types out."""

    def edit(stream: Stream) -> Stream:
        for name in names:
            del stream[place(stream, name, nth)]
        return stream

    return edit


def twice(name: str, nth: int = 0) -> Edit:
    """Sends an event twice in a row."""

    def edit(stream: Stream) -> Stream:
        at = place(stream, name, nth)
        return [*stream[:at], copy.deepcopy(stream[at]), *stream[at:]]

    return edit


def move(name: str, behind: str, nth: int = 0) -> Edit:
    """Sends the nth event of a type behind the last one of another."""

    def edit(stream: Stream) -> Stream:
        moved = stream.pop(place(stream, name, nth))
        stream.insert(place(stream, behind, -1) + 1, moved)
        return stream

    return edit


def put(event: dict[str, Any], behind: str, nth: int = -1) -> Edit:
    """Sends one more event behind the nth one of a type."""

    def edit(stream: Stream) -> Stream:
        stream.insert(place(stream, behind, nth) + 1, copy.deepcopy(event))
        return stream

    return edit


def change(name: str, pointer: str, value: Any, nth: int = 0) -> Edit:
    """Gives a member of the nth event of a type another value; numbers in the pointer are places in arrays."""

    def edit(stream: Stream) -> Stream:
        _set(stream[place(stream, name, nth)], pointer, value)
        return stream

    return edit


def everywhere(member: str, old: Any, new: Any) -> Edit:
    """Gives a member of the events another value wherever it has the old one."""

    def edit(stream: Stream) -> Stream:
        for event in stream:
            if member in event and event[member] == old:
                event[member] = new
        return stream

    return edit


def _set(event: dict[str, Any], pointer: str, value: Any) -> None:
    *path, last = pointer.strip("/").split("/")
    node: Any = event
    for step in path:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[last] = value


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _response(status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status, "output": output}


def _item(index: int, item: dict[str, Any], begun: dict[str, Any], events: Stream) -> Written:
    added = {"type": "response.output_item.added", "output_index": index, "item": {**begun, "status": "in_progress"}}
    finished = {**item, "status": "completed"}
    return [added, *events, {"type": "response.output_item.done", "output_index": index, "item": finished}], finished


def _part(index: int, content: int, item_id: str, kind: str, text: str, announced: bool) -> Stream:
    about = {"item_id": item_id, "output_index": index, "content_index": content}
    events: Stream = [{"type": f"response.{kind}.delta", **about, "delta": half} for half in _halves(text)]
    events.append({"type": f"response.{kind}.done", **about, "text": text})
    if announced:
        part = {"type": kind, "text": text}
        events.insert(0, {"type": "response.content_part.added", **about, "part": {**part, "text": ""}})
        events.append({"type": "response.content_part.done", **about, "part": part})
    return events


def _interleaved(lists: Sequence[Stream]) -> Stream:
    return [events[at] for at in range(max(map(len, lists), default=0)) for events in lists if at < len(events)]
