"""Random requests (``--explore``): documented ones are served, and a random value does no harm.

Every other rule is evaluated on them by its predicate, as on any exchange.
"""

from __future__ import annotations

from conformance.decode.response import Received
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import (
    error_detail,
    fails_every_attempt,
    must_be_served,
    must_be_served_or_refused,
    no_response,
)
from conformance.judge.selectors import explored
from conformance.judge.verdict import Examined, Finding, Findings, check
from conformance.scenarios.explore import LEGAL
from conformance.scenarios.random_values import NULL, RANGE, TYPE

_SERVED = explored("explore.served", LEGAL)
_TYPE, _RANGE, _NULL = (explored("explore.illegal", tag) for tag in (TYPE, RANGE, NULL))


@check("http.success-is-200", over=_SERVED, not_for_captured=UNKNOWN_SENDER)
def test_random_request_is_served(received: Received) -> Findings:
    yield from must_be_served(received)


@check("http.documented-request-served", over=_SERVED, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_random_request_does_not_always_fail(received: Received) -> Findings:
    exchange = received.exchange
    yield Examined(exchange.status is not None)
    yield from no_response(received)
    if exchange.status == 500 and fails_every_attempt(exchange):
        message = f"HTTP 500 in each of {len(exchange.attempts) + 1} attempts{error_detail(received)}"
        yield Finding(message, want=200, got=500)


@check("request.wrong-type", over=_TYPE, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_random_value_does_no_harm(received: Received) -> Findings:
    yield from _no_harm(received)


@check("request.out-of-range", over=_RANGE, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_random_number_does_no_harm(received: Received) -> Findings:
    yield from _no_harm(received)


@check("request.null-optional", over=_NULL, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_random_null_does_no_harm(received: Received) -> Findings:
    yield from _no_harm(received)


def _no_harm(received: Received) -> Findings:
    yield from no_response(received)
    yield from must_be_served_or_refused(received)
