"""Mutants made from the schemas: each required member dropped, of a wrong type, or null, in recorded exchanges; each
must break a rule. The emulator has no part in it: what was recorded is changed, and judged again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from conformance.contract.schemas import REVISIONS, Schemas
from conformance.decode.response import Received
from conformance.exchange.exchange import Chunk
from conformance.judge.verdict import FAIL, Case, evaluate
from tools.in_process import Keeping, cases, clean

#: Where each kind of thing is recorded.
STREAMS = ("text.stream", "tools.call.stream", "effort.high.stream", "cut.stream", "tools.custom.stream")
PLAIN = ("text", "tools.call", "effort.high", "tools.custom")
REFUSALS = ("bad.unknown-model",)

#: A value of another type than the one that stands there.
OTHER: dict[type, Any] = {str: {"no": "text"}, int: "many", float: "many", list: "none", dict: 7, bool: "yes"}

MUTATIONS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "dropped": lambda one, name: one.pop(name, None),
    "of-a-wrong-type": lambda one, name: one.update({name: OTHER[type(one[name])]}),
    "null": lambda one, name: one.update({name: None}),
}

Places = Callable[[Any], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Mutant:
    """A member of the things in some exchanges, spoiled in one way."""

    revision: str
    what: str
    member: str
    how: str
    scenarios: tuple[str, ...]
    places: Places

    def spoil(self, value: Any) -> Any:
        changed = copy.deepcopy(value)
        for one in self.places(changed):
            if self.member in one:
                MUTATIONS[self.how](one, self.member)
        return changed


def _event(kind: str) -> Places:
    return lambda value: iter([value] if value.get("type") == kind else [])


def _response(value: Any) -> Iterator[dict[str, Any]]:
    """The Response of a plain answer or of a terminal event."""
    if value.get("object") == "response":
        yield value
    elif value.get("type") in ("response.completed", "response.incomplete"):
        yield value["response"]


def _item(kind: str) -> Places:
    def places(value: Any) -> Iterator[dict[str, Any]]:
        items = [value["item"]] if "item" in value else [one for r in _response(value) for one in r["output"]]
        yield from (one for one in items if one["type"] == kind)

    return places


def _usage(value: Any) -> Iterator[dict[str, Any]]:
    yield from (one["usage"] for one in _response(value))


def _error(value: Any) -> Iterator[dict[str, Any]]:
    if "error" in value:
        yield value["error"]


def _nullable(schema: dict[str, Any], member: str) -> bool:
    return "null" in schema["properties"].get(member, {}).get("type", ())


def _whole(schemas: Schemas, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what it refers to and what it is made of laid together."""
    schema = schemas.resolve(schema)
    for part in schema.get("allOf", ()):
        if "$ref" in part:
            schema = {**_whole(schemas, part), **schema}
    return schema


def _mutants(revision: str) -> Iterator[Mutant]:
    schemas = Schemas(revision)
    responses = (*STREAMS, *PLAIN)
    things: list[tuple[str, tuple[str, ...], Places]] = [
        *((f"events/{kind}", STREAMS, _event(kind)) for kind in schemas.event_types),
        *((f"items/{kind}", responses, _item(kind)) for kind in schemas.item_types),
        ("response", responses, _response),
        ("usage", responses, _usage),
        ("error", REFUSALS, _error),
    ]
    for what, scenarios, places in things:
        schema = _whole(schemas, schemas.document(f"{what}.json"))
        schema = schema["properties"]["error"] if what == "error" else schema
        for member in schema["required"]:
            for how in MUTATIONS:
                if how != "null" or not _nullable(schema, member):
                    yield Mutant(revision, what, member, how, scenarios, places)


#: Of the later revision those of what only it has.
MUTANTS = [*_mutants(REVISIONS[0]), *(one for one in _mutants(REVISIONS[1]) if "custom" in one.what)]


class Spoiled:
    """The record with the exchanges of a mutant changed."""

    def __init__(self, mutant: Mutant) -> None:
        self._clean = clean(mutant.revision)
        self._answers: dict[str, Received] = {}
        for name in mutant.scenarios:
            if name in {one for case in cases(mutant.revision) for one in case.scenarios}:
                known = self._clean.received(name)
                if (body := _spoiled(known.exchange.body, mutant)) != known.exchange.body:
                    at = known.exchange.chunks[-1].at
                    exchange = replace(known.exchange, chunks=(Chunk(at, body),), headers=_unsized(known))
                    self._answers[name] = Received(exchange, name)

    @property
    def changed(self) -> frozenset[str]:
        return frozenset(self._answers)

    def received(self, scenario: str) -> Received:
        return self._answers.get(scenario) or self._clean.received(scenario)


def _unsized(received: Received) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in received.exchange.headers if pair[0].lower() != "content-length")


def _spoiled(body: bytes, mutant: Mutant) -> bytes:
    if not body.startswith((b"event:", b"data: ")):
        return json.dumps(mutant.spoil(json.loads(body))).encode()
    frames = []
    for frame in body.decode().split("\n\n"):
        line, _, data = frame.partition("\ndata: ")
        frames.append(f"{line}\ndata: {json.dumps(mutant.spoil(json.loads(data)))}" if data else frame)
    return "\n\n".join(frames).encode()


def _concerned(mutant: Mutant, changed: frozenset[str]) -> Iterator[Case]:
    """The cases that see what changed; a case over many answers sees those only."""
    for case in cases(mutant.revision):
        if seen := tuple(name for name in case.scenarios if name in changed):
            yield case if case.requires_all else replace(case, scenarios=seen)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: f"{one.revision}-{one.what}-{one.member}-{one.how}")
def test_mutant_breaks_a_rule(mutant: Mutant) -> None:
    spoiled = Spoiled(mutant)
    assert spoiled.changed, "the recorded exchanges hold nothing to spoil"
    examine = Keeping(mutant.revision)
    results = [evaluate(case, spoiled, examine) for case in _concerned(mutant, spoiled.changed)]
    assert [one for one in results if one.verdict == FAIL]


def test_a_mutant_that_changes_nothing_breaks_nothing() -> None:
    """Else every mutant would be told for the way it was written and not for what was spoiled."""
    idle = Mutant(REVISIONS[0], "nothing", "id", "null", (*STREAMS[:4], *PLAIN[:3]), lambda value: iter(()))
    responses = Spoiled(idle)
    assert responses.changed  # The JSON is written with other spaces.
    results = [evaluate(case, responses) for case in _concerned(idle, responses.changed)]
    assert [one.case.id for one in results if one.verdict == FAIL] == []
