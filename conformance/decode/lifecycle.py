"""The lifecycle of items, their parts and a call's arguments: state machines as tables, and their violations.

A stream begins with response.created and response.in_progress and ends with one terminal event (``opening``). Between
them are output items, each opened by output_item.added and closed by output_item.done; several may be open at a time.
An item of text contains content parts, each opened by content_part.added and closed by content_part.done. The text of
a part is sent in deltas, and its done event repeats the complete text before the part is closed. For reasoning text
the part events are optional. A call has no parts: its arguments are sent in deltas and end with their done event.

So each item is a small machine (open, closed), and contains one machine per part (:data:`PART`) or one for its
arguments (:data:`ARGUMENTS`). The contract's table (:mod:`conformance.contract.events`) defines the step of each event;
docs/lifecycle.md draws the tables. A machine reports an event that it does not expect once, takes the state that the
server evidently is in, and goes on: one defect must not make everything after it look wrong.

Sources: the one-line event descriptions of doc 2026-06-24 ("Response chunk"), and openai, ResponseStreamEvent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.decode.events import COMPLETED, ITEM_ADDED, ITEM_DONE, Event, places
from conformance.decode.violation import Violation


@dataclass
class Part:
    """A content part: ``state`` is ``absent``, ``open``, ``text-done`` or ``closed``.

    ``done_missing``: it had deltas and was closed before the done of its text. ``not_closed``: the place of the
    violation if its item was closed before it.
    """

    state: str = "absent"
    announced: bool = False
    done_missing: bool = False
    deltas: int = 0
    kind: str = ""
    last: Event | None = None
    not_closed: int | None = None


@dataclass
class Item:
    """An output item: ``state`` is ``open`` or ``closed``; ``announced``: output_item.added was received;
    ``arguments``: the state of a call's arguments."""

    state: str
    name: Any
    announced: bool
    parts: dict[int, Part] = field(default_factory=dict)
    arguments: Part = field(default_factory=Part)


#: (state, what the event does) -> (next state, rule broken or None). ``use`` is a delta, ``text`` a text done, ``mark``
#: another statement about a text: it may follow the text's done, but not the end of the part.
#: A step that is not listed leaves the state alone and breaks nothing that is not reported elsewhere.
PART = {
    ("absent", "add"): ("open", None),
    ("absent", "use"): ("open", "lifecycle.part-opened-before-use"),
    ("absent", "text"): ("text-done", "lifecycle.part-opened-before-use"),
    ("absent", "close"): ("closed", "lifecycle.part-opened-before-use"),
    ("absent", "mark"): ("open", "lifecycle.part-opened-before-use"),
    ("open", "add"): ("open", "lifecycle.part-opened-once"),
    ("open", "use"): ("open", None),
    ("open", "text"): ("text-done", None),
    ("open", "close"): ("closed", None),
    ("text-done", "add"): ("text-done", "lifecycle.part-opened-once"),
    ("text-done", "use"): ("text-done", "lifecycle.deltas-before-done"),
    ("text-done", "text"): ("text-done", "lifecycle.done-once"),
    ("text-done", "close"): ("closed", None),
    ("closed", "add"): ("closed", "lifecycle.part-opened-once"),
    ("closed", "use"): ("closed", "lifecycle.deltas-before-done"),
    ("closed", "text"): ("closed", "lifecycle.done-once"),
    ("closed", "close"): ("closed", "lifecycle.part-closed-once"),
    ("closed", "mark"): ("closed", "lifecycle.deltas-before-done"),
}

#: A call's arguments have no part: a delta opens them, their done event closes them.
ARGUMENTS = {
    ("absent", "use"): ("open", None),
    ("absent", "text"): ("text-done", None),
    ("open", "use"): ("open", None),
    ("open", "text"): ("text-done", None),
    ("text-done", "use"): ("text-done", "lifecycle.deltas-before-done"),
    ("text-done", "text"): ("text-done", "lifecycle.done-once"),
}

#: The step of each event for a part, or for the text of an item without parts.
_STEPS = {"open-part": "add", "delta": "use", "done": "text", "close-part": "close", "mark": "mark"}

_MESSAGES = {
    "lifecycle.part-opened-before-use": "precedes the content_part.added of its part",
    "lifecycle.part-opened-once": "opens a part that is already open or closed",
    "lifecycle.part-closed-once": "closes a part that is already closed",
    "lifecycle.text-done-before-part-done": "follows the content_part.done of its part, expected before it",
    "lifecycle.deltas-before-done": "follows the done event of its text",
    "lifecycle.done-once": "is the second done event of the same text",
}

_AFTER_PART = "follows the content_part.done of its part"

