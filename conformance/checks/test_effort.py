"""Effort: none does not think, every other value does, all alike, and the reasoning is well formed."""

from __future__ import annotations

from conformance.decode.events import objects, text
from conformance.decode.response import Answer, CannotJudge, DoesNotApply
from conformance.judge.applicability import COMPARES, FINAL_RESPONSE, UNKNOWN_SENDER, WORDING, Where
from conformance.judge.common import between, must_be_served, refused
from conformance.judge.selectors import ANSWERS, answers, each, pairs, together
from conformance.judge.verdict import EXAMINED, Examined, Finding, Findings, Group, check
from conformance.scenarios.context import World

_DETAILS = ("output_tokens_details", "reasoning_tokens")

_PLAIN_VALUES = together("efforts", "thinking", stream=False)
_STREAMED_VALUES = together("efforts.stream", "thinking", stream=True)


def _off(world: World) -> list[Group]:
    """The answers to requests that turn thinking off."""
    return answers(where=lambda one: world.contract.turns_thinking_off(one.body))(world)


@check("effort.{effort}-accepted", over=each("effort"), aside=UNKNOWN_SENDER)
def test_effort_is_accepted(answer: Answer) -> Findings:
    yield from must_be_served(answer)


@check(
    "effort.none-does-not-think",
    over=_off,
    where=Where("finished", leans_on=("*",), without_thinking=True),
)
def test_none_does_not_think(answer: Answer) -> Findings:
    off = f"effort {answer.contract.effort.off}"
    if answer.response:
        yield EXAMINED
    for place, _ in answer.items("reasoning"):
        pointer = f"{answer.pointer}/output/{place}"
        yield Finding(f"{off}, and yet a reasoning item", pointer, answer.event, "no reasoning", "reasoning")
    if answer.looks_like_stream:
        for event in answer.events:
            if "reasoning" in event.type:
                yield Finding(f"{off}, and yet {event.type}", "/type", event.index, "no reasoning", event.type)
    if isinstance(answer.response.get("usage"), dict) and (counted := answer.tokens(*_DETAILS)):
        pointer = f"{answer.pointer}/usage/{'/'.join(_DETAILS)}"
        yield Finding(f"{off}, and yet {counted} reasoning tokens", pointer, answer.event, 0, counted)


@check("effort.{effort}-thinks", over=each("thinking"), aside=UNKNOWN_SENDER)
def test_effort_thinks(answer: Answer) -> Findings:
    yield from _thinks(answer)


@check("effort.{effort}-thinks", over=each("thinking-call"), aside=UNKNOWN_SENDER)
def test_effort_thinks_with_tools_too(answer: Answer) -> Findings:
    yield from _thinks(answer)


def _thinks(answer: Answer) -> Findings:
    if answer.response:
        yield EXAMINED
    if not answer.response or answer.thinks:
        return
    message = f"no sign of reasoning with a question worth it (asked {len(answer.samples)} times at the most)"
    yield Finding(message, answer.pointer + "/output", answer.event, "reasoning", "none")


@check(
    "effort.values-alike",
    over=lambda world: _PLAIN_VALUES(world) + _STREAMED_VALUES(world),
    together=True,
    aside=COMPARES,
)
def test_values_do_the_same(given: list[Answer]) -> Findings:
    kinds = {answer.scenario: _kinds(answer) for answer in given}
    usual = next(iter(kinds.values()))
    for name, got in kinds.items():
        yield Examined(bool(got or usual))
        if got != usual:
            message = f"{name} gives other kinds than {given[0].scenario}"
            yield Finding(message, want=sorted(usual), got=sorted(got), scenario=name)


def _kinds(answer: Answer) -> frozenset[str]:
    if answer.looks_like_stream:
        return frozenset(f"{event.type} {event.part_type}".strip() for event in answer.events)
    return frozenset(str(item.get("type")) for item in answer.output)


@check("effort.reasoning-precedes-answer", over=ANSWERS, where=FINAL_RESPONSE)
def test_reasoning_comes_before_its_answer(answer: Answer) -> Findings:
    kinds = [item.get("type") for item in answer.output]
    if "reasoning" in kinds:
        yield EXAMINED
        first = kinds.index("reasoning")
        ahead = [kind for kind in kinds[:first] if kind in ("message", "function_call", "custom_tool_call")]
        if ahead and all(kind == "reasoning" for kind in kinds[first:]):
            message = f"the reasoning item comes after the {ahead[0]} it led to"
            yield Finding(message, f"{answer.pointer}/output/{first}", answer.event, "reasoning first", kinds)


