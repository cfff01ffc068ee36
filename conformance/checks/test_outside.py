"""Undocumented parameters: ignored or refused, no 5xx, no hanging request, not partly in effect."""

from __future__ import annotations

from typing import Any

from conformance.decode.events import mapping
from conformance.decode.response import FINAL, CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import must_be_served_or_refused, pointer_to, scenario_of
from conformance.judge.selectors import beside, each
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check
from conformance.scenarios.base import BASE, STREAM_BASE
from conformance.scenarios.controls import DETAIL, IMAGE

_BACKGROUND = each("outside", where=lambda one: "background" in one.body)
_PREVIOUS = each("unsupported", where=lambda one: one.about["of"] == "previous_response_id")


@check("{rule}", over=each("outside"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_filtered_or_refused(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("undocumented.unknown-value-unseen", over=each("unknown"), not_for_captured=UNKNOWN_SENDER)
def test_unknown_value_is_not_in_the_response(received: Received, case: Case) -> Findings:
    _when_filtered(received)
    value = scenario_of(received, case).about["value"]
    yield Examined(bool(received.exchange.body))
    headers = "\n".join(text for _, text in received.exchange.headers)
    if value.encode() in received.exchange.body or value in headers:
        message = f"the response contains the value {value!r} of an unknown parameter"
        event, pointer = _place(received, value)
        yield Finding(message, pointer, event, want="nowhere", got=value)


def _place(received: Received, value: str) -> tuple[int | None, str]:
    """The index of the first event that contains the value (None: plain body) and the pointer; empty if not found."""
    return next(
        ((event, pointer) for event, one in _json_values(received) if (pointer := pointer_to(one, value))), (None, "")
    )


def _json_values(received: Received) -> list[tuple[int | None, Any]]:
    """The data of each event with its index, or the JSON body; empty if it is not JSON."""
    if received.looks_like_stream:
        return [(event.index, event.data) for event in received.events]
    try:
        return [(None, received.json)]
    except CannotEvaluate:
        return []


@check("undocumented.unknown-value-not-quoted", over=each("unknown"), not_for_captured=UNKNOWN_SENDER)
def test_refusal_does_not_quote_the_unknown_value(received: Received, case: Case) -> Findings:
    if not 400 <= received.status < 500:
        raise DoesNotApply("the request was not refused")
    value = scenario_of(received, case).about["value"]
    yield EXAMINED
    if value.encode() in received.exchange.body:
        message = f"the error body contains the value {value!r} of an unknown parameter"
        yield Finding(message, want="its name", got=value)


@check(
    "unsupported.background-not-honoured",
    over=beside(_BACKGROUND, BASE, STREAM_BASE),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_background_is_not_honoured(responses: list[Received]) -> Findings:
    received, *without = responses
    _when_filtered(received)
    status = received.response.get("status")
    if status == "failed" or any(_final_status(one) == status not in FINAL for one in without):
        raise DoesNotApply("the request failed, or requests without background have the same status")
    if isinstance(status, str):
        yield EXAMINED
    if isinstance(status, str) and status not in FINAL:
        message = f"background: true is in effect: the response has status {status!r} and no result"
        yield Finding(message, received.pointer + "/status", received.event, "completed or incomplete", status)


@check("unsupported.previous-response-id-not-honoured", over=_PREVIOUS, not_for_captured=UNKNOWN_SENDER)
def test_previous_response_is_not_taken_into_context(received: Received, case: Case) -> Findings:
    _when_filtered(received)
    for event, one in _json_values(received):
        yield EXAMINED
        response = mapping(mapping(one).get("response") if received.looks_like_stream else one)
        if (echoed := response.get("previous_response_id")) is not None:
            message = "the response contains previous_response_id as if it were in effect"
            yield Finding(message, received.pointer + "/previous_response_id", event, "absent or null", echoed)
    codeword = scenario_of(received, case).about.get("codeword")
    if codeword and codeword in received.words:
        message = f"the output contains {codeword!r}, which occurs only in the earlier response"
        yield Finding(message, received.pointer + "/output", received.event, "a text without it", codeword)


@check("undocumented.outcome", over=beside(each("outside"), IMAGE), together=True)
def test_outcome(responses: list[Received], case: Case) -> Findings:
    received, *image = responses
    comparison = f", as {IMAGE} is" if _with_the_image(received, image) else ""
    yield Finding(f"{scenario_of(received, case).about['of']}: {_outcome(received)}{comparison}")


@check(
    "undocumented.outcome-as-profile",
    over=beside(each("outside", where=lambda one: "tool-choice" not in one.tags), IMAGE),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_outcome_is_the_one_the_profile_demands(responses: list[Received], case: Case) -> Findings:
    received, *image = responses
    if _with_the_image(received, image):
        raise DoesNotApply("the image is refused without detail too")
    demanded = case.context.target.unknown_parameters
    if demanded == "either":
        raise DoesNotApply("unknown_parameters of the target's profile is either")
    want = {"reject": "rejected", "filter": "filtered"}[demanded]
    got = _outcome(received)
    yield EXAMINED
    if got != want:
        message = f"the parameter is {got}, but unknown_parameters of the target's profile is {demanded}"
        yield Finding(message, want=want, got=got)


def _outcome(received: Received) -> str:
    if received.exchange.ok:
        return "filtered"
    status = received.arrived
    return "rejected" if 400 <= status < 500 else f"HTTP {status}"


def _with_the_image(received: Received, image: list[Received]) -> bool:
    """Whether a member of an image was refused, and the image alone too."""
    return received.scenario == DETAIL and received.exchange.refused and any(one.exchange.refused for one in image)


def _final_status(received: Received) -> object:
    """The status of the final Response; None without one."""
    try:
        return received.response.get("status")
    except CannotEvaluate:
        return None


def _when_filtered(received: Received) -> None:
    if 400 <= received.status < 500:
        raise DoesNotApply("the parameter was refused")
