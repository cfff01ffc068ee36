"""A pass needs evidence: no response, an empty response or nothing of what a rule is about is never a pass."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from conformance.contract.schemas import REVISIONS
from conformance.decode.response import Received
from conformance.emulator import Behaviour, Context, Reply
from conformance.exchange.exchange import Chunk, Ended, Exchange
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, Result, evaluate
from conformance.scenarios.plan import Plan
from tests.support.streams import Stream, call, chunks, message, reasoning, stream
from tools.in_process import cases, context, evaluated, record, verdicts


def every_exchange(revision: str, change: Callable[[Exchange], Exchange]) -> list[Result]:
    """The results where every exchange with the conformant endpoint is changed so."""
    here, clean = context(revision), record(None, revision)
    plan = Plan(here, here.scenarios)
    settled = {plan.key_of[name]: tuple(change(one) for one in clean.received(name).samples) for name in here.scenarios}
    changed = Recorded(plan, settled.__getitem__)
    return [evaluate(case, changed) for case in cases(revision)]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("ended", ["unreachable", "reset", "time-out", "invalid"])
def test_nothing_passes_where_no_exchange_has_a_response(revision: str, ended: Ended) -> None:
    silent = {"status": None, "headers": (), "chunks": (), "ended": ended, "detail": "no response", "leaks": ()}
    results = every_exchange(revision, lambda one: replace(one, **silent))
    assert [one.case.id for one in results if one.verdict == PASS] == []
    assert {one.verdict for one in results} <= {INCONCLUSIVE, NOT_APPLICABLE, FAIL}


def test_an_empty_body_proves_nothing_about_events_items_and_usage() -> None:
    results = every_exchange("2026-06-24", lambda one: replace(one, status=200, chunks=(), ended="clean"))
    passed = {one.case.requirement.area for one in results if one.verdict == PASS}
    assert passed.isdisjoint({"event", "sequence", "lifecycle", "identity", "sum", "item", "response", "usage"})


def test_every_pass_examined_something() -> None:
    for revision in REVISIONS:
        assert [one.case.id for one in verdicts(None, revision) if one.verdict == PASS and not one.examined] == []


def test_a_request_without_a_response_does_not_speak_for_the_others() -> None:
    """An endpoint that answered 20 requests and then closed its port: what was not answered passes nothing."""
    answered = iter(range(10**6))

    def closes(one: Exchange) -> Exchange:
        if next(answered) < 20:
            return one
        return replace(one, status=None, headers=(), chunks=(), ended="unreachable", detail="refused", leaks=())

    for one in every_exchange("2026-06-24", closes):
        if one.verdict == PASS:
            assert one.examined, one.case.id


# -- streams whose events do not say where they belong -----------------------------------------------------------------


def _without_index(events: Stream) -> Stream:
    return [{name: value for name, value in one.items() if name != "output_index"} for one in events]


def _followed(events: Stream) -> Received:
    from tests.test_verdict import exchange

    return Received(replace(exchange(), chunks=chunks(events)), "one")


def _whole() -> Stream:
    return stream(reasoning(0), message(1), call(2))


def _changed(events: Stream, kind: str, **members: Any) -> Stream:
    spoiled = copy.deepcopy(events)
    first = next(one for one in spoiled if one["type"] == kind)
    for name, value in members.items():
        first[name] = {**first[name], **value} if isinstance(value, dict) else value
    return spoiled


CORRUPTIONS: dict[str, tuple[Callable[[Stream], Stream], str]] = {
    "another id in output_item.done": (
        lambda events: _changed(events, "response.output_item.done", item={"id": "other"}),
        "identity.item-id",
    ),
    "a delta after its item": (
        lambda events: [*events[:-1], next(one for one in events if one["type"].endswith("text.delta")), events[-1]],
        "lifecycle.nothing-after-item-closed",
    ),
    "an item that is never closed": (
        lambda events: [one for one in events if one["type"] != "response.output_item.done" or "fc_2" not in str(one)],
        "lifecycle.all-closed-at-terminal",
    ),
    "an item that is never announced": (
        lambda events: [
            one for one in events if one["type"] != "response.output_item.added" or "msg_1" not in str(one)
        ],
        "lifecycle.item-opened-before-use",
    ),
    "another name in arguments.done": (
        lambda events: _changed(events, "response.function_call_arguments.done", name="other"),
        "identity.name",
    ),
    "a second text done": (
        lambda events: [
            copy.deepcopy(one)
            for each in events
            for one in [each] * (1 + (each["type"] == "response.output_text.done"))
        ],
        "lifecycle.done-once",
    ),
}


def test_a_stream_without_indexes_is_followed_by_ids_and_order() -> None:
    whole, bare = _followed(_whole()), _followed(_without_index(_whole()))
    assert bare.violations == []
    assert [place for _, place in bare.placed] == [place for _, place in whole.placed]
    rules = Counter({rule: count for rule, count in whole.examined.items() if "index" not in rule})
    assert {rule for rule in rules if not bare.examined[rule]} <= {"identity.item-ids-distinct"}
    assert [(one.what, one.output_index, one.deltas, one.done) for one in bare.texts] == [
        (one.what, one.output_index, one.deltas, one.done) for one in whole.texts
    ]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_seen_without_indexes_too(name: str) -> None:
    spoil, rule = CORRUPTIONS[name]
    assert rule in {one.rule for one in _followed(spoil(_whole())).violations}
    # Where the id changes too, nothing says any more which item it was: another rule reports it then.
    found = {one.rule for one in _followed(_without_index(spoil(_whole()))).violations}
    assert rule in found or (rule == "identity.item-id" and "lifecycle.all-closed-at-terminal" in found)


def test_events_without_index_and_id_belong_to_the_item_opened_last() -> None:
    bare = [{name: value for name, value in one.items() if name != "item_id"} for one in _without_index(_whole())]
    received = _followed(bare)
    assert received.violations == []
    assert {place for event, place in received.placed if event.about_item} == {0, 1, 2}


# -- what the page shows, and what undocumented types may do -----------------------------------------------------------


def test_openais_failing_end_is_one_end() -> None:
    failed = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "output": []}}
    events = [*stream(message(0))[:-1], {"type": "error", "message": "overloaded", "code": "server_error"}, failed]
    rules = {one.rule for one in _followed(events).violations}
    assert "lifecycle.one-terminal-last" not in rules
    assert "sse.ends-after-terminal" not in rules


def test_a_refusal_of_many_parameters_at_once_is_no_evidence_for_each() -> None:
    """One 400 that is about one other parameter: each undocumented parameter is then sent alone, streaming too."""
    from conformance.emulator.variants import VARIANTS

    results, recorded = evaluated(VARIANTS["outside.undocumented-rejected"])
    alone = [
        one for one in results
        if one.case.label.startswith("undocumented.") and context().scenarios[one.case.label].within
        and one.verdict == PASS and one.case.requirement.level == "MUST"
    ]  # fmt: skip
    assert alone
    for one in alone:
        body = json.loads(recorded.received(one.case.label).exchange.request.body)
        assert "prompt_cache_key" not in body or one.case.label.startswith("undocumented.prompt_cache_key")


def test_a_conversation_with_output_parts_is_no_evidence_where_these_are_refused() -> None:
    """Only the rule about the parts fails; a server that refuses the conversation alone violates the rule about it."""
    from conformance.emulator.faults import FAULTS

    def failed(fault: str) -> set[str]:
        return {one.case.requirement.id for one in evaluated(FAULTS[fault])[0] if one.verdict == FAIL}

    assert failed("tools.output-parts-refused") == {"tools.output-parts-accepted"}
    assert "turns.history-accepted" in failed("request.developer-role-refused")


def test_streams_of_which_none_gets_a_response_are_one_defect() -> None:
    """That of the base request; the invalid and undocumented ones are streams too."""

    def resets(context: Context, reply: Reply) -> Reply:
        return replace(reply, chunks=(), ending="reset") if context.body.get("stream") is True else reply

    results, _ = evaluated(Behaviour("resets", "resets", "Resets each stream before its first byte.", reply=resets))
    assert {one.case.requirement.id for one in results if one.verdict == FAIL} == {"http.documented-request-served"}


@pytest.mark.parametrize(("silent", "verdict"), [("tools.reasoning-returned", FAIL), ("tools.", INCONCLUSIVE)])
def test_later_turns_need_no_reasoning_where_the_turn_before_had_none(silent: str, verdict: str) -> None:
    """A model may reason only about questions that need it, and not about one that only needs a call."""
    here, clean = context("2026-06-24"), record(None)
    plan = Plan(here, here.scenarios)

    def response_of(name: str) -> tuple[Exchange, ...]:
        other = "tools.output.stream" if name.endswith(".stream") else "tools.output"
        return clean.received(other if name.startswith(silent) else name).samples

    changed = Recorded(plan, {plan.key_of[name]: response_of(name) for name in here.scenarios}.__getitem__)
    case = next(one for one in cases("2026-06-24") if one.id == "effort.high-thinks@follow-ups")
    assert evaluate(case, changed).verdict == verdict


# -- responses that say nothing of the request -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_always_busy_does_not_show_what_a_request_causes(status: int) -> None:
    """``error.real-status@bad-requests`` and ``http.client-request-answered@client-requests`` passed without one
    response that was about a request."""
    results = every_exchange("2026-06-24", lambda one: replace(one, status=status, chunks=(), ended="clean"))
    told = {one.case.id: one for one in results}
    for name in ("error.real-status@bad-requests", "http.client-request-answered@client-requests"):
        assert told[name].verdict == INCONCLUSIVE
        assert told[name].reason.text.endswith(f", which contains nothing unusual, is not served either: HTTP {status}")


def test_a_busy_gateway_that_serves_nothing_else_is_no_matter_of_a_parameter() -> None:
    """A gateway whose circuit breaker had opened was said to refuse json_object: the stream without it was an error."""
    error = b'event: error\ndata: {"type": "error", "error": {"message": "upstream error"}}\n\n'
    headers = (("content-type", "text/event-stream"),)

    def fails(one: Exchange) -> Exchange:
        if one.scenario == "text.stream":
            return replace(one, status=200, headers=headers, chunks=(Chunk(1, error),), ended="clean", attempts=())
        return replace(one, status=502 if one.scenario == "text" else 503, chunks=(), ended="clean")

    told = {one.case.id: one for one in every_exchange("2026-06-24", fails)}
    assert told["request.text.format-accepted@json"].verdict == INCONCLUSIVE


def test_an_account_without_balance_and_moderation_are_no_violation() -> None:
    """402 and 421, with the envelope, for requests of any kind: every seventh, then all."""
    error = b'{"error": {"message": "Insufficient balance", "code": "402", "param": ""}}'
    numbers = iter(range(10**6))

    def refuses(one: Exchange) -> Exchange:
        number = next(numbers)
        if number < 120 and number % 7:
            return one
        chunks, headers = (Chunk(1, error),), (("content-type", "application/json"),)
        status = 402 if number >= 120 else 421
        return replace(one, status=status, headers=headers, chunks=chunks, ended="clean", leaks=(), attempts=())

    results = every_exchange("2026-06-24", refuses)
    assert [one.case.id for one in results if one.verdict == FAIL] == []


@pytest.mark.parametrize("status", [204, 302])
def test_a_parameter_that_no_response_serves_is_not_accepted(status: int) -> None:
    results = every_exchange("2026-06-24", lambda one: replace(one, status=status, chunks=(), ended="clean"))
    told = {one.case.id: one for one in results}
    # A redirected base request is no control; the redirect is the cause.
    assert (told["http.no-redirect@all"].verdict == "fail") == (status == 302)
    for name in ("request.reasoning.effort-accepted@efforts", "request.stream-accepted@streams"):
        if status == 302:
            assert told[name].reason.text == "text, which contains nothing unusual, is not served either: HTTP 302"
            continue
        assert told[name].verdict == "fail"
        assert f"HTTP {status}" in told[name].findings[0].message


def test_a_stream_of_an_error_alone_is_not_served() -> None:
    """A gateway without an upstream responded with 400, and to streams with 200 and an event about the error."""
    event = b'event: error\ndata: {"error": {"message": "upstream error", "status": 401}}\n\n'

    def fails(one: Exchange) -> Exchange:
        streams = b'"stream":true' in (one.request.body or b"")
        kind, data = ("text/event-stream", event) if streams else ("application/json", b'{"error": {"message": "no"}}')
        headers = (("content-type", kind),)
        return replace(one, status=200 if streams else 400, headers=headers, chunks=(Chunk(1, data),), attempts=(),
                       ended="clean", leaks=())  # fmt: skip

    told = {one.case.id: one for one in every_exchange("2026-06-24", fails)}
    assert told["request.model-accepted@text"].findings[0].message.startswith("received HTTP 400")
    assert told["error.endpoint-survives@good.last"].verdict == INCONCLUSIVE
