"""The covering array: every pair of values that may stand in one request is in one, and a refused one is split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import combinations as choose
from typing import Any

import pytest

from conformance.contract.schemas import REVISIONS
from conformance.emulator.hooks import fault
from conformance.emulator.request_hooks import crash, refuse
from conformance.emulator.shapes import Dict
from conformance.scenarios.combinations import EQUIVALENT, FACTORS, NOT_COMBINED, ROWS
from conformance.scenarios.plan import Plan
from conformance.scenarios.reduction import smaller
from conformance.scenarios.scenario import Scenario
from tools.in_process import clean, context, violated

Pair = frozenset[tuple[str, str]]


def levels(scenario: Scenario, body: Mapping[str, Any]) -> dict[str, str]:
    """The level of each factor in a request: as a row has it, or as the body shows it."""
    if scenario.factors:
        return {name: scenario.factors.get(name, known[0]) for name, known in FACTORS.items()}
    given, tools, wanted = body.get("input"), body.get("tools"), body.get("text")
    items = given if isinstance(given, list) else []
    said = json.dumps(given, ensure_ascii=False)
    effort = (body.get("reasoning") or {}).get("effort")
    instructions = body.get("instructions")
    return {
        "form": _form(items),
        "text": "long" if len(said) > 7_000 else "plain" if said.isascii() else "scripts",
        "tools": "none" if tools is None else ("rich" if '"boolean"' in json.dumps(tools) else "some") or "empty",
        "effort": "absent" if effort is None else "none" if effort == "none" else "thinking",
        "stream": "yes" if scenario.streaming else "no",
        "temperature": "lowest" if "temperature" in body else "absent",
        "top_p": "lowest" if "top_p" in body else "absent",
        "cap": "given" if "max_output_tokens" in body else "absent",
        "format": "absent" if not wanted else "json" if wanted["format"]["type"] == "json_object" else "text",
        "choice": "auto" if "tool_choice" in body else "absent",
        "instructions": "absent" if instructions is None else "plain" if instructions.isascii() else "scripts",
        "auth": "usual" if scenario.auth == "api-key" else "other",
        "headers": "none",
    }


def _form(items: list[Any]) -> str:
    types, roles = {one.get("type") for one in items}, {one.get("role") for one in items}
    if "function_call_output" in types:
        return "round"
    if "assistant" in roles:
        return "history"
    return "string" if not items else "parts" if any(isinstance(one["content"], list) for one in items) else "messages"


def pairs(found: Mapping[str, str]) -> Iterator[Pair]:
    for one in choose(found.items(), 2):
        yield frozenset((name, EQUIVALENT.get(level, level)) for name, level in one)


def wanted() -> set[Pair]:
    every = {
        frozenset(((name, EQUIVALENT.get(level, level)), (other, EQUIVALENT.get(beside, beside))))
        for name, other in choose(FACTORS, 2)
        for level in FACTORS[name]
        for beside in FACTORS[other]
    }
    return every - set(NOT_COMBINED)


def covered(rows: bool = True) -> set[Pair]:
    found: set[Pair] = set()
    for one in context().scenarios.values():
        if one.expect == "answer" and not one.within and one.method == "POST" and (rows or not one.factors):
            body = json.loads(clean().received(one.name).exchange.request.body)
            found.update(pairs(levels(one, body)))
    return found


def test_every_pair_that_may_stand_in_a_request_stands_in_one() -> None:
    assert sorted(map(sorted, wanted() - covered())) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row.values()))
def test_no_row_combines_what_is_kept_apart(row: Mapping[str, str]) -> None:
    assert all(level in FACTORS[name][1:] for name, level in row.items())
    full = {name: row.get(name, known[0]) for name, known in FACTORS.items()}
    assert [pair for pair in NOT_COMBINED if pair <= set(full.items())] == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_row_speaks_for_the_single_values_in_it(revision: str) -> None:
    plan = Plan(context(revision), context(revision).scenarios)
    alone = [one.name for one in plan.scenarios if "accepted" in one.tags and not one.within]
    assert alone == ["max_output_tokens=1"]


@pytest.mark.parametrize(
    ("cause", "most"), [({"tools"}, 9), ({"tools", "format"}, 9), ({"form", "stream", "cap"}, 9), (set("x"), 1)]
)
def test_the_smallest_refused_combination_is_found_with_few_requests(cause: set[str], most: int) -> None:
    row = {name: known[-1] for name, known in FACTORS.items()}
    row = {name: row[name] for name in ("form", "text", "tools", "stream", "cap", "format", "auth")}
    refused = [cause <= row.keys()]
    while (left := smaller(row, refused)[1]) is not None:
        refused.append(cause <= left.keys())
    assert len(refused) <= most
    assert smaller(row, refused)[0].keys() == (cause if refused[0] else row.keys())


@pytest.mark.parametrize(
    ("refused", "known", "control"),
    [
        ([True, False, False], {"tools": "some", "stream": "yes"}, {"tools": "some", "stream": "yes"}),
        ([True, True], {"stream": "yes"}, {}),
    ],
)
def test_a_control_shows_that_no_combination_is_the_reason(refused: list[bool], known: Any, control: Any) -> None:
    row = {"tools": "some", "stream": "yes"}
    assert smaller(row, refused) == (known, control)
    is_once = False in refused
    assert smaller(row, [*refused, not is_once]) == ({}, None)
    assert smaller(row, [*refused, is_once]) == (known, None)


def uses(body: Dict) -> bool:
    return bool(body.get("tools")) and (body.get("text") or {}).get("format", {}).get("type") == "json_object"


@pytest.mark.parametrize("hook", [refuse(uses, "text"), crash(uses)])
def test_a_refused_combination_is_named_by_its_smallest_part(hook: Any) -> None:
    results, _ = violated(fault("combination.test", "Takes no tools where JSON is requested.", validate=hook))
    found = {one.case.rule: one.findings[0].message for one in results}
    assert "tools (" in found["request.combination-accepted"]
    assert "text.format (json)" in found["request.combination-accepted"]
    assert "temperature" not in found["request.combination-accepted"].partition("HTTP")[0]
