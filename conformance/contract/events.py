"""The event, item and part types of a stream: one table, from which the decoder and the checks derive theirs.

The rows are in ``schemas/<revision>/contract.toml``. :mod:`conformance.contract.completeness` checks that they and the
schemas list the same types.

Sources: doc 2026-06-24 and doc 2026-10, "Response chunk"; openai, ResponseStreamEvent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Step = Literal["begin", "end", "open-item", "close-item", "open-part", "close-part", "delta", "done", "mark"]
"""What an event does in the lifecycle of its stream.

``begin``: a snapshot of the initial Response object. ``end``: the response is final. ``open-item``, ``close-item``: an
output item is added, or is done. ``open-part``, ``close-part``: the same for a content part. ``delta``: a fragment of a
text. ``done``: the complete text. ``mark``: adds something to a text while its part is open.
"""

STEPS: tuple[str, ...] = get_args(Step)

#: Undocumented event types that end a stream too (openai, ResponseStreamEvent).
FAILING_ENDS = ("response.failed", "error")


@dataclass(frozen=True)
class TextKind:
    """One kind of streamed text.

    ``shown`` is its name in messages. ``item`` is the type of the item that contains it. ``part`` is the type of its
    content part, empty if it is a member of the item with the name of the kind. ``part_events`` is ``optional`` where
    content_part events may be omitted. ``checked_by`` is the rule that compares it with its deltas.
    """

    name: str
    shown: str
    item: str
    part: str = ""
    part_events: str = "required"
    checked_by: str = ""

    @property
    def in_item(self) -> bool:
        """Whether it is a member of the item, not of a content part."""
        return not self.part


@dataclass(frozen=True)
class EventType:
    """One documented event type.

    ``text`` is the kind of text of a ``delta``, ``done`` or ``mark``, ``member`` the member that contains it (empty for
    a mark). ``caused_by`` is the scenario whose stream must contain the event.
    """

    type: str
    step: Step
    text: str = ""
    member: str = ""
    caused_by: str = "text.stream"

    @property
    def about_item(self) -> bool:
        """Whether the event concerns one output item."""
        return self.step not in ("begin", "end")


@dataclass(frozen=True, eq=False)
class EventTable:
    """The event types, in the order of the page, and their kinds of texts."""

    events: tuple[EventType, ...]
    texts: tuple[TextKind, ...]
    by_type: dict[str, EventType] = field(init=False)
    by_text: dict[str, TextKind] = field(init=False)
    by_part: dict[str, TextKind] = field(init=False)
    items: dict[str, tuple[TextKind, ...]] = field(init=False)

    def __post_init__(self) -> None:
        set_to = object.__setattr__  # Derived once; the table is frozen.
        set_to(self, "by_type", {one.type: one for one in self.events})
        set_to(self, "by_text", {one.name: one for one in self.texts})
        set_to(self, "by_part", {one.part: one for one in self.texts if one.part})
        kinds = dict.fromkeys(one.item for one in self.texts)
        set_to(self, "items", {kind: tuple(one for one in self.texts if one.item == kind) for kind in kinds})

    def of(self, *steps: Step) -> tuple[str, ...]:
        """The event types with one of these steps, in order."""
        return tuple(one.type for one in self.events if one.step in steps)

    @property
    def ends(self) -> tuple[str, ...]:
        """Every type that ends a stream, the documented ones first."""
        return (*self.of("end"), *FAILING_ENDS)

    def text_of(self, kind: str) -> TextKind | None:
        """The kind of text of an event type; None if it has none, or the type has no row."""
        row = self.by_type.get(kind)
        return self.by_text[row.text] if row and row.text else None


def table_of(events: Sequence[EventType], texts: Sequence[TextKind]) -> EventTable:
    """A table of these rows. Raises ValueError for the first invalid row."""
    known = {one.name for one in texts}
    for row in events:
        about_text = row.step in ("delta", "done", "mark")
        if row.step not in STEPS:
            raise ValueError(f"event {row.type}: step is {row.step!r}, expected one of {', '.join(STEPS)}")
        if about_text != bool(row.text) or (row.text and row.text not in known):
            raise ValueError(f"event {row.type}: text is {row.text!r}, expected {_expected(about_text, known)}")
        if bool(row.member) != (row.step in ("delta", "done")):
            raise ValueError(f"event {row.type}: member is {row.member!r}; a delta and a done, and no other, have one")
    return EventTable(tuple(events), tuple(texts))


def _expected(about_text: bool, known: set[str]) -> str:
    return f"one of {', '.join(sorted(known))}" if about_text else f"none, as only {', '.join(STEPS[-3:])} have one"
