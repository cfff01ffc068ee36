"""Arguments that fit a tool's JSON schema, for the model of the built-in endpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .shapes import Dict

# A schema may refer to itself; below this depth optional members are omitted and strings replace other values.
DEEPEST = 12


def fit(schema: Dict, words: Iterator[str]) -> Dict:
    """An object with the required properties of the schema, or with all properties if none is required.

    Strings are the next of `words`, and "example" after the last of them.
    """
    value = _value({"type": "object", **schema}, schema, words, 0)
    return value if isinstance(value, dict) else {}


def _value(schema: Any, root: Dict, words: Iterator[str], depth: int) -> Any:
    schema = _resolve(schema, root)
    for member in ("const", "default"):
        if member in schema:
            return schema[member]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if depth > DEEPEST:
        return None
    if kind == "object" or "properties" in schema:
        return _object(schema, root, words, depth)
    if kind == "array":
        count = max(1, _integer_or(schema.get("minItems"), 1))
        return [_value(schema.get("items", {}), root, words, depth + 1) for _ in range(count)]
    if kind in ("integer", "number"):
        return _number(schema, integral=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _string(schema, words)


def _resolve(schema: Any, root: Dict) -> Dict:
    for _ in range(DEEPEST):
        if not isinstance(schema, dict):
            return {}
        branch = next((schema[key] for key in ("anyOf", "oneOf", "allOf") if schema.get(key)), None)
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            target: Any = root
            for step in reference[2:].split("/"):
                target = target.get(step, {}) if isinstance(target, dict) else {}
            schema = target
        elif isinstance(branch, list):
            bare = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf")}
            schema = {**bare, **branch[0]} if isinstance(branch[0], dict) else bare
        else:
            return schema
    return {}


def _object(schema: Dict, root: Dict, words: Iterator[str], depth: int) -> Dict:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    wanted = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return {name: _value(properties.get(name, {}), root, words, depth + 1) for name in wanted or properties}


def _number(schema: Dict, integral: bool) -> float | int:
    high = _amount(schema, "maximum", math.inf)
    value = _amount(schema, "minimum", min(1, high))
    above = _amount(schema, "exclusiveMinimum", -math.inf)
    if value <= above:
        value = above + 1 if above + 1 <= high else (above + high) / 2
    step = _amount(schema, "multipleOf", 0)
    if step > 0:
        value = math.ceil(value / step) * step
    return math.ceil(value) if integral else value


def _string(schema: Dict, words: Iterator[str]) -> str:
    word = next(words, "example").ljust(_integer_or(schema.get("minLength"), 0), "e")
    return word[: _integer_or(schema.get("maxLength"), len(word))]


def _amount(schema: Dict, member: str, otherwise: float) -> float:
    value = schema.get(member)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise


def _integer_or(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
