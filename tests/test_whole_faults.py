"""One defect is one cause, whichever rules see a part of it; its words say what happened as a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.emulator import Behaviour, Context
from conformance.emulator.event_edits import texts_changed
from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import combine, fault
from conformance.emulator.shapes import ParsedRequest, Refusal
from conformance.emulator.variants import VARIANTS
from conformance.emulator.variants.serving import unusual_history
from conformance.results import results_file
from conformance.results.causes import causes
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord, FindingRecord
from conformance.results.systemic import FEW, systemic
from tests.support.whole_faults import COMPLETE_BITS
from tools.in_process import evaluated


def lines_of(behaviour: Behaviour) -> list[CaseRecord]:
    results, recorded = evaluated(behaviour)
    return group_by_cause(results_file.in_order(results_file.case_record(one, recorded, 1.0) for one in results))


@pytest.mark.parametrize("name", COMPLETE_BITS)
def test_one_defect_is_one_cause_named_as_a_whole(name: str) -> None:
    _, rule, words = COMPLETE_BITS[name]
    found = causes(lines_of(COMPLETE_BITS[name][0]))
    assert [cause.rule for cause in found] == [rule], [cause.cases[0].id for cause in found]
    assert words in found[0].cases[0].findings[0].message


def test_reasoning_that_is_in_the_text_is_named_where_it_is_missing() -> None:
    said_aloud = texts_changed(lambda text: f"<think>The user asks.</think>{text}", "message")
    made = fault("", "", parsed=lambda _, parsed: replace(parsed, thinking=False), draft=said_aloud)
    cause = causes(lines_of(made))[0]
    assert cause.rule == "effort.high-thinks"
    assert "the output text contains <think>" in cause.cases[0].findings[0].message


def found(case: str, *scenarios: str, message: str = "an error body with HTTP 200") -> CaseRecord:
    finding = FindingRecord(message, scenario=scenarios[0], also=scenarios[1:])
    rule = case.partition("@")[0]
    return CaseRecord(case, rule, scenarios[0], rule.partition(".")[0], "MUST", "fail", findings=(finding,))


def test_a_defect_that_few_requests_meet_does_not_explain_the_others() -> None:
    few = [found(f"error.real-status@{number}", str(number)) for number in range(FEW)]
    assert systemic([*few, found("request.wrong-type@0", "0", message="b")]) == {}


def test_what_was_found_elsewhere_too_has_a_cause_of_its_own() -> None:
    many = [found(f"error.real-status@{number}", str(number)) for number in range(FEW + 1)]
    other = found("request.wrong-type@0", "0", "elsewhere", message="b")
    inside = found("request.wrong-type@1", "1", message="b")
    told = systemic([*many, other, inside])
    assert "request.wrong-type@0" not in told
    assert told["request.wrong-type@1"] == "error.real-status@0"


@pytest.mark.parametrize("every", [3, 4])
def test_a_model_that_reasons_now_and_then_does_not_fail(every: int) -> None:
    def thinks(ctx: Context, parsed: ParsedRequest) -> ParsedRequest:
        return parsed if ctx.responses % every == 0 else replace(parsed, thinking=False)

    found = [one for line in lines_of(fault("", "", parsed=thinks)) for one in line.findings]
    assert not [one.message for one in found if one.message.startswith("no reasoning")]


def _every_refusal_is(status: int) -> Behaviour:
    unusual = VARIANTS["outside.unusual-history-rejected"]
    return combine(
        [unusual, fault("", "", reply=lambda _, reply: reply.coded(status) if reply.status == 400 else reply)]
    )


@pytest.mark.parametrize("status", [200, 500])
def test_the_refusal_of_an_unusual_history_is_part_of_a_defect_of_every_refusal(status: int) -> None:
    assert [cause.rule for cause in causes(lines_of(_every_refusal_is(status)))] == ["error.real-status"]


def test_an_unusual_history_that_ends_in_500_alone_is_a_defect() -> None:
    made = combine([
        VARIANTS["outside.unusual-history-rejected"],
        fault("", "", reply=lambda ctx, reply: (
            reply.coded(500) if reply.status == 400 and unusual_history(ctx.body) else reply)),
    ])  # fmt: skip
    assert [cause.rule for cause in causes(lines_of(made))] == ["turns.unusual-history"]


# -- independent defects -----------------------------------------------------------------------------------------------


def _two_500s(ctx: Context, usual: Refusal | None) -> Refusal | None:
    if ctx.body.get("temperature") == 1.5:
        return Refusal(500, {"message": "the sampler failed", "code": "500"})
    return Refusal(500, {"message": "the validation failed", "code": "500"}) if usual else None


@pytest.mark.parametrize(
    ("behaviour", "rules"),
    [
        (combine([FAULTS["event.output-text-done-never-sent"], FAULTS["event.output-item-done-without-item"]]),
         {"lifecycle.done-present", "event.response.output_item.done.schema"}),
        (combine([FAULTS["truncation.details-null"], FAULTS["truncation.event-is-completed"]]),
         {"truncation.incomplete", "lifecycle.terminal-agrees-with-status"}),
        (fault("whole.two-500s", "Two defects that end in 500.", validate=_two_500s),
         {"request.temperature-accepted", "error.real-status"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else value.name,
)  # fmt: skip
def test_two_defects_are_two_causes(behaviour: Behaviour, rules: set[str]) -> None:
    assert {cause.rule for cause in causes(lines_of(behaviour))} == rules


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (("event.content-part-done-without-item-id", "sse.cut-midway"),
         {"event.response.content_part.done.schema", "sse.not-cut"}),
        (("sequence.fractions", "sse.reset-midway"), {"sequence.present", "sse.not-cut"}),
        (("event.type-missing-in-deltas", "sse.last-frame-cut"), {"event.has-type", "sse.last-frame-complete"}),
        (("sum.blanks-lost-in-deltas", "sse.cut-at-the-end"), {"sum.text-deltas", "sse.not-cut"}),
        (("sum.first-arguments-delta-lost", "identity.item-id-made-up-anew"),
         {"sum.arguments-deltas", "identity.item-id"}),
        (("event.function-call-arguments-delta-as-a-list", "parallel.openings-mix"),
         {"event.response.function_call_arguments.delta.schema", "lifecycle.each-once"}),
        (("tools.inner-objects-emptied", "identity.output-has-another-call-id"),
         {"tools.arguments-fit-schema", "identity.call-id"}),
        (("turns.function-call-refused", "truncation.reason-is-max-tokens"),
         {"tools.output-accepted", "response.schema"}),
        (("turns.text-before-call-is-500", "identity.call-id-empty-when-added"),
         {"turns.history-accepted", "item.function_call.schema"}),
        (("truncation.reason-is-content-filter", "parallel.deltas-mix"),
         {"truncation.incomplete", "parallel.requests-do-not-mix"}),
        (("clients.parsed-arguments-are-500", "tools.output-string-refused"),
         {"http.client-request-answered", "tools.output-accepted"}),
        (("http.put-is-500", "http.redirects-streams"), {"http.other-method-refused", "http.no-redirect"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else "+".join(value),
)  # fmt: skip
def test_two_faults_of_the_endpoint_are_two_causes(names: tuple[str, ...], rules: set[str]) -> None:
    assert rules <= {cause.rule for cause in causes(lines_of(combine([FAULTS[name] for name in names])))}


def test_two_refusals_in_a_stream_with_200_are_one_defect() -> None:
    message = "an error with HTTP 200: the stream ends in error: no"
    first, again = (found(f"error.real-status@{name}.stream", f"{name}.stream", message=message) for name in "ab")
    other = found(
        "request.unknown-model@b.stream", "b.stream", message="received HTTP 200, and the stream ends in error"
    )
    lenient = found("tools.custom-answered@c.stream", "c.stream", message="HTTP 200, and the stream ends in error: no")
    assert systemic([first, other]) == {}
    assert systemic([first, again, other, lenient]) == dict.fromkeys((again.id, other.id, lenient.id), first.id)


def test_a_cap_that_is_ignored_is_found_without_usage() -> None:
    """A server for agents sent neither usage nor a shorter text: the text alone exceeds the cap."""
    found = causes(lines_of(combine([FAULTS["usage.missing"], FAULTS["truncation.cap-ignored"]])))
    (cause,) = [one for one in found if one.rule == "truncation.usage-within-cap"]
    assert "more than 40 for each token of the cap (16)" in cause.cases[0].message
