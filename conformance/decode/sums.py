"""The texts of a stream at each of their stages: deltas, their done, the part, the item, the final output.

Each stage repeats the text of the one before it. :func:`texts` collects them for the checks; a stage that the stream
does not contain is None. Source: openai, ResponseStreamEvent; doc 2026-10, section 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.contract.events import EVENTS, IN_ITEM, ITEMS, PARTS
from conformance.decode.events import Event, objects, places, text

#: Event type -> (kind of text, stage, member that contains it).
_STAGES = {one.type: (one.text, "deltas" if one.step == "delta" else "done", one.member) for one in EVENTS if one.text}

#: The events of the later stages.
_PART_DONE, _ITEM_DONE = (one.type for step in ("close-part", "close-item") for one in EVENTS if one.step == step)
_ENDS = {one.type for one in EVENTS if one.step == "end"}


@dataclass
class Text:
    """One text: ``what`` is ``text``, ``reasoning``, ``arguments`` or ``input``; then its stages and the event that
    closed each of them. ``content_index`` is None for a call."""

    what: str
    output_index: int
    content_index: int | None
    done: str | None = None
    part: str | None = None
    item: str | None = None
    final: str | None = None
    events: dict[str, Event] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)

    @property
    def deltas(self) -> str | None:
        """The concatenated deltas; None if there are none."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else None

    def put(self, stage: str, value: Any, event: Event) -> None:
        """Store the text of a stage; deltas are concatenated, a repeated stage is overwritten."""
        if not isinstance(value, str):
            return
        if stage == "deltas":
            self.pieces.append(value)
        else:
            setattr(self, stage, value)
        self.events[stage] = event

    def before(self, stage: str) -> tuple[str, str] | None:
        """Name and text of the previous stage that the stream contains; None if there is none."""
        order = ("deltas", "done", "part", "item", "final")
        for name in reversed(order[: order.index(stage)]):
            value = getattr(self, name)
            if value is not None:
                return name, value
        return None


def texts(events: Sequence[Event]) -> list[Text]:
    """Every text of the stream, in order of first occurrence."""
    found: dict[tuple[int, int | None], Text] = {}
    for event, place in places(events):
        for what, index, content, stage, value in _writings(event, place):
            key = (index, content)
            one = found.setdefault(key, Text(what, index, content))
            one.put(stage, value, event)
    return list(found.values())


def _writings(event: Event, index: int | None) -> Iterator[tuple[str, int, int | None, str, Any]]:
    if event.type in _ENDS:
        for place, item in enumerate(objects(event.response.get("output"))):
            for what, content, value in item_texts(item):
                yield what, place, content, "final", value
    elif index is None:
        return
    elif event.type in _STAGES:
        what, stage, member = _STAGES[event.type]
        content = event.content_index if what not in IN_ITEM else None
        yield what, index, content, stage, event.data.get(member)
    elif event.type == _PART_DONE:
        if event.part_type in PARTS:
            yield PARTS[event.part_type][0], index, event.content_index, "part", event.part.get("text")
    elif event.type == _ITEM_DONE:
        for what, content, value in item_texts(event.item):
            yield what, index, content, "item", value


def item_texts(item: dict[str, Any]) -> Iterator[tuple[str, int | None, Any]]:
    """The texts of an item: (kind of text, content_index or None, text)."""
    for member in ITEMS.get(text(item.get("type")), ()):
        if member in IN_ITEM:
            yield member, None, item.get(member)
    for index, part in enumerate(objects(item.get("content"))):
        if (kind := text(part.get("type"))) in PARTS:
            yield PARTS[kind][0], index, part.get("text")
