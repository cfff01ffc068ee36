"""Concurrent requests: what belongs to only one of them is in no response to another.

The wording of a model is no evidence. A codeword that only one request contains is, and so are an id, and what differs
between a request and the same one with another value of ``stream``, and is as in the response to a third one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.decode.events import Event, mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import COMPARES
from conformance.judge.common import between, scenario_of
from conformance.judge.selectors import everything, together
from conformance.judge.token_counts import SPREAD
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check
from conformance.scenarios.scenario import Scenario

#: Tags of scenarios with a codeword that only their own response may contain.
_MARKED = frozenset({"parallel", "codeword", "effects"})

#: Members whose value belongs to one request, and that a Response may repeat.
_OWN = frozenset({"metadata", "instructions", "user", "safety_identifier", "prompt_cache_key", "previous_response_id"})

_CAP = "max_output_tokens"

_SERVED = everything("answers", where=lambda one: one.expect == "answer")


@check("parallel.requests-do-not-mix", over=together("parallel", "parallel"), together=True, not_for_captured=COMPARES)
def test_concurrent_requests_keep_to_themselves(given: list[Received], case: Case) -> Findings:
    yield from _keep_to_themselves(given, case)


@check("parallel.requests-do-not-mix", over=together("burst", "codeword"), together=True, not_for_captured=COMPARES)
def test_requests_of_many_kinds_keep_to_themselves(given: list[Received], case: Case) -> Findings:
    yield from _keep_to_themselves(given, case)


@check("parallel.requests-do-not-mix", over=together("effects", "effects"), together=True, not_for_captured=COMPARES)
def test_undocumented_parameters_keep_to_themselves(given: list[Received], case: Case) -> Findings:
    """Two requests with one cache key, and with metadata of their own."""
    yield from _keep_to_themselves(given, case)


def _keep_to_themselves(given: list[Received], case: Case) -> Findings:
    given = [one for one in given if one.exchange.scenario == one.scenario]  # Not a request that contains this one.
    served = [received for received in given if received.exchange.ok]
    if len(served) < 2 and all(received.exchange.refused for received in given if received not in served):
        raise DoesNotApply(f"{len(served) or 'none'} of {len(given)} requests was served, the others refused")
    if len(served) < 2:
        raise CannotEvaluate(f"{len(served)} of {len(given)} concurrent requests served; the rule needs at least 2")
    for received in served:
        yield from _codewords_of_others(received, case)


def _unmarked(one: Scenario) -> bool:
    return one.expect == "answer" and not one.tags & _MARKED


@check("parallel.requests-do-not-mix", over=everything("others", where=_unmarked), not_for_captured=COMPARES)
def test_other_responses_have_no_codeword(received: Received, case: Case) -> Findings:
    yield from _codewords_of_others(received, case)


def _codewords_of_others(received: Received, case: Case) -> Findings:
    """Findings for the codewords in a served response that only other requests contain."""
    if not received.exchange.ok:
        return
    marked = (one for one in case.context.scenarios.values() if one.tags & _MARKED)
    words = {one.about["codeword"]: one.name for one in marked}
    deltas = "".join(text(event.data.get("delta")) for event in _events(received))
    body = received.exchange.body + deltas.encode(errors="replace")  # A delta can end between two surrogates.
    yield Examined(bool(body))
    for word, other in words.items():
        if word.encode() in body and word.encode() not in received.exchange.request.body:
            message = f"the response contains {word!r}, which only {other} requested"
            own = scenario_of(received, case).about.get("codeword", "no codeword")
            yield Finding(message, want=own, got=word, scenario=received.scenario)


@check(
    "parallel.requests-do-not-mix",
    over=everything("streams", where=lambda one: one.streaming),
    together=True,
    not_for_captured=COMPARES,
)
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


@check(
    "parallel.requests-do-not-mix",
    over=everything("ends", where=lambda one: one.streaming),
    together=True,
    not_for_captured=COMPARES,
)
def test_streams_end_with_their_own_response(given: list[Received]) -> Findings:
    first = {received.scenario: _response_ids(received) for received in given}
    owners = {ids[0]: received for received in reversed(given) if (ids := first[received.scenario])}
    yield Examined(len(owners) if len(owners) > 1 else 0)
    for received in given:
        ids = first[received.scenario]
        other = owners.get(ids[-1]) if len(ids) > 1 and ids[-1] not in ids[:-1] else None
        if other and other.exchange.key != received.exchange.key:
            end = received.terminal
            message = f"{end.type} is that of the response to {other.scenario}"
            yield Finding(message, "/response/id", end.index, ids[0], ids[-1], received.scenario)


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


@check("parallel.requests-do-not-mix", over=together("calls", "call"), together=True, not_for_captured=COMPARES)
def test_calls_are_those_of_the_request(given: list[Received], case: Case) -> Findings:
    cities = {one.scenario: scenario_of(one, case).about.get("cities", "").split() for one in given}
    owners = {city: name for name, known in reversed(cities.items()) for city in known}
    for received, counterpart in _counterparts(given):
        called, usual = _arguments(received), _arguments(counterpart)
        if not called or not any(city in usual for city in cities[received.scenario]):
            continue  # The calls of this server do not depend on the question.
        yield EXAMINED
        for city, other in owners.items():
            if city in called and not _contains(received, city):
                message = f"a call contains {city!r}, which only {other} requests"
                pointer = received.pointer + "/output"
                yield Finding(message, pointer, received.event, cities[received.scenario], city, received.scenario)


@check("parallel.requests-do-not-mix", over=_SERVED, together=True, not_for_captured=COMPARES)
def test_usage_is_that_of_the_request(given: list[Received]) -> Findings:
    pairs = [(one, counterpart) for one, counterpart in _counterparts(given) if _usage(one) and _usage(counterpart)]
    yield Examined(len(pairs))
    found = list(_with_usage_of_another(pairs))
    if len(found) > 1:  # One may be a coincidence.
        yield from found


def _with_usage_of_another(pairs: Sequence[tuple[Received, Received]]) -> Iterator[Finding]:
    """Findings for responses whose usage is not as usual for their request, and the same as that of a response at the
    same time, for whose request it is usual."""
    right = [
        one for one, counterpart in pairs if _counts_equal(one, counterpart) and _usage(one)[1] != one.sent.get(_CAP)
    ]
    for received, counterpart in pairs:
        equal = (one for one in right if _usage(one) == _usage(received) and _at_the_same_time(one, received))
        if not _counts_equal(received, counterpart) and (other := next(equal, None)):
            message = f"usage is that of the response to {other.scenario}"
            want, got = _usage(counterpart)[0], _usage(received)[0]
            yield between(counterpart, received, message, f"{received.pointer}/usage/input_tokens", want, got)


def _at_the_same_time(one: Received, two: Received) -> bool:
    first, second = sorted((one.exchange, two.exchange), key=lambda exchange: exchange.sent_at)
    return second.sent_at <= first.sent_at + first.elapsed / 1000


def _counterparts(given: Sequence[Received]) -> Iterator[tuple[Received, Received]]:
    """Each response with the one to the same request with another value of ``stream``."""
    named = {one.scenario: one for one in given}
    for plain in given:
        stream = named.get(f"{plain.scenario}.stream")
        if stream and {**plain.sent, "stream": True} == stream.sent:
            yield plain, stream
            yield stream, plain


def _arguments(received: Received) -> str:
    try:
        return " ".join(text(call.get("arguments")) for _, call in received.items("function_call"))
    except CannotEvaluate:
        return ""


def _usage(received: Received) -> tuple[int, ...]:
    """The tokens of input and output; empty unless both are counted."""
    try:
        counts = [received.tokens(name) for name in ("input_tokens", "output_tokens")] if received.exchange.ok else []
    except CannotEvaluate:
        return ()
    return () if None in counts else tuple(count or 0 for count in counts)


def _counts_equal(one: Received, two: Received) -> bool:
    return abs(_usage(one)[0] - _usage(two)[0]) <= SPREAD


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


def _response_ids(received: Received) -> list[str]:
    """The ids of the Response objects of a stream that has a terminal event, in order."""
    events = _events(received) if any(event.terminal for event in _events(received)) else ()
    return [ident for event in events if (ident := text(event.response.get("id")))]


def _item_ids(received: Received) -> set[str]:
    """The ids of the items of a stream, and of those that its request contains."""
    items = [mapping(event.data.get("item")) for event in _events(received)]
    items += [item for event in _events(received) for item in objects(event.response.get("output"))]
    return {text(item.get("id")) for item in (*items, *objects(received.sent.get("input")))} - {""}
