"""A finding points to an event that can have the member."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.decode.response import Received
from conformance.emulator.faults import FAULTS
from tools.fault_matrix import revisions
from tools.in_process import clean, context, violated

SOME = ["sum.item-done-without-content", *list(FAULTS)[7::40]]


def streams(revision: str) -> list[Received]:
    served = (clean(revision).received(name) for name in context(revision).scenarios)
    return [received for received in served if received.exchange.ok and received.looks_like_stream]


@cache
def members(revision: str) -> dict[str, set[str]]:
    """The members of each type of event in the streams of the clean endpoint."""
    found: dict[str, set[str]] = {}
    for received in streams(revision):
        for event in received.events:
            found.setdefault(event.type, set()).update(event.data)
    return found


@pytest.mark.parametrize("name", SOME)
def test_the_event_of_a_finding_has_such_a_member(name: str) -> None:
    revision = revisions(name)[0]
    results, recorded = violated(FAULTS[name], revision)
    for result in results:
        for finding in result.findings:
            if finding.event is None or not finding.pointer or not finding.scenario:
                continue
            event = recorded.received(finding.scenario).events[finding.event]
            member = finding.pointer.split("/")[1]
            assert member in {*event.data, *members(revision).get(event.type, {member})}, finding
