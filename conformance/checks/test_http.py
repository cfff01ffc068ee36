"""HTTP: statuses, content types, complete bodies in valid JSON, no redirects."""

from __future__ import annotations

from dataclasses import replace

from conformance.contract.schemas import ABSENT
from conformance.decode.json_text import LimitExceeded, Reader
from conformance.decode.response import EVENT_STREAM, CannotEvaluate, DoesNotApply, Received
from conformance.exchange.planned import attempts, on_new_connections
from conformance.judge.applicability import ANY_2XX, FRAMING, HEADERS, PLAIN_RESPONSE, UNKNOWN_SENDER, Where
from conformance.judge.common import (
    BUSY,
    all_busy,
    authenticated_status,
    body_has_its_end,
    definite_status,
    error_detail,
    excerpt,
    fails_every_attempt,
    must_be_a_response,
    must_be_served,
    must_be_served_or_refused,
    need_complete,
    no_response,
    scenario_of,
    status_occurs_elsewhere,
)
from conformance.judge.encodings import must_be_encoded, place_of, why_not_json
from conformance.judge.envelopes import envelope_findings
from conformance.judge.selectors import PLAIN, RESPONSES, STREAMS, each, everything, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check
from conformance.scenarios.base import STREAM_BASE
from conformance.scenarios.scenario import Scenario
from conformance.wire.retry import BESIDE_OTHERS

#: Tags of scenarios whose acceptance another rule checks.
_OWN_RULE = frozenset({
    "accepted", "form", "effort", "auth-accepted", "accept", "follow-up", "turns", "tools-accepted", "survives",
    "reasoning-returned", "combination",
})  # fmt: skip


def _no_rule_of_its_own(scenario: Scenario) -> bool:
    """Whether no other rule requires a response, as of a documented request or a real client; also the base stream."""
    return scenario.name == STREAM_BASE or (scenario.expect != "answer" and "captured" not in scenario.tags)


def _at_the_endpoint(scenario: Scenario) -> bool:
    """Whether the path is the endpoint's. With a trailing slash it is another one, for which frameworks redirect."""
    return not scenario.suffix.startswith("/")


#: Of a combination that is not served, another rule reports the smallest part that is not.
_EXPECTED = everything("answers", where=lambda one: one.expect == "answer" and not one.factors)


@check("http.success-is-200", over=RESPONSES, where=ANY_2XX)
def test_success_is_200(received: Received, case: Case) -> Findings:
    scenario = scenario_of(received, case)
    if not received.exchange.ok and (scenario.last or scenario.tags & _OWN_RULE):
        raise DoesNotApply(f"received HTTP {received.status}, which the rule about this request reports")
    yield from must_be_served(received)
    if received.exchange.ok and received.status != 200:
        yield Finding(f"received HTTP {received.status}", want=200, got=received.status)


@check("http.documented-request-served", over=_EXPECTED, together=True, not_for_captured=UNKNOWN_SENDER)
def test_documented_request_does_not_always_fail(responses: list[Received], case: Case) -> Findings:
    if not any(received.exchange.ok for received in responses):
        raise CannotEvaluate("no documented request was served at all")
    for received in responses:
        exchange = received.exchange
        yield Examined(exchange.status is not None)
        which = f"{scenario_of(received, case).description} is not served, while other requests are"
        if fails_every_attempt(exchange) and not status_occurs_elsewhere(received, responses):
            message = f"{which}: HTTP {exchange.status} in each attempt{error_detail(received)}"
            yield Finding(message, want=200, got=exchange.status, scenario=received.scenario)
        elif exchange.status is None and exchange.ended in ("reset", "invalid"):
            message = f"{which}: no HTTP response in {attempts(exchange)} ({exchange.detail})"
            yield Finding(message, want="an HTTP response", got=exchange.ended, scenario=received.scenario)


