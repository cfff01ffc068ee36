"""The functions of the schemas and jsonschema agree on what fits."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from conformance.contract.fit import Compiler, Unknown
from conformance.contract.schemas import REVISIONS, Schemas

EXAMPLES = Path(__file__).parent / "schemas"

#: Values that replace each value of an example, in turn.
VALUES = (None, True, False, 0, 1, -1, 1.0, 1.5, float("nan"), "", "x", "completed", "message", [], [{}], {}, {"a": 1})


def _documents() -> Iterator[tuple[str, str, list[Any]]]:
    for revision in REVISIONS:
        for file in sorted((EXAMPLES / revision).rglob("*.examples.json")):
            path = file.relative_to(EXAMPLES / revision).as_posix().replace(".examples", "")
            cases = json.loads(file.read_text(encoding="utf-8"))
            yield revision, path, [case["instance"] for case in (*cases["valid"], *cases["invalid"])]


DOCUMENTS = list(_documents())


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield from _places(inner, (*place, name))


def _changed(instance: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The instance with another value at a place; without the member there if the value is Ellipsis."""
    if not place:
        return value
    made = copy.deepcopy(instance)
    parent = made
    for step in place[:-1]:
        parent = parent[step]
    if value is ...:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return made


@pytest.mark.parametrize(("revision", "path", "instances"), DOCUMENTS, ids=[f"{one[0]}/{one[1]}" for one in DOCUMENTS])
def test_they_agree_on_the_examples_and_on_changed_ones(revision: str, path: str, instances: list[Any]) -> None:
    schemas = Schemas(revision)
    values, told = cycle((*VALUES, ...)), set()
    for instance in instances:
        changed = [_changed(instance, place, next(values)) for place in _places(instance)]
        for one in (instance, *(each for each in changed if each is not ...)):
            fits = schemas.validator(path).is_valid(one)
            told.add(fits)
            assert schemas.fits(path, one) is fits, one
    assert told == {True, False}


@pytest.mark.parametrize("value", [{"prefixItems": [True]}, {"enum": [1, "a"]}, {"const": {}}])
def test_what_it_does_not_know_is_left_to_jsonschema(value: dict[str, Any]) -> None:
    schema = {"properties": {"a": value}}
    fits = Compiler(lambda _: {}, 500).compiled(schema)
    assert fits({"b": 1})
    with pytest.raises(Unknown):
        fits({"a": [1]})
