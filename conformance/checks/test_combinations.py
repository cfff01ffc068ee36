"""Combinations of documented parameters, and the headers that clients send with them."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.decode.response import DoesNotApply, Received
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import error_detail, scenario_of
from conformance.judge.lockout import lockout
from conformance.judge.samples import response_of
from conformance.judge.selectors import each
from conformance.judge.strict_tools import if_strict_is_required
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings, check
from conformance.scenarios.combinations import in_words
from conformance.scenarios.reduction import (
    how_reduced,
    how_served_again,
    is_refused,
    refused_for_another_reason,
    smaller,
)
from conformance.scenarios.scenario import Scenario

#: Members of a smallest refused combination that are a pair.
_PAIR = 2


def _with_headers(one: Scenario) -> bool:
    return "headers" in one.factors


@check("request.combination-accepted", over=each("combination"), not_for_captured=UNKNOWN_SENDER)
def test_combination_is_accepted(received: Received, case: Case) -> Findings:
    smallest = _smallest_refused(received, case)
    if _is_about_headers(smallest):
        raise DoesNotApply(f"{in_words(smallest)}: another rule reports what is refused with headers of clients")
    if_strict_is_required(response_of(received.samples[0], received))
    levels = scenario_of(received, case).factors
    other = refused_for_another_reason(levels, received.samples)
    if other is None or lockout(received, levels):
        yield from _together(received, smallest)
        return
    yield EXAMINED
    words = error_detail(response_of(other, received))
    message = f"refused, {how_served_again(received.samples)}: the refusal is HTTP {other.status}{words}"
    yield Finding(message, want=200, got=other.status)


@check("http.client-headers-served", over=each("combination", where=_with_headers), not_for_captured=UNKNOWN_SENDER)
def test_headers_of_clients_do_no_harm(received: Received, case: Case) -> Findings:
    smallest = _smallest_refused(received, case)
    if smallest and not _is_about_headers(smallest):
        raise DoesNotApply("the request was refused for something else")
    yield from _together(received, smallest)


def _is_about_headers(smallest: Mapping[str, str]) -> bool:
    """Whether headers, which the contract does not name, are refused alone or with one member: RFC 9110 12.5.1 allows
    406 for a stream if the client accepts only JSON. With more, what the request before left may be the reason."""
    return "headers" in smallest and len(smallest) <= _PAIR


def _smallest_refused(received: Received, case: Case) -> Mapping[str, str]:
    """The smallest combination that was refused; empty where the request was served."""
    statuses = [is_refused(one) for one in received.samples]
    levels = scenario_of(received, case).factors
    found = smaller(levels, statuses)[0] if statuses[0] else {}
    # A request without response shows nothing: the smallest one may not have been sent again.
    return found if found or received.samples[-1].ok or not statuses[0] else smaller(levels, statuses[:-1])[0]


def _together(received: Received, smallest: Mapping[str, str]) -> Findings:
    first = response_of(received.samples[0], received)
    if not smallest and first.status != 200:
        raise DoesNotApply(f"received HTTP {first.status}: another rule reports that")
    yield EXAMINED
    if smallest:
        words, status = in_words(smallest), first.exchange.status
        more = how_reduced(received.samples)
        yield Finding(f"{words}: refused with HTTP {status}{error_detail(first)}{more}", want=200, got=status)
