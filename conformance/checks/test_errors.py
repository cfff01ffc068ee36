"""Errors: an envelope with a 4xx status, the same plain and streaming; the endpoint serves requests after them."""

from __future__ import annotations

from dataclasses import replace

from conformance.decode.events import mapping
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.disappearance import unconnected
from conformance.exchange.planned import CLOSED, MIDWAY, attempts
from conformance.judge.applicability import (
    COMPARES,
    HEADERS,
    REQUEST,
    RETRIES,
    UNKNOWN_SENDER,
    WORDING,
    Where,
)
from conformance.judge.common import (
    BUSY,
    all_busy,
    between,
    definite_status,
    ends_in_failure,
    error_detail,
    excerpt,
    fails_every_attempt,
    is_error_body,
    must_be_a_response,
    must_be_served,
    retried,
    scenario_of,
    status_occurs_elsewhere,
)
from conformance.judge.encodings import must_be_encoded
from conformance.judge.envelopes import envelope_findings
from conformance.judge.internals import internals_in
from conformance.judge.lockout import lockout
from conformance.judge.samples import response_of
from conformance.judge.selectors import each, everything, pairs, together
from conformance.judge.verdict import (
    EXAMINED,
    Case,
    Examined,
    Finding,
    Findings,
    Group,
    Selector,
    check,
)
from conformance.scenarios.base import BASE, STREAM_BASE
from conformance.scenarios.context import Context
from conformance.scenarios.reduction import how_served_again


def _with(*tags: str) -> Selector:
    """A case for each scenario with one of the tags."""
    return lambda context: [Group(one.name, (one.name,)) for one in context.scenarios.values() if one.tags & set(tags)]


#: Invalid requests, without and with those whose credential is invalid: their envelope is checked by another rule.
_invalid_requests = _with("bad", "violation", "outside", "image")
_refusals = _with("bad", "violation", "outside", "image", "method", "auth-refused")


@check("error.envelope", over=_invalid_requests, where=Where("refusals", reads=REQUEST))
def test_error_is_enveloped(received: Received, case: Case) -> Findings:
    _when_refused(received)
    yield EXAMINED
    yield from must_be_encoded(received)
    try:
        received.exchange.body.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the error body is not UTF-8: {error.reason} at byte {error.start}"
        yield Finding(message, want="UTF-8", got=excerpt(received, at=error.start))
        return
    yield from envelope_findings(received, case)


@check("error.json-content-type", over=_refusals, where=Where("refused", reads=REQUEST | HEADERS))
def test_error_is_application_json(received: Received) -> Findings:
    _when_refused(received)
    if received.streaming or not received.exchange.body:
        return  # A refusal of a streaming request may begin with data:, and an empty body has no type.
    yield EXAMINED
    if received.exchange.media_type not in (
        "application/json",
        "application/problem+json",
    ):
        got = received.exchange.header("content-type")
        yield Finding(f"the Content-Type of the error response is {got!r}", want="application/json", got=got)


@check("error.no-internals", over=_refusals, where=Where("refused"), not_for_captured=WORDING)
def test_error_shows_no_internals(received: Received) -> Findings:
    if received.exchange.ok:
        raise DoesNotApply("the request was not refused")
    yield from _internals(received, "the error body")


def _internals(received: Received, who: str) -> Findings:
    body = received.exchange.body[:100_000].decode("utf-8", "replace")
    yield Examined(bool(body))
    for what, found in internals_in(body):
        yield Finding(f"{who} contains {what}", want="a message for the client", got=found)


@check("error.real-status", over=_invalid_requests, not_for_captured=UNKNOWN_SENDER)
def test_error_has_an_error_status(received: Received) -> Findings:
    status = definite_status(received)
    yield EXAMINED
    if status >= 500:
        yield Finding(
            f"invalid request: received HTTP {status}{error_detail(received)}", want="a 4xx status", got=status
        )
    else:
        yield from _under_success(received)


@check("error.real-status", over=_with("auth-refused", "method"), not_for_captured=UNKNOWN_SENDER)
def test_refusal_has_an_error_status(received: Received) -> Findings:
    _ = definite_status(received)
    yield EXAMINED
    yield from _under_success(received)


