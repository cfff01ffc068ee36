"""Causes first: what follows from what, and what is one fact in the same words."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from conformance.decode.lifecycle import NONE_OPENED
from conformance.emulator.faults import FAULTS
from conformance.judge.cases import all_cases
from conformance.judge.reasons import NO_EVIDENCE, Reason
from conformance.results.across_sides import with_causes_across
from conformance.results.causes import causes as grouped
from conformance.results.causes import with_representative_causes
from conformance.results.grouping import group_by_cause
from conformance.results.plain_words import in_words
from conformance.results.records import CaseRecord, FindingRecord, Obstacle
from conformance.results.results_file import case_record
from conformance.results.systemic import root_of
from tools.in_process import context, evaluated


def line(
    case: str,
    message: str,
    verdict: str = "fail",
    at: str = "",
    also: tuple[str, ...] = (),
    pointer: str = "",
    breaks: tuple[str, ...] = (),
) -> CaseRecord:
    """A broken case, found in its own scenario unless another is named."""
    rule, _, scenario = case.partition("@")
    found = FindingRecord(message, pointer, scenario=at or scenario, also=also)
    area = rule.partition(".")[0]
    return CaseRecord(case, rule, scenario, area, "MUST", verdict, breaks, (found,))


def causes(*lines: CaseRecord) -> dict[str, str]:
    """Case to cause, of those that have one."""
    return {one.id: one.cause for one in group_by_cause(lines) if one.cause}


def test_a_consequence_in_the_same_answer_is_put_under_its_cause() -> None:
    told = causes(line("sum.part@text.stream", "a"), line("sum.text-deltas@text.stream", "b"))
    assert told == {"sum.part@text.stream": "sum.text-deltas@text.stream"}


def test_the_same_in_another_answer_stands_for_itself() -> None:
    assert causes(line("sum.part@text.stream", "a"), line("sum.text-deltas@count.stream", "b")) == {}


def test_a_case_over_many_answers_is_a_cause_where_it_was_found() -> None:
    cause = line("sum.text-deltas@others.stream", "b", at="auth.bearer.stream", also=("text.stream",))
    assert causes(line("sum.part@text.stream", "a"), cause) == {"sum.part@text.stream": cause.id}


def test_a_cause_must_explain_each_answer() -> None:
    """What was found in another answer too is no consequence of what is wrong in this one."""
    wide = line("sum.part@others.stream", "a", at="text.stream", also=("count.stream",))
    cause = line("sum.text-deltas@text.stream", "b")
    assert causes(wide, cause) == {}
    told = causes(wide, cause, line("sum.text-deltas@count.stream", "b"))
    assert told["sum.part@others.stream"] == "sum.text-deltas@text.stream"


def test_a_case_over_many_requests_follows_like_the_other_cases_of_its_rule() -> None:
    """Not each of its requests is one that the rule of the cause evaluates."""
    cause = line("truncation.incomplete@cut.stream", "a")
    follows = line("lifecycle.terminal-agrees-with-status@cut.stream", "b")
    wide = line("lifecycle.terminal-agrees-with-status@lenient.stream", "b")
    other = line("lifecycle.terminal-agrees-with-status@lenient.stream", "c")
    cause = replace(cause, findings=(replace(cause.findings[0], pointer="/response/status"),))
    assert causes(cause, follows, wide)[wide.id] == cause.id
    assert other.id not in causes(cause, follows, other)


def test_a_refused_combination_follows_from_the_rule_about_its_part() -> None:
    told = "received HTTP 400: Param Incorrect / top_p 0.01 is too low"
    part = line("request.top_p-accepted@top_p=0.01", told)
    reason = told.removeprefix("received ").replace("0.01", "1.0")
    whole = line("request.combination-accepted@combination.1", f"top_p (highest): refused with {reason}")
    other = line("request.combination-accepted@combination.1", "top_p (highest): refused with HTTP 400: Bad Request")
    assert causes(part, whole) == {whole.id: part.id}
    assert causes(part, other) == {}


def test_what_begins_later_in_a_stream_caused_nothing_before_it() -> None:
    early, late = (sized("sum.starts-empty@a.stream", 90, "early", event) for event in (3, 9))
    cause = sized("sse.ends-after-terminal@a.stream", 90, "late", 8)
    assert causes(early, cause) == {}
    assert causes(late, cause) == {late.id: cause.id}


def with_value(one: CaseRecord, value: str) -> CaseRecord:
    return replace(one, findings=tuple(replace(each, got=value) for each in one.findings))


def test_a_page_in_place_of_a_stream_and_of_json_is_one_defect() -> None:
    plain, stream = line("http.body-is-utf8-json@text", "a"), line("sse.plain-stays-plain@text.stream", "b")
    page, other = "<html>Payload too large</html>", "upstream connect error"
    assert causes(with_value(plain, page), with_value(stream, page)) == {plain.id: stream.id}
    assert causes(with_value(plain, page), with_value(stream, other)) == {}


def test_the_same_member_is_missing_in_calls_of_both_kinds() -> None:
    function, custom = (f"item.{kind}.schema@answers" for kind in ("function_call", "custom_tool_call"))
    call, same = line(function, "function_call: /id is missing"), line(custom, "custom_tool_call: /id is missing")
    assert causes(call, same) == {custom: function}
    assert causes(call, line(custom, "custom_tool_call: /name is missing")) == {}


def test_a_failure_that_ends_each_stream_is_one_defect() -> None:
    ends = line("response.ends-final@text.stream", "the stream ends in error: closed")
    probe = line("unsupported.background@b.stream", "HTTP 200, and the stream ends in error: closed")
    other = line("unsupported.background@b.stream", "HTTP 200, and the stream ends in error: no background")
    assert causes(ends, probe) == {probe.id: ends.id}
    assert causes(ends, other) == {}


def sized(case: str, size: int, message: str = "b", event: int | None = None) -> CaseRecord:
    """A broken case whose request has a body of so many bytes."""
    one = line(case, message)
    return replace(one, findings=(replace(one.findings[0], request_bytes=size, event=event),))


@pytest.mark.parametrize(
    ("cases", "first"),
    [
        ([("sum.part@long", 900, None), ("sum.part@a-short-one", 90, None)], "sum.part@a-short-one"),
        ([("sum.part@a.stream", 90, 1), ("sum.part@plain", 90, None)], "sum.part@plain"),
        ([("sum.part@a.stream", 90, 7), ("sum.part@b.stream", 90, 2)], "sum.part@b.stream"),
        ([("sum.part@longer", 90, None), ("sum.part@short", 90, None)], "sum.part@short"),
    ],
)
def test_of_cases_that_repeat_the_same_the_shortest_request_tells_it(
    cases: list[tuple[str, int, int | None]], first: str
) -> None:
    lines = [sized(case, size, event=event) for case, size, event in cases]
    others = [case for case, _, _ in cases if case != first]
    assert causes(*lines) == causes(*reversed(lines)) == dict.fromkeys(others, first)


def test_every_report_names_one_case_for_a_cause() -> None:
    """What follows in another response names the case by which its rule is told, too."""
    lines = [
        sized("sum.text-deltas@short.stream", 90, "one"),
        sized("sum.text-deltas@long.stream", 900, "another"),
        sized("sum.part@long.stream", 900, "c"),
    ]
    precise = {one.id: one.cause for one in group_by_cause(lines)}
    assert precise["sum.part@long.stream"] == "sum.text-deltas@long.stream"
    told = with_representative_causes(group_by_cause(lines))
    assert [one.cause for one in told] == ["", "", "sum.text-deltas@short.stream"]
    (cause,) = grouped(told)
    assert cause.cases[0].id == "sum.text-deltas@short.stream"


@pytest.mark.parametrize("fault", ["lifecycle.no-in-progress", "request.top-p-refused", "http.body-with-comment",
                                   "usage.null-streaming", "error.is-empty"])  # fmt: skip
def test_the_causes_of_a_run_are_those_that_its_reports_name(fault: str) -> None:
    found, recorded = evaluated(FAULTS[fault])
    lines = with_representative_causes(group_by_cause([case_record(one, recorded, 0) for one in found]))
    named = {one.cause for one in lines if one.cause}
    told = {cause.cases[0].id: cause for cause in grouped(lines)}
    assert named
    assert named <= told.keys()
    for case, cause in told.items():
        sizes = [one.findings[0].request_bytes for one in cause.cases]
        assert sizes[0] // 50 == min(sizes) // 50, case  # Shorter by a few bytes is no simpler.


def test_some_causes_count_anywhere_in_the_run() -> None:
    told = causes(line("auth.key-never-echoed@b", "a"), line("auth.refusal-never-echoes-key@c", "b"))
    assert told == {"auth.key-never-echoed@b": "auth.refusal-never-echoes-key@c"}


def test_a_server_that_needs_no_key_has_one_defect() -> None:
    served, broke = "received HTTP 200", "received HTTP 500"
    told = causes(
        line("auth.missing-key-refused@a", served),
        line("auth.wrong-bearer-refused@b", served),
        line("auth.other-scheme-refused@c", served),
        line("auth.empty-key-refused@d", broke),
    )
    assert told == {f"auth.{name}": "auth.missing-key-refused@a" for name in (
        "wrong-bearer-refused@b", "other-scheme-refused@c",
    )}  # fmt: skip
    assert causes(line("auth.wrong-bearer-refused@b", served), line("auth.other-scheme-refused@c", served)) == {}


def test_a_lock_that_breaks_is_another_defect_than_requests_that_break_the_server() -> None:
    names = (
        "missing-model",
        "missing-input",
        "unknown-model",
        "malformed-json",
        "empty-body",
        "wrong-input",
        "wrong-type",
    )
    lines = [line(f"request.{name}@{name}", "received HTTP 500") for name in names]
    keys = [line(f"auth.{name}-refused@{name}", "received HTTP 500") for name in ("missing-key", "empty-key")]
    told = causes(*keys, *lines)
    assert told["auth.empty-key-refused@empty-key"] == "auth.missing-key-refused@missing-key"
    assert "auth.missing-key-refused@missing-key" not in told


def test_a_member_that_is_wrong_explains_only_what_hangs_on_it() -> None:
    """A message without a status does not explain why its id changes, nor why the text is another."""
    lines = [
        line("sum.final-output@s", "a"),
        line("lifecycle.done-status-final@s", "b"),
        line("identity.item-id@s", "c"),
    ]
    told = causes(*lines, line("item.message.schema@s", "d", pointer="/output/0/status"))
    assert told == {
        "lifecycle.done-status-final@s": "item.message.schema@s",
        "sum.final-output@s": "identity.item-id@s",
    }


def test_a_reason_that_is_missing_does_not_explain_the_wrong_event() -> None:
    event = line("lifecycle.terminal-agrees-with-status@s", "a")
    assert causes(event, line("truncation.incomplete@s", "b", pointer="/response/incomplete_details/reason")) == {}
    told = causes(event, line("truncation.incomplete@s", "b", pointer="/response/status"))
    assert told == {event.id: "truncation.incomplete@s"}


def test_a_body_that_is_no_object_explains_every_member() -> None:
    told = causes(line("request.input-string@s", "no Response object"), line("response.schema@s", "the body is null"))
    assert told == {"request.input-string@s": "response.schema@s"}


def test_the_order_at_the_beginning_does_not_explain_the_end() -> None:
    assert causes(line("sum.final-output@s", "a"), line("lifecycle.in-progress-second@s", "b")) == {}


def test_some_causes_count_only_for_a_member() -> None:
    """A Response without created_at does not explain why a cut is not called incomplete; one without status does."""
    late = line("truncation.incomplete@s", "a")
    assert causes(late, line("response.schema@s", "b", pointer="/response/created_at")) == {}
    told = causes(late, line("response.schema@s", "b", pointer="/response/status"))
    assert told == {"truncation.incomplete@s": "response.schema@s"}


def test_the_cause_of_a_cause_stands_at_the_top() -> None:
    told = causes(
        line("sum.final-output@s", "a"),
        line("sum.item@s", "b"),
        line("sum.text-deltas@s", "c"),
        line("sse.not-cut@s", "d"),
    )
    assert set(told.values()) == {"sse.not-cut@s"}


def test_a_fail_is_never_put_under_a_warning() -> None:
    # Of the two the fail is the cause.
    told = causes(line("sum.part@s", "a"), line("sum.text-deltas@s", "b", "warning"))
    assert told == {"sum.text-deltas@s": "sum.part@s"}
    assert causes(line("sum.part@s", "a"), line("sum.text-deltas@other", "b", "warning")) == {}
    told = causes(line("sum.part@s", "a", "warning"), line("sum.text-deltas@s", "b", "warning"))
    assert told == {"sum.part@s": "sum.text-deltas@s"}


def test_the_same_words_are_one_fact() -> None:
    refused = "received HTTP 401: Invalid key"
    told = causes(
        line("request.input-string@text", refused),
        line("auth.api-key-header-accepted@auth.api-key", refused),
        line("effort.low-accepted@effort.low", "received HTTP 400: low is not known"),
    )
    assert told == {"request.input-string@text": "auth.api-key-header-accepted@auth.api-key"}


def test_two_wrong_requests_that_are_served_are_two_defects() -> None:
    served = "received HTTP 200"
    assert causes(line("request.missing-model@a", served), line("request.missing-input@b", served)) == {}


def test_the_rule_that_the_words_name_tells_the_fact() -> None:
    refused = "received HTTP 400: temperature is not supported"
    told = causes(
        line("request.input-string@text", refused), line("request.temperature-accepted@temperature=0", refused)
    )
    assert told == {"request.input-string@text": "request.temperature-accepted@temperature=0"}


def test_the_same_member_missing_in_many_types_is_one_fact() -> None:
    told = causes(
        line("event.response.output_text.delta.schema@streams", "response.output_text.delta: /item_id is missing"),
        line("event.response.output_text.done.schema@streams", "response.output_text.done: /item_id is missing"),
        line("event.response.content_part.done.schema@streams", "response.content_part.done: /part is missing"),
    )
    assert list(told) == ["event.response.output_text.done.schema@streams"]


def test_of_a_pair_one_is_enough() -> None:
    pair = line("sum.plain-same-shape@text", "a", at="text.stream", also=("text",))
    assert causes(pair, line("usage.present@text", "b")) == {"sum.plain-same-shape@text": "usage.present@text"}


@pytest.mark.parametrize(("rules", "grouped", "where"), [(6, 0, ""), (7, 6, ""), (3, 0, ".stream"), (4, 3, ".stream")])
def test_a_server_that_breaks_on_much_has_one_defect(rules: int, grouped: int, where: str) -> None:
    names = (
        "missing-model",
        "missing-input",
        "unknown-model",
        "malformed-json",
        "empty-body",
        "wrong-input",
        "wrong-type",
    )
    lines = [line(f"request.{name}@{name}{where}", f"received HTTP 500: {name} failed") for name in names[:rules]]
    assert len(causes(*lines)) == grouped


@pytest.mark.parametrize("verdict", ["pass", "inconclusive", "not-applicable", "error", "expected"])
def test_what_is_not_broken_has_no_cause(verdict: str) -> None:
    assert causes(line("sum.part@s", "a", verdict), line("sum.text-deltas@s", "b")) == {}


def test_a_run_in_which_all_is_broken_is_folded_quickly() -> None:
    lines = [line(case.id, f"{case.rule} is broken", at=case.scenarios[0]) for case in all_cases(context())]
    started = time.process_time()
    assert sum(not one.cause for one in group_by_cause(lines)) < len(lines) // 2
    assert time.process_time() - started < 20  # Two seconds on an idle core; it was twenty once.


def stopped(client: str, *where: str) -> dict[str, Any]:
    """The case of a client of the lane that raised in these answers."""
    name = client.partition("-plain")[0]
    return line(f"client.{client}@{where[0]}", "raised", "warning", also=where[1:], breaks=(name,))


def test_what_a_client_could_not_take_is_told_by_the_rule_that_names_it() -> None:
    cause = line("item.message.schema@text", "no id", breaks=("openai-python", "rust"))
    other = line("response.schema@text", "no metadata")
    told = causes(stopped("openai-python-plain", "text"), stopped("ai-sdk-plain", "count"), cause, other)
    assert told == {"client.openai-python-plain@text": cause.id}


def test_a_client_that_stops_where_nothing_names_it_stands_for_itself() -> None:
    cause = line("item.message.schema@text", "no id", breaks=("openai-python",))
    assert causes(stopped("openai-python-plain", "count"), cause) == {}
    assert causes(stopped("openai-python-plain", "text", "count"), cause) == {}
    both = line("item.message.schema@others", "no id", at="count", also=("text",), breaks=("openai-python",))
    assert causes(stopped("openai-python-plain", "text", "count"), both) == {"client.openai-python-plain@text": both.id}


def test_causes_in_a_ring_end() -> None:
    ring = {"a": "b", "b": "c", "c": "a", "d": "a"}
    assert [root_of(case, ring) for case in "abcd"] == ["a", "b", "c", "d"]


# -- what the same words do not show -----------------------------------------------------------------------------------


def refused(case: str, message: str = "received HTTP 400: the request is invalid") -> CaseRecord:
    """A case whose request was refused, though it is to be served."""
    one = line(case, message)
    return replace(one, findings=tuple(replace(finding, want=200) for finding in one.findings))


def test_refusals_whose_words_differ_only_in_numbers_are_causes_of_their_own() -> None:
    words = "received HTTP 400: {} validation errors for the request"
    found = [
        refused("request.reasoning-returned@turns.reasoning-forms", words.format(11)),
        refused("effort.ultra-accepted@effort.ultra", words.format(2)),
        refused("tools.output-parts-accepted@tools.output-parts", words.format(15)),
    ]
    assert causes(*found) == {}
    assert len(causes(*map(refused, (one.id for one in found)))) == 2


def test_a_conversation_refused_in_the_same_words_follows() -> None:
    told = causes(refused("request.input-roles@input.role-system"), refused("turns.history-accepted@turns.developers"))
    assert told == {"turns.history-accepted@turns.developers": "request.input-roles@input.role-system"}


def test_an_unusual_history_does_not_follow_from_malformed_items() -> None:
    """Its items are those of the request, not of an earlier response."""
    shape = line("effort.reasoning-item-shape@effort.high", "a reasoning item contains no reasoning text")
    assert causes(shape, line("turns.unusual-history@turns.odd-characters", "received HTTP 500: x")) == {}
    assert causes(shape, line("turns.full-output-returned@turns.output-returned", "received HTTP 500: x")) != {}


def test_a_failure_on_an_unusual_history_is_none_on_an_invalid_request() -> None:
    rules = (
        "malformed-json",
        "empty-body",
        "body-not-an-object",
        "wrong-type",
        "null-optional",
        "wrong-input",
        "image",
    )
    invalid = [line(f"request.{rule}@{rule}", "received HTTP 500: Internal Server Error") for rule in rules]
    told = causes(*invalid, line("turns.unusual-history@turns.unusual", "received HTTP 500: Internal Server Error"))
    assert len(told) == len(rules) - 1
    assert "turns.unusual-history@turns.unusual" not in told


def test_a_warning_where_the_rule_of_the_cause_passed_is_a_cause_of_its_own() -> None:
    stream = line("sse.plain-stays-plain@tools.call", "the body is a stream, expected no stream")
    here = line("response.output-text-present@tools.call", "output_text is missing", "warning")
    there = line("response.output-text-present@count", "output_text is missing", "warning")
    passed = replace(line("sse.plain-stays-plain@count", ""), verdict="pass", findings=())
    told = causes(stream, here, there, passed)
    assert told == {here.id: stream.id}
    assert causes(stream, here, there)[there.id] == stream.id


def test_arguments_that_do_not_fit_do_not_follow_from_other_kinds_of_items() -> None:
    fit = line("tools.arguments-fit-schema@tools.rich", "'direct' is a required property", "warning")
    assert causes(line("sum.plain-same-kinds@tools.rich", "different types of items"), fit) == {}


def test_what_a_stream_that_ends_early_lacks_follows() -> None:
    end = line("lifecycle.one-terminal-last@text.stream", "the stream ends without a terminal event")
    told = causes(end, line("event.seen.response.output_item.added@text.stream", "the stream contains none"))
    assert told == {"event.seen.response.output_item.added@text.stream": end.id}


# -- cases that could not be evaluated ---------------------------------------------------------------------------------


def unevaluated(case: str, reason: str, by: str = "body") -> CaseRecord:
    """An inconclusive case with an obstacle in the response to its scenario."""
    one = line(case, "", "inconclusive")
    blocked = (Obstacle(by, (one.scenario,)),)
    return replace(one, findings=(), reason=Reason(NO_EVIDENCE, reason), blocked=blocked)


@pytest.mark.parametrize(
    ("case", "reason", "cause"),
    [
        ("sequence.contiguous@s.stream", "no event has an integer sequence_number", "sequence.present@s.stream"),
        ("truncation.incomplete@s.stream", "the Response has no status", "response.schema@s.stream"),
        ("usage.nonzero@s.stream", "no usage object", "usage.present@s.stream"),
        ("usage.summary-costs-nothing@s.stream", "the earlier response contains no reasoning item to return",
         "effort.high-thinks@effort.high"),
        ("tools.call-shape@s.stream", "needs a response in which the model calls a tool", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["body", "need"])
def test_a_case_is_not_evaluated_because_of_what_its_reason_names(case: str, reason: str, cause: str, by: str) -> None:
    """Other violations in the same response, such as a missing member of an item, do not explain it."""
    found = [
        line("effort.high-thinks@effort.high", "no reasoning", pointer="/output"),
        line("item.message.schema@s.stream", "message: /status is missing", pointer="/output/0/status"),
        line("response.schema@s.stream", "/status is missing", pointer="/status"),
        line("sequence.present@s.stream", "no number", pointer="/sequence_number"),
        line("usage.present@s.stream", "no usage", pointer="/usage"),
    ]
    if by == "need" or cause:
        assert causes(*found, unevaluated(case, reason, by)).get(case, "") == cause


def test_an_id_that_is_missing_does_not_explain_that_no_tool_is_called() -> None:
    reason = "needs a response in which the model calls a tool; not received for 2 requests"
    needing = unevaluated("tools.call-shape@s", reason, "need")
    for pointer, cause in {"/created_at": "", "/output": "response.schema@s"}.items():
        assert causes(line("response.schema@s", "a", pointer=pointer), needing).get(needing.id, "") == cause


# -- what a cause is named by ------------------------------------------------------------------------------------------


def test_invalid_requests_that_receive_a_stream_are_one_defect() -> None:
    """Whatever is invalid in them: only with stream: true they are not refused."""
    ended = "HTTP 200, and the stream ends in response.failed: {} is out of range"
    names = {"max_output_tokens=many": "request.wrong-type", "temperature=1.6": "request.out-of-range"}
    streams = [line(f"{rule}@{name}.stream", ended.format(name)) for name, rule in names.items()]
    pairs = [
        line(f"error.streaming-same-status@{name}", "HTTP 400 for the plain request, HTTP 200 with stream: true",
             at=f"{name}.stream", also=(name,))
        for name in names
    ]  # fmt: skip
    told = causes(*streams, *pairs)
    assert {told[one.id].partition("@")[0] for one in streams} == {"error.streaming-same-status"}
    one_alone = causes(streams[0], pairs[0])
    assert one_alone == {pairs[0].id: streams[0].id}


@pytest.mark.parametrize(("rules", "name"), [(3, "request."), (4, "error.real-status")])
def test_many_invalid_requests_that_end_in_one_5xx_are_named_by_the_status(rules: int, name: str) -> None:
    names = ("missing-model", "missing-input", "unknown-model", "wrong-input", "wrong-type")[:rules]
    requests = [line(f"request.{one}@{one}", "received HTTP 502: upstream said 400") for one in names]
    errors = [
        line(f"error.real-status@{one}", "invalid request: received HTTP 502: upstream said 400") for one in names
    ]
    (root,) = {one.id for one in group_by_cause([*requests, *errors]) if not one.cause}
    assert root.startswith(name)


def test_a_rule_is_shown_by_what_most_of_its_cases_received() -> None:
    served = [line(f"request.wrong-type-refused@{name}", "received HTTP 200", "warning") for name in ("bb", "cc")]
    other = line("request.wrong-type-refused@a", "refused with HTTP 404", "warning")
    (cause,) = grouped(with_representative_causes(group_by_cause([other, *served])))
    assert [one.scenario for one in cause.cases] == ["bb", "a", "cc"]


@pytest.mark.parametrize(
    ("follows", "cause"),
    [
        ("lifecycle.all-closed-at-terminal", "lifecycle.item-opened-before-use"),
        ("sum.starts-empty", "lifecycle.added-status-in-progress"),
    ],
)
def test_an_item_that_is_not_opened_as_such_is_one_defect(follows: str, cause: str) -> None:
    assert causes(line(f"{follows}@s", "a"), line(f"{cause}@s", "b")) == {f"{follows}@s": f"{cause}@s"}


@pytest.mark.parametrize(
    ("follows", "cause"),
    [
        ("effort.tokens-agree", "effort.none-does-not-think"),
        ("response.text-not-html", "sum.final-output"),
        ("event.seen.response.reasoning_text.done", "lifecycle.all-closed-at-terminal"),
    ],
)
def test_what_one_response_shows_twice_is_one_defect(follows: str, cause: str) -> None:
    assert causes(line(f"{follows}@s", "a"), line(f"{cause}@s", "b")) == {f"{follows}@s": f"{cause}@s"}
    assert causes(line(f"{follows}@s", "a"), line(f"{cause}@t", "b")) == {}


@pytest.mark.parametrize(
    ("other", "pointer", "first", "follows"),
    [
        ("identity.created-at", "/response/created_at", "lifecycle.indexes-dense", False),
        ("lifecycle.all-closed-at-terminal", "", "lifecycle.indexes-dense", False),
        ("identity.item-id", "/item_id", "lifecycle.indexes-dense", True),
        ("identity.response-id", "/response/id", "lifecycle.item-opened-once", False),
        ("lifecycle.done-once", "", "lifecycle.part-opened-once", True),
        ("lifecycle.deltas-before-done", "", "lifecycle.part-opened-once", True),
        ("sum.plain-same-shape", "/response/metadata", "lifecycle.part-opened-once", False),
    ],
)
def test_what_is_wrong_with_an_item_explains_nothing_of_the_response(
    other: str, pointer: str, first: str, follows: bool
) -> None:
    one = line(f"{other}@text.stream", "b", pointer=pointer)
    assert (one.id in causes(one, line(f"{first}@text.stream", "a"))) is follows


@pytest.mark.parametrize(
    ("words", "follows"), [("error: unknown 'a' in the text", True), ("error: busy, retry", False)]
)
def test_a_stream_that_ends_in_the_words_of_a_refusal_follows(words: str, follows: bool) -> None:
    refusal = line(
        "turns.full-output-returned@turns.output-returned", "received HTTP 400: unknown 'a' in the text / input"
    )
    stream = line("response.ends-final@turns.output-returned.stream", f"the stream ends in {words}")
    refusal = _expecting(refusal, 200)
    assert causes(refusal, stream) == ({stream.id: refusal.id} if follows else {})


@pytest.mark.parametrize(
    ("side", "says", "seen", "message", "follows"),
    [
        ("finish@response.cut", "is incomplete: max_output_tokens", "truncation.incomplete@cut",
         "the response reached max_output_tokens (16), but its status is completed", "seen"),
        ("finish@response.cut", "is incomplete: max_output_tokens", "response.ends-final@cut", "the status is x", ""),
        ("finish@response.cut", "is incomplete: max_output_tokens", "response.not-empty@tools.cut.stream",
         "a completed response contains neither text nor a call", "seen"),
        ("finish@response.cut", "is incomplete: max_output_tokens", "response.not-empty@text.stream",
         "a completed response contains neither text nor a call", ""),
        ("text@silence.middle", "the output of the Response is empty, the ...", "sum.final-output@text.stream",
         "response.completed: the final output does not contain 1 message of the streamed items", "seen"),
        ("reasoning@response.reasoning.stream", "reasoning: the client received none", "sum.plain-same-kinds@text",
         "the plain and the streamed Response contain different types of items", "seen"),
        ("reasoning@response.reasoning.stream", "reasoning: the client received none", "sum.plain-same-kinds@text",
         "the plain and the streamed Response contain different types of items: a message without text", ""),
        ("usage@streaming.text", "the client received a usage without counts", "usage.integers@text.stream",
         "response.completed: /response/usage/input_tokens is missing", "seen"),
        ("form@response.text.stream", "did not end: cut (...)", "sse.not-cut@unicode.stream", "the body is", "seen"),
        ("form@response.text.stream", "did not end: cut (...)", "sse.not-cut@tools.call.stream", "the body is", ""),
    ],
)  # fmt: skip
def test_what_both_sides_of_a_proxy_state_explains_the_run_behind_it(
    side: str, says: str, seen: str, message: str, follows: str
) -> None:
    cause, one = line(f"proxy.response.{side}", f"the upstream's response: {says}"), line(seen, message)
    assert with_causes_across([cause], [one])[1].cause == (cause.id if follows else "")
    assert with_causes_across([replace(cause, verdict="warning")], [one])[1].cause == ""


def test_an_effort_that_a_proxy_refuses_is_named_by_the_rule_about_it() -> None:
    served = line("proxy.request.served@request.lowest-values", "received HTTP 422 ...: body.reasoning.effort")
    effort = line("effort.none-accepted@text", "received HTTP 422: Input should be 'low'")
    assert with_causes_across([served], [effort])[0].cause == effort.id
    assert with_causes_across([line(served.id, "received HTTP 422: no tools")], [effort])[0].cause == ""


def test_findings_can_have_a_cause_each() -> None:
    one = line("sum.plain-same-shape@text", "a", pointer="/response/created_at")
    one = replace(one, findings=(*one.findings, replace(one.findings[0], message="b", pointer="/response/error")))
    failure = line("response.schema@text", "c", pointer="/response/created_at")
    warning = line("response.nullable-members-present@text", "d", "warning", pointer="/response/error")
    assert causes(one, failure) == {}
    assert causes(one, warning) == {warning.id: one.id}
    assert causes(one, failure, warning) == {one.id: failure.id}


def test_reasoning_without_its_message_has_other_types_of_items_than_another_effort() -> None:
    other = line("effort.values-alike@values", "a", "warning", at="effort.low", also=("effort.medium",))
    empty = line("response.not-empty@effort.medium", "b")
    assert causes(other, empty) == {other.id: empty.id}
    assert causes(other, line("response.not-empty@effort.high", "b")) == {}


def test_reasoning_in_another_member_is_one_defect() -> None:
    shape = line("effort.reasoning-item-shape@effort.low.stream", "a", pointer="/response/output/0/content")
    alike = line("sum.plain-same-shape@cut.thinking", "b", pointer="/response/output/content")
    assert causes(shape, alike) == {alike.id: shape.id}
    usage = line("sum.plain-same-shape@text", "b", pointer="/response/usage/input_tokens_details")
    assert causes(shape, usage) == {}


def test_an_id_that_replaces_the_id_of_each_response_is_one_defect() -> None:
    identity = with_value(line("identity.response-id@lenient", "a", at="x"), "resp_error")
    again = line("response.id-unique@all-answers", "b", at="x")
    assert causes(identity, with_value(again, "resp_error")) == {again.id: identity.id}
    assert causes(identity, with_value(again, "msg_1")) == {}


def test_a_missing_status_does_not_explain_that_an_earlier_conversation_is_counted() -> None:
    known = line("unsupported.previous-response-id-not-honoured@earlier-response", "a", at="real", also=("parallel.1",))
    schema = [
        line(f"response.schema@{name}", "/status is missing", pointer="/status") for name in ("real", "parallel.1")
    ]
    assert known.id not in causes(known, *schema)


def test_an_exception_in_a_larger_request_is_that_of_the_smallest_one() -> None:
    failed = line("request.text-accepted@text={}", "received HTTP 500: KeyError: 'format'")
    shown = line("error.no-internals@retried", "the body of HTTP 500 contains an exception", "warning", at="other")
    assert causes(failed, with_value(shown, "KeyError")) == {shown.id: failed.id}
    assert causes(failed, with_value(shown, "TypeError")) == {}
    assert causes(line("request.text-accepted@a", "received HTTP 400: KeyError"), with_value(shown, "KeyError")) == {}


def test_an_error_that_stays_for_the_next_response_is_one_defect() -> None:
    known = line("truncation.incomplete@b", "error is not null: incomplete", pointer="/error")
    left = [
        line("response.completed-is-clean@a", "error is not null", pointer="/error"),
        line("lifecycle.snapshots@c.stream", "carries non-null error", pointer="/response/error"),
    ]
    assert causes(*left) == {left[1].id: left[0].id}
    assert causes(known, *left) == {one.id: known.id for one in left}
    other = line("lifecycle.snapshots@c.stream", "carries output", pointer="/response/output")
    assert causes(known, other) == {}


def test_output_of_another_request_explains_what_is_wrong_with_it() -> None:
    again = line("response.id-unique@all-answers", "the output is that of x", at="low.stream", also=("x",))
    thinks = line("sum.plain-same-kinds@low", "other types", at="low.stream", also=("low",))
    assert causes(again, thinks) == {thinks.id: again.id}
    one_id = line(again.id, "the id was used before", at="low.stream", pointer="/output/0/id")
    assert causes(one_id, thinks) == {}


def test_an_item_that_is_not_closed_as_such_does_not_explain_what_precedes_it() -> None:
    """A translator sends output_item.done without an item, no content_part.added, and a first index of 1."""
    done = line("event.response.output_item.done.schema@streams", "/item is missing", at="text.stream", pointer="/item")
    part = line("lifecycle.part-opened-before-use@text.stream", "the delta precedes content_part.added")
    index = line("lifecycle.indexes-dense@text.stream", "output_item.added is not the next output_index")
    item = line("sum.item@text.stream", "output_item.done does not contain the output_text of output_index 0")
    told = causes(done, part, item)
    assert told == {item.id: done.id}
    assert index.id not in causes(done, index)


def test_reasoning_in_another_format_explains_what_is_said_of_reasoning() -> None:
    shape = line("effort.reasoning-item-shape@effort.high", "a reasoning item contains no reasoning text")
    of_text = line("sum.item@text.stream", "output_item.done does not contain the output_text of output_index 0")
    of_reasoning = line("sum.item@effort.high.stream", "output_item.done does not contain the reasoning_text")
    assert causes(shape, of_text, of_reasoning) == {of_reasoning.id: shape.id}


def test_an_error_in_a_stream_is_one_defect() -> None:
    """A stream with HTTP 200 holds an error object without a type, for refused requests and for one that is valid."""
    words = "an error body with HTTP 200: upstream error"
    refused = [line(f"error.real-status@{name}.stream", words) for name in ("a", "b")]
    valid = line("error.success-is-no-error@answers", words, at="tools.call.stream")
    untyped = line("event.has-type@tools.call.stream", "the data of an event has no type")
    other = line("response.ends-final@lenient", "the stream ends in error: upstream error", at="tools.custom.stream")
    assert set(causes(valid, untyped)) == {untyped.id}
    assert set(causes(*refused, valid, untyped, other).values()) == {refused[0].id}


def test_a_5xx_on_a_documented_request_is_no_5xx_on_invalid_ones() -> None:
    words = "received HTTP 502: upstream error"
    untyped = _expecting(line("request.untyped-message@input.untyped-message", words), 200)
    invalid = [
        _expecting(line(f"request.{rule}@{rule}", words), "a 4xx status")
        for rule in ("unknown-model", "out-of-range", "wrong-type", "unlisted-value")
    ]
    status = [line(f"error.real-status@{one.scenario}", f"invalid request: {words}") for one in invalid]
    told = causes(untyped, *invalid, *status)
    assert untyped.id not in told
    assert untyped.id not in told.values()
    assert len(set(told.values())) == 1


def test_efforts_and_tools_that_end_in_5xx_are_two_defects() -> None:
    words = "received HTTP 500: Internal Server Error"
    tools = _expecting(line("request.tools-accepted@tools.unused", words), 200)
    efforts = [_expecting(line(f"effort.{one}-accepted@effort.{one}", words), 200) for one in ("high", "low")]
    undocumented = _expecting(line("undocumented.user@undocumented.user", words), "200 or a 4xx status")
    told = causes(tools, *efforts, undocumented)
    assert told == {efforts[1].id: efforts[0].id, undocumented.id: tools.id}
    (refused,) = (one for one in grouped(group_by_cause([tools, *efforts])) if one.rule.startswith("effort"))
    assert in_words(refused) == 'effort "high" ends in 500: Internal Server Error; also low'


def _expecting(one: CaseRecord, want: Any) -> CaseRecord:
    return replace(one, findings=(replace(one.findings[0], want=want),))


@pytest.mark.parametrize(("left", "follows"), [((), False), (("message",), True)])
def test_a_wrong_item_leaves_no_final_output_empty(left: tuple[str, ...], follows: bool) -> None:
    identity = line("identity.item-id@text.stream", "a", pointer="/item/id")
    final = with_value(line("sum.final-output@text.stream", "does not contain 1 message"), list(left))
    assert causes(identity, final) == ({final.id: identity.id} if follows else {})


@pytest.mark.parametrize(
    ("got", "follows"), [("response.created, response.output_item.done", False), ("response.created", True)]
)
def test_a_stream_without_its_end_has_the_events_of_its_beginning(got: str, follows: bool) -> None:
    end = line("lifecycle.one-terminal-last@text.stream", "the stream ends without a terminal event")
    seen = with_value(line("event.seen.response.output_item.added@text.stream", "the stream contains none"), got)
    assert causes(end, seen) == ({seen.id: end.id} if follows else {})


def test_a_stream_for_another_value_of_stream_has_no_end_either() -> None:
    says = "HTTP 200, but the stream has no terminal event"
    usual = "request.input-roles@turns.history.stream"
    wrong = line("request.wrong-type@stream=1", says)
    assert causes(line(usual, says), wrong) == {wrong.id: usual}
    assert causes(line(usual, "HTTP 200, but the output is empty"), wrong) == {}


def test_a_stream_that_opens_no_item_is_a_defect_beside_members_that_are_missing() -> None:
    schema = line("event.response.output_text.delta.schema@streams", "a", at="s.stream", pointer="/output_index")
    opened = line("lifecycle.item-opened-before-use@s.stream", "b")
    assert causes(schema, opened) == {opened.id: schema.id}
    assert causes(schema, with_value(opened, NONE_OPENED)) == {}


def test_keys_that_are_refused_with_another_status_do_not_explain_that_of_values() -> None:
    key = line("auth.refused-with-401@auth.refused.bearer-wrong", "refused with HTTP 403", "warning")
    assert causes(key, line("request.wrong-type-refused@input=5", "refused with HTTP 422", "warning")) == {}


@pytest.mark.parametrize(
    ("where", "follows"),
    [("concurrent.streams", True), ("response.text.stream", False), ("", True)],
    ids=["mixed", "violated one at a time too", "not evaluated where mixed"],
)
def test_deltas_of_mixed_streams_follow_from_them(where: str, follows: bool) -> None:
    """What both sides show of a request that is sent alone has another cause."""
    mixed = line("proxy.response.not-mixed@concurrent.streams", "the response to a contains the text of the one with b")
    fine = replace(line("sum.text-deltas@response.cut.stream", ""), verdict="pass", findings=())
    cause = mixed.id if where.startswith("concurrent") else ""
    seen = [replace(line(f"sum.text-deltas@{where}", "differs"), cause=cause)] if where else []
    one = line("sum.text-deltas@count.stream", "done: the output_text of output_index 0 differs from its deltas")
    assert with_causes_across([mixed, fine, *seen], [one])[-1].cause == (mixed.id if follows else "")
    assert with_causes_across([fine, *seen], [one])[-1].cause == ""