@check("effort.reasoning-item-shape", over=ANSWERS, where=Where("finished", leans_on=("reasoning", "include")))
def test_reasoning_item_holds_reasoning_text(answer: Answer) -> Findings:
    for place, item in answer.items("reasoning"):
        yield EXAMINED
        pointer = f"{answer.pointer}/output/{place}/content"
        parts = objects(item.get("content"))
        for index, part in enumerate(parts):
            if isinstance(part.get("type"), str) and part["type"] != "reasoning_text":
                message = f"a reasoning item's part has type {part['type']!r}"
                yield Finding(message, f"{pointer}/{index}/type", answer.event, "reasoning_text", part["type"])
        cut = answer.response.get("status") != "completed"
        if not cut and answer.tokens(*_DETAILS) and not any(text(part.get("text")) for part in parts):
            message = "a reasoning item holds no reasoning text though reasoning tokens are counted"
            yield Finding(message, pointer, answer.event, "reasoning_text parts", item.get("content"))


@check("effort.tokens-agree", over=ANSWERS, where=FINAL_RESPONSE)
def test_reasoning_text_is_counted(answer: Answer) -> Findings:
    counted = answer.tokens(*_DETAILS)
    if answer.thoughts and counted is not None:
        yield EXAMINED
    if answer.thoughts and counted == 0:
        pointer = f"{answer.pointer}/usage/{'/'.join(_DETAILS)}"
        yield Finding("reasoning is there, and 0 reasoning tokens are counted", pointer, answer.event, "more than 0", 0)


@check("effort.tokens-agree", over=together("thinking", "thinking"), together=True)
def test_counted_reasoning_is_visible_where_it_usually_is(given: list[Answer]) -> Findings:
    counted = [answer for answer in given if _counted(answer)]
    visible = [answer for answer in counted if answer.thoughts]
    if not counted:
        raise CannotJudge("no answer counted reasoning tokens")
    if len(visible) * 2 > len(counted):
        for answer in counted:
            yield EXAMINED
            if not answer.thoughts:
                message = "reasoning tokens are counted and no reasoning is shown, unlike in most answers"
                yield Finding(message, answer.pointer + "/output", answer.event, "reasoning", "none", answer.scenario)


def _counted(answer: Answer) -> bool:
    try:
        return bool(answer.tokens(*_DETAILS))
    except CannotJudge:
        return False


@check("effort.no-markup-leak", over=ANSWERS, where=FINAL_RESPONSE, aside=WORDING)
def test_no_thinking_markup_in_the_answer(answer: Answer) -> Findings:
    if answer.words:
        yield EXAMINED
    for mark in ("<think>", "</think>", "<|channel|>", "◁think▷"):
        if mark in answer.words:
            yield Finding(f"the visible text holds {mark}", answer.pointer + "/output", answer.event, "no markup", mark)


@check(
    "effort.unknown-value",
    over=each("enum", where=lambda one: one.about["parameter"] == "reasoning.effort"),
    aside=UNKNOWN_SENDER,
)
def test_unknown_effort_is_refused(answer: Answer) -> Findings:
    was_refused = refused(answer)
    yield EXAMINED
    if not was_refused:
        yield Finding(f"answered with HTTP {answer.arrived}", want="a 4xx status", got=answer.arrived)


@check("effort.default", over=each("effort-default"))
def test_default_effort(answer: Answer) -> Findings:
    yield Finding("thinks" if answer.thinks else "does not think")


@check("effort.plain-equals-stream", over=pairs("effort"), together=True, aside=COMPARES)
def test_thinking_is_the_same_plain_and_streaming(given: list[Answer]) -> Findings:
    plain, stream = given
    if not (plain.response and stream.response):
        raise DoesNotApply("one of the two has no Response")
    yield EXAMINED
    if plain.thinks != stream.thinks:
        says = {True: "thinks", False: "does not think"}
        message = f"plain {says[plain.thinks]}, streaming {says[stream.thinks]}"
        yield between(plain, stream, message, "", says[plain.thinks], says[stream.thinks])
