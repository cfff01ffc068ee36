"""Connections: what follows on one that a server keeps open, or after one that the client closes, is served like any
other request."""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.exchange import Attempt
from conformance.exchange.planned import AFTER_CLOSED, CLOSED, MIDWAY, ON_KEPT
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import BUSY, scenario_of
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


@check(
    "http.served-after-closed-stream",
    over=everything("closed", where=lambda one: bool(one.closes)),
    without_response=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_the_request_after_a_closed_stream_is_served(received: Received, case: Case) -> Findings:
    exchange = received.exchange
    if "streaming" in case.context.target.lacks:
        raise DoesNotApply("the profile excludes streaming")
    failed = _after_closed(exchange.attempts)
    yield EXAMINED
    if failed:
        got = f"HTTP {failed.status}" if failed.status else failed.ended
        again = f"HTTP {exchange.status}" if exchange.status else exchange.ended
        message = f"{got} directly after a stream that the client closed, {again} when the same request is sent again"
        yield Finding(message, want=200, got=failed.status or failed.ended)


def _after_closed(attempts: tuple[Attempt, ...]) -> Attempt | None:
    """The failed attempt directly after a stream that was closed in the middle; None if it did not fail."""
    if any(one.detail == CLOSED and one.ended == "clean" and one.status == 200 for one in attempts):
        raise DoesNotApply("the stream was received completely before the client could close it")
    if not any(one.detail == CLOSED + MIDWAY for one in attempts):
        raise CannotEvaluate("the recording contains no stream that the client closed before its end")
    failed = next((one for one in attempts if one.detail.startswith(AFTER_CLOSED)), None)
    if failed and failed.status and (failed.status in BUSY or failed.status < 500):
        # A refusal is about the request, and a busy server may still count the closed stream.
        raise CannotEvaluate(f"received HTTP {failed.status} after the stream that the client closed")
    return failed
