"""HTTP around the answers: statuses, content types, whole and valid JSON bodies, no redirects."""

from __future__ import annotations

from dataclasses import replace

from conformance.decode.json_text import Reader, TooMuch
from conformance.decode.response import EVENT_STREAM, Answer, CannotJudge, DoesNotApply
from conformance.exchange.exchange import CODINGS, NO_BYTE, STILL_OPEN, content_coding
from conformance.judge.applicability import ANY_2XX, FRAMING, HEADERS, PLAIN_RESPONSE, UNKNOWN_SENDER, Where
from conformance.judge.common import (
    BUSY,
    all_busy,
    breaks_every_time,
    busy_elsewhere,
    envelope,
    excerpt,
    judged_past_the_key,
    must_be_an_answer,
    must_be_served,
    must_be_served_or_refused,
    no_answer,
    received_whole,
    said,
    settled,
)
from conformance.judge.selectors import ANSWERS, PLAIN, STREAMS, each, everything, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, breaks_schema, check
from conformance.scenarios.scenario import Scenario

#: Tags of scenarios whose acceptance has a rule of its own.
_OWN_RULE = frozenset({
    "accepted", "form", "effort", "auth-accepted", "accept", "follow-up", "turns", "tools-accepted", "survives",
    "reasoning-returned",
})  # fmt: skip

#: Responses that show the server's usual time to the first byte, and the factor from which on a wait is unusual.
_SEVERAL, _MUCH = 10, 5

#: Milliseconds by which a reader is so late that its time-outs may be its own.
_LATE = 1000.0


def _no_rule_of_its_own(scenario: Scenario) -> bool:
    """What is documented, or sent by real clients, has a rule of its own that says it is answered."""
    return scenario.expect != "answer" and "captured" not in scenario.tags


def _at_the_endpoint(scenario: Scenario) -> bool:
    """With a slash behind it the path is another one, from which frameworks redirect."""
    return not scenario.suffix.startswith("/")


_EXPECTED = everything("answers", where=lambda one: one.expect == "answer")


@check("http.success-is-200", over=ANSWERS, where=ANY_2XX)
def test_success_is_200(answer: Answer, case: Case) -> Findings:
    if not answer.exchange.ok and case.world.scenarios[answer.scenario].tags & _OWN_RULE:
        raise DoesNotApply(f"HTTP {answer.status}: whether this is served has a rule of its own")
    yield from must_be_served(answer)


@check("http.documented-request-served", over=_EXPECTED, together=True, aside=UNKNOWN_SENDER)
def test_documented_request_is_not_broken_every_time(answers: list[Answer]) -> Findings:
    if not any(answer.exchange.ok for answer in answers):
        raise CannotJudge("no documented request was served at all")
    for answer in answers:
        exchange = answer.exchange
        yield Examined(exchange.status is not None)
        tries = len(exchange.attempts) + 1
        if breaks_every_time(exchange) and not busy_elsewhere(answer, answers):
            message = f"HTTP {exchange.status} in each of {tries} tries, while other requests are served"
            yield Finding(message, want=200, got=exchange.status, scenario=answer.scenario)
        elif exchange.status is None and exchange.ended in ("reset", "invalid"):
            message = f"no HTTP answer in {tries} tries ({exchange.detail}), while other requests are served"
            yield Finding(message, want="an HTTP answer", got=exchange.ended, scenario=answer.scenario)


@check("http.client-request-answered", over=each("captured"), without_response=True, aside=UNKNOWN_SENDER)
def test_what_a_client_sends_is_answered_or_refused(answer: Answer, case: Case) -> Findings:
    yield from no_answer(answer)
    yield from must_be_served_or_refused(answer)
    if answer.exchange.refused:
        yield from map(breaks_schema, case.world.schemas.errors("error.json", envelope(answer)))


@check(
    "http.client-request-answered", over=together("client-requests", "captured"), together=True, aside=UNKNOWN_SENDER
)
def test_what_a_client_sends_does_not_make_the_server_busy(answers: list[Answer]) -> Findings:
    for answer in answers:
        exchange = answer.exchange
        yield Examined(exchange.status is not None and exchange.status not in BUSY)
        if exchange.status in BUSY and breaks_every_time(exchange) and not _busy_elsewhere(answer, answers):
            tries = len(exchange.attempts) + 1
            message = f"HTTP {exchange.status} in each of {tries} tries, while what other clients send is answered"
            yield Finding(message, want="an answer or a 4xx", got=exchange.status, scenario=answer.scenario)
    all_busy(answers)


def _busy_elsewhere(answer: Answer, answers: list[Answer]) -> bool:
    """Whether what other clients send meets the same."""
    client = answer.scenario.split(".")[1]
    return busy_elsewhere(answer, [one for one in answers if one.scenario.split(".")[1] != client])