@check("error.real-status", over=_with("captured"), not_for_captured=UNKNOWN_SENDER)
def test_refusal_of_a_client_has_an_error_status(received: Received) -> Findings:
    _ = definite_status(received)
    yield EXAMINED
    # A plain request may be served; response.ends-final or http.client-request-answered reports that it failed.
    if received.streaming or not _is_failed_response(received):
        yield from _under_success(received)


def _under_success(received: Received) -> Findings:
    """A finding for an error that has the status of a success: as the body, as a failed Response, or as the only event
    of a stream."""
    status = received.exchange.status
    if received.exchange.ok and is_error_body(received):
        pointer = received.contract.error.pointer
        yield Finding(
            f"an error body with HTTP {status}{error_detail(received)}", pointer, None, "a 4xx status", status
        )
    elif (failure := ends_in_failure(received)) and not received.of("response.created"):
        yield Finding(f"an error with HTTP {status}: {failure}", "/type", 0, "a 4xx status", status)
    elif _is_failed_response(received):
        yield Finding(f"an error with HTTP {status}{error_detail(received)}", "/status", None, "a 4xx status", status)


def _is_failed_response(received: Received) -> bool:
    try:
        return received.exchange.ok and not received.looks_like_stream and received.response.get("status") == "failed"
    except CannotEvaluate:
        return False


