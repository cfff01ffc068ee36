"""Errors that are the text of a completed Response."""

from __future__ import annotations

from conformance.decode.response import Received
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.control import shortened
from conformance.judge.error_texts import error_texts
from conformance.judge.selectors import together
from conformance.judge.verdict import Case, Examined, Finding, Findings, check


@check(
    "error.real-status",
    over=together("texts", "bad", "violation", "auth-refused"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_error_is_no_text_of_a_response(responses: list[Received], case: Case) -> Findings:
    yield Examined(sum(one.exchange.status is not None for one in responses))
    for received, text in error_texts(responses, case.context.scenarios):
        shown = shortened(" ".join(text.split()), 160)
        message = f"an error with HTTP {received.arrived} is the text of a completed Response: {shown}"
        yield Finding(message, want="a 4xx status", got=received.arrived, scenario=received.scenario)
