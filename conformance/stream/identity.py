"""What is bound at first sight: ids, names, the model and the time of a response, and which index is whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from conformance.stream.events import Event, objects
from conformance.stream.violation import Violation


def identities(events: Sequence[Event]) -> list[Violation]:
    """What is bound at first sight and later changes: the ids, model and time of the response, the items' ids, the
    calls' ids and names, and which ``output_index`` belongs to which item."""
    keeper = _Keeper()
    for event in events:
        keeper.response(event)
        keeper.item(event)
    return keeper.found


class _Keeper:
    """Remembers the first value of each thing that must not change, and reports each change once."""

    _RESPONSE: ClassVar = {"id": "identity.response-id", "model": "identity.model", "created_at": "identity.created-at"}
    _ITEM: ClassVar = {"id": "identity.item-id", "call_id": "identity.call-id", "name": "identity.name"}

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self._bound: dict[tuple[Any, ...], Any] = {}
        self._index_of: dict[str, int] = {}

    def response(self, event: Event) -> None:
        for member, rule in self._RESPONSE.items():
            self._same(rule, ("response", member), event.response.get(member), event, f"/response/{member}")
        if event.terminal:
            for place, item in enumerate(objects(event.response.get("output"))):
                if self._bound.get(("item", place, "type"), item.get("type")) != item.get("type"):
                    continue  # Another item stands there: that is told where the output is compared as a whole.
                for member, rule in self._ITEM.items():
                    pointer = f"/response/output/{place}/{member}"
                    self._same(rule, ("item", place, member), item.get(member), event, pointer)

    def item(self, event: Event) -> None:
        index = event.output_index
        if index is None:
            return
        named = event.data.get("item_id")
        if self._elsewhere(event, named if isinstance(named, str) else event.item.get("id"), index):
            return
        if event.item:
            self._bound.setdefault(("item", index, "type"), event.item.get("type"))
        for member, rule in self._ITEM.items():
            self._same(rule, ("item", index, member), event.item.get(member), event, f"/item/{member}")
        # One that is empty names nothing: that is told by the event's schema.
        self._same("identity.item-id", ("item", index, "id"), named or None, event, "/item_id")
        # Summaries, which the page does not have, are numbered by themselves.
        part = event.part_type or None if "summary" not in event.type else None
        self._same("identity.part-type", ("part", index, event.content_index), part, event, "/part/type")
        for member in ("name", "call_id"):
            self._same(self._ITEM[member], ("item", index, member), event.data.get(member), event, f"/{member}")

    def _elsewhere(self, event: Event, item_id: Any, index: int) -> bool:
        """Whether an id that was first seen under one index turns up under another; reports it."""
        if not isinstance(item_id, str) or not item_id:
            return False
        first = self._index_of.setdefault(item_id, index)
        if first == index:
            return False
        if event.type == "response.output_item.added":
            rule, message = "identity.item-ids-distinct", f"{item_id} already names output_index {first}"
        else:
            rule = "identity.index-belongs-to-item"
            message = f"{item_id} belongs to output_index {first}, not {index}"
        self.found.append(Violation(rule, message, event, "/output_index", first, index))
        return True

    def _same(self, rule: str, what: tuple[Any, ...], value: Any, event: Event, pointer: str) -> None:
        if value is None or isinstance(value, dict | list):
            return
        first = self._bound.setdefault(what, value)
        if first != value:
            message = f"{pointer.rpartition('/')[2]} was {first!r} at first sight and is {value!r} here"
            self.found.append(Violation(rule, message, event, pointer, first, value))
