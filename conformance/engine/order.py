"""The order of evaluation: cases whose responses are received first are evaluated while other requests are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conformance.contract.rules import CLIENT
from conformance.judge.verdict import Case
from conformance.scenarios.context import Context
from conformance.scenarios.plan import plan

#: Number of parts into which the requests of a run are divided; within a part, cases keep the order of their files.
_PARTS = 8


def position_in_run(context: Context, cases: Iterable[Case]) -> Callable[[Case | None], int]:
    """A function that returns the part of the run (0 to 8) in which the last response of a case is received; 0 for
    None."""
    sent = plan(context, [name for case in cases for name in case.scenarios])
    part = {scenario.name: place * _PARTS // len(sent) for place, scenario in enumerate(sent)}

    def of(case: Case | None) -> int:
        if case and case.requirement.area == CLIENT:
            return _PARTS  # The clients run when all responses are received.
        return max((part.get(name, 0) for name in case.scenarios), default=0) if case else 0

    return of
