"""The checks of the latency budgets of a run; loaded as rules of a project itself where a budget is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.config.target import Target
from conformance.decode.response import DoesNotApply, Received
from conformance.exchange.latency import first_byte, longest_gap, spread
from conformance.judge.findings import Examined, Finding, Findings
from conformance.judge.selectors import everything
from conformance.judge.verdict import Case, Selector, check


def _where(budget: Callable[[Target], float | None]) -> Selector:
    """One case for all scenarios, where the run has that budget."""
    return lambda context: everything("all")(context) if budget(context.target) is not None else []


@check("latency.first-byte", over=_where(lambda target: target.max_first_byte_ms), together=True)
def test_first_bytes_are_in_the_budget(responses: list[Received], case: Case) -> Findings:
    budget = case.context.target.max_first_byte_ms
    assert budget is not None
    times = [(time, one) for one in responses if (time := first_byte(one.exchange)) is not None]
    yield from _beyond(times, budget, "the first byte is received after")


@check("latency.event-gap", over=_where(lambda target: target.max_event_gap_ms), together=True)
def test_gaps_in_streams_are_in_the_budget(responses: list[Received], case: Case) -> Findings:
    budget = case.context.target.max_event_gap_ms
    assert budget is not None
    times = [(time, one) for one in responses if (time := longest_gap(one.exchange)) is not None]
    yield from _beyond(times, budget, "the longest gap between two reads is")


def _beyond(times: Sequence[tuple[float, Received]], budget: float, what: str) -> Findings:
    """A finding for each time beyond the budget, with the percentiles of all times."""
    all_times = spread(time for time, _ in times)
    if all_times is None:
        raise DoesNotApply("no such response")
    yield Examined(len(times))
    for time, received in times:
        if time > budget:
            message = (
                f"{what} {time:,.0f} ms, expected at most {budget:,.0f} ms ({all_times}, of {len(times)} responses)"
            )
            yield Finding(message, scenario=received.scenario)
