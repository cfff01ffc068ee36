"""The texts of a stream at each of their stations: deltas, their done, the part, the item, the final output.

Each station repeats the one before it. :func:`texts` lays them side by side for the checks; a station that the
stream does not have is None. Source: openai, ResponseStreamEvent; doc 2026-10, section 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.stream.events import Event, mapping, objects, places

#: Event type -> (what is written, the station, the member that holds it).
_STATIONS = {
    "response.output_text.delta": ("text", "deltas", "delta"),
    "response.output_text.done": ("text", "done", "text"),
    "response.reasoning_text.delta": ("reasoning", "deltas", "delta"),
    "response.reasoning_text.done": ("reasoning", "done", "text"),
    "response.function_call_arguments.delta": ("arguments", "deltas", "delta"),
    "response.function_call_arguments.done": ("arguments", "done", "arguments"),
    "response.custom_tool_call_input.delta": ("input", "deltas", "delta"),
    "response.custom_tool_call_input.done": ("input", "done", "input"),
}

_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


@dataclass
class Text:
    """One text: ``what`` is ``text``, ``reasoning``, ``arguments`` or ``input``; then its stations and the event that
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
        """What the deltas add up to, None without any."""
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else None

    def put(self, station: str, value: Any, event: Event) -> None:
        """Note a station's text; deltas add up, a repeated station keeps its last word."""
        if not isinstance(value, str):
            return
        if station == "deltas":
            self.pieces.append(value)
        else:
            setattr(self, station, value)
        self.events[station] = event

    def before(self, station: str) -> tuple[str, str] | None:
        """The nearest earlier station that the stream has, and its text."""
        order = ("deltas", "done", "part", "item", "final")
        for name in reversed(order[: order.index(station)]):
            value = getattr(self, name)
            if value is not None:
                return name, value
        return None


def texts(events: Sequence[Event]) -> list[Text]:
    """Every text of the stream, in order of first sight."""
    found: dict[tuple[int, int | None], Text] = {}
    for event, place in places(events):
        for what, index, content, station, value in _writings(event, place):
            key = (index, content)
            text = found.setdefault(key, Text(what, index, content))
            text.put(station, value, event)
    return list(found.values())


def _writings(event: Event, index: int | None) -> Iterator[tuple[str, int, int | None, str, Any]]:
    if event.type in ("response.completed", "response.incomplete"):
        for place, item in enumerate(objects(event.response.get("output"))):
            for what, content, value in item_texts(item):
                yield what, place, content, "final", value
    elif index is None:
        return
    elif event.type in _STATIONS:
        what, station, member = _STATIONS[event.type]
        content = event.content_index if what in ("text", "reasoning") else None
        yield what, index, content, station, event.data.get(member)
    elif event.type == "response.content_part.done":
        part = mapping(event.data.get("part"))
        if part.get("type") in ("output_text", "reasoning_text"):
            what = "text" if part["type"] == "output_text" else "reasoning"
            yield what, index, event.content_index, "part", part.get("text")
    elif event.type == "response.output_item.done":
        for what, content, value in item_texts(event.item):
            yield what, index, content, "item", value


def item_texts(item: dict[str, Any]) -> Iterator[tuple[str, int | None, Any]]:
    """The texts of a whole item: (what, content_index or None, text)."""
    member = _CALLS.get(str(item.get("type")))
    if member:
        yield member, None, item.get(member)
    for index, part in enumerate(objects(item.get("content"))):
        if part.get("type") in ("output_text", "reasoning_text"):
            yield "text" if part["type"] == "output_text" else "reasoning", index, part.get("text")
