"""The catalogue: well formed, and every rule in it is judged by a check."""

from __future__ import annotations

import re

import pytest

from conformance.requirements import Requirement, catalogue, requirement
from tests.support.inprocess import cases

ROWS = list(catalogue().values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row_is_well_formed(row: Requirement) -> None:
    assert re.fullmatch(r"[a-z]+(\.([a-z0-9_-]+|\{\w+\}(-[a-z]+)?))+|\w+\.\w+-\{\w+\}", row.id)
    assert row.says.endswith(".")
    assert len(row.says) <= 140
    if row.level == "MUST":
        assert set(re.split(r"[ ;,]+", row.source)) != {"observed"}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.excluded], ids=lambda row: row.id)
def test_row_is_judged_somewhere(row: Requirement) -> None:
    judged = {case.requirement.id for revision in ("2026-06-24", "2026-10") for case in cases(revision)}
    assert row.id in judged


def test_case_ids_are_unique() -> None:
    ids = [case.id for case in cases()]
    twice = {one for one in ids if ids.count(one) > 1} if len(ids) != len(set(ids)) else set()
    assert twice == set()


def test_a_row_without_placeholders_goes_before_one_with() -> None:
    assert requirement("request.missing-model").id == "request.missing-model"
    assert requirement("request.temperature-accepted").id == "request.{parameter}-accepted"


def test_an_unknown_rule_has_no_row() -> None:
    with pytest.raises(KeyError):
        requirement("nonsense.rule")
