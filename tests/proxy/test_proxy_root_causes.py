"""One defect of a proxy is one cause, and independent defects stay visible."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import pytest
from both_sides import combined, problems, recorded, violated

from conformance.emulator.proxy import FAULTS
from conformance.emulator.proxy.changes import deltas, final, message_text, messages
from conformance.emulator.proxy.habit import CLEAN, Context, Failure, Habit
from conformance.proxy import conversation
from conformance.proxy.delivery import Expected
from conformance.proxy.differences import of_requests
from conformance.proxy.evaluation import evaluate
from conformance.proxy.kit import Clock, Settings, plan
from conformance.proxy.patience import HUNG
from conformance.proxy.records import Recording
from conformance.proxy.root_causes import with_root_causes
from conformance.proxy.run import open_upstream
from conformance.proxy.script import Script, json_response
from conformance.proxy.systematic import always_violated, with_plain_causes
from conformance.results.causes import causes
from conformance.results.plain_words import in_words
from conformance.results.records import CaseRecord, FindingRecord

#: Ordinary requests and responses, forms, and failures.
PROBES = ["request.*", "response.*", "form.*", "silence.*", "failure.[45]*", "failure.after*"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("loses-events", "response.text"),
        ("repeats-events", "response.text"),
        ("sizes-in-characters", "response.form"),
        ("no-last-chunk", "response.form"),
        ("last-items-alone", "request.roles-and-order"),
        ("errors-are-400", "failure.server-error-kept"),
        ("empty-output", "response.text"),
        ("lengths-in-characters", "request.served"),
    ],
)
def test_one_defect_is_one_cause_in_all_probes(name: str, rule: str) -> None:
    assert list(violated("responses", FAULTS[name], PROBES)) == [rule]


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (("loses-events", "escapes-markup"), {"response.text", "request.texts"}),
        (("no-last-chunk", "drops-top-p"), {"response.form", "request.parameters"}),
        (("last-items-alone", "flattens-schemas"), {"request.roles-and-order", "request.tools"}),
        (("errors-are-400", "reads-space"), {"failure.server-error-kept", "forms.same-response"}),
        (("empty-output", "requires-tools"), {"response.text", "request.nothing-added"}),
    ],
)
def test_independent_defects_stay_visible(names: tuple[str, str], rules: set[str]) -> None:
    assert set(violated("responses", combined(FAULTS[one] for one in names), PROBES)) == rules


@pytest.mark.parametrize("name", ["reads-space", "reads-chunks"])
def test_the_form_that_a_proxy_cannot_read_is_no_fault_of_concurrency(name: str) -> None:
    assert set(violated("chat", FAULTS[name], ["form.*", "concurrent.*"])) == {"forms.same-response"}


def test_what_each_plain_response_lacks_is_no_fault_of_concurrency() -> None:
    def without_status(body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "status"}

    habit = Habit("no-status", "", **final(without_status, stream=False))
    assert set(violated("responses", habit, ["response.text", "concurrent.plain"])) == {"response.finish"}


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("function_call_arguments", "sum.arguments-deltas"),
        ("reasoning_text", "sum.reasoning-deltas"),
        ("output_text", "response.text"),
    ],
)
def test_what_has_no_deltas_is_not_also_buffered(kind: str, rule: str) -> None:
    habit = replace(CLEAN, events=deltas(kind, lambda text: None))
    probes = ["response.call.stream", "response.reasoning.stream", "streaming.*"]
    assert set(violated("chat", habit, probes)) == {rule}


def test_a_delta_that_is_lost_is_neither_buffered_nor_an_early_end() -> None:
    def first_lost(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        is_first = event.get("type") == "response.output_text.delta" and not ctx.body.get("_lost")
        ctx.body["_lost"] = is_first or ctx.body.get("_lost")
        return [] if is_first else [event]

    habit = Habit("", "", events=first_lost, settings={"ends_equally": True})
    probes = ["response.*", "streaming.*", "failure.early-end*"]
    assert set(violated("responses", habit, probes)) == {"response.text"}


def test_a_request_that_is_sent_twice_is_not_also_kept_after_a_disconnect() -> None:
    probes = ["request.string", "response.text", "cancel.*"]
    assert set(violated("responses", FAULTS["sends-twice"], probes)) == {"request.sent-once"}


def test_reasoning_that_reached_the_upstream_as_text_is_not_lost() -> None:
    def as_text(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for one in items:
            if thought := one.pop("reasoning_content", None):
                one["content"] = f"<think>{thought}</think>"
        return items

    found = violated("chat", Habit("", "", sent=messages(as_text)), ["request.reasoning-item"])
    assert set(found) == {"request.reasoning"}
    assert "in a text" in found["request.reasoning"]


def test_a_second_request_for_a_stream_is_not_taken_for_the_first() -> None:
    recording = recorded("responses", CLEAN, ["response.text*"])
    plain, stream = (
        next(one for one in recording.records if one.probe == f"response.text{end}") for end in ("", ".stream")
    )
    both = replace(stream.pairs[0], upstream=(*stream.pairs[0].upstream, *plain.pairs[0].upstream))
    found = problems(evaluate(replace(recording, records=(replace(stream, pairs=(both,)),))))
    assert set(found) == {"request.sent-once"}


def test_a_request_with_the_input_of_another_is_one_cause() -> None:
    def latest(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
        ctx.memory["latest"] = body["input"]
        time.sleep(0.05)
        return {**body, "input": ctx.memory["latest"]}

    probes = ["request.string*", "response.text*", "concurrent.*"]
    assert set(violated("responses", Habit("", "", sent=latest), probes)) == {"response.not-mixed"}


def test_the_error_of_a_failure_is_not_kept_for_the_next_response() -> None:
    def noted(ctx: Context, failure: Failure) -> Failure:
        ctx.memory["error"] = {"code": "server_error", "message": failure.message}
        return failure

    def with_error(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "error": ctx.memory.get("error")}

    habit = Habit("", "", failure=noted, plain=with_error)
    probes = ["request.string", "failure.50*", "failure.after*"]
    assert set(violated("responses", habit, probes)) == {"failure.survives"}


def test_deltas_that_are_wrong_with_each_form_follow_from_the_ordinary_ones() -> None:
    habit = Habit("", "", events=deltas("output_text", lambda text: "".join(one for one in text if one < "\U00010000")))
    assert set(violated("chat", habit, ["response.*", "form.*"])) == {"response.text"}


def test_a_body_with_a_line_behind_each_response_is_one_cause() -> None:
    recording = recorded("responses", CLEAN, ["request.string", "response.text", "failure.error-body"])
    records = []
    for one in recording.records:
        client = one.pairs[0].client
        last = replace(client.chunks[-1], data=client.chunks[-1].data + b'\n{"level":"info"}')
        pair = replace(one.pairs[0], client=replace(client, chunks=(*client.chunks[:-1], last)))
        records.append(replace(one, pairs=(pair,)))
    found = problems(evaluate(replace(recording, records=tuple(records))))
    assert {rule for rule in found if not rule.startswith("?")} == {"request.served"}
    assert "JSON and 17 more characters behind it" in found["request.served"]


def test_a_text_that_is_lost_behind_an_image_is_not_also_out_of_order() -> None:
    habit = Habit("", "", sent=messages(lambda items: [_with_first_text(one) for one in items]))
    assert set(violated("responses", habit, ["request.parts", "request.image"])) == {"request.texts"}


def _with_first_text(one: dict[str, Any]) -> dict[str, Any]:
    parts = one.get("content")
    if not isinstance(parts, list):
        return one
    texts = [part for part in parts if "text" in part]
    return {**one, "content": [part for part in parts if part not in texts[1:]]}


@pytest.mark.parametrize(
    ("name", "says"),
    [("lengths-in-characters", "JSON that ends early, after "), ("labels-decoded", "not in the Content-Encoding gzip")],
)
def test_what_a_body_is_instead_of_a_response(name: str, says: str) -> None:
    found = violated("responses", FAULTS[name], ["response.text", "form.plain-gzip"])
    assert len(found) == 1
    assert says in next(iter(found.values()))


def test_a_form_with_the_difference_of_an_ordinary_response_follows_from_it() -> None:
    garbled = Habit("garbles", "", **final(message_text(lambda text: text.encode().decode("latin-1"))))
    assert set(violated("responses", garbled, ["response.*", "form.*"])) == {"response.text"}
    one_call = Habit("calls-once", "", **final(_first_call))
    assert set(violated("chat", one_call, ["response.*", "form.*"])) == {"response.calls"}


def _first_call(body: dict[str, Any]) -> dict[str, Any]:
    calls = [one for one in body["output"] if one["type"] == "function_call"]
    return {**body, "output": [one for one in body["output"] if one not in calls[1:]]}


def test_results_that_became_texts_are_one_cause() -> None:
    habit = Habit("", "", sent=messages(lambda items: [_as_user(one) for one in items]))
    assert set(violated("chat", habit, ["request.*"])) == {"request.dialect"}


def test_the_first_part_alone_of_messages_and_results_is_one_cause() -> None:
    first = messages(lambda items: [_with_first_part(one) for one in items])
    assert set(violated("chat", Habit("", "", sent=first), ["request.*"])) == {"request.texts"}


def _with_first_part(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "content": one["content"][:1]} if isinstance(one.get("content"), list) else one


def _as_user(one: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": one["content"]} if one.get("role") == "tool" else one


@pytest.mark.parametrize("outside", [False, True])
def test_texts_that_are_wrong_in_probes_sent_together_alone_are_mixed(outside: bool) -> None:
    recording = recorded("responses", CLEAN, ["request.string", "request.string.stream", "request.parts"])
    records = [replace(one, about={**one.about, "together": one.probe != "request.parts"}) for one in recording.records]
    names = ["proxy.response.not-mixed@request.string"]
    for rule in ("proxy.response.text", "identity.item-id"):
        names += [f"{rule}@request.string.stream", *[f"{rule}@request.parts"] * outside]
    cases = [
        CaseRecord(name, name.partition("@")[0], name.partition("@")[2], name.partition(".")[0], "MUST", "fail")
        for name in names
    ]
    made = with_root_causes(cases, {}, replace(recording, records=tuple(records)))
    assert any(one.cause for one in made) is not outside


def test_an_event_line_that_does_not_match_is_found_where_the_upstream_sends_none() -> None:
    recording = recorded("responses", CLEAN, ["form.no-event-lines"])
    (record,) = recording.records
    client = record.pairs[0].client
    named = re.sub(rb"event: .*", b"event: message", client.reply)
    changed = replace(record.pairs[0], client=replace(client, chunks=(replace(client.chunks[0], data=named),)))
    found = problems(evaluate(replace(recording, records=(replace(record, pairs=(changed,)),))))
    assert set(found) == {"sse.event-line-matches-type"}


@pytest.mark.parametrize(("status", "follows"), [(401, True), (503, False)])
def test_a_lock_after_failures_refuses_requests_after_cancelled_ones(status: int, follows: bool) -> None:
    recording = recorded("responses", CLEAN, ["request.string"])
    cases = [
        CaseRecord(name, name.partition("@")[0], name.partition("@")[2], "proxy", "MUST", "fail",
                   findings=(FindingRecord(f"received HTTP {got}", got=got),))
        for name, got in (("proxy.failure.survives@failure.after", 401),
                          ("proxy.cancel.next-served@cancel.many", status))
    ]  # fmt: skip
    assert bool(with_root_causes(cases, {}, recording)[1].cause) is follows


def test_reasoning_in_the_final_response_alone_is_one_cause() -> None:
    def unstreamed(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        reasoning = event.get("item", {}).get("type") == "reasoning" or "rs_" in str(event.get("item_id"))
        return [] if reasoning else [event]

    probes = ["response.*", "streaming.*"]
    assert set(violated("responses", Habit("", "", events=unstreamed), probes)) == {"response.reasoning"}


def test_events_lost_with_one_form_are_found_although_the_final_response_is_complete() -> None:
    recording = recorded("responses", CLEAN, ["form.one-chunk"])
    (record,) = recording.records
    client = record.pairs[0].client
    last = b"event: response.completed" + client.reply.partition(b"event: response.completed")[2]
    changed = replace(record.pairs[0], client=replace(client, chunks=(replace(client.chunks[0], data=last),)))
    found = problems(evaluate(replace(recording, records=(replace(record, pairs=(changed,)),))))
    assert set(found) == {"forms.same-response"}


def test_a_lock_after_cancelled_requests_explains_those_after_it() -> None:
    recording = recorded("responses", CLEAN, ["request.string"])
    names = ["proxy.cancel.next-served@cancel.after-silence", "proxy.failure.survives@failure.after"]
    names += ["proxy.request.served@connection.stream", "proxy.request.served@request.large"]
    cases = [
        CaseRecord(name, name.partition("@")[0], name.partition("@")[2], "proxy", "MUST", "fail",
                   findings=(FindingRecord("received HTTP 503", got=503),))
        for name in names
    ]  # fmt: skip
    assert [one.cause for one in with_root_causes(cases, {}, recording)] == ["", names[0], names[0], ""]


def test_a_proxy_that_stops_serving_ends_the_run() -> None:
    started_at = time.monotonic()
    recording = recorded("responses", FAULTS["hangs-after-failure"], ["request.string", "failure.*"], limit=1.5)
    found = problems(evaluate(recording))
    assert time.monotonic() - started_at < 20
    assert [rule for rule in found if not rule.startswith("?")] == ["failure.survives"]
    last = recording.records[-1]
    assert (last.probe, last.about["left"] > 20) == ("stopped", True)
    assert f"stopped serving after {last.about['served']}: the request of {last.about['after'][0]}" in "".join(
        found.values()
    )


def test_a_key_that_the_profile_passes_through_can_be_quoted() -> None:
    """The upstream received the client's key: an error that quotes it shows nobody else's."""
    passing = replace(FAULTS["passes-key"], settings={"hides_key": False})
    assert problems(evaluate(recorded("responses", passing, ["failure.quoted-key*"], passes_key=True))) == {}


@pytest.mark.parametrize(
    ("sent", "received", "rules"),
    [
        (None, None, []),
        (None, False, []),
        (None, True, []),
        (False, None, []),
        (True, True, []),
        (True, None, ["request.strict"]),
        (True, False, ["request.tools"]),
        (False, True, ["request.tools"]),
    ],
)
def test_strict_of_a_tool(sent: bool | None, received: bool | None, rules: list[str]) -> None:
    def body(strict: bool | None) -> conversation.Conversation:
        tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
        tools = [tool if strict is None else {**tool, "strict": strict}]
        return conversation.of_responses({"input": "x", "tools": tools})

    assert [one.rule for one in of_requests(body(sent), body(received), True)] == rules


@pytest.mark.parametrize(
    ("rule", "message", "actual", "follows"),
    [
        ("texts", "assistant turn 2: the client sent 9 characters, the upstream received none", "user, user", True),
        ("texts", "user turn 1: the client sent 9 characters, the upstream received none", "user, user", False),
        ("texts", "assistant turn 2: the client sent 9 characters, the upstream received none", "tool, user", False),
        ("calls", "calls: the client sent 1, the upstream received 0; results: the client sent 1, the upstream "
         "received 0", "user", True),
        ("calls", "calls: the client sent 1, the upstream received 0; results: the client sent 1, the upstream "
         "received 0", "assistant, tool, user", False),
    ],
)  # fmt: skip
def test_turns_without_their_content_follow_from_missing_ones(
    rule: str, message: str, actual: str, follows: bool
) -> None:
    """A proxy that drops the messages of a role keeps the turn where it has calls."""
    recording = recorded("responses", CLEAN, ["request.string"])
    expected = "user, assistant, tool, assistant" if rule == "calls" else "user, assistant, user"
    expected = expected if actual != "tool, user" else actual
    messages = {
        "proxy.request.roles-and-order@request.history": f"the turns are in the order {actual}, expected {expected}",
        f"proxy.request.{rule}@request.x": message,
    }
    cases = [
        CaseRecord(name, *name.split("@"), "proxy", "MUST", "fail", findings=(FindingRecord(says),))
        for name, says in messages.items()
    ]
    assert bool(with_root_causes(cases, {}, recording)[1].cause) is follows


@pytest.mark.parametrize(("status", "follows"), [(503, True), (401, False)])
def test_a_failure_that_a_proxy_does_not_report_is_one_cause_with_the_same_one_alone(
    status: int, follows: bool
) -> None:
    recording = recorded("responses", CLEAN, ["request.string"])
    messages = {
        "proxy.failure.survives@failure.once-503": "the stream after failures of the upstream did not complete",
        f"proxy.failure.honest@failure.{status}.stream": f"the upstream responded with {status}, and the stream ended",
    }
    cases = [
        CaseRecord(name, *name.split("@"), "proxy", "MUST", "fail", findings=(FindingRecord(says),))
        for name, says in messages.items()
    ]
    assert bool(with_root_causes(cases, {}, recording)[0].cause) is follows


def test_a_shortened_conversation_does_not_explain_texts_that_are_lost_in_others() -> None:
    """A gateway kept the last turns of a long conversation, and lost the texts of all assistant turns: two defects."""
    recording = recorded("responses", CLEAN, ["request.string"])
    order = "proxy.request.roles-and-order@request.long-history"
    text = "proxy.request.texts@request.history"
    lost = "assistant turn 2: the client sent 9 characters, the upstream received none"
    for kept, cause in (("10 of 20", ""), ("0 of 20", order)):
        says = f"of 41 turns the upstream received 20: 20 of 21 of the user, {kept} of the assistant"
        cases = [
            CaseRecord(name, *name.split("@"), "proxy", "MUST", "fail", findings=(FindingRecord(message),))
            for name, message in ((order, says), (text, lost))
        ]
        assert with_root_causes(cases, {}, recording)[1].cause == cause


@pytest.mark.parametrize(
    ("finish", "text", "usage", "follow"),
    [
        ("incomplete: upstream_eof", "the output of the Response is empty, the upstream sent 9", "received 0", True),
        ("incomplete: upstream_eof", "the output of the Response is empty, the upstream sent 9", "received 7", False),
        ("completed (with the status incomplete)", "the output of the Response is empty", "received 0", False),
        ("incomplete: upstream_eof", "text: the upstream sent 9 characters, the client", "received 0", False),
    ],
)
def test_a_response_that_is_ended_early_has_no_content_and_no_usage(
    finish: str, text: str, usage: str, follow: bool
) -> None:
    """A gateway that cannot read one event ends the response: its text and its token counts are no other defects."""
    recording = recorded("responses", CLEAN, ["request.string"])
    says = {
        "finish": f"the upstream's response is completed, the client's is {finish}",
        "text": text,
        "usage": f"input tokens: the upstream sent 137, the client {usage}",
    }
    cases = [
        CaseRecord(f"proxy.response.{name}@response.text", f"proxy.response.{name}", "response.text", "proxy", "MUST",
                   "fail", findings=(FindingRecord(message),))
        for name, message in says.items()
    ]  # fmt: skip
    made = {one.requirement.rpartition(".")[2]: one.cause for one in with_root_causes(cases, {}, recording)}
    assert bool(made["usage"]) is follow


def test_characters_that_are_lost_in_all_deltas_are_one_cause() -> None:
    """A proxy that divides deltas by bytes loses characters of ordinary texts and of each form."""

    def divided(text: str) -> str:
        data = text.encode()
        return "".join(data[at : at + 5].decode("utf-8", "ignore") for at in range(0, len(data), 5))

    habit = Habit("divides", "", events=deltas("output_text", divided))
    assert set(violated("responses", habit, ["response.text.stream", "form.crlf"])) == {"response.text"}


def test_a_tool_with_another_name_is_named() -> None:
    def request(name: str) -> conversation.Conversation:
        tool = {"type": "function", "name": name, "description": "Plan.", "parameters": {"type": "object"}}
        return conversation.of_responses({"input": "Fly.", "tools": [tool]})

    (found,) = of_requests(request("planTrip"), request("plantrip"), True)
    assert found.message == "the tool planTrip reached the upstream with the name plantrip"


def _without_item_id(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name != "item_id" or "part" not in event}]


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("passes-key", "credentials.client-key-kept"),
        ("empty-final-output", "response.text"),
        ("zero-usage", "response.usage"),
    ],
)
def test_a_defect_of_each_response_does_not_hide_others_in_it(fault: str, rule: str) -> None:
    """A finding about both sides explains the same content alone."""
    both = FAULTS[fault]
    habit = replace(both, events=_both(both.events, _without_item_id))
    assert set(violated("chat", habit, ["response.*", "streaming.*"])) == {
        rule,
        "event.response.content_part.added.schema",
    }


def _both(first: Any, second: Any) -> Any:
    if first is None:
        return second
    return lambda ctx, event: [made for one in first(ctx, event) for made in second(ctx, one)]


def test_what_every_stream_lacks_is_no_matter_of_mixed_ones() -> None:
    def case(verdict: str, at: int) -> CaseRecord:
        return CaseRecord(f"sum.item@{at}", "sum.item", str(at), "sum", "MUST", verdict)

    assert always_violated([case("fail", at) for at in range(5)]) == {"sum.item"}
    assert always_violated([case("fail", at) for at in range(4)]) == set()
    assert always_violated([*(case("fail", at) for at in range(5)), case("pass", 5)]) == set()


def test_a_probe_without_a_response_is_inconclusive_for_the_rules_of_an_endpoint() -> None:
    def failed(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**event, "type": "response.failed"}] if event["type"] == "response.completed" else [event]

    cases = evaluate(recorded("chat", Habit("", "", events=failed), ["response.text", "response.text.stream"])).cases
    left_out = [one for one in cases if one.area == "lifecycle" and one.verdict == "inconclusive"]
    assert [(one.scenario, str(one.reason)) for one in left_out] == [
        ("response.text.stream", "the response failed: no rule of an endpoint is evaluated in this probe")
    ]


@pytest.mark.parametrize(("value", "tools", "found"), [
    (False, True, {"request.nothing-added"}), (True, True, set()), (False, False, set()),
])  # fmt: skip
def test_parallel_calls_that_a_proxy_switches_off_are_a_value_it_adds(
    value: bool, tools: bool, found: set[str]
) -> None:
    habit = Habit("", "", sent=lambda ctx, body: {**body, "parallel_tool_calls": value})
    assert set(violated("chat", habit, ["request.tools" if tools else "request.string"])) == found


def test_plain_requests_that_wait_for_each_other_are_reported() -> None:
    found = violated("chat", Habit("", "", settings={"one_at_a_time": "all"}), ["response.text", "concurrent.plain"])
    assert set(found) == {"streaming.concurrent"}
    assert "7 of 8 concurrent requests" in found["streaming.concurrent"]


def test_a_terminal_event_without_a_response_is_named() -> None:
    def without(ctx: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        name = "response" if event.get("type") == "response.completed" else ""
        return [{key: value for key, value in event.items() if key != name}]

    found = violated("chat", Habit("", "", events=without), ["response.text.stream"])
    assert list(found) == ["response.form"]
    assert found["response.form"].endswith("the stream to the client ended with response.completed without a Response")


def test_each_message_about_an_invalid_upstream_request_is_a_cause() -> None:
    def case(probe: str, message: str) -> CaseRecord:
        rule = "proxy.request.dialect"
        return CaseRecord(f"{rule}@{probe}", rule, probe, "proxy", "MUST", "fail", findings=(FindingRecord(message),))

    lines = [case("a", "messages is empty"), case("b", "the call call_1 has no result"),
             case("c", "the call call_2 has no result")]  # fmt: skip
    assert [len(one.cases) for one in causes(lines)] == [2, 1]


def test_failures_that_end_alike_are_counted() -> None:
    def case(probe: str, failure: str) -> CaseRecord:
        rule, says = "proxy.failure.honest", f"the upstream {failure}, and the client received a completed response"
        return CaseRecord(f"{rule}@{probe}", rule, probe, "proxy", "MUST", "fail", findings=(FindingRecord(says),))

    kinds = ("sent an HTML page", "sent an empty body", "sent an HTML page", "closed the connection")
    (cause,) = causes([case(f"failure.{at}", kind) for at, kind in enumerate(kinds)])
    assert "completed response; so it does after 2 other failures of the upstream" in in_words(cause)


def test_a_value_in_place_of_each_other_is_one_that_the_proxy_adds() -> None:
    """It was not seen below another parameter, which the proxy drops."""

    def fixed(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in body.items() if name != "reasoning_effort"}
        return {**kept, "temperature": 0.7, "max_tokens": 4096}

    probes = ["request.string", "request.hard-text", "request.other-values", "request.effort-low"]
    cases = evaluate(recorded("chat", Habit("", "", sent=fixed), probes)).cases
    added, dropped = sorted((one for one in causes(cases) if one.verdict == "fail"), key=lambda one: one.rule)
    assert in_words(added).startswith("the upstream received temperature = 0.7, which the client did not send")
    assert in_words(added).endswith("; also max_output_tokens")
    assert in_words(dropped).startswith("effort: the client sent 'low'")


def test_calls_without_their_turns_are_lost_with_those_of_their_results() -> None:
    """The turn of a call stays, without the call, where its text does."""

    def case(rule: str, message: str) -> CaseRecord:
        name = f"proxy.request.{rule}"
        return CaseRecord(f"{name}@x", name, "x", "proxy", "MUST", "fail", findings=(FindingRecord(message),))

    order = case("roles-and-order", "the turns are in the order user, assistant, expected user, assistant, tool, user")
    lost = "calls: the client sent 1, the upstream received 0; results: the client sent 1, the upstream received 0"
    made = with_root_causes([order, case("calls", lost)], {}, Recording({"dialect": "chat"}, ()))
    assert [one.cause for one in made] == ["", order.id]


def test_a_text_that_breaks_the_plain_response_and_its_stream_is_one_cause() -> None:
    def case(rule: str, probe: str, message: str) -> CaseRecord:
        return CaseRecord(f"{rule}@{probe}", rule, probe, "proxy", "MUST", "fail", findings=(FindingRecord(message),))

    served = case(
        "proxy.request.served", "response.text", "the client received HTTP 500, although the upstream served it"
    )
    says = "the response to the client did not end: cut"
    stream, other = (case("proxy.response.form", f"response.{one}.stream", says) for one in ("text", "call"))
    assert [one.cause for one in with_plain_causes([served, stream])] == ["", served.id]
    assert [one.cause for one in with_plain_causes([served, stream, other])] == ["", "", ""]


def test_a_form_without_an_end_is_named_although_a_text_has_none_either() -> None:
    def event(ctx: Context, one: dict[str, Any]) -> list[dict[str, Any]]:
        kind = str(one.get("type"))
        ctx.body["_ends"] = ctx.body.get("_ends", True) and kind.startswith("response.") and "漢字かな" not in str(one)
        return [] if kind == "response.completed" and not ctx.body["_ends"] else [one]

    probes = ["response.reasoning.stream", "response.text-and-call.stream", "form.unknown-events"]
    found = violated("responses", Habit("", "", events=event), probes)
    assert found["forms.same-response"].endswith("the stream to the client ended without a terminal event")


def test_a_proxy_that_still_sends_its_request_again_does_not_hang() -> None:
    (record,) = recorded("chat", CLEAN, ["failure.503"]).records
    pair = record.pairs[0]
    client = replace(pair.client, status=None, chunks=(), ended="time-out", detail="")
    for upstream, detail, verdict in ((2, "", "inconclusive"), (1, "", "fail"), (2, HUNG, "fail")):
        legs = tuple(pair.upstream[:1] * upstream)
        pairs = (replace(pair, client=replace(client, detail=detail), upstream=legs),)
        settings = recorded("chat", CLEAN, ["request.string"]).settings
        cases = evaluate(Recording(settings, (replace(record, pairs=pairs),))).cases
        assert next(one.verdict for one in cases if one.requirement == "proxy.failure.no-hang") == verdict


def test_a_request_that_the_upstream_refuses_at_once_is_activity() -> None:
    """A proxy that waits longer between its attempts was said to hang in the middle of them."""
    settings = Settings("", "chat", "m", "client-key", "upstream-key", wait=0.5, silence=0.4, limit=4.0)
    with open_upstream(settings, 0, Clock()) as upstream:
        refusal = json_response(503, {"error": {"message": "busy"}})
        upstream.expect(
            Expected("kite0a0b0c0d0e", Script(plan("kite0a0b0c0d0e"), refuse=(refusal,)), lambda text: False)
        )
        upstream.patience.active_at = 0.0
        connection = HTTPConnection("127.0.0.1", int(upstream.url.split(":")[2].partition("/")[0]))
        connection.request("POST", "/v1/chat/completions", b'{"messages": ["kite0a0b0c0d0e"]}')
        assert connection.getresponse().status == 503
        assert upstream.patience.active_at > 0


def test_a_request_whose_body_does_not_arrive_is_no_refusal_before_the_upstream() -> None:
    (record,) = recorded("responses", CLEAN, ["request.chunked"]).records
    pair = record.pairs[0]
    legs = tuple(replace(one, body=b"{}", status=400) for one in pair.upstream)
    pairs = (replace(pair, client=replace(pair.client, status=400), upstream=legs),)
    settings = recorded("responses", CLEAN, ["request.string"]).settings
    found = problems(evaluate(Recording(settings, (replace(record, pairs=pairs),))))
    assert ", and the upstream received {} in its place: " in found["request.served"]


@pytest.mark.parametrize(
    ("missing", "follows"), [(["response.text.stream"], True), (["response.text.stream", "a"], False)]
)
def test_a_terminal_event_that_a_line_break_divides_is_not_also_missing(missing: list[str], follows: bool) -> None:
    recording = recorded("responses", CLEAN, ["request.string"])
    divided = _failing("sse.data-is-json-object@response.text.stream", "frame 21 is a part of an event", "an object")
    endless = [_failing(f"proxy.response.form@{one}", "the stream ended", "a terminal event") for one in missing]
    found = with_root_causes([divided, *endless], {}, recording)
    assert [one.cause for one in found if one.scenario == "response.text.stream"][1] == (divided.id if follows else "")


def _failing(name: str, message: str, want: str) -> CaseRecord:
    rule, _, scenario = name.partition("@")
    area = rule.partition(".")[0]
    return CaseRecord(name, rule, scenario, area, "MUST", "fail", findings=(FindingRecord(message, want=want),))