@check("http.no-sporadic-error", over=everything("all"), aside=UNKNOWN_SENDER)
def test_no_request_fails_now_and_then(answer: Answer) -> Findings:
    yield EXAMINED
    failed = [one.status for one in answer.exchange.attempts if one.status in (500, 502, 504)]
    if failed and answer.arrived < 500:
        message = f"HTTP {failed[0]}, and HTTP {answer.arrived} when the same is sent again"
        yield Finding(message, want="the same each time, or 429 or 503 from a busy server", got=failed[0])


@check(
    "http.connection-not-dropped", over=everything("refusals", where=_no_rule_of_its_own), together=True,
    aside=UNKNOWN_SENDER,
)  # fmt: skip
def test_every_request_gets_a_response(answers: list[Answer]) -> Findings:
    for answer in answers:
        yield Examined(answer.exchange.status is not None)
        for one in no_answer(answer):
            yield replace(one, scenario=answer.scenario) if isinstance(one, Finding) else one


@check("http.no-stall", over=everything("all"), together=True, aside=UNKNOWN_SENDER)
def test_no_response_stalls(answers: list[Answer]) -> Findings:
    firsts = [one.exchange.chunks[0].at for one in answers if one.exchange.chunks and not one.exchange.ended_by_us]
    slowest = max(firsts, default=0.0)
    yield Examined(len(firsts))
    for answer in answers:
        exchange = answer.exchange
        if exchange.ended != "time-out" or (exchange.lag_ms or 0.0) > _LATE:
            continue
        if exchange.detail.startswith((NO_BYTE, STILL_OPEN)) and exchange.chunks:
            yield Finding(f"a response stalls: {exchange.detail}", got="silence", scenario=answer.scenario)
        elif exchange.status is None and len(firsts) >= _SEVERAL and exchange.elapsed > _MUCH * slowest:
            message = f"no response, while others begin after {slowest / 1000:.1f} s at most: {exchange.detail}"
            yield Finding(message, want="an HTTP response", got="silence", scenario=answer.scenario)


@check("http.json-content-type", over=PLAIN, where=Where("plain", reads=HEADERS))
def test_plain_answer_is_application_json(answer: Answer) -> Findings:
    if answer.status == 200:
        yield EXAMINED
    if answer.status == 200 and answer.exchange.media_type != "application/json":
        got = answer.exchange.header("content-type")
        yield Finding(f"Content-Type is {got!r}", want="application/json", got=got)


@check("http.stream-content-type", over=STREAMS, where=Where("streams", reads=HEADERS))
def test_stream_is_text_event_stream(answer: Answer) -> Findings:
    if answer.status == 200:
        yield EXAMINED
    if answer.status == 200 and answer.exchange.media_type != EVENT_STREAM:
        got = answer.exchange.header("content-type")
        yield Finding(f"Content-Type is {got!r}", want=EVENT_STREAM, got=got)


@check("http.body-complete", over=PLAIN, where=Where("plain", reads=FRAMING))
def test_plain_body_arrives_whole(answer: Answer) -> Findings:
    received_whole(answer)
    if answer.status == 200:
        yield EXAMINED
    if answer.status == 200 and answer.exchange.ended in ("cut", "reset", "invalid"):
        size = len(answer.exchange.body)
        message = f"the body ends after {size} bytes: {answer.exchange.ended} ({answer.exchange.detail})"
        yield Finding(message, want="the announced end", got=answer.exchange.ended)


@check("http.body-complete", over=everything("refusals", where=lambda one: one.expect != "answer"))
def test_body_of_a_refusal_arrives_whole(answer: Answer) -> Findings:
    if not answer.exchange.refused:
        raise DoesNotApply("the request was not refused")
    received_whole(answer)
    yield EXAMINED
    if answer.exchange.ended == "cut":  # A reset may take away what was sent whole.
        size = len(answer.exchange.body)
        message = f"the body of a refusal ends after {size} bytes: {answer.exchange.ended} ({answer.exchange.detail})"
        yield Finding(message, want="the announced end", got=answer.exchange.ended)


@check("http.body-is-utf8-json", over=PLAIN, where=PLAIN_RESPONSE)
def test_plain_body_is_one_json_value(answer: Answer) -> Findings:
    if answer.status != 200 or answer.exchange.ended != "clean":
        raise CannotJudge(f"HTTP {answer.status}, {answer.exchange.ended}")
    answer.need_decoded()
    yield EXAMINED
    coding = content_coding(answer.exchange.headers).lower()
    if coding in CODINGS and answer.exchange.body == b"".join(chunk.data for chunk in answer.exchange.chunks):
        yield Finding(f"Content-Encoding is {coding}, and the body is not", want=coding, got=excerpt(answer))
    try:
        Reader().load(answer.exchange.body.decode("utf-8"))
    except TooMuch as error:
        raise CannotJudge(f"the body holds {error}") from None
    except ValueError as error:
        yield Finding(f"the body is not JSON in UTF-8: {error}", want="one JSON value", got=excerpt(answer))


