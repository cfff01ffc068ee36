"""The order of evaluation: cases whose responses are received first are evaluated while other requests are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conformance.contract.rules import CLIENT
from conformance.judge.verdict import Case
from conformance.scenarios.context import Context
from conformance.scenarios.plan import plan


def position_in_run(context: Context, cases: Iterable[Case]) -> Callable[[Case | None], int]:
    """A function that returns the place of a case in the run: that of its last response in the plan; 0 for None. Cases
    with the same place keep the order of their files."""
    sent = plan(context, [name for case in cases for name in case.scenarios])
    places = {scenario.name: place for place, scenario in enumerate(sent)}

    def of(case: Case | None) -> int:
        if case and case.requirement.area == CLIENT:
            return len(places)  # The clients run when all responses are received.
        return max((places.get(name, 0) for name in case.scenarios), default=0) if case else 0

    return of