@check(
    "error.real-status",
    over=together("bad-requests", "bad", "violation"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_bad_request_does_not_make_the_server_busy(responses: list[Received], case: Case) -> Findings:
    about = {one.scenario: scenario_of(one, case).about.get("rule", one.scenario) for one in responses}
    for received in responses:
        # Requests about the same rule are wrong in the same way: each unknown model may be a 503.
        others = [one for one in responses if about[one.scenario] != about[received.scenario]]
        status = received.exchange.status
        is_busy = status in BUSY
        yield Examined(status is not None and not is_busy)
        if is_busy and fails_every_attempt(received.exchange) and not status_occurs_elsewhere(received, others):
            count = attempts(received.exchange)
            message = f"invalid request: received HTTP {status} in each of {count}, and for no request of another kind"
            yield Finding(message, want="a 4xx status", got=status, scenario=received.scenario)
    all_busy(responses)


@check(
    "error.success-is-no-error",
    over=everything("answers", where=lambda one: one.expect == "answer"),
    where=Where("answers", other_scenarios=False),
)
def test_response_is_no_error(received: Received) -> Findings:
    form = received.contract.error
    yield Examined(received.exchange.ok and bool(received.exchange.body))
    if received.exchange.ok and is_error_body(received):
        message = f"an error body with HTTP {received.arrived}{error_detail(received)}"
        yield Finding(message, form.pointer, None, "a Response", received.arrived)


def _before_and_after(context: Context) -> list[Group]:
    return [
        replace(group, scenarios=(BASE, *group.scenarios), beside=(STREAM_BASE,), requires_all=True)
        for group in each("survives")(context)
    ]


@check("error.endpoint-survives", over=_before_and_after, together=True, not_for_captured=UNKNOWN_SENDER)
def test_endpoint_survives_the_bad_requests(responses: list[Received]) -> Findings:
    before, after, *streamed = responses
    if not any(one.exchange.ok and not ends_in_failure(one) for one in (before, *streamed)):
        raise CannotEvaluate("the valid request before the invalid ones was not served either")
    if unconnected(after.exchange):  # The cause need not be one of the invalid requests.
        raise CannotEvaluate(f"the endpoint accepted no connection: {after.exchange.detail}")
    if (
        not after.exchange.ok
        and not after.exchange.refused
        and any(one.detail == CLOSED + MIDWAY for one in after.exchange.attempts)
    ):
        raise CannotEvaluate("a stream was served after the invalid requests; the request after that stream was not")
    yield EXAMINED
    for one in _still_served(after):
        yield replace(one, scenario=after.scenario) if isinstance(one, Finding) else one


@check("error.endpoint-survives", over=each("combination"), not_for_captured=UNKNOWN_SENDER)
def test_a_valid_key_is_accepted_each_time(received: Received, case: Case) -> Findings:
    yield EXAMINED
    if locked := lockout(received, scenario_of(received, case).factors):
        words = error_detail(response_of(locked, received))
        after = scenario_of(received, case).after
        message = f"a valid key is refused{f' behind {after}' if after else ''}, {how_served_again(received.samples)}"
        message += f": the refusal is HTTP {locked.status}{words}"
        yield Finding(message, want=200, got=locked.status)


def _still_served(received: Received) -> Findings:
    if received.exchange.status is None or received.exchange.status >= 500:
        got = received.exchange.status or received.exchange.ended
        message = "the valid request after the invalid ones is not served; the one before them was"
        outcome = f": HTTP {got}{error_detail(received)}" if received.exchange.status else ""
        yield Finding(f"{message}{outcome}", want=200, got=got)
        return
    yield from must_be_served(received)
    if received.exchange.ok:
        yield from must_be_a_response(received)


def _plain_and_streamed(context: Context) -> list[Group]:
    found = [group for tag in ("bad", "violation", "auth-refused", "outside") for group in pairs(tag)(context)]
    return list({group.label: group for group in found}.values())


@check("error.streaming-same-status", over=_plain_and_streamed, together=True, not_for_captured=COMPARES)
def test_streaming_error_has_the_same_status(given: list[Received], case: Case) -> Findings:
    plain, stream = (definite_status(received) for received in given)
    if "outside" in scenario_of(given[0], case).tags and (plain // 100, stream // 100) != (4, 5):
        raise DoesNotApply("the request may be served or refused, and the stream alone does not end in 5xx")
    yield EXAMINED
    if plain // 100 != stream // 100:
        message = f"HTTP {plain} for the plain request, HTTP {stream} with stream: true"
        yield between(given[0], given[1], message, "", plain, stream)


def _repeated_refusals(context: Context) -> list[Group]:
    again = [one for one in context.scenarios.values() if "again" in one.tags and one.after]
    return [Group(one.name, (one.after or "", one.name), requires_all=True) for one in again]


@check("error.same-refusal-again", over=_repeated_refusals, together=True, not_for_captured=COMPARES)
def test_the_same_request_is_refused_in_the_same_way(given: list[Received]) -> Findings:
    first, again = (_kind_of_refusal(received) for received in given)
    yield EXAMINED
    if first != again:
        shown = [f"HTTP {status} with code {code!r} and type {kind!r}" for status, code, kind in (first, again)]
        yield between(given[0], given[1], f"{shown[0]}, and {shown[1]} for the same request again", "", *shown)


def _kind_of_refusal(received: Received) -> tuple[int, object, object]:
    """The status, code and type of a refusal: its message may contain the id of the request."""
    if not 400 <= definite_status(received) < 500:
        raise DoesNotApply(f"received HTTP {received.arrived}, which another rule reports")
    error = mapping(received.contract.error.of(received.envelope))
    return received.arrived, error.get("code"), error.get("type")


def _when_refused(received: Received) -> None:
    if received.exchange.ok:
        raise DoesNotApply("the request was not refused")
    if received.arrived == 501:
        raise DoesNotApply("received HTTP 501, whose body no rule describes")
    if not 400 <= definite_status(received) < 500:
        raise CannotEvaluate(f"received HTTP {received.arrived}")


@check("error.envelope", over=everything("retried"), not_for_captured=RETRIES)
def test_refusal_that_is_retried_is_enveloped(received: Received, case: Case) -> Findings:
    # What another method receives is not documented, and HEAD no body at all.
    refusals = [one for one in retried(received) if 400 <= one.arrived < 500 and one.exchange.request.method == "POST"]
    if not refusals:
        raise DoesNotApply("no POST was retried after a 4xx")
    for one in refusals:
        yield EXAMINED
        for found in envelope_findings(one, case):
            yield replace(found, message=f"HTTP {one.arrived}, which is retried: {found.message}")


@check("error.no-internals", over=everything("retried"), not_for_captured=RETRIES)
def test_error_that_is_retried_shows_no_internals(received: Received) -> Findings:
    for one in retried(received):
        yield from _internals(one, f"the body of HTTP {one.arrived}, which is retried,")
