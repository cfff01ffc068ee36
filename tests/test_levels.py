"""Levels: named sets of rules, the result of a run for each, and where it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.contract.levels import PARTS, levels_of, versions
from conformance.contract.rules import catalogue, requirement
from conformance.report import badge, job_summary, matrix, summary
from conformance.results.ends import RunEnd, RunHead, Tokens
from conformance.results.levels import level_results, passed_levels
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results
from tests.support.runs import HEAD, line

#: Areas of other programs than a server.
APART = ("client", "proxy")

NEWEST = versions()[-1]
END = RunEnd({}, 1, 1, Tokens(), 1.0, 0)


def complete(*changed: CaseRecord) -> list[CaseRecord]:
    """A case that passes for each rule of a level, and these."""
    rules = [row.replace("{type}", "message").replace("{value}", "low") for row in NEWEST.rows]
    rules = [rule.replace("{parameter}", "input").replace("{name}", "store") for rule in rules]
    named = {one.requirement for one in changed}
    return [*(line(f"{rule}@x", "pass") for rule in rules if rule not in named), *changed]


def run(lines: list[CaseRecord], **head: str) -> Results:
    return Results(Path("r.jsonl"), RunHead.from_json(HEAD.to_json() | head), lines, END)


def states(lines: list[CaseRecord]) -> dict[str, str]:
    return {one.name: one.state for one in level_results(HEAD, lines, END)}


def test_each_rule_that_a_server_must_pass_is_in_one_set() -> None:
    must = {
        row.id for row in catalogue().values() if row.level == "MUST" and not row.excluded and row.area not in APART
    }
    assert must - NEWEST.rows.keys() == set()
    for one in versions():
        assert set(one.rows) <= catalogue().keys()
        assert not [row for row in one.rows if requirement(row).is_newer_than(one.suite)]
    assert levels_of("0.0.1") is versions()[0]
    assert levels_of("99.0") is NEWEST


def test_rules_with_a_placeholder_belong_to_their_set() -> None:
    assert NEWEST.part_of("item.message.schema") == "core"
    assert NEWEST.part_of("item.function_call.schema") == "tools"
    assert NEWEST.part_of("event.response.reasoning_text.delta.schema") == "reasoning"
    assert NEWEST.part_of("effort.low-accepted") == "reasoning"
    assert NEWEST.part_of("usage.details-present") == ""


def test_a_server_that_passes_everything_passes_every_level() -> None:
    assert set(states(complete()).values()) == {"passes"}
    assert passed_levels(run(complete())) == "full"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (line("usage.present@x", "fail", "m"), "fails fails fails fails"),
        (line("tools.call-shape@x", "fail", "m"), "passes fails passes fails"),
        (line("effort.low-thinks@x", "inconclusive"), "passes passes unknown unknown"),
        (line("turns.unusual-history@x", "error", "m"), "passes passes passes fails"),
        (line("usage.details-present@x", "warning", "m", level="SHOULD"), "passes passes passes passes"),
    ],
)
def test_one_case_decides_the_levels_of_its_rule(case: CaseRecord, expected: str) -> None:
    assert list(states(complete(case)).values()) == expected.split()


def unmet(case: str, *obstacles: tuple[str, bool]) -> CaseRecord:
    """An inconclusive case with obstacles of these kinds, each with ``any``."""
    blocked = [{"by": by, "scenarios": ["x"], **({"any": True} if any_ else {})} for by, any_ in obstacles]
    return line(case, "inconclusive", blocked=blocked)


NEEDS = unmet("usage.present@y", ("need", True))


@pytest.mark.parametrize(
    ("lines", "core"),
    [
        ([NEEDS, line("usage.present@x", "pass")], "core passes (1 case not counted: usage.present@y)"),
        ([NEEDS], "core unknown (1 case inconclusive: usage.present@y)"),
        (
            [NEEDS, line("usage.present@x", "inconclusive")],
            "core unknown (2 cases inconclusive, such as usage.present@y)",
        ),
        ([NEEDS, line("usage.present@x", "not-applicable")], "core unknown (1 case inconclusive: usage.present@y)"),
        ([NEEDS, line("usage.present@x", "fail", "m")], "core fails (1 rule violated: usage.present)"),
    ],
)
def test_an_unmet_need_of_the_model_is_not_counted_where_the_rule_passes(lines: list[CaseRecord], core: str) -> None:
    assert level_results(HEAD, complete(*lines), END)[0].says == core


@pytest.mark.parametrize(
    ("obstacles", "state"),
    [
        ([("need", False)], "passes"),
        ([("need", True), ("body", True)], "passes"),
        ([("need", False), ("body", False)], "unknown"),
        ([("comparison", True)], "unknown"),
        ([("HTTP 500", False)], "unknown"),
        ([], "unknown"),
    ],
)
def test_only_an_unmet_need_is_not_counted(obstacles: list[tuple[str, bool]], state: str) -> None:
    cases = [unmet("usage.present@y", *obstacles), line("usage.present@x", "pass")]
    assert states(complete(*cases))["core"] == state


def test_what_was_not_evaluated_is_unknown() -> None:
    assert set(states([line("usage.present@x", "pass")]).values()) == {"unknown"}
    without_end = level_results(HEAD, complete(), None)
    assert {one.says for one in without_end} == {f"{name} unknown (interrupted)" for name in PARTS}
    assert level_results(RunHead.from_json(HEAD.to_json() | {"mode": "traffic"}), complete(), END) == []


def test_levels_and_label_are_on_badge_summary_and_matrix() -> None:
    broken = line("tools.call-shape@x", "fail", "m")
    one = run(complete(broken), label="my proxy 1.2")
    made = json.loads(badge.render(one))
    assert made["label"] == "my proxy 1.2"
    assert made["message"].startswith("fails, level core + reasoning, MUST ")
    assert "my proxy 1.2" in job_summary.render(one, "x")
    assert "Levels: core passes; tools fails (1 rule violated: tools.call-shape)" in job_summary.render(one, "x")
    passed, first = summary.levels(one)
    assert passed == "  levels  core, reasoning passed"
    assert first.startswith("          tools fails (1 rule violated")
    text = matrix.markdown(matrix.matrix([one, run(complete())]))
    assert "my proxy 1.2" in text
    assert "core + reasoning" in text
    assert one.head.to_json()["label"] == "my proxy 1.2"
    assert "label" not in HEAD.to_json()