@check("http.no-duplicate-keys", over=ANSWERS, where=ANY_2XX)
def test_no_object_names_a_member_twice(answer: Answer) -> Findings:
    for index, names in _named_twice(answer):
        yield EXAMINED
        for name in names:
            yield Finding(f"the member {name!r} stands twice in one object", event=index, got=name)


@check("http.other-method-refused", over=each("method"), aside=UNKNOWN_SENDER)
def test_other_method_is_refused(answer: Answer, case: Case) -> Findings:
    status = settled(answer)
    yield EXAMINED
    method = answer.exchange.request.method
    if status == 501 and method != "GET":  # What a server does not know at all (RFC 9110 9.1).
        return
    if status not in (404, 405):
        yield Finding(f"{method} is answered with HTTP {status}", want="404 or 405", got=status)
    else:
        yield from map(breaks_schema, case.world.schemas.errors("error.json", envelope(answer)))


@check("http.no-redirect", over=everything("all", where=_at_the_endpoint), where=Where("others", elsewhere=False))
def test_no_redirect(answer: Answer) -> Findings:
    yield EXAMINED
    if 300 <= answer.arrived < 400:
        place = answer.exchange.header("location")
        yield Finding(f"HTTP {answer.arrived} sends the request, key and all, to {place}", want="no 3xx", got=place)


@check("http.head-and-accept-tolerated", over=together("accept", "accept"))
def test_accept_headers(answer: Answer) -> Findings:
    yield Finding(f"{answer.scenario}: HTTP {answer.arrived}")


def _named_twice(answer: Answer) -> list[tuple[int | None, tuple[str, ...]]]:
    """The member names that one object holds twice, with the index of the event; ``CannotJudge`` without JSON."""
    if answer.looks_like_stream:
        return [(event.index, event.twice) for event in answer.events]
    answer.need_decoded()
    reader = Reader()
    try:
        reader.load(answer.exchange.body.decode("utf-8", "replace"))
    except ValueError as error:
        raise CannotJudge(f"the body cannot be read as JSON: {error}") from None
    return [(None, reader.twice)]


# -- requests in forms that the page does not show ---------------------------------------------------------------------

#: Statuses by which a server may refuse a form that the RFCs let it refuse, by the scenario.
_MAY_REFUSE = {"http.chunked": (411,), "http.expect-continue": (417,)}


@check("http.unusual-request-answered", over=each("tolerated"), aside=UNKNOWN_SENDER)
def test_unusual_request_is_served_or_refused(answer: Answer, case: Case) -> Findings:
    status = settled(answer)
    yield EXAMINED
    scenario = case.world.scenarios[answer.scenario]
    method = answer.exchange.request.method
    if status == 501 and method != "POST":
        return  # The status for a method or protocol that a server does not have (RFC 9110 9.1).
    if status >= 500:
        want = "a status below 500" if method != "POST" else "200 or a 4xx status"
        yield Finding(f"{scenario.asks}: HTTP {status}{said(answer)}", want=want, got=status)
    elif method == "POST" and 200 <= status < 300 and _at_the_endpoint(scenario):
        yield from must_be_an_answer(answer)


@check("http.request-form-served", over=each("request-form"), aside=UNKNOWN_SENDER)
def test_form_of_a_request_is_served(answer: Answer, case: Case) -> Findings:
    status = judged_past_the_key(answer)
    if status in _MAY_REFUSE.get(answer.scenario, ()):
        raise DoesNotApply(f"HTTP {status}: a server may refuse this form")
    yield EXAMINED
    if status != 200:
        asks = case.world.scenarios[answer.scenario].asks
        yield Finding(f"{asks}: HTTP {status}{said(answer)}", want=200, got=status)
    else:
        yield from must_be_an_answer(answer)


@check("http.request-form-served", over=together("http.combined", "combined"), together=True, aside=UNKNOWN_SENDER)
def test_forms_are_served_together(answers: list[Answer], case: Case) -> Findings:
    whole, *alone = answers
    status = judged_past_the_key(whole)
    if status == 200:
        yield EXAMINED
        return
    refused = [one.scenario for one in alone if not one.exchange.ok]
    if refused:
        raise DoesNotApply(f"HTTP {status}, and {', '.join(refused)} is not served alone either")
    yield EXAMINED
    asks = case.world.scenarios[whole.scenario].asks
    yield Finding(f"{asks}: HTTP {status}{said(whole)}, while each alone is served", want=200, got=status)
