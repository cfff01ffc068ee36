"""Whether two schemas of the parameters of a tool have the same meaning."""

from __future__ import annotations

import json
from typing import Any

from conformance.decode.events import mapping

#: Members of a schema that a translator can add without a change of its meaning, by value.
_NEUTRAL: dict[str, Any] = {"required": [], "properties": {}, "additionalProperties": False}

#: The members that contain definitions.
_DEFINITIONS = ("$defs", "definitions")


def same_parameters(expected: Any, actual: Any) -> bool:
    """Whether a schema is unchanged, except for members without effect that were added, and for references in place of
    which there are their definitions."""
    unused = () if has_references(actual) else _DEFINITIONS
    expected = resolved(expected) if unused else expected
    if not isinstance(expected, dict) or not isinstance(actual, dict):
        return bool(expected == actual) or (expected is None and _is_empty(actual))
    left_out = {name: value for name, value in actual.items() if name not in (*expected, *unused)}
    if any(name not in _NEUTRAL or value != _NEUTRAL[name] for name, value in left_out.items()):
        return False
    return all(name in actual and actual[name] == value for name, value in expected.items())


def has_references(schema: Any) -> bool:
    """Whether a schema contains ``$ref``."""
    return '"$ref"' in json.dumps(schema)


def resolved(schema: Any) -> Any:
    """The schema with its definitions in place of the references to them, and then without them; unchanged if one
    refers to another one, or to itself."""
    if not isinstance(schema, dict) or not has_references(schema):
        return schema
    made = {name: _resolved(value, schema) for name, value in schema.items() if name not in _DEFINITIONS}
    return schema if has_references(made) else made


def _resolved(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(one, schema) for one in value]
    if not isinstance(value, dict):
        return value
    kind, _, name = str(value.get("$ref", "")).removeprefix("#/").partition("/")
    if kind in _DEFINITIONS and name in mapping(schema.get(kind)):
        others = {key: one for key, one in value.items() if key != "$ref"}
        return {**mapping(schema[kind][name]), **others}
    return {key: _resolved(one, schema) for key, one in value.items()}


def _is_empty(schema: Any) -> bool:
    return isinstance(schema, dict) and not schema.get("properties") and not schema.get("required")