#: The rule about events before their item is opened, and its actual value if a stream opens none.
_OPENED, NONE_OPENED = "lifecycle.item-opened-before-use", "none in the stream"

#: The rules that are evaluated at each step of a part or of a call's arguments.
_EXAMINED = {
    "add": ("lifecycle.part-opened-once",),
    "use": ("lifecycle.part-opened-before-use", "lifecycle.deltas-before-done"),
    "text": ("lifecycle.part-opened-before-use", "lifecycle.done-once"),
    "close": ("lifecycle.part-opened-before-use", "lifecycle.part-closed-once"),
    "mark": ("lifecycle.part-opened-before-use", "lifecycle.deltas-before-done"),
}


def walk(events: Sequence[Event]) -> tuple[list[Violation], dict[int, Item], Counter[str]]:
    """The violations of the lifecycle of items and parts, the final state of each item by output_index, and for each
    rule the number of events it was evaluated on."""
    walker = _Walker()
    for event, index in places(events):
        walker.step(event, index)
    walker.state_what_is_missing()
    return walker.found, walker.items, walker.examined


class _Walker:
    def __init__(self) -> None:
        self.found: list[Violation] = []
        self.items: dict[int, Item] = {}
        self._place: int | None = None
        #: The indexes of events that belong to an item with another one (``identity.index-belongs-to-item``).
        self._wrong: set[int] = set()
        self._counted: Counter[str] = Counter()
        self._steps: Counter[tuple[bool, str]] = Counter()

    @property
    def examined(self) -> Counter[str]:
        """For each rule on how many events it was evaluated."""
        found = Counter(self._counted)
        for (of_part, step), count in self._steps.items():
            for rule in _EXAMINED[step]:
                # The rules about parts do not apply to a call's arguments.
                found[rule] += count if of_part or "part-" not in rule else 0
        return found

    def step(self, event: Event, index: int | None) -> None:
        self._place = index
        if event.type == COMPLETED:
            self._end(event)
        if index is None or not event.about_item:
            return
        if event.output_index not in (index, None):
            self._wrong.add(event.output_index)
        if event.step == "open-item":
            self._open(event, index)
            return
        item = self._use(event, index)
        if event.step == "close-item":
            self._close(event, item)
        elif event.text_kind and event.text_kind.in_item:
            self._move(ARGUMENTS, item.arguments, _STEPS[event.step], event)
        elif event.step in _STEPS:
            self._part(event, item, event.content_index)

    def _open(self, event: Event, index: int) -> None:
        self._counted["lifecycle.item-opened-once"] += 1
        self._counted["lifecycle.indexes-dense"] += 1
        before = self.items.get(index)
        if before and before.name == event.item.get("id"):
            if before.announced:
                self._report("lifecycle.item-opened-once", f"opens output_index {index} a second time", event)
            before.announced = True  # A late one was reported when the item was first used.
            return
        if index not in (len(self.items), len(self.items.keys() | self._wrong)):
            self._report(
                "lifecycle.indexes-dense",
                "is not the next output_index in order of opening",
                event, "/output_index", len(self.items), index,
            )  # fmt: skip
        self.items[index] = Item("open", event.item.get("id"), announced=True)

    def _use(self, event: Event, index: int) -> Item:
        self._counted["lifecycle.item-opened-before-use"] += 1
        self._counted["lifecycle.nothing-after-item-closed"] += 1
        self._counted["lifecycle.item-closed-once"] += event.step == "close-item"
        item = self.items.get(index)
        if item is None:
            uses = f"uses output_index {index}" if "output_index" in event.data else "comes"
            says = f"{uses} before its output_item.added"
            self._report("lifecycle.item-opened-before-use", says, event, "/output_index")
            named = event.data.get("item_id") or event.item.get("id")
            item = self.items[index] = Item("open", named, announced=False)
        elif item.state == "closed":
            if event.step == "close-item":
                self._report("lifecycle.item-closed-once", f"closes output_index {index} a second time", event)
            else:
                self._report(
                    "lifecycle.nothing-after-item-closed",
                    f"uses output_index {index} after its output_item.done", event, "/output_index",
                )  # fmt: skip
        return item

    def _part(self, event: Event, item: Item, index: int) -> None:
        part = item.parts.get(index)
        if part is None:
            if index != len(item.parts):
                self._report(
                    "lifecycle.indexes-dense",
                    "is not the next content_index of its item",
                    event, "/content_index", len(item.parts), index,
                )  # fmt: skip
            part = item.parts[index] = Part()
        step, text = _STEPS[event.step], event.text_kind
        if step == "add" and part.state != "absent" and not part.announced:
            self._late(event, part)
            return
        if part.state == "absent" and text and text.part_events == "optional" and step in ("use", "text", "mark"):
            part.state = "open"
        part.announced = part.announced or step == "add"
        part.kind = part.kind or event.part_type or (text.part if text else "")
        if step == "close" and part.kind not in event.table.by_part:
            part.state = "text-done"  # Parts of other types have no done event for their text.
        known = event.table.by_part.get(part.kind)
        implied = part.state != "absent" and not part.announced and known and known.part_events == "optional"
        if step == "close" and implied:  # Its events may be missing, but not one of the two.
            self._report("lifecycle.part-opened-before-use", _MESSAGES["lifecycle.part-opened-before-use"], event)
        self._move(PART, part, step, event)

    def _late(self, event: Event, part: Part) -> None:
        """A part that is added behind an event of it. Where the part's events may be missing, that one was no
        violation."""
        part.announced = True
        self._steps[True, "add"] += 1
        known = event.table.by_part.get(part.kind)
        if known and known.part_events == "optional":
            self._report("lifecycle.part-opened-before-use", "follows an event of its part, expected before it", event)

    def _move(self, table: dict[tuple[str, str], tuple[str, str | None]], part: Part, step: str, event: Event) -> None:
        before = part.state
        self._steps[table is PART, step] += 1
        self._counted["lifecycle.text-done-before-part-done"] += step == "close" and part.deltas > 0
        part.state, rule = table.get((before, step), (before, None))
        part.deltas += step == "use"
        part.last = event if step == "use" else part.last
        if (before, step) == ("open", "close"):
            part.done_missing = part.deltas > 0  # A part that had no delta owes no text done.
        elif step == "text" and part.done_missing:
            rule, part.done_missing = "lifecycle.text-done-before-part-done", False
        if rule:
            self._report(rule, _AFTER_PART if (before, step) == ("closed", "mark") else _MESSAGES[rule], event)

    def _close(self, event: Event, item: Item) -> None:
        if item.state == "closed":
            return
        item.state = "closed"
        scattered = self._scattered(item)
        for index, part in item.parts.items():
            self._counted["lifecycle.part-done-before-item-done"] += part.announced
            self._counted["lifecycle.done-present"] += part.deltas > 0
            if part.announced and part.state in ("open", "text-done"):
                part.not_closed = len(self.found)
                self._report(
                    "lifecycle.part-done-before-item-done",
                    f"closes the item before the content_part.done of its part {index}", event,
                )  # fmt: skip
            if not scattered and (part.done_missing or (part.state == "open" and part.deltas)):
                self._report_missing_done(event, part)
        self._counted["lifecycle.done-present"] += item.arguments.deltas > 0
        if item.arguments.state == "open":
            self._report_missing_done(event, item.arguments)

    def state_what_is_missing(self) -> None:
        """State of a part that is not closed after its item either that it is not closed at all, and of a stream that
        opens no item that it opens none."""
        if not any(item.announced for item in self.items.values()):
            self.found = [replace(one, want=ITEM_ADDED, got=NONE_OPENED) if one.rule == _OPENED else one
                          for one in self.found]  # fmt: skip
        for item in self.items.values():
            for index, part in item.parts.items():
                if part.not_closed is not None and part.state != "closed":
                    found = self.found[part.not_closed]
                    message = f"{ITEM_DONE} closes the item, whose part {index} has no content_part.done"
                    self.found[part.not_closed] = replace(found, message=message)

    def _scattered(self, item: Item) -> bool:
        """Whether each delta of a text has a content_index of its own: they are no parts whose done is missing."""
        alone = [part for part in item.parts.values() if part.state == "open" and part.deltas and not part.announced]
        if len(alone) > 1 and (first := alone[0].last):
            self._report(
                "lifecycle.indexes-dense",
                f"moves on to another content_index, of which the text has {len(item.parts)}, {len(alone)} of them"
                " without a done event", first, "/content_index",
            )  # fmt: skip
        return len(alone) > 1

    def _report_missing_done(self, event: Event, part: Part) -> None:
        sent = part.last.type if part.last else "delta"
        self._report(
            "lifecycle.done-present",
            f"closes an item whose text had deltas, but no {sent.replace('.delta', '.done')}", event,
        )  # fmt: skip

    def _end(self, event: Event) -> None:
        for index, item in self.items.items():
            self._counted["lifecycle.all-closed-at-terminal"] += 1
            if item.state == "open":
                self._report(
                    "lifecycle.all-closed-at-terminal",
                    f"ends the response while output_index {index} is still open", event, place=index,
                )  # fmt: skip

    def _report(
        self, rule: str, message: str, event: Event, pointer: str = "", want: Any = None, got: Any = None,
        place: int | None = None,
    ) -> None:  # fmt: skip
        place = self._place if place is None else place
        self.found.append(Violation(rule, f"{event.type} {message}", event, pointer, want, got, place))
