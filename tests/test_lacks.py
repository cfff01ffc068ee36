"""A profile may lack any features: what is left is planned, and the conformant endpoint fails nothing of it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from conformance.config.target import PROFILE_FEATURES
from conformance.emulator.hooks import fault
from conformance.emulator.request_hooks import refuse
from conformance.judge.cases import all_cases, context_of
from conformance.judge.verdict import FAIL, INCONCLUSIVE, WARNING, evaluate
from conformance.results.obstacles import obstacles
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan
from tools.in_process import context, record_of

FEATURES = sorted(PROFILE_FEATURES)


def lacking(*features: str, revision: str = "2026-06-24") -> Context:
    return context_of(replace(context(revision).target, lacks=frozenset(features)))


@pytest.mark.parametrize("features", [*combinations(FEATURES, 1), *combinations(FEATURES, 2), tuple(FEATURES)])
def test_what_is_left_is_planned(features: tuple[str, ...]) -> None:
    asked = lacking(*features)
    assert Plan(asked, asked.scenarios).requests or len(features) == len(FEATURES)


@pytest.mark.parametrize("feature", FEATURES)
def test_what_is_left_fails_nothing(feature: str) -> None:
    asked = lacking(feature)
    recorded = record_of(asked)
    results = [evaluate(case, recorded) for case in all_cases(asked)]
    assert [one.case.id for one in results if one.verdict in (FAIL, WARNING, INCONCLUSIVE)] == []


def test_the_control_of_a_refused_request_may_be_excluded() -> None:
    """A client's request has an effort, whose own scenario a profile without reasoning excludes."""
    asked = lacking("reasoning", revision="2026-10")
    refusing = fault("lacks.refuses-added-tools", "Refuses them.", validate=refuse(_adds_tools, "tools"))
    recorded = record_of(asked, refusing)
    case = next(one for one in all_cases(asked) if "client.codex-approval" in one.scenarios)
    blocked = replace(evaluate(case, recorded), verdict=INCONCLUSIVE, blocked=("client.codex-approval",))
    assert obstacles(blocked, recorded)[0].by == "HTTP 400"


def _adds_tools(body: dict[str, Any]) -> bool:
    return '"additional_tools"' in json.dumps(body)
