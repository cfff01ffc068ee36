"""The validator that finds valid instances agrees with jsonschema, which explains the others: on every example, on
mutations of them, and on any JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.contract.schemas import REVISIONS, Schemas

EXAMPLES = Path(__file__).parent / "schemas"

#: What is put in place of each member.
OTHERS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.0, 1.5, 10**9, 10**400, float("inf"), "", "x", "\ud800", [], {}, [None], {"type": "x"}
)  # fmt: skip

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["message", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "id", "status", "input", "text"]), inner, max_size=5
        )
    ),
    max_leaves=8,
)


def paths(revision: str) -> list[str]:
    """The schemas that have examples in this revision or an earlier one."""
    files = [
        file.relative_to(EXAMPLES / one)
        for one in REVISIONS
        if one <= revision
        for file in (EXAMPLES / one).rglob("*.examples.json")
    ]
    return sorted({file.as_posix().replace(".examples.json", ".json") for file in files})


def examples(path: str) -> Iterator[Any]:
    """The valid and invalid examples of a schema."""
    for revision in REVISIONS:
        file = (EXAMPLES / revision / path).with_suffix(".examples.json")
        cases = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        yield from (one["instance"] for kind in ("valid", "invalid") for one in cases.get(kind, ()))


def mutations(value: Any) -> Iterator[Any]:
    """The value with each of its members, at any depth, left out or replaced."""
    yield from OTHERS
    if isinstance(value, dict):
        for name, member in value.items():
            yield {key: one for key, one in value.items() if key != name}
            yield from ({**value, name: one} for one in mutations(member))
    elif isinstance(value, list) and value:
        yield from ([one, *value[1:]] for one in mutations(value[0]))


@pytest.mark.parametrize("revision", REVISIONS)
def test_nothing_invalid_is_taken_for_valid(revision: str) -> None:
    schemas = Schemas(revision)
    for path in paths(revision):
        for example in [*examples(path)][:2]:
            for instance in (example, *mutations(example)):
                fits = schemas._fits(path, instance)
                assert not fits or schemas.validator(path).is_valid(instance), (path, instance)
                assert fits or instance is not example or not schemas.validator(path).is_valid(instance)


@given(JSON)
def test_any_json(value: Any) -> None:
    schemas = Schemas(REVISIONS[-1])
    for path in ("request.json", "response.json", "error.json", "input/item.json"):
        assert not schemas._fits(path, value) or schemas.validator(path).is_valid(value)


def test_what_is_too_deep_is_left_to_jsonschema() -> None:
    deep: Any = "x"
    for _ in range(120):  # The suite refuses deeper JSON before.
        deep = {"type": "object", "properties": {"a": deep}}
    tool = {"type": "function", "name": "f", "parameters": deep}
    assert Schemas().errors("request.json", {"model": "m", "input": "a", "tools": [tool]}) == []
