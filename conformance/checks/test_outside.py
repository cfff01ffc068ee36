"""What the contract does not document: filtered or refused, never a 5xx, never a hang, never honoured by halves."""

from __future__ import annotations

from typing import Any

from conformance.decode.events import mapping
from conformance.decode.response import FINAL, Answer, CannotJudge, DoesNotApply
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import holder, must_be_served_or_refused, scenario_of
from conformance.judge.selectors import each
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check

_BACKGROUND = each("unsupported", where=lambda one: "background" in one.body)
_PREVIOUS = each("unsupported", where=lambda one: one.about["of"] == "previous_response_id")


@check("{rule}", over=each("outside"), without_response=True, aside=UNKNOWN_SENDER)
def test_filtered_or_refused(answer: Answer) -> Findings:
    yield from must_be_served_or_refused(answer)


@check("undocumented.unknown-value-unseen", over=each("unknown"), aside=UNKNOWN_SENDER)
def test_unknown_value_is_nowhere_in_the_answer(answer: Answer, case: Case) -> Findings:
    _when_filtered(answer)
    value = scenario_of(answer, case).about["value"]
    yield Examined(bool(answer.exchange.body))
    headers = "\n".join(text for _, text in answer.exchange.headers)
    if value.encode() in answer.exchange.body or value in headers:
        message = f"the value {value!r} of an unknown parameter comes back in the answer"
        event, pointer = _place(answer, value)
        yield Finding(message, pointer, event, want="nowhere", got=value)


def _place(answer: Answer, value: str) -> tuple[int | None, str]:
    """The first event that holds a value and where in it, or where in the body; empty if it stands elsewhere."""
    return next(((event, pointer) for event, one in _held(answer) if (pointer := holder(one, value))), (None, ""))


def _held(answer: Answer) -> list[tuple[int | None, Any]]:
    """Each event with its place, or the body; nothing if that is no JSON."""
    if answer.looks_like_stream:
        return [(event.index, event.data) for event in answer.events]
    try:
        return [(None, answer.json)]
    except CannotJudge:
        return []


@check("undocumented.unknown-value-not-quoted", over=each("unknown"), aside=UNKNOWN_SENDER)
def test_refusal_does_not_quote_the_unknown_value(answer: Answer, case: Case) -> Findings:
    if not 400 <= answer.status < 500:
        raise DoesNotApply("the request was not refused")
    value = scenario_of(answer, case).about["value"]
    yield EXAMINED
    if value.encode() in answer.exchange.body:
        yield Finding(f"the refusal quotes the value {value!r} of an unknown parameter", want="its name", got=value)


@check("unsupported.background-not-honoured", over=_BACKGROUND, aside=UNKNOWN_SENDER)
def test_background_is_not_honoured(answer: Answer) -> Findings:
    _when_filtered(answer)
    status = answer.response.get("status")
    if isinstance(status, str):
        yield EXAMINED
    if isinstance(status, str) and status not in FINAL:
        message = f"background: true is answered with status {status!r} and no result"
        yield Finding(message, answer.pointer + "/status", answer.event, "completed or incomplete", status)


@check("unsupported.previous-response-id-not-honoured", over=_PREVIOUS, aside=UNKNOWN_SENDER)
def test_previous_response_is_not_taken_into_context(answer: Answer, case: Case) -> Findings:
    _when_filtered(answer)
    for event, one in _held(answer):
        yield EXAMINED
        response = mapping(mapping(one).get("response") if answer.looks_like_stream else one)
        if (echoed := response.get("previous_response_id")) is not None:
            message = "previous_response_id comes back as if it were in effect"
            yield Finding(message, answer.pointer + "/previous_response_id", event, "absent or null", echoed)
    codeword = scenario_of(answer, case).about.get("codeword")
    if codeword and codeword in answer.words:
        message = f"the answer knows {codeword!r}, which only the earlier response held"
        yield Finding(message, answer.pointer + "/output", answer.event, "no memory of it", codeword)


@check("undocumented.outcome", over=each("outside"))
def test_outcome(answer: Answer, case: Case) -> Findings:
    yield Finding(f"{scenario_of(answer, case).about['of']}: {_outcome(answer)}")


@check(
    "undocumented.outcome-as-profile",
    over=each("outside", where=lambda one: "tool-choice" not in one.tags),
    aside=UNKNOWN_SENDER,
)
def test_outcome_is_the_one_the_profile_demands(answer: Answer, case: Case) -> Findings:
    demanded = case.world.target.unknown_parameters
    if demanded == "either":
        raise DoesNotApply("the target's profile demands neither of the two")
    want = {"reject": "rejected", "filter": "filtered"}[demanded]
    got = _outcome(answer)
    yield EXAMINED
    if got != want:
        yield Finding(f"the parameter is {got}, and the target's profile says {demanded}", want=want, got=got)


def _outcome(answer: Answer) -> str:
    if answer.exchange.ok:
        return "filtered"
    status = answer.arrived
    return "rejected" if 400 <= status < 500 else f"HTTP {status}"


def _when_filtered(answer: Answer) -> None:
    if 400 <= answer.status < 500:
        raise DoesNotApply("the parameter was refused")
