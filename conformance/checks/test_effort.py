"""reasoning.effort: none turns reasoning off, every other value causes it, and the reasoning is well formed."""

from __future__ import annotations

from conformance.decode.events import mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import COMPARES, FINAL_RESPONSE, UNKNOWN_SENDER, WORDING, Where, effort_is_none
from conformance.judge.common import between, must_be_served, refused
from conformance.judge.selectors import RESPONSES, each, pairs, responses, together
from conformance.judge.verdict import EXAMINED, Examined, Finding, Findings, check
from conformance.scenarios.scenario import Scenario

_DETAILS = ("output_tokens_details", "reasoning_tokens")

_PLAIN_VALUES = together("efforts", "thinking", stream=False)
_STREAMED_VALUES = together("efforts.stream", "thinking", stream=True)


def _none(one: Scenario) -> bool:
    return mapping(one.body.get("reasoning")).get("effort") == "none"


@check("effort.{effort}-accepted", over=each("effort"), not_for_captured=UNKNOWN_SENDER)
def test_effort_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check(
    "effort.none-does-not-think",
    over=responses(where=_none),
    where=Where("finished", depends_on=("*",), when=effort_is_none),
)
def test_none_does_not_think(received: Received) -> Findings:
    if received.response:
        yield EXAMINED
    for place, _ in received.items("reasoning"):
        pointer = f"{received.pointer}/output/{place}"
        message = "reasoning item received at reasoning.effort none"
        yield Finding(message, pointer, received.event, "no reasoning", "reasoning")
    if received.looks_like_stream:
        for event in received.events:
            if "reasoning" in event.type:
                message = f"{event.type} received at reasoning.effort none"
                yield Finding(message, "/type", event.index, "no reasoning", event.type)
    if isinstance(received.response.get("usage"), dict) and (counted := received.tokens(*_DETAILS)):
        pointer = f"{received.pointer}/usage/{'/'.join(_DETAILS)}"
        yield Finding(f"reasoning_tokens is {counted} at reasoning.effort none", pointer, received.event, 0, counted)


@check("effort.{effort}-thinks", over=each("thinking"), not_for_captured=UNKNOWN_SENDER)
def test_effort_thinks(received: Received) -> Findings:
    yield from _must_reason(received)


@check("effort.{effort}-thinks", over=each("thinking-call"), not_for_captured=UNKNOWN_SENDER)
def test_effort_thinks_with_tools_too(received: Received) -> Findings:
    yield from _must_reason(received)


def _must_reason(received: Received) -> Findings:
    if received.response:
        yield EXAMINED
    if not received.response or received.has_reasoning:
        return
    count = len(received.samples)
    message = f"no reasoning for a question that needs it (in {count} response{'s' * (count > 1)})"
    yield Finding(message, received.pointer + "/output", received.event, "reasoning", "none")


@check(
    "effort.values-alike",
    over=lambda context: _PLAIN_VALUES(context) + _STREAMED_VALUES(context),
    together=True,
    not_for_captured=COMPARES,
)
def test_values_do_the_same(given: list[Received]) -> Findings:
    kinds = {received.scenario: _kinds(received) for received in given}
    usual = next(iter(kinds.values()))
    for name, got in kinds.items():
        yield Examined(bool(got or usual))
        if got != usual:
            message = f"{name}: the types of items or events differ from those of {given[0].scenario}"
            yield Finding(message, want=sorted(usual), got=sorted(got), scenario=name)


def _kinds(received: Received) -> frozenset[str]:
    if received.looks_like_stream:
        return frozenset(f"{event.type} {event.part_type}".strip() for event in received.events)
    return frozenset(str(item.get("type")) for item in received.output)


@check("effort.reasoning-precedes-answer", over=RESPONSES, where=FINAL_RESPONSE)
def test_reasoning_comes_before_its_answer(received: Received) -> Findings:
    kinds = [item.get("type") for item in received.output]
    if "reasoning" in kinds:
        yield EXAMINED
        first = kinds.index("reasoning")
        ahead = [kind for kind in kinds[:first] if kind in ("message", "function_call", "custom_tool_call")]
        if ahead and all(kind == "reasoning" for kind in kinds[first:]):
            message = f"the reasoning item follows the {ahead[0]} item"
            yield Finding(message, f"{received.pointer}/output/{first}", received.event, "reasoning first", kinds)


