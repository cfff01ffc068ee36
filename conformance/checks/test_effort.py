"""reasoning.effort: none turns reasoning off, every other value causes it, and the reasoning is well formed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.contract.schemas import ABSENT
from conformance.decode.events import objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import COMPARES, FINAL_RESPONSE, UNKNOWN_SENDER, WORDING, Where
from conformance.judge.common import between, error_detail, must_be_served, refused
from conformance.judge.input_items import is_of_input
from conformance.judge.reasoning import MARKS, lack_of_reasoning, shows_thinking
from conformance.judge.selectors import RESPONSES, each, pairs, responses, together
from conformance.judge.token_counts import too_few_tokens
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, Group, Selector, check
from conformance.scenarios.context import Context

_DETAILS = ("output_tokens_details", "reasoning_tokens")

#: So many later turns without reasoning are no whim of the model.
_SURE = 2

#: The same of responses to requests with a member in common.
_MANY = 3

_MEMBERS: dict[str, Callable[[Received], bool]] = {
    "with-tools": lambda one: bool(one.sent.get("tools")),
    "with-tools-in-streams": lambda one: bool(one.sent.get("tools")) and one.streaming,
    "with-instructions": lambda one: "instructions" in one.sent,
}

_PLAIN_VALUES = together("efforts", "thinking", stream=False)
_STREAMED_VALUES = together("efforts.stream", "thinking", stream=True)


def _off(context: Context) -> list[Group]:
    """The responses to requests that turn reasoning off."""
    return responses(where=lambda one: context.contract.turns_thinking_off(one.body))(context)


@check("effort.{effort}-accepted", over=each("effort"), not_for_captured=UNKNOWN_SENDER)
def test_effort_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


def _off_in(received: Received) -> str:
    """The effort that turned reasoning off, in words; :class:`DoesNotApply` where the request was sent without it."""
    off = f"effort {received.contract.effort.off}"
    if not received.contract.turns_thinking_off(received.sent):
        raise DoesNotApply(f"sent without {off}, which the server refuses")
    return off


@check(
    "effort.none-does-not-think",
    over=_off,
    where=Where("finished", depends_on=("*",), without_thinking=True),
)
def test_none_does_not_think(received: Received) -> Findings:
    off = _off_in(received)
    if received.response:
        yield EXAMINED
    for place, _ in received.items("reasoning"):
        pointer = f"{received.pointer}/output/{place}"
        yield Finding(f"received a reasoning item at {off}", pointer, received.event, "no reasoning", "reasoning")
    if received.looks_like_stream:
        for event in received.events:
            if "reasoning" in event.type:
                yield Finding(f"received {event.type} at {off}", "/type", event.index, "no reasoning", event.type)
    if isinstance(received.response.get("usage"), dict) and (counted := received.tokens(*_DETAILS)):
        pointer = f"{received.pointer}/usage/{'/'.join(_DETAILS)}"
        yield Finding(f"reasoning_tokens is {counted} at {off}", pointer, received.event, 0, counted)


def _among_all(tag: str) -> Selector:
    """A case for each scenario with the tag, beside all others that may show that the model reasons."""

    def select(context: Context) -> list[Group]:
        tags, off = {"thinking", "thinking-call", "effort-default"}, context.contract.turns_thinking_off
        every = context.scenarios.values()
        others = tuple(one.name for one in every if one.tags & tags or (one.factors and not off(one.body)))
        return [replace(group, beside=others) for group in each(tag)(context)]

    return select


@check("effort.{effort}-thinks", over=_among_all("thinking"), together=True, not_for_captured=UNKNOWN_SENDER)
def test_effort_thinks(responses: list[Received]) -> Findings:
    yield from _must_reason(responses)


@check("effort.{effort}-thinks", over=_among_all("thinking-call"), together=True, not_for_captured=UNKNOWN_SENDER)
def test_effort_thinks_with_tools_too(responses: list[Received]) -> Findings:
    yield from _must_reason(responses)


def _follow_ups(context: Context) -> list[Group]:
    """A question that the model reasons about, the turns with that effort that return a call and its output, and the
    turns before them."""
    effort = context.contract.effort.usual
    found = [one for one in context.scenarios.values() if {"reasoning-returned", "follow-up"} <= one.tags]
    names = tuple(one.name for one in found if (one.body.get("reasoning") or {}).get("effort") == effort)
    control, first = f"effort.{effort}", tuple({one.after: 1 for one in found if one.name in names and one.after})
    group = Group("follow-ups", (control, *names), {"effort": effort}, beside=first)
    return [group] if control in context.scenarios else []


@check("effort.{effort}-thinks", over=_follow_ups, together=True, not_for_captured=COMPARES)
def test_effort_thinks_in_later_turns_too(responses: list[Received], case: Case) -> Findings:
    control, *others = responses
    later = [one for one in others if one.exchange.ok and one.scenario in case.scenarios]
    if not control.exchange.ok or not control.has_reasoning or len(later) < _SURE:
        raise DoesNotApply("no reasoning about the question itself, or too few later turns were served")
    # A model need not reason about a question that only needs a call.
    if not any(shows_thinking(one) for one in others if one.scenario not in case.scenarios):
        raise CannotEvaluate("the model did not reason in the turns before either")
    yield Examined(len(later))
    if not any(one.has_reasoning for one in later):
        message = f"no sign of reasoning in {len(later)} later turns, although {control.scenario} has it"
        yield Finding(message, want="reasoning", got="none", scenario=later[0].scenario)


def _beside_other_members(context: Context) -> list[Group]:
    """For each member that may turn reasoning off by mistake all requests that turn it on."""
    usual = context.contract.effort.usual
    asking = [one for one in context.scenarios.values() if one.expect == "answer" and "reasoning" in one.body]
    names = tuple(one.name for one in asking if not context.contract.turns_thinking_off(one.body))
    return [Group(label, names, {"effort": usual}) for label in _MEMBERS if names]


@check("effort.{effort}-thinks", over=_beside_other_members, together=True, not_for_captured=COMPARES)
def test_effort_thinks_whatever_else_is_sent(given: list[Received], case: Case) -> Findings:
    served = [one for one in given if one.exchange.ok and "reasoning" in one.sent and shows_thinking(one) is not None]
    has = _MEMBERS[case.label]
    beside, others = [one for one in served if has(one)], [one for one in served if not has(one)]
    if min(len(beside), len(others)) < _MANY or not all(map(shows_thinking, others)):
        raise DoesNotApply("too few of these requests were served, or not all of the others have reasoning")
    yield Examined(len(beside))
    if not any(map(shows_thinking, beside)):
        which = f"{len(beside)} responses {case.label.replace('-', ' ')}"
        message = f"no sign of reasoning in {which}, although all others have it"
        yield Finding(message, want="reasoning", got="none", scenario=beside[0].scenario)


def _must_reason(responses: list[Received]) -> Findings:
    received, *others = responses
    if received.response:
        yield EXAMINED
    if not received.response or received.has_reasoning:
        return
    message = lack_of_reasoning(received, others)
    yield Finding(message, received.pointer + "/output", received.event, "reasoning", "none")


@check(
    "effort.values-alike",
    over=lambda context: _PLAIN_VALUES(context) + _STREAMED_VALUES(context),
    together=True,
    not_for_captured=COMPARES,
)
def test_values_do_the_same(given: list[Received]) -> Findings:
    kinds = {received.scenario: _kinds(received) for received in given}
    usual = Counter(kinds.values()).most_common(1)[0][0]
    most = next(name for name, got in kinds.items() if got == usual)
    for name, got in kinds.items():
        yield Examined(bool(got or usual))
        if got != usual:
            message = f"{name} has other types of items or events than {most}"
            yield Finding(message, want=sorted(usual), got=sorted(got), scenario=name)


def _kinds(received: Received) -> frozenset[str]:
    if received.looks_like_stream:
        return frozenset(f"{event.type} {event.part_type}".strip() for event in received.events)
    return frozenset(str(item.get("type")) for item in received.output)


@check("effort.reasoning-precedes-answer", over=RESPONSES, where=FINAL_RESPONSE)
def test_reasoning_precedes_its_message(received: Received) -> Findings:
    places, kinds = _generated(received)
    if "reasoning" in kinds:
        yield EXAMINED
        first = kinds.index("reasoning")
        ahead = [kind for kind in kinds[:first] if kind in ("message", "function_call", "custom_tool_call")]
        if ahead and all(kind == "reasoning" for kind in kinds[first:]):
            message = f"the reasoning item follows the {ahead[0]} item"
            pointer = f"{received.pointer}/output/{places[first]}"
            yield Finding(message, pointer, received.event, "reasoning first", kinds)


def _generated(received: Received) -> tuple[list[int], list[object]]:
    """The places and types of the output items, without those of the input, which response.output-is-new reports."""
    new = [place for place, item in enumerate(received.output) if not is_of_input(item, received)]
    return new, [received.output[place].get("type") for place in new]


@check("effort.reasoning-item-shape", over=RESPONSES, where=Where("finished", depends_on=("reasoning", "include")))
def test_reasoning_item_contains_reasoning_text(received: Received, case: Case) -> Findings:
    for place, item in received.items("reasoning"):
        yield EXAMINED
        pointer = f"{received.pointer}/output/{place}/content"
        parts = objects(item.get("content"))
        for index, part in enumerate(parts):
            if isinstance(part.get("type"), str) and part["type"] != "reasoning_text":
                message = f"a part of a reasoning item has type {part['type']!r}"
                yield Finding(message, f"{pointer}/{index}/type", received.event, "reasoning_text", part["type"])
        needless = received.response.get("status") != "completed" or _may_be_hidden(item, case)
        if not needless and received.tokens(*_DETAILS) and not any(text(part.get("text")) for part in parts):
            summarised = any(text(part.get("text")) for part in objects(item.get("summary")))
            has = "has its text only in summary" if summarised else "contains no reasoning text"
            message = f"a reasoning item {has}, but reasoning_tokens is greater than 0"
            yield Finding(message, pointer, received.event, "reasoning_text parts", item.get("content", ABSENT))


def _may_be_hidden(item: dict[str, Any], case: Case) -> bool:
    """Whether the text of a reasoning item may be missing: the profile allows it; or the traffic has no profile, and
    the item has the members by which OpenAI and others replace it."""
    shown = case.context.target.reasoning
    return shown == "hidden" or (shown == "unknown" and bool({"summary", "encrypted_content"} & item.keys()))


@check("effort.tokens-agree", over=RESPONSES, where=FINAL_RESPONSE)
def test_reasoning_text_is_counted(received: Received) -> Findings:
    counted = received.tokens(*_DETAILS)
    if too_few_tokens(received):
        raise DoesNotApply("output_tokens is implausibly low, which another rule reports")
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
def test_no_reasoning_markup_in_the_response(received: Received) -> Findings:
    if received.words:
        yield EXAMINED
    for mark in MARKS:
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
        message = f"received HTTP {received.arrived}{error_detail(received)}"
        yield Finding(message, want="a 4xx status", got=received.arrived)


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
        message = f"plain response: {_reasoning_of(plain)}, streamed response: {_reasoning_of(stream)}"
        yield between(plain, stream, message, "", _reasoning_of(plain), _reasoning_of(stream))


def _reasoning_of(received: Received) -> str:
    """Whether a response shows reasoning, or has it in the text."""
    if received.has_reasoning:
        return "reasoning"
    marks = [mark for mark in MARKS if mark in received.words]
    return f"no reasoning, but {marks[0]} in the text" if marks else "no reasoning"
