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


@pytest.mark.parametrize("members", MEMBERS, ids=lambda names: names[0])
@pytest.mark.parametrize(
    "value", [{"a": [1]}, [1], 10**400, float("inf"), float("nan"), None], ids=lambda one: repr(one)[:8]
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
