"""Requests: documented ones are accepted, invalid ones are refused or ignored without a server error."""

from __future__ import annotations

from dataclasses import replace

from conformance.decode.events import mapping, objects
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import (
    all_busy,
    always_busy,
    authenticated_status,
    definite_status,
    does_not_apply_if_too_long,
    ends_in_failure,
    error_detail,
    fails_every_attempt,
    must_be_a_response,
    must_be_refused,
    must_be_served,
    must_be_served_or_refused,
    refused,
    refused_as_too_long,
    scenario_of,
)
from conformance.judge.control import NoControl
from conformance.judge.error_words import first_detail
from conformance.judge.selectors import beside, each, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check

_TYPE = each("type")
_RANGE = each("violation", where=lambda one: bool(one.tags & {"minimum", "maximum"}))
_VALUE = each("violation", where=lambda one: bool(one.tags & {"enum", "pattern"}))

#: Without reasoning.effort, which effort.unknown-value checks.
_OTHER_VALUE = each(
    "violation",
    where=lambda one: bool(one.tags & {"enum", "pattern"}) and one.about["parameter"] != "reasoning.effort",
)


@check("request.{parameter}-accepted", over=each("accepted"), not_for_captured=UNKNOWN_SENDER)
def test_documented_value_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)
    if received.exchange.status == 200:
        yield from must_be_a_response(received)


@check(
    "request.model-accepted", over=beside(each("text"), "text.stream"), together=True, not_for_captured=UNKNOWN_SENDER
)
def test_model_is_accepted(responses: list[Received]) -> Findings:
    received, *streaming = responses
    served = any(one.exchange.ok and not ends_in_failure(one) for one in streaming)
    only = "served with stream: true only; without it " if served else ""
    for one in must_be_served(received):
        yield replace(one, message=f"{only}{one.message}") if isinstance(one, Finding) else one