@check("http.client-request-answered", over=each("captured"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_client_request_is_served_or_refused(received: Received, case: Case) -> Findings:
    yield from no_response(received)
    yield from must_be_served_or_refused(received)
    if received.exchange.refused:
        yield from envelope_findings(received, case)


@check(
    "http.client-request-answered",
    over=together("client-requests", "captured"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_what_a_client_sends_does_not_make_the_server_busy(responses: list[Received]) -> Findings:
    for received in responses:
        exchange = received.exchange
        yield Examined(exchange.status is not None and exchange.status not in BUSY)
        if exchange.status in BUSY and fails_every_attempt(exchange) and not _busy_elsewhere(received, responses):
            message = (
                f"HTTP {exchange.status} in each of {attempts(exchange)}, while requests of other clients are served"
            )
            yield Finding(message, want="200 or a 4xx status", got=exchange.status, scenario=received.scenario)
    all_busy(responses)


def _busy_elsewhere(received: Received, responses: list[Received]) -> bool:
    """Whether requests of other clients received the same status."""
    client = received.scenario.split(".")[1]
    return status_occurs_elsewhere(received, [one for one in responses if one.scenario.split(".")[1] != client])


@check("http.no-sporadic-error", over=everything("all"), not_for_captured=UNKNOWN_SENDER)
def test_no_request_fails_now_and_then(received: Received) -> Findings:
    yield EXAMINED
    failed = [one.status for one in on_new_connections(received.exchange) if one.status in (500, 502, 504)]
    if failed and received.arrived < 500:
        alone = any(one.detail == BESIDE_OTHERS for one in received.exchange.attempts)
        again = "alone, after requests at the same time" if alone else "again"
        message = f"HTTP {failed[0]}, and HTTP {received.arrived} when the same request is sent {again}"
        yield Finding(message, want="the same status each time, or 429 or 503", got=failed[0])


@check(
    "http.connection-not-dropped", over=everything("refusals", where=_no_rule_of_its_own), together=True,
    not_for_captured=UNKNOWN_SENDER,
)  # fmt: skip
def test_every_request_gets_a_response(responses: list[Received]) -> Findings:
    streams = all(one.exchange.status is not None for one in responses if one.scenario == STREAM_BASE)
    for received in responses if streams else [one for one in responses if not one.streaming]:
        yield Examined(received.exchange.status is not None)
        for one in no_response(received):
            yield replace(one, scenario=received.scenario) if isinstance(one, Finding) else one


@check("http.json-content-type", over=PLAIN, where=Where("plain", reads=HEADERS))
def test_plain_response_is_application_json(received: Received) -> Findings:
    if received.status == 200:
        yield EXAMINED
    if received.status == 200 and received.exchange.media_type != "application/json":
        yield _of_type(received.exchange.header("content-type"), "application/json")


def _of_type(got: str | None, want: str) -> Finding:
    message = f"Content-Type is {got!r}" if got else "the response has no Content-Type"
    return Finding(message, want=want, got=got or ABSENT)


@check("http.stream-content-type", over=STREAMS, where=Where("streams", reads=HEADERS))
def test_stream_is_text_event_stream(received: Received) -> Findings:
    if received.status == 200:
        yield EXAMINED
    if received.status == 200 and received.exchange.media_type != EVENT_STREAM:
        yield _of_type(received.exchange.header("content-type"), EVENT_STREAM)


@check("http.body-complete", over=PLAIN, where=Where("plain", reads=FRAMING))
def test_plain_body_is_complete(received: Received) -> Findings:
    need_complete(received)
    if received.status == 200:
        yield EXAMINED
    if received.status == 200 and received.exchange.ended in ("cut", "reset", "invalid"):
        size = len(received.exchange.body)
        message = f"the body is incomplete after {size} bytes: {received.exchange.ended} ({received.exchange.detail})"
        yield Finding(message, want="a complete body", got=received.exchange.ended)
    yield from body_has_its_end(received)


@check("http.body-is-utf8-json", over=PLAIN, where=PLAIN_RESPONSE)
def test_plain_body_is_one_json_value(received: Received) -> Findings:
    if received.status != 200 or received.exchange.ended != "clean":
        raise CannotEvaluate(f"received HTTP {received.status}; the response ended {received.exchange.ended}")
    received.need_decoded()
    yield EXAMINED
    yield from must_be_encoded(received)
    try:
        Reader().load(received.exchange.body.decode("utf-8"))
    except LimitExceeded as error:
        raise CannotEvaluate(f"the body contains {error}") from None
    except ValueError as error:
        shown = excerpt(received, at=place_of(error, received.exchange.body))
        yield Finding(why_not_json(received, error), want="one JSON value in UTF-8", got=shown)


@check("http.no-duplicate-keys", over=RESPONSES, where=ANY_2XX)
def test_no_object_repeats_a_member(received: Received) -> Findings:
    for index, names in _duplicate_members(received):
        yield EXAMINED
        for name in names:
            yield Finding(f"duplicate member {name!r} in one object", event=index, got=name)


@check("http.other-method-refused", over=each("method"), not_for_captured=UNKNOWN_SENDER)
def test_other_method_is_refused(received: Received, case: Case) -> Findings:
    status = definite_status(received)
    yield EXAMINED
    method = received.exchange.request.method
    if status == 501 and method != "GET":  # The status for a method that the server does not implement (RFC 9110 9.1).
        return
    if status not in (404, 405):
        yield Finding(f"{method}: received HTTP {status}", want="404 or 405", got=status)
    else:
        yield from envelope_findings(received, case)


@check("http.no-redirect", over=everything("all", where=_at_the_endpoint), where=Where("others", other_scenarios=False))
def test_no_redirect(received: Received) -> Findings:
    yield EXAMINED
    if 300 <= received.arrived < 400 and received.arrived != 304:  # 304 names no other location (RFC 9110 15.4.5).
        place = received.exchange.header("location")
        message = f"HTTP {received.arrived} redirects the request, including the key, to {place}"
        yield Finding(message, want="no 3xx", got=place)


@check("http.head-and-accept-tolerated", over=together("accept", "accept"))
def test_accept_headers(received: Received) -> Findings:
    yield Finding(f"{received.scenario}: HTTP {received.arrived}")


def _duplicate_members(received: Received) -> list[tuple[int | None, tuple[str, ...]]]:
    """Duplicate member names of each event, with its index, or of the body; :class:`CannotEvaluate` without JSON."""
    if received.looks_like_stream:
        return [(event.index, event.twice) for event in received.events]
    received.need_decoded()
    reader = Reader()
    try:
        reader.load(received.exchange.body.decode("utf-8", "replace"))
    except ValueError as error:
        raise CannotEvaluate(f"the body cannot be read as JSON: {error}") from None
    return [(None, reader.twice)]


# -- request forms that HTTP allows and the documentation does not show ------------------------------------------------

#: By scenario, the statuses with which the RFCs allow a server to refuse this form of request.
_MAY_REFUSE = {"http.chunked": (411,), "http.expect-continue": (417,)}


@check("http.unusual-request-answered", over=each("tolerated"), not_for_captured=UNKNOWN_SENDER)
def test_unusual_request_is_served_or_refused(received: Received, case: Case) -> Findings:
    status = definite_status(received)
    yield EXAMINED
    scenario = case.context.scenarios[received.scenario]
    method = received.exchange.request.method
    if status == 501 and method != "POST":
        return  # The status for a method or protocol that the server does not implement (RFC 9110 9.1).
    if status >= 500:
        want = "a status below 500" if method != "POST" else "200 or a 4xx status"
        yield Finding(f"{scenario.description}: HTTP {status}{error_detail(received)}", want=want, got=status)
    elif method == "POST" and 200 <= status < 300 and _at_the_endpoint(scenario):
        yield from must_be_a_response(received)


@check("http.request-form-served", over=each("request-form"), not_for_captured=UNKNOWN_SENDER)
def test_form_of_a_request_is_served(received: Received, case: Case) -> Findings:
    status = authenticated_status(received)
    if status in _MAY_REFUSE.get(received.scenario, ()):
        raise DoesNotApply(f"received HTTP {status}, with which a server may refuse this form of request")
    yield EXAMINED
    if status != 200:
        description = case.context.scenarios[received.scenario].description
        yield Finding(f"{description}: HTTP {status}{error_detail(received)}", want=200, got=status)
    else:
        yield from must_be_a_response(received)


@check(
    "http.request-form-served",
    over=together("http.combined", "combined"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_forms_are_served_together(responses: list[Received], case: Case) -> Findings:
    combined, *alone = responses
    status = authenticated_status(combined)
    if status == 200:
        yield EXAMINED
        return
    refused = [one.scenario for one in alone if not one.exchange.ok]
    if refused:
        raise DoesNotApply(f"received HTTP {status}; {', '.join(refused)} alone is not served either")
    yield EXAMINED
    description = case.context.scenarios[combined.scenario].description
    yield Finding(
        f"{description}: HTTP {status}{error_detail(combined)}, while each alone is served", want=200, got=status
    )
