"""Every fault breaks exactly the rules that are noted, every rule is broken by some fault, no legal variant fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.contract.fault_matrix import matrix
from conformance.contract.schemas import REVISIONS
from conformance.emulator import Behaviour
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.judge.verdict import evaluate
from tools.fault_matrix import PAGE, broken, failed_cases, markdown
from tools.in_process import cases, context, record, verdicts

NOTED = matrix()

#: Faults of the emulator that the suite leaves alone, each for its reason.
UNSEEN = {
    "effort.default-thinks-only-plain": "what happens without reasoning is not said, nor that it is alike",
    "effort.default-thinks-only-streaming": "what happens without reasoning is not said, nor that it is alike",
    "effort.medium-in-two-items": "how often a model stops to think is its own affair",
    "parallel.models-mix": "it takes two models, and a run asks for one",
    "usage.input-details-empty": "the page's own example has it: that Codex stops at it is recorded only",
    "sum.plain-in-two-messages": "several messages are legal, and a model may write two today and one tomorrow",
    "sum.stream-without-metadata": "null, as in the plain answer, is as good as absent",
    "sum.plain-with-one-member-more": "members that the page does not document are free",
}

#: Faults with several causes, each for its reason.
SEVERAL = {
    "clients.long-body-cut-off": "a closed connection has no words that say what it is closed for",
    "request.wrong-type-answered-with-garbage": "a document that lacks members, and one in place of a stream",
    "request.wrong-type-is-500": "each 500 has words of its own, and may have a cause of its own",
}


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_clean_endpoint_passes_every_case(revision: str) -> None:
    assert {result.verdict for result in verdicts(None, revision)} <= {"pass", "not-applicable"}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_breaks_exactly_what_is_noted(name: str) -> None:
    assert broken(name) == NOTED[name]
    assert bool(NOTED[name]["causes"]) != (name in UNSEEN)


def test_the_published_page_is_that_of_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(NOTED)


def test_a_fault_is_told_as_one() -> None:
    """What one fault breaks has one cause: the rest is grouped under it."""
    assert {name for name, broken in NOTED.items() if len(broken["causes"]) > 1} == SEVERAL.keys()


@pytest.mark.parametrize("name", VARIANTS)
def test_legal_variant_fails_nothing(name: str) -> None:
    assert failed_cases(name) == []


@pytest.mark.parametrize(
    ("demanded", "behaviour"), [("reject", None), ("filter", VARIANTS["outside.undocumented-rejected"])]
)
def test_a_profile_that_demands_the_other_outcome_fails(demanded: str, behaviour: Behaviour | None) -> None:
    here = context()
    asked = replace(here, target=replace(here.target, unknown_parameters=demanded))
    recorded = record(behaviour)
    results = [
        evaluate(replace(case, context=asked), recorded)
        for case in cases()
        if case.rule == "undocumented.outcome-as-profile"
    ]
    told = {result.case.label: result.verdict for result in results}
    assert told["undocumented.metadata"] == "fail"
    assert {result.verdict for result in results} <= {"pass", "fail", "not-applicable"}


def test_every_rule_is_broken_by_some_fault() -> None:
    evaluated = {
        case.rule for revision in REVISIONS for case in cases(revision) if case.requirement.level != "MAY"
    }  # fmt: skip
    told = {rule for rules in NOTED.values() for kind in rules.values() for rule in kind}
    assert evaluated - told - {"undocumented.outcome-as-profile"} == set()
