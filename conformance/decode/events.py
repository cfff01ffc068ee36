"""Frames to typed events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.contract.events import FAILING_ENDS, EventTable, EventType, TextKind
from conformance.contract.revisions import DEFAULT
from conformance.decode.json_text import LimitExceeded, Reader, load
from conformance.decode.sse import Frame

#: The marker that some servers send last; not an event of the Responses API.
DONE_MARKER = "[DONE]"

ITEM_ADDED, ITEM_DONE = DEFAULT.table.of("open-item", "close-item")

#: The terminal event before which everything must be closed; in an incomplete response items may stay open.
COMPLETED = "response.completed"

#: The types that end a stream, the documented ones first.
TERMINAL = DEFAULT.table.ends


@dataclass(frozen=True, slots=True)
class Event:
    """One event: ``index`` in the stream, its frame, and ``data``, the JSON object in the frame.

    ``type`` is ``data.type``, else the frame's event line: what a client that looks at either would take it for; empty
    if it has none. ``twice`` are the members that one object of it names twice. ``row`` is the row of its type in
    the contract's ``table``; None for an undocumented one.
    """

    index: int
    frame: Frame
    data: dict[str, Any]
    twice: tuple[str, ...] = ()
    table: EventTable = DEFAULT.decoding
    type: str = field(init=False)
    row: EventType | None = field(init=False)

    def __post_init__(self) -> None:
        named = self.data.get("type")
        # Usually both are equal: then one string is kept in memory.
        same = not isinstance(named, str) or named == self.frame.event
        object.__setattr__(self, "type", self.frame.event if same else named)
        object.__setattr__(self, "row", self.table.by_type.get(self.type))

    @property
    def number(self) -> Any:
        """``sequence_number``, of any type; None if it is missing."""
        return self.data.get("sequence_number")

    @property
    def output_index(self) -> int | None:
        """``output_index`` if it is an integer."""
        return integer(self.data.get("output_index"))

    @property
    def content_index(self) -> int:
        """``content_index``; 0 if it is missing, which the schema reports."""
        return integer(self.data.get("content_index")) or 0

    @property
    def item_id(self) -> str | None:
        """``item_id`` if it is a string."""
        named = self.data.get("item_id")
        return named if isinstance(named, str) else None

    @property
    def item(self) -> dict[str, Any]:
        """``item`` if it is an object, else an empty one."""
        return mapping(self.data.get("item"))

    @property
    def part(self) -> dict[str, Any]:
        """``part`` if it is an object, else an empty one."""
        return mapping(self.data.get("part"))

    @property
    def part_type(self) -> str:
        """The type of the part that the event opens or closes; empty without one."""
        return text(self.part.get("type"))

    @property
    def response(self) -> dict[str, Any]:
        """``response`` if it is an object, else an empty one."""
        return mapping(self.data.get("response"))

    @property
    def about_item(self) -> bool:
        """Whether an event of this type is about one output item."""
        return self.row is not None and self.row.about_item

    @property
    def terminal(self) -> bool:
        """Whether this event ends a response."""
        return self.step == "end" or self.type in FAILING_ENDS

    @property
    def step(self) -> str:
        """What it does in the lifecycle of its stream; empty for an undocumented type."""
        return self.row.step if self.row is not None else ""

    @property
    def text_kind(self) -> TextKind | None:
        """The text that it is about; None if it is about none."""
        row = self.row
        return self.table.by_text[row.text] if row is not None and row.text else None


def places(events: Iterable[Event]) -> Iterator[tuple[Event, int | None]]:
    """Each event with the index of the item it belongs to; None for an event without an item.

    That is the index under which the item of its ``item_id`` was added (so that a wrong index is reported once, not at
    every later event), else its own ``output_index``; this one too if it is that of an open item, and the other item is
    closed: then the id is wrong. Without an index the item is found by its id, else by order: an
    added item is the next one, and an event without an id belongs to the item opened last.
    """
    announced: dict[str, list[int]] = {}
    opened: list[int] = []
    closed: set[int] = set()
    for event in events:
        index = event.output_index
        named = event.data.get("item_id") or event.item.get("id")
        known = announced.get(named, []) if isinstance(named, str) else []
        if event.step == "open-item":
            if index is None:
                index = max(opened, default=-1) + 1
            opened.append(index)
            if isinstance(named, str):
                announced.setdefault(named, []).append(index)
        elif known and index not in known:
            names_closed_item = known[-1] in closed and index in opened and index not in closed
            index = index if names_closed_item else known[-1]
        elif index is None and event.about_item:
            index = opened[-1] if opened and not isinstance(named, str) else max(opened, default=-1) + 1
            if isinstance(named, str):
                opened.append(index)
                announced[named] = [index]
        if event.step == "close-item" and index in opened:
            closed.add(index)
            opened.remove(index)
            opened.insert(0, index)  # It is closed: later events without an id belong to another item.
        yield event, index


def item_types(placed: Iterable[tuple[Event, int | None]]) -> dict[int, str]:
    """The type of the item at each output_index, from the first event that contains the item."""
    found: dict[int, str] = {}
    for event, place in placed:
        if place is not None and isinstance(kind := event.item.get("type"), str):
            found.setdefault(place, kind)
    return found


def reasoning_tokens(response: dict[str, Any]) -> int:
    """``reasoning_tokens`` of a Response, 0 if it is missing."""
    details = mapping(mapping(response.get("usage")).get("output_tokens_details"))
    return integer(details.get("reasoning_tokens")) or 0


def integer(value: Any) -> int | None:
    """The value if it is an integer and no boolean, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def integral(value: Any) -> int | None:
    """The value if it is an integer, written ``1`` or ``1.0`` (JSON has one type of number); else None."""
    return int(value) if isinstance(value, float) and value.is_integer() else integer(value)


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The JSON objects of the value if it is an array, else none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def decode(
    frames: Iterable[Frame], table: EventTable = DEFAULT.decoding
) -> tuple[tuple[Event, ...], tuple[Frame, ...]]:
    """The events of these frames, and the frames that are neither an event nor the ``[DONE]`` marker;
    :class:`conformance.decode.json_text.LimitExceeded` if they contain more values in total than are read."""
    events: list[Event] = []
    invalid_frames: list[Frame] = []
    reader = Reader()
    for frame in frames:
        text = frame.data
        if text.strip() == DONE_MARKER:
            continue
        try:
            data = reader.load(text)
        except LimitExceeded as error:
            if not error.alone:
                raise
            data = None
        except ValueError:
            data = None
        if isinstance(data, dict):
            events.append(Event(len(events), frame, data, reader.twice, table))
        else:
            invalid_frames.append(frame)
    return tuple(events), tuple(invalid_frames)


def last_event(body: bytes) -> dict[str, Any] | None:
    """The data of the terminal event that ends a stream, found without decoding the stream, which takes a hundred times
    as long. None without it, for frames of an unusual form, and for one that no blank line ends."""
    if not body.endswith(b"\n\n"):
        return None
    data = body.rstrip().rpartition(b"\n\n")[2].rpartition(b"data:")[2]
    try:
        value = load(data) if b"\n" not in data else None
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.get("type") in TERMINAL else None
