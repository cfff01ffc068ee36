"""Connections: what follows on one that a server keeps open is served like on a new one."""

from __future__ import annotations

from conformance.decode.response import DoesNotApply, Received
from conformance.exchange.planned import ON_KEPT
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import scenario_of
from conformance.judge.selectors import everything
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings, check


@check(
    "http.connection-reusable", over=everything("kept", where=lambda one: one.reuses), not_for_captured=UNKNOWN_SENDER
)
def test_the_next_request_on_a_connection_is_served(received: Received, case: Case) -> Findings:
    exchange, before = received.exchange, scenario_of(received, case).after
    failed = next((one for one in exchange.attempts if one.detail.startswith(ON_KEPT)), None)
    if not (failed or exchange.connection):
        raise DoesNotApply("the server closed the connection after the response before")
    yield EXAMINED
    if failed and exchange.ok:
        got = f"HTTP {failed.status}" if failed.status else f"{failed.ended}: {failed.detail.removeprefix(ON_KEPT)}"
        message = f"{got} on the connection of {before}, HTTP {exchange.status} on a new one"
        yield Finding(message, want=exchange.status, got=failed.status or failed.ended)
