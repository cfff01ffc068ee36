"""JSON output, conversations of several turns, and concurrent requests whose responses are not mixed up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.decode.events import Event, mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import COMPARES, NEEDS_A_CAUSE, UNKNOWN_SENDER, Where
from conformance.judge.common import does_not_apply_if_too_long, must_be_served, must_be_served_or_refused, scenario_of
from conformance.judge.selectors import each, everything
from conformance.judge.selectors import together as all_of
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check
from conformance.scenarios.ordinary import IS_JSON


def _returns_items(sent: Mapping[str, Any]) -> bool:
    """Whether the input contains items with the ids of an earlier response."""
    return any(isinstance(item.get(name), str) for item in objects(sent.get("input")) for name in ("id", "call_id"))


_RETURNS = Where("finished", when=_returns_items)

#: Members whose value belongs to one request, and that a Response may repeat.
_OWN = frozenset({"metadata", "instructions", "user", "safety_identifier", "prompt_cache_key", "previous_response_id"})

STREAMED = everything("streams", where=lambda one: one.streaming)


@check("format.json-object", over=each("json"), not_for_captured=NEEDS_A_CAUSE)
def test_json_object_is_one(received: Received) -> Findings:
    if received.response.get("status") != "completed":
        raise DoesNotApply("the response is not completed")
    yield EXAMINED
    if not IS_JSON.met(received):
        count = len(received.samples)
        message = f"the text was not a JSON object in {count} response{'s' * (count > 1)}"
        yield Finding(message, received.pointer + "/output", received.event, "a JSON object", received.words[:160])


@check(
    "turns.history-accepted",
    over=each("turns", where=lambda one: "returned" not in one.tags),
    not_for_captured=UNKNOWN_SENDER,
)
def test_history_is_accepted(received: Received, case: Case) -> Findings:
    does_not_apply_if_too_long(received, case)
    yield from must_be_served(received)


@check("turns.full-output-returned", over=each("returned"), not_for_captured=UNKNOWN_SENDER)
def test_returned_output_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check("parallel.requests-do-not-mix", over=all_of("parallel", "parallel"), together=True, not_for_captured=COMPARES)
def test_concurrent_requests_keep_to_themselves(given: list[Received], case: Case) -> Findings:
    yield from _keep_to_themselves(given, case)


@check("parallel.requests-do-not-mix", over=all_of("burst", "codeword"), together=True, not_for_captured=COMPARES)
def test_requests_of_many_kinds_keep_to_themselves(given: list[Received], case: Case) -> Findings:
    yield from _keep_to_themselves(given, case)


@check("parallel.requests-do-not-mix", over=all_of("effects", "effects"), together=True, not_for_captured=COMPARES)
def test_undocumented_parameters_keep_to_themselves(given: list[Received], case: Case) -> Findings:
    """Two requests with one cache key, and with metadata of their own."""
    yield from _keep_to_themselves(given, case)


def _keep_to_themselves(given: list[Received], case: Case) -> Findings:
    given = [one for one in given if one.exchange.scenario == one.scenario]  # Not a request that contains this one.
    words = {received.scenario: scenario_of(received, case).about["codeword"] for received in given}
    served = [received for received in given if received.exchange.ok]
    if len(served) < 2 and all(received.exchange.refused for received in given if received not in served):
        raise DoesNotApply(f"{len(served) or 'none'} of {len(given)} requests was served, the others refused")
    if len(served) < 2:
        raise CannotEvaluate(f"{len(served)} of {len(given)} concurrent requests served; the rule needs at least 2")
    for received in served:
        body = received.exchange.body
        yield Examined(bool(body))
        for other, word in words.items():
            if other != received.scenario and word.encode() in body:
                message = f"the response contains {word!r}, which only {other} requested"
                yield Finding(message, want=words[received.scenario], got=word, scenario=received.scenario)


@check("parallel.requests-do-not-mix", over=STREAMED, together=True, not_for_captured=COMPARES)
def test_streams_have_no_events_of_others(given: list[Received]) -> Findings:
    own = {received.scenario: _item_ids(received) for received in given}
    owners = {ident: received for received in given for ident in own[received.scenario]}
    yield Examined(len(own) if len(owners) > 1 else 0)
    for received in given:
        for event in _events(received):
            other = owners.get(event.item_id or "")
            if other and event.item_id not in own[received.scenario] and other.exchange.key != received.exchange.key:
                message = f"{event.type} has the item_id of an item in the response to {other.scenario}"
                yield Finding(message, "/item_id", event.index, got=event.item_id, scenario=received.scenario)
                break


@check("parallel.requests-do-not-mix", over=everything("echoes"), together=True, not_for_captured=COMPARES)
def test_no_parameter_of_another_request_is_echoed(given: list[Received]) -> Findings:
    given = [one for one in given if one.exchange.scenario == one.scenario]  # Not a request that contains this one.
    owners = {(name, str(received.sent[name])): received for received in given for name in _OWN & received.sent.keys()}
    for received in given:
        response = _response(received)
        echoed = {name: response[name] for name in _OWN if response.get(name) and received.sent.get(name) is None}
        yield Examined(len(echoed) or bool(response))
        for name, value in echoed.items():
            other = owners.get((name, str(value)))
            if other and not _contains(received, value):
                message = f"{name} in the response is that of the request {other.scenario}; this one has none"
                pointer = f"{received.pointer}/{name}"
                yield Finding(message, pointer, received.event, None, value, received.scenario)


def _response(received: Received) -> Mapping[str, Any]:
    try:
        return received.response if received.exchange.ok else {}
    except CannotEvaluate:
        return {}


def _contains(received: Received, value: object) -> bool:
    """Whether the request contains the value anywhere: a server may show a system message as instructions."""
    return isinstance(value, str) and value in json.dumps(received.sent, ensure_ascii=False)


def _events(received: Received) -> Sequence[Event]:
    try:
        return received.events if received.exchange.ok and received.looks_like_stream else ()
    except CannotEvaluate:
        return ()


def _item_ids(received: Received) -> set[str]:
    """The ids of the items of a stream, and of those that its request contains."""
    items = [mapping(event.data.get("item")) for event in _events(received)]
    items += [item for event in _events(received) for item in objects(event.response.get("output"))]
    return {text(item.get("id")) for item in (*items, *objects(received.sent.get("input")))} - {""}


@check("turns.unusual-history", over=each("unusual"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_unusual_history_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("response.output-is-new", over=all_of("items-returned", "turns", "follow-up", "combination"), where=_RETURNS)
def test_output_repeats_no_item_of_the_input(received: Received) -> Findings:
    sent = objects(received.sent.get("input"))
    known = {item[name] for item in sent for name in ("id", "call_id") if isinstance(item.get(name), str)}
    yield Examined(len(received.output) if known else 0)
    for place, item in enumerate(received.output):
        for name in ("id", "call_id"):
            if isinstance(item.get(name), str) and item[name] and item[name] in known:
                message = f"the output contains an item of the input: its {name} was sent in the request"
                pointer = f"{received.pointer}/output/{place}/{name}"
                yield Finding(message, pointer, received.event, "what was generated", item[name])
                break
