"""Whatever stands in place of a member, every check ends in a verdict: no value crashes one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conformance.emulator import Behaviour
from tools.in_process import violated

MEMBERS = (
    ("id", "call_id"),
    ("type",),
    ("status", "created_at"),
    ("input_tokens", "output_tokens", "total_tokens", "reasoning_tokens", "cached_tokens"),
    ("output", "content", "usage"),
    ("text", "delta", "arguments", "output_text"),
    ("name", "role", "model"),
    ("error", "incomplete_details", "input_tokens_details"),
    ("part", "item", "response"),
    ("output_index", "content_index", "sequence_number", "item_id"),
)


def _put(value: Any, members: tuple[str, ...], into: Any) -> Any:
    for name, inner in list(into.items()) if isinstance(into, dict) else []:
        if name in members:
            into[name] = copy.deepcopy(value)
        else:
            _put(value, members, inner)
    for inner in into if isinstance(into, list) else []:
        _put(value, members, inner)
    return into


VALUES: tuple[Any, ...] = ({"a": [1]}, [1], 10**400, float("inf"), float("nan"), None)

#: Of two similar values one for each group of members: an object or a list, infinity or no number.
PAIRS = [
    (members, value)
    for at, members in enumerate(MEMBERS)
    for number, value in enumerate(VALUES)
    if number in (2, 5) or number % 2 == at % 2
]


@pytest.mark.parametrize(
    ("members", "value"), PAIRS, ids=lambda one: one[0] if isinstance(one, tuple) else repr(one)[:8]
)
def test_no_value_crashes_a_check(members: tuple[str, ...], value: Any) -> None:
    behaviour = Behaviour(
        "hostile.value",
        "hostile",
        "Puts a value where none belongs.",
        response=lambda ctx, one: _put(value, members, one),
        numbered=lambda ctx, events: [_put(value, members, event) for event in events],
    )
    assert "fail" in {result.verdict for result in violated(behaviour, may=True)[0]}
