"""The checks of the latency budgets of a run; loaded as rules of a project itself where a budget is set."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from conformance.config.target import Target
from conformance.decode.response import DoesNotApply, Received
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
    times = [(one.exchange.chunks[0].at, one) for one in _served(responses)]
    yield from _beyond(times, budget, "the first byte is received after")


@check("latency.event-gap", over=_where(lambda target: target.max_event_gap_ms), together=True)
def test_gaps_in_streams_are_in_the_budget(responses: list[Received], case: Case) -> Findings:
    budget = case.context.target.max_event_gap_ms
    assert budget is not None
    times = [(_longest_gap(one), one) for one in _served(responses) if len(one.exchange.chunks) > 1]
    yield from _beyond(times, budget, "the longest gap between two reads is")


def _served(responses: Sequence[Received]) -> list[Received]:
    return [one for one in responses if one.exchange.ok and one.exchange.chunks]


def _longest_gap(received: Received) -> float:
    chunks = received.exchange.chunks
    return max(after.at - before.at for before, after in pairwise(chunks))


def _beyond(times: Sequence[tuple[float, Received]], budget: float, what: str) -> Findings:
    """A finding for each time beyond the budget, with the percentiles of all times."""
    if not times:
        raise DoesNotApply("no such response")
    yield Examined(len(times))
    ordered = sorted(time for time, _ in times)
    half, most = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95))
    shares = f"median {half:,.0f} ms, 95th percentile {most:,.0f} ms of {len(times)} responses"
    for time, received in times:
        if time > budget:
            message = f"{what} {time:,.0f} ms, expected at most {budget:,.0f} ms ({shares})"
            yield Finding(message, scenario=received.scenario)
