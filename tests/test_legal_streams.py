"""Streams that the contract does not forbid: items of undocumented types, background, refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from conformance.decode.identity import identities
from conformance.decode.response import Received
from conformance.exchange.exchange import Exchange
from conformance.judge.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, Case, Result, evaluate
from tests.support.streams import Stream, call, chunks, decoded, message, reasoning, stream
from tests.test_verdict import exchange
from tools.in_process import cases

SEARCH: dict[str, Any] = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
APPROVAL: dict[str, Any] = {"type": "mcp_approval_request"}


class One:
    """A record in which every scenario has the same exchange."""

    def __init__(self, given: Exchange) -> None:
        self._given = given

    def received(self, scenario: str) -> Received:
        return Received(self._given, scenario)


def case(name: str) -> Case:
    return next(one for one in cases() if one.id == name)


def result(name: str, events: Stream, **sent: Any) -> Result:
    given = replace(exchange("text.stream"), chunks=chunks(events))
    body = {"model": "mimo-v2.5-pro", "input": "Say hello.", "stream": True, **sent}
    return evaluate(case(name), One(replace(given, request=replace(given.request, body=json.dumps(body).encode()))))


def shown(events: Stream, output: Sequence[dict[str, Any]]) -> Stream:
    """The stream with another final output."""
    *begun, end = events
    return [*begun, {**end, "response": {**end["response"], "output": list(output)}}]


def final(events: Stream) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = events[-1]["response"]["output"]
    return found


@pytest.mark.parametrize("ahead", [True, False])
def test_undocumented_items_may_stand_in_the_final_output_only(ahead: bool) -> None:
    events = stream(reasoning(0), message(1))
    more = [SEARCH, APPROVAL]
    output = [*more, *final(events)] if ahead else [*final(events), *more]
    assert result("sum.final-output@text.stream", shown(events, output)).verdict == PASS


def test_undocumented_items_may_be_streamed_only() -> None:
    search = [{"type": f"response.output_item.{one}", "output_index": 0, "item": SEARCH} for one in ("added", "done")]
    events = stream((search, SEARCH), message(1))
    kept = [item for item in final(events) if item["type"] == "message"]
    assert result("sum.final-output@text.stream", shown(events, kept)).verdict == PASS


def test_a_text_is_compared_where_its_item_stands_in_the_final_output() -> None:
    events = stream(reasoning(0), message(1))
    spoiled = json.loads(json.dumps(final(events)))
    spoiled[1]["content"][0]["text"] += "!"
    found = result("sum.final-output@text.stream", shown(events, [SEARCH, *spoiled]))
    assert found.verdict == FAIL
    assert [one.pointer for one in found.findings] == ["/response/output/2"]


def test_a_documented_item_must_be_in_both() -> None:
    events = stream(reasoning(0), message(1))
    assert result("sum.final-output@text.stream", shown(events, [SEARCH, final(events)[1]])).verdict == FAIL
    assert result("sum.final-output@text.stream", shown(events, [*final(events), {"id": "x"}])).verdict == FAIL


@pytest.mark.parametrize(("background", "verdict"), [(True, PASS), (False, FAIL), (None, FAIL)])
def test_a_response_in_the_background_is_created_as_queued(background: bool | None, verdict: str) -> None:
    created, *others = stream(message())
    events = [{**created, "response": {**created["response"], "status": "queued"}}, *others]
    assert result("lifecycle.snapshots@text.stream", events, background=background).verdict == verdict


def test_a_refusal_in_place_of_a_text_causes_no_text_events() -> None:
    part = {"type": "refusal", "refusal": "I cannot say that."}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    written = [{"type": f"response.output_item.{one}", "output_index": 0, "item": item} for one in ("added", "done")]
    name = "event.seen.response.output_text.delta@text.stream"
    refusing = result(name, stream((written, item)))
    assert (refusing.verdict, refusing.reason.text) == (INCONCLUSIVE, "the model wrote a refusal and no text")
    silent = [event for event in stream(message()) if event["type"] != "response.output_text.delta"]
    assert result(name, silent).verdict == FAIL


def test_an_undocumented_item_before_others_does_not_move_their_ids() -> None:
    """In the final output only: two items of the same type then stand at other places than they were streamed at."""
    events = stream(message(0), message(1))
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    last = events[-1]["response"]
    events[-1] = {**events[-1], "response": {**last, "output": [search, *last["output"]]}}
    assert [one.rule for one in identities(decoded(events))[0]] == []


@pytest.mark.parametrize(
    ("arguments", "tokens", "verdict"),
    [
        ('{"a": 1}', 8, NOT_APPLICABLE),
        ('{"a": 1}', 5, NOT_APPLICABLE),
        ('{"a": 1}', 9, INCONCLUSIVE),
        ('{"a": 1}', 0, INCONCLUSIVE),
        ('{"a":', 8, FAIL),
        ('{"a":', 5, INCONCLUSIVE),
        (None, 8, INCONCLUSIVE),
    ],
)
def test_a_complete_call_within_the_cap_need_not_be_truncated(arguments: str | None, tokens: int, verdict: str) -> None:
    events = stream(message(0) if arguments is None else call(0, arguments=arguments))
    events[-1]["response"]["usage"] = {"output_tokens": tokens}
    found = result("truncation.incomplete@tools.cut.stream", events, max_output_tokens=8, tools=[])
    assert found.verdict == verdict
