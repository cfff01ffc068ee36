"""The order in which a run evaluates its cases: what has been received already is evaluated meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conformance.contract.rules import CLIENT
from conformance.judge.verdict import Case
from conformance.scenarios.context import Context
from conformance.scenarios.plan import plan

#: The parts of a run; within each, cases keep the order of their files.
_PARTS = 8


def part_of_run(context: Context, cases: Iterable[Case]) -> Callable[[Case | None], int]:
    """In which part of a run of these cases the last response that a case needs is received; 0 for no case."""
    sent = plan(context, [name for case in cases for name in case.scenarios])
    part = {scenario.name: place * _PARTS // len(sent) for place, scenario in enumerate(sent)}

    def of(case: Case | None) -> int:
        if case and case.requirement.area == CLIENT:
            return _PARTS  # The clients run once all responses are in.
        return max((part.get(name, 0) for name in case.scenarios), default=0) if case else 0

    return of