@check(
    "request.stream-accepted",
    over=beside(together("streams", "core", stream=True), "text"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_streams_are_accepted(responses: list[Received], case: Case) -> Findings:
    as_planned = [one for one in responses if one.streaming or one.scenario == "text"]
    yield from _never_served(as_planned, case, "stream: true")


@check(
    "request.reasoning.effort-accepted",
    over=beside(together("efforts", "effort"), "text"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_effort_is_accepted(responses: list[Received], case: Case) -> Findings:
    yield from _never_served(responses, case, "reasoning.effort")


def _never_served(responses: list[Received], case: Case, what: str) -> Findings:
    """A parameter of which no value at all is served, while the request without it is; single values have rules of
    their own."""
    sent = [one for one in responses if one.scenario in case.scenarios and one.exchange.ended != "not-sent"]
    if not (status := always_busy(sent, [one for one in responses if one.scenario not in case.scenarios])):
        statuses = [definite_status(one) if fails_every_attempt(one.exchange) else one.status for one in sent]
        if set(statuses) == {401}:
            raise CannotEvaluate("HTTP 401: the valid key was refused")
        status = statuses[0] if statuses else None
    yield Examined(len(sent))
    if status and not any(received.exchange.ok and received.exchange.body for received in sent):
        message = f"no request with {what} is served: HTTP {status}{error_detail(sent[0])}"
        yield Finding(message, want=200, got=status, scenario=sent[0].scenario)


@check("request.tools-accepted", over=each("tools-accepted"), not_for_captured=UNKNOWN_SENDER)
def test_tools_are_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check(
    "request.tools-accepted", over=beside(together("tools", "call", "tools-accepted"), "text", "text.stream"),
    together=True, not_for_captured=UNKNOWN_SENDER,
)  # fmt: skip
def test_tools_do_not_make_the_server_busy(responses: list[Received], case: Case) -> Findings:
    yield from _never_busy(responses, case, "tools")


@check(
    "request.text.format-accepted", over=beside(together("json", "json"), "text", "text.stream"), together=True,
    not_for_captured=UNKNOWN_SENDER,
)  # fmt: skip
def test_json_does_not_make_the_server_busy(responses: list[Received], case: Case) -> Findings:
    yield from _never_busy(responses, case, "text.format json_object")


def _never_busy(responses: list[Received], case: Case, what: str) -> Findings:
    """A finding if every request with something receives the same busy status, and no request without it does."""
    sent = [one for one in responses if one.scenario in case.scenarios]
    yield Examined(sum(one.exchange.status is not None for one in sent))
    if status := always_busy(sent, [one for one in responses if one.scenario not in case.scenarios]):
        first, *others = (one.scenario for one in sent)
        message = f"every request with {what} receives HTTP {status}, and none without{error_detail(sent[0])}"
        yield Finding(message, want=200, got=status, scenario=first, also=tuple(others))
    else:
        all_busy(sent)


@check(
    "request.{form}",
    over=beside(each("form"), "input.role-system", "input.role-assistant", "input.untyped-message"),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_form_of_input_is_accepted(responses: list[Received], case: Case) -> Findings:
    received, *alone = responses
    does_not_apply_if_too_long(received, case)
    if (
        received.exchange.refused
        and scenario_of(received, case).tags >= {"turns", "form"}
        and _served_separately(alone)
    ):
        raise DoesNotApply("a message of each role is served in another request: another rule reports this one")
    if case.about["form"] == "input-string" and not isinstance(received.sent.get("input"), str):
        raise NoControl("sent as a list of messages, as a string is refused", "input.string")
    yield from must_be_served(received)
    if received.exchange.status == 200:
        yield from must_be_a_response(received)


def _served_separately(alone: list[Received]) -> bool:
    return bool(alone) and all(one.exchange.ok for one in alone)


@check("request.reasoning-returned", over=each("reasoning-returned"), not_for_captured=UNKNOWN_SENDER)
def test_returned_reasoning_is_accepted(received: Received) -> Findings:
    if not any(item.get("type") == "reasoning" for item in objects(received.sent.get("input"))):
        raise CannotEvaluate("the earlier response contains no reasoning item to return")
    yield from must_be_served(received)


@check(
    "request.missing-{parameter}",
    over=each("required", where=lambda one: one.expect == "refusal"),
    without_response=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_missing_parameter_is_refused(received: Received) -> Findings:
    yield from must_be_refused(received)


@check(
    "request.missing-member",
    over=each("required", where=lambda one: one.expect == "either"),
    without_response=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_missing_member_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check(
    "request.{rule}",
    over=each("bad", where=lambda one: one.expect == "refusal"),
    without_response=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_bad_request_is_refused(received: Received) -> Findings:
    yield from must_be_refused(received)


@check(
    "request.{rule}",
    over=each("bad", where=lambda one: one.expect == "either"),
    without_response=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_wrong_input_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("request.wrong-type", over=_TYPE, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_wrong_type_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check(
    "request.wrong-type-refused",
    over=each("type", where=lambda one: one.about["parameter"] != "tool_choice"),
    not_for_captured=UNKNOWN_SENDER,
)
def test_wrong_type_is_refused(received: Received) -> Findings:
    yield from _should_be_refused(received)


@check("request.out-of-range", over=_RANGE, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_value_out_of_range_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("request.out-of-range-refused", over=_RANGE, not_for_captured=UNKNOWN_SENDER)
def test_value_out_of_range_is_refused(received: Received) -> Findings:
    yield from _should_be_refused(received)


@check("request.unlisted-value", over=_VALUE, without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_unlisted_value_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("request.unlisted-value-refused", over=_OTHER_VALUE, not_for_captured=UNKNOWN_SENDER)
def test_unlisted_value_is_refused(received: Received) -> Findings:
    yield from _should_be_refused(received)


@check("request.null-optional", over=each("null"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_null_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("request.null-outcome", over=together("nulls", "null"))
def test_outcome_of_null(received: Received, case: Case) -> Findings:
    yield Finding(f"{scenario_of(received, case).about['parameter']}=null: HTTP {received.arrived}")


@check("request.error-names-parameter", over=each("violation", stream=False), not_for_captured=UNKNOWN_SENDER)
def test_error_names_the_parameter(received: Received, case: Case) -> Findings:
    if not refused(received):
        raise DoesNotApply("the request was not refused")
    parameter = scenario_of(received, case).about["parameter"]
    form = received.contract.error
    error = mapping(form.of(received.envelope))
    members = {name: error.get(name) for name in form.names}
    reported = " / ".join([*(str(value) for value in members.values() if value), *first_detail(error)])
    steps = [step.strip("[]").lower() for step in parameter.split(".")]
    yield EXAMINED
    names = [steps[0], *(step for step in steps[1:] if step not in ("type", "name"))]
    if not any(name in reported.lower() for name in names):
        reported_by = f"neither {', '.join(form.names[:-1])} nor {form.names[-1]} of the error contains {parameter}"
        yield Finding(f"{reported_by}: {reported[:160]}", form.pointer, want=parameter, got=members)


def _should_be_refused(received: Received) -> Findings:
    status = authenticated_status(received)
    if status >= 500 or ends_in_failure(received) is not None:
        raise DoesNotApply("neither served nor refused, which another rule reports")
    yield EXAMINED
    if status == 200:
        yield Finding("received HTTP 200 for an invalid request", want=400, got=200)
    elif status != 400:
        yield Finding(f"refused with HTTP {status}", want=400, got=status)


@check("request.{rule}", over=each("harmless"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_what_a_model_may_not_take_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("request.long-input-served", over=each("sizable"), not_for_captured=UNKNOWN_SENDER)
def test_long_input_is_served(received: Received, case: Case) -> Findings:
    yield EXAMINED
    if refused_as_too_long(received, case):
        size, status = len(received.exchange.request.body), received.exchange.status
        message = f"a request of {size} bytes is refused with HTTP {status}{error_detail(received)}"
        yield Finding(message, want=200, got=status)
