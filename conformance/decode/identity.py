"""Values that must not change within a stream: ids, names, model, created_at, and the index of each item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from conformance.decode.events import Event, objects, places
from conformance.decode.violation import Violation


def identities(events: Sequence[Event]) -> tuple[list[Violation], Counter[str]]:
    """The violations where a value differs from its first occurrence (id, model and created_at of the response, ids of
    items, ids and names of calls, ``output_index`` of items), and for each rule how many values were compared."""
    tracker = _IdentityTracker()
    for event, place in places(events):
        tracker.response(event)
        tracker.item(event, place)
    return tracker.found, tracker.examined


class _IdentityTracker:
    """Remembers the first value of each thing that must not change, and reports each change once."""

    _RESPONSE: ClassVar = {"id": "identity.response-id", "model": "identity.model", "created_at": "identity.created-at"}
    _ITEM: ClassVar = {"id": "identity.item-id", "call_id": "identity.call-id", "name": "identity.name"}

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self.examined: Counter[str] = Counter()
        self._bound: dict[tuple[Any, ...], Any] = {}
        self._index_of: dict[str, int] = {}

    def response(self, event: Event) -> None:
        for member, rule in self._RESPONSE.items():
            self._same(rule, ("response", member), event.response.get(member), event, f"/response/{member}")
        if event.terminal:
            self._final_output(event, objects(event.response.get("output")))

    def _final_output(self, event: Event, output: list[dict[str, Any]]) -> None:
        streamed = sum(what[0] == "item" and what[2] == "type" for what in self._bound)
        if streamed and len(output) != streamed:
            return  # With another number of items than were streamed, positions do not identify items.
        if any(self._index_of.get(str(item.get("id")), place) != place for place, item in enumerate(output)):
            return  # Streamed items in another order: sum.final-output reports that.
        for place, item in enumerate(output):
            if self._bound.get(("item", place, "type"), item.get("type")) != item.get("type"):
                continue  # It is another item, which sum.final-output reports.
            for member, rule in self._ITEM.items():
                pointer = f"/response/output/{place}/{member}"
                self._same(rule, ("item", place, member), item.get(member), event, pointer)

    def item(self, event: Event, place: int | None) -> None:
        index = place if event.output_index is None else event.output_index
        if index is None:
            return
        named = event.data.get("item_id")
        if self._report_moved_id(event, named if isinstance(named, str) else event.item.get("id")):
            return
        if event.item:
            self._bound.setdefault(("item", index, "type"), event.item.get("type"))
        for member, rule in self._ITEM.items():
            self._same(rule, ("item", index, member), event.item.get(member), event, f"/item/{member}")
        # The event's schema reports an empty id.
        self._same("identity.item-id", ("item", index, "id"), named or None, event, "/item_id")
        # Summary parts, which the documentation does not list, are numbered separately.
        part = event.part_type or None if "summary" not in event.type else None
        self._same("identity.part-type", ("part", index, event.content_index), part, event, "/part/type")
        for member in ("name", "call_id"):
            self._same(self._ITEM[member], ("item", index, member), event.data.get(member), event, f"/{member}")

    def _report_moved_id(self, event: Event, item_id: Any) -> bool:
        """Report an id that occurs under another index than at first; whether it does."""
        index = event.output_index
        if not isinstance(item_id, str) or not item_id or index is None:
            return False
        bound = self._bound.get(("item", index, "id"), item_id)
        if event.step != "open-item" and item_id not in self._index_of and item_id != bound:
            return False  # No id of an item so far: a wrong one of this item, which is reported as changed.
        seen = len(self._index_of)
        first = self._index_of.setdefault(item_id, index)
        self.examined["identity.item-ids-distinct"] += event.step == "open-item"
        self.examined["identity.index-belongs-to-item"] += len(self._index_of) == seen
        if first == index:
            return False
        if event.step == "open-item":
            rule, message = "identity.item-ids-distinct", f"{item_id} is already the id of output_index {first}"
        else:
            rule = "identity.index-belongs-to-item"
            message = f"{item_id} belongs to output_index {first}, not {index}"
        self.found.append(Violation(rule, message, event, "/output_index", first, index, index))
        return True

    def _same(self, rule: str, what: tuple[Any, ...], value: Any, event: Event, pointer: str) -> None:
        if value is None or isinstance(value, dict | list):
            return
        self.examined[rule] += what in self._bound
        first = self._bound.setdefault(what, value)
        if first != value:
            message = f"{pointer.rpartition('/')[2]} is {value!r}, expected {first!r} as in its first occurrence"
            place = what[1] if what[0] != "response" else None
            self.found.append(Violation(rule, message, event, pointer, first, value, place))
