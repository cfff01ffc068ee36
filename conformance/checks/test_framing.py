"""The framing of HTTP/1.1: how the length of a body is announced."""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.selectors import everything
from conformance.judge.verdict import EXAMINED, Finding, Findings, check

_LENGTH, _CODING = "Content-Length", "Transfer-Encoding"


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
