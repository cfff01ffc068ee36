"""Members of a response whose value has another JSON type than the contract states, in words: they contain what the
upstream sent, and no text or number can be read from them."""

from __future__ import annotations

from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.decode.events import mapping
from conformance.proxy.outcomes import RESPONSES_USAGE, received
from conformance.proxy.records import Leg

_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


def _named(value: Any) -> str:
    return _NAMES.get(type(value), "null")


def of_deltas(leg: Leg, kind: str) -> str:
    """The JSON type of the deltas of one kind, if none of them is a string; else empty."""
    try:
        found = [event.data.get("delta") for event in received(leg).of(f"response.{kind}.delta")]
    except CannotEvaluate:
        return ""
    wrong = found and not any(isinstance(one, str) for one in found)
    return f"the deltas are {_named(found[0])} each, expected a string" if wrong else ""


def of_content(leg: Leg, kind: str) -> str:
    """The JSON type of the content of the items of a type, or of the texts of its parts, if it is another one."""
    try:
        contents = [item.get("content") for _, item in received(leg).items(kind)]
    except CannotEvaluate:
        return ""
    for content in contents:
        if not isinstance(content, list):
            return f"the content of the {kind} is {_named(content)}, expected an array of parts"
        for part in content:
            if not isinstance(given := mapping(part).get("text"), str):
                return f"the text of a part of the {kind} is {_named(given)}, expected a string"
    return ""


def of_count(leg: Leg, name: str) -> str:
    """The value of a token count that is no integer, in words; empty if it is absent or an integer."""
    try:
        value: Any = received(leg).response.get("usage")
    except CannotEvaluate:
        return ""
    for member in RESPONSES_USAGE[name]:
        value = mapping(value).get(member)
    is_count = value is None or (isinstance(value, int) and not isinstance(value, bool))
    return "" if is_count else f"{_named(value)} ({value!r:.40}), expected an integer"
