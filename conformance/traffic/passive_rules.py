"""The rules that are evaluated on captured traffic: those whose check has a predicate and no ``not_for_captured``."""

from __future__ import annotations

from functools import cache

from conformance.contract.rules import requirement
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.cases import load_checks
from conformance.judge.verdict import CHECKS, Check


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check of the suite."""
    load_checks()
    return tuple(CHECKS)


@cache
def passive_checks() -> tuple[Check, ...]:
    """The checks that are evaluated on captured traffic: those that read one response, or all of them together."""
    return tuple(
        one
        for one in all_checks()
        if one.where and not one.not_for_captured
        and (one.where.kind == "all-answers" or not one.together or "{type}" in one.rule)
        and ("{" in one.rule or requirement(one.rule).level != "MAY")
    )  # fmt: skip


def is_passive(rule: str) -> bool:
    """Whether a rule of the catalogue is evaluated on captured traffic."""
    return any(_same(one.rule, rule) for one in passive_checks())


def why_not_for_captured(rule: str) -> str:
    """Why a rule is not evaluated on captured traffic; empty if it is."""
    if is_passive(rule):
        return ""
    if requirement(rule).level == "MAY":
        return "it is only recorded"
    # A check whose rule is only a placeholder is about requests of a scenario, as its `not_for_captured` explains.
    return next((one.not_for_captured for one in all_checks() if _same(one.rule, rule)), UNKNOWN_SENDER)


def _same(of_check: str, rule: str) -> bool:
    """Whether a check, whose rule may contain placeholders, evaluates a rule of the catalogue."""
    return of_check == rule or (not of_check.startswith("{") and requirement(rule).matches(of_check))