@check("effort.reasoning-item-shape", over=RESPONSES, where=Where("finished", depends_on=("reasoning", "include")))
def test_reasoning_item_holds_reasoning_text(received: Received) -> Findings:
    for place, item in received.items("reasoning"):
        yield EXAMINED
        pointer = f"{received.pointer}/output/{place}/content"
        parts = objects(item.get("content"))
        for index, part in enumerate(parts):
            if isinstance(part.get("type"), str) and part["type"] != "reasoning_text":
                message = f"a part of a reasoning item has type {part['type']!r}"
                yield Finding(message, f"{pointer}/{index}/type", received.event, "reasoning_text", part["type"])
        cut = received.response.get("status") != "completed"
        if not cut and received.tokens(*_DETAILS) and not any(text(part.get("text")) for part in parts):
            message = "a reasoning item contains no reasoning text, but reasoning_tokens is greater than 0"
            yield Finding(message, pointer, received.event, "reasoning_text parts", item.get("content"))


@check("effort.tokens-agree", over=RESPONSES, where=FINAL_RESPONSE)
def test_reasoning_text_is_counted(received: Received) -> Findings:
    counted = received.tokens(*_DETAILS)
    if received.reasoning_texts and counted is not None:
        yield EXAMINED
    if received.reasoning_texts and counted == 0:
        pointer = f"{received.pointer}/usage/{'/'.join(_DETAILS)}"
        yield Finding(
            "reasoning_tokens is 0, but the output contains reasoning", pointer, received.event, "more than 0", 0
        )


@check("effort.tokens-agree", over=together("thinking", "thinking"), together=True)
def test_counted_reasoning_is_visible_where_it_usually_is(given: list[Received]) -> Findings:
    counted = [received for received in given if _counted(received)]
    visible = [received for received in counted if received.reasoning_texts]
    if not counted:
        raise CannotEvaluate("no response has reasoning_tokens greater than 0")
    if len(visible) * 2 > len(counted):
        for received in counted:
            yield EXAMINED
            if not received.reasoning_texts:
                message = "reasoning_tokens is greater than 0, but the output has no reasoning, unlike most responses"
                yield Finding(
                    message, received.pointer + "/output", received.event, "reasoning", "none", received.scenario
                )


def _counted(received: Received) -> bool:
    try:
        return bool(received.tokens(*_DETAILS))
    except CannotEvaluate:
        return False


@check("effort.no-markup-leak", over=RESPONSES, where=FINAL_RESPONSE, not_for_captured=WORDING)
def test_no_thinking_markup_in_the_answer(received: Received) -> Findings:
    if received.words:
        yield EXAMINED
    for mark in ("<think>", "</think>", "<|channel|>", "◁think▷"):
        if mark in received.words:
            yield Finding(
                f"the output text contains {mark}", received.pointer + "/output", received.event, "no markup", mark
            )


@check(
    "effort.unknown-value",
    over=each("enum", where=lambda one: one.about["parameter"] == "reasoning.effort"),
    not_for_captured=UNKNOWN_SENDER,
)
def test_unknown_effort_is_refused(received: Received) -> Findings:
    was_refused = refused(received)
    yield EXAMINED
    if not was_refused:
        yield Finding(f"received HTTP {received.arrived}", want="a 4xx status", got=received.arrived)


@check("effort.default", over=each("effort-default"))
def test_default_effort(received: Received) -> Findings:
    yield Finding("reasoning" if received.has_reasoning else "no reasoning")


@check("effort.plain-equals-stream", over=pairs("effort"), together=True, not_for_captured=COMPARES)
def test_thinking_is_the_same_plain_and_streaming(given: list[Received]) -> Findings:
    plain, stream = given
    if not (plain.response and stream.response):
        raise DoesNotApply("the plain or the streamed response has no Response object")
    yield EXAMINED
    if plain.has_reasoning != stream.has_reasoning:
        names = {True: "reasoning", False: "no reasoning"}
        message = f"plain response: {names[plain.has_reasoning]}, streamed response: {names[stream.has_reasoning]}"
        yield between(plain, stream, message, "", names[plain.has_reasoning], names[stream.has_reasoning])
