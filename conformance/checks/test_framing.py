"""The framing of HTTP/1.1: how the length of a body is announced, and that a response begins and ends."""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.exchange import NO_BYTE, STILL_OPEN
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import need_complete
from conformance.judge.selectors import everything
from conformance.judge.verdict import EXAMINED, Examined, Finding, Findings, check

_LENGTH, _CODING = "Content-Length", "Transfer-Encoding"

#: The least number of responses from which the usual time to the first byte is known, and the factor above it that is
#: unusual.
_SEVERAL, _MUCH = 10, 5

#: Milliseconds of delay of this process above which its time-outs are no evidence against the server.
_LATE = 1000.0


@check(
    "http.one-framing", over=everything("all-answers"),
    not_for_captured="what records traffic keeps the one and adds the other",
)  # fmt: skip
def test_a_body_has_one_framing(received: Received) -> Findings:
    exchange = received.exchange
    if exchange.status is None:
        raise CannotEvaluate("no HTTP response was received")
    yield EXAMINED
    length, coding = exchange.header(_LENGTH), exchange.header(_CODING)
    if length is not None and coding is not None:
        message = f"the response has {_CODING} {coding} and {_LENGTH} {length}"
        yield Finding(message, want="one of them", got=[coding, length], scenario=received.scenario)


@check("http.body-complete", over=everything("refusals", where=lambda one: one.expect != "answer"))
def test_body_of_a_refusal_is_complete(received: Received) -> Findings:
    if not received.exchange.refused:
        raise DoesNotApply("the request was not refused")
    need_complete(received)
    yield EXAMINED
    if received.exchange.ended == "cut":  # A reset may discard bytes of a body that was sent completely.
        size = len(received.exchange.body)
        message = f"the error body is incomplete after {size} bytes: cut ({received.exchange.detail})"
        yield Finding(message, want="a complete body", got=received.exchange.ended)


@check("http.no-stall", over=everything("all"), together=True, not_for_captured=UNKNOWN_SENDER)
def test_no_response_stalls(responses: list[Received]) -> Findings:
    firsts = [one.exchange.chunks[0].at for one in responses if one.exchange.chunks and not one.exchange.ended_by_us]
    slowest = max(firsts, default=0.0)
    yield Examined(len(firsts))
    for received in responses:
        exchange = received.exchange
        if exchange.ended != "time-out" or (exchange.lag_ms or 0.0) > _LATE:
            continue
        if exchange.detail.startswith((NO_BYTE, STILL_OPEN)) and exchange.chunks:
            yield Finding(f"a response stalls: {exchange.detail}", got="silence", scenario=received.scenario)
        elif exchange.status is None and len(firsts) >= _SEVERAL and exchange.elapsed > _MUCH * slowest:
            message = f"no response, while others begin after at most {slowest / 1000:.1f} s: {exchange.detail}"
            yield Finding(message, want="an HTTP response", got="silence", scenario=received.scenario)
