"""The compiled schemas agree with jsonschema on every example, on mutations of them, and on any JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.contract.quick_validation import NotCompiled, Validation
from conformance.contract.schemas import REVISIONS, Schemas

EXAMPLES = Path(__file__).parent / "schemas"
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.0,
    1.5,
    10**9,
    float("nan"),
    "",
    "x",
    [],
    {},
    [None],
    {"type": "x"},
)
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


def compiled(schemas: Schemas, path: str) -> Any:
    resolver = schemas.validator(path)._resolver  # type: ignore[attr-defined]  # That of the registry.
    return Validation(lambda reference: resolver.lookup(reference).contents, 500).compiled(schemas.document(path))


def paths(schemas: Schemas) -> list[str]:
    return sorted({file.relative_to(EXAMPLES / one).as_posix().replace(".examples.json", ".json")
                   for one in REVISIONS for file in (EXAMPLES / one).rglob("*.examples.json")
                   if one <= schemas.revision})  # fmt: skip


def instances(path: str) -> list[Any]:
    found = []
    for revision in REVISIONS:
        file = (EXAMPLES / revision / path).with_suffix(".examples.json")
        cases = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        found += [one["instance"] for kind in ("valid", "invalid") for one in cases.get(kind, ())]
    return found


def mutated(value: Any) -> list[Any]:
    """The value with each of its members, at any depth, left out or replaced."""
    found: list[Any] = [*OTHERS]
    if isinstance(value, dict):
        for name, member in value.items():
            found.append({key: one for key, one in value.items() if key != name})
            found += [{**value, name: one} for one in mutated(member)]
    elif isinstance(value, list) and value:
        found += [[one, *value[1:]] for one in mutated(value[0])]
    return found


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_schema_agrees_on_mutated_examples(revision: str) -> None:
    schemas = Schemas(revision)
    for path in paths(schemas):
        test, validator = compiled(schemas, path), schemas.validator(path)
        for example in instances(path)[:3]:
            for one in [example, *mutated(example)]:
                assert test(one) == validator.is_valid(one), (path, one)


@given(JSON)
def test_the_request_and_the_response_agree_on_any_json(value: Any) -> None:
    schemas = Schemas(REVISIONS[-1])
    for path in ("request.json", "response.json", "error.json", "input/item.json"):
        assert compiled(schemas, path)(value) == schemas.validator(path).is_valid(value)


@pytest.mark.parametrize("schema", [{"oneOf": [{}]}, {"const": 1}, {"enum": ["a", 1]}, {"additionalProperties": {}}])
def test_other_keywords_are_left_to_jsonschema(schema: dict[str, Any]) -> None:
    with pytest.raises(NotCompiled):
        Validation(lambda reference: {}, 500).compiled(schema)
