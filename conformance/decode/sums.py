"""The texts of a stream at each of their stages: deltas, their done, the part, the item, the final output.

Each stage repeats the text of the one before it. :func:`texts` collects them for the checks; a stage that the stream
does not contain is None. Source: openai, ResponseStreamEvent; doc 2026-10, section 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.contract.events import EventTable, TextKind
from conformance.decode.events import Event, objects, places, text

#: The stage that an event of a text is of.
_STAGES = {"delta": "deltas", "done": "done"}


@dataclass
class Text:
    """One text: its ``kind`` (the row of such texts in the contract's table), its stages, and the event that closed
    each of them. ``content_index`` is None for a call."""

    kind: TextKind
    output_index: int
    content_index: int | None
    done: str | None = None
    part: str | None = None
    item: str | None = None
    final: str | None = None
    events: dict[str, Event] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)

    @property
    def what(self) -> str:
        """The name of its kind."""
        return self.kind.name

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
        for kind, index, content, stage, value in _writings(event, place):
            key = (index, content)
            one = found.setdefault(key, Text(kind, index, content))
            one.put(stage, value, event)
    return list(found.values())


def undocumented_type_of(named: str, index: int, events: Sequence[Event]) -> str:
    """The undocumented type of event whose deltas for the item at an index make this text; empty if there is none."""
    deltas: dict[str, str] = {}
    for event in events:
        if event.row is None and event.type and event.output_index == index:
            deltas[event.type] = deltas.get(event.type, "") + text(event.data.get("delta"))
    return next((kind for kind, value in deltas.items() if value == named), "")


def _writings(event: Event, index: int | None) -> Iterator[tuple[TextKind, int, int | None, str, Any]]:
    table, row, kind = event.table, event.row, event.text_kind
    if row is None:
        return
    if row.step == "end":
        for place, item in enumerate(objects(event.response.get("output"))):
            for of, content, value in item_texts(item, table):
                yield of, place, content, "final", value
    elif index is None:
        return
    elif kind and row.step in _STAGES:
        content = None if kind.in_item else event.content_index
        yield kind, index, content, _STAGES[row.step], event.data.get(row.member)
    elif row.step == "close-part":
        if event.part_type in table.by_part:
            yield table.by_part[event.part_type], index, event.content_index, "part", event.part.get("text")
    elif row.step == "close-item":
        for of, content, value in item_texts(event.item, table):
            yield of, index, content, "item", value


def item_texts(item: dict[str, Any], table: EventTable) -> Iterator[tuple[TextKind, int | None, Any]]:
    """The texts of a complete item: (kind, content_index or None, text)."""
    for kind in table.items.get(text(item.get("type")), ()):
        if kind.in_item:
            yield kind, None, item.get(kind.name)
    for index, part in enumerate(objects(item.get("content"))):
        if (name := text(part.get("type"))) in table.by_part:
            yield table.by_part[name], index, part.get("text")
