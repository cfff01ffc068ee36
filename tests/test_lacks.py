"""A profile may lack any features: what is left is planned, and the conformant endpoint fails nothing of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from conformance.config.target import PROFILE_FEATURES
from conformance.judge.cases import all_cases, context_of
from conformance.judge.verdict import FAIL, INCONCLUSIVE, WARNING, evaluate
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan
from tools.in_process import context, record_of

FEATURES = sorted(PROFILE_FEATURES)


def lacking(*features: str) -> Context:
    return context_of(replace(context().target, lacks=frozenset(features)))


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
