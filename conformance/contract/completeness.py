"""Differences between a contract's table and its schemas: types that no check would evaluate for parent, order,
identity or concatenated texts.

The table (``[[event]]`` and ``[[text]]`` in ``contract.toml``) defines the step of an event in its stream; the schemas
define its members. A type needs both: :func:`gaps` returns one sentence for each missing entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.contract.events import EventType, Step
from conformance.contract.revisions import Contract
from conformance.contract.schemas import Schemas, schemas_of

#: Members that an event of each step needs, so that its parent and identity can be checked.
_NEEDS: dict[str, tuple[str, ...]] = {
    "begin": ("response",),
    "end": ("response",),
    "open-item": ("output_index", "item"),
    "close-item": ("output_index", "item"),
    "open-part": ("item_id", "output_index", "content_index", "part"),
    "close-part": ("item_id", "output_index", "content_index", "part"),
    "delta": ("item_id", "output_index"),
    "done": ("item_id", "output_index"),
    "mark": ("item_id", "output_index"),
}

#: The steps of which every contract has exactly one event type: the checks of order and parents need them.
_ONCE: tuple[Step, ...] = ("open-item", "close-item", "open-part", "close-part")


def gaps(contract: Contract) -> list[str]:
    """The missing entries of the table or the schemas of a contract; empty if they agree."""
    schemas = schemas_of(contract)
    return [*_types(contract, schemas), *_events(contract, schemas), *_texts(contract, schemas)]


def _types(contract: Contract, schemas: Schemas) -> Iterator[str]:
    table, where = contract.table, f"{contract.revision}/contract.toml"
    for what, listed, rows, lack in (
        ("event", schemas.event_types, table.by_type, "is no [[event]] of {}: its order, parent and identity"),
        ("item", schemas.item_types, table.items, "is the item of no [[text]] of {}: its sums"),
        ("part", schemas.part_types, table.by_part, "is the part of no [[text]] of {}: its sums"),
    ):
        for one in listed:
            if one not in rows:
                yield f"{what} type {one} has a schema, and {lack.format(where)} are not checked"
        yield from (f"{what} type {one} is in {where}, but has no schema" for one in rows if one not in listed)


def _events(contract: Contract, schemas: Schemas) -> Iterator[str]:
    table = contract.table
    for step in _ONCE:
        if len(table.of(step)) != 1:
            yield f"{len(table.of(step))} event types have the step {step}, expected 1"
    if not 1 <= len(table.of("begin")) <= 2:
        yield f"{len(table.of('begin'))} event types have the step begin, expected 1 or 2"
    for row in table.events:
        if row.type in schemas.event_types:
            yield from _members(row, contract, schemas)


def _members(row: EventType, contract: Contract, schemas: Schemas) -> Iterator[str]:
    held, kind = members(schemas, f"events/{row.type}.json"), contract.table.text_of(row.type)
    needed = [*_NEEDS[row.step], *([row.member] if row.member else [])]
    if kind and not kind.in_item:
        needed.append("content_index")
    for name in dict.fromkeys(needed):
        if name not in held:
            yield f"event {row.type} has the step {row.step}, and its schema has no {name}"
    if row.step == "mark" and isinstance(held.get("delta"), dict):
        yield f"event {row.type} carries a delta: a mark adds nothing to a text, a delta does"
    if row.step in ("begin", "end") and "output_index" in held:
        yield f"event {row.type} has the step {row.step}, and its schema has output_index"


def _texts(contract: Contract, schemas: Schemas) -> Iterator[str]:
    for text in contract.table.texts:
        steps = {row.step for row in contract.table.events if row.text == text.name}
        for step in ("delta", "done"):
            if step not in steps:
                yield f"text {text.name} has no event of the step {step}: its sums are not checked"
        if not text.checked_by:
            yield f"text {text.name} names no rule in checked_by: its deltas are not added up"
        if text.item in schemas.item_types:
            member = text.name if text.in_item else "content"
            if member not in members(schemas, f"items/{text.item}.json"):
                yield f"text {text.name} is in {text.item}, whose schema has no {member}"
        if text.part in schemas.part_types and "text" not in members(schemas, f"parts/{text.part}.json"):
            yield f"text {text.name} is in the part {text.part}, whose schema has no text"


def members(schemas: Schemas, path: str) -> dict[str, Any]:
    """The members that a schema documents, including those of the schemas in its ``allOf``."""
    return _merged(schemas, schemas.document(path))


def _merged(schemas: Schemas, schema: dict[str, Any]) -> dict[str, Any]:
    schema = schemas.resolve(schema)
    found: dict[str, Any] = {}
    for part in schema.get("allOf", ()):
        if "$ref" in part:
            found |= _merged(schemas, part)
    return {**found, **schema.get("properties", {})}
