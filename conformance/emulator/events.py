"""The stream of a finished plan: events, numbers, frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import render
from .shapes import Dict, Frame, Item, Plan, to_json

# The types of events, by what they are about.
LIFE = ("created", "in_progress", "completed", "incomplete")
ITEM = ("output_item.added", "output_item.done")
PART = ("content_part.added", "content_part.done")

# What each type carries besides its type, its number and a response.
MEMBERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ITEM, ("output_index", "item")),
    **dict.fromkeys(PART, ("item_id", "output_index", "content_index", "part")),
    "output_text.delta": ("item_id", "output_index", "content_index", "delta"),
    "output_text.done": ("item_id", "output_index", "content_index", "text"),
    "reasoning_text.delta": ("item_id", "output_index", "content_index", "delta"),
    "reasoning_text.done": ("item_id", "output_index", "content_index", "text"),
    "function_call_arguments.delta": ("item_id", "output_index", "delta"),
    "function_call_arguments.done": ("item_id", "output_index", "arguments", "name"),
    "custom_tool_call_input.delta": ("item_id", "output_index", "delta"),
    "custom_tool_call_input.done": ("item_id", "output_index", "input"),
}
TYPES = (*LIFE, *MEMBERS)


# Different sizes on purpose: a client must not rely on a fixed size.
SIZES = (5, 3, 7, 4, 8, 6)


def pieces(text: str) -> list[str]:
    """A text in pieces of 3 to 8 characters, at least two if it has two characters; none for ''."""
    cut: list[str] = []
    at = 0
    while at < len(text):
        size = min(SIZES[len(cut) % len(SIZES)], max(1, -(-len(text) // 2)))
        cut.append(text[at : at + size])
        at += size
    return cut


def build(created: Dict, in_progress: Dict, terminal: Dict, plan: Plan) -> list[Dict]:
    """All events of a response in order, without numbers; the three objects are used as they are."""
    return [
        {"type": "response.created", "response": created},
        {"type": "response.in_progress", "response": in_progress},
        *(event for index, one in enumerate(plan.items) for event in of_item(one, index)),
        {"type": f"response.{plan.status}", "response": terminal},
    ]


def of_item(one: Item, index: int) -> Iterator[Dict]:
    """The events of one item, from added to done."""
    yield {"type": "response.output_item.added", "output_index": index, "item": render.opened(one)}
    if one.is_call:
        yield from _call(one, index)
    else:
        for number, text in enumerate(one.texts):
            yield from _part(one, index, number, text)
    yield {"type": "response.output_item.done", "output_index": index, "item": render.item(one)}


def _part(one: Item, index: int, number: int, text: str) -> Iterator[Dict]:
    kind = "reasoning_text" if one.kind == "reasoning" else "output_text"
    at: Dict = {"item_id": one.id, "output_index": index, "content_index": number}
    yield {"type": "response.content_part.added", **at, "part": render.part(one, "")}
    for piece in pieces(text):
        yield {"type": f"response.{kind}.delta", **at, "delta": piece}
    yield {"type": f"response.{kind}.done", **at, "text": text}
    yield {"type": "response.content_part.done", **at, "part": render.part(one, text)}


def _call(one: Item, index: int) -> Iterator[Dict]:
    at: Dict = {"item_id": one.id, "output_index": index}
    text = one.texts[0]
    function = one.kind == "function_call"
    kind = "function_call_arguments" if function else "custom_tool_call_input"
    for piece in pieces(text):
        yield {"type": f"response.{kind}.delta", **at, "delta": piece}
    # Only for the arguments of a function the done event is documented to contain the name.
    last: Dict = {"arguments": text, "name": one.name} if function else {"input": text}
    yield {"type": f"response.{kind}.done", **at, **last}


def number(events: Iterable[Dict], first: int = 0) -> list[Dict]:
    """The events with `sequence_number` after `type`, counting from `first`."""
    numbered: list[Dict] = []
    for value, event in enumerate(events, first):
        head = {"type": event["type"]} if "type" in event else {}
        rest = {key: member for key, member in event.items() if key not in ("type", "sequence_number")}
        numbered.append({**head, "sequence_number": value, **rest})
    return numbered


def frame(event: Dict) -> Frame:
    """The two lines an event is written as."""
    return Frame(event, (f"event: {event.get('type')}", f"data: {to_json(event)}"))


def to_bytes(one: Frame) -> bytes:
    """The bytes of a frame, including its blank line."""
    return "".join(f"{line}\n" for line in (*one.lines, "")).encode()
