"""Token counts compared between requests: equal inputs have equal counts, longer inputs have higher ones.

The contract does not define the tokenizer, so one count alone proves little. Two counts of one server can be compared:
they are made by the same tokenizer and the same chat template.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from conformance.decode.events import integer, mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import COMPARES
from conformance.judge.common import between
from conformance.judge.selectors import everything
from conformance.judge.token_counts import SPREAD, count_of_served
from conformance.judge.verdict import EXAMINED, Examined, Findings, Group, Selector, check
from conformance.scenarios.context import Context
from conformance.scenarios.inputs import MEASURE

#: Members of a request that do not change the input of the model.
_NOT_READ = ("stream", "max_output_tokens", "temperature", "top_p")

#: The relative difference allowed between two forms of one long text, and the least share of the expected tokens of a
#: long text: the tokens per character vary with numbers and line ends.
_FORMS, _LEAST = 0.01, 0.95

#: The factor by which the tokens of one text may differ: a model may write it in other tokens.
_MORE = 1.5

_CAP = "max_output_tokens"

_POINTER = "/usage/input_tokens"
_DETAILS = ("output_tokens_details", "reasoning_tokens")

#: A response with its input_tokens.
Counted = tuple[Received, int]


def _pairs(*named: tuple[str, ...]) -> Selector:
    """A case for each row of scenarios, labelled with the last."""

    def select(context: Context) -> list[Group]:
        return [Group(row[-1], row, requires_all=True) for row in named if set(row) <= set(context.scenarios)]

    return select


@check(
    "usage.same-input-same-tokens",
    over=everything("same-input", where=lambda one: one.expect == "answer"),
    together=True,
    not_for_captured=COMPARES,
)
def test_the_same_input_counts_the_same(responses: list[Received]) -> Findings:
    pairs = list(_same_input(responses))
    if not pairs:
        raise CannotEvaluate("no two requests with the same input have input_tokens")
    yield Examined(len(pairs))
    for (first, expected), (received, count) in pairs:
        if abs(count - expected) > SPREAD:
            message = f"input_tokens is {count}, but {expected} for the same input in {first.scenario}"
            yield between(first, received, message, received.pointer + _POINTER, expected, count)


def _same_input(responses: list[Received]) -> Iterator[tuple[Counted, Counted]]:
    """For each response to an input that was sent before: the first response to it, and this one."""
    first: dict[str, Counted] = {}
    for received in responses:
        count = _count(received)
        if count is None:
            continue
        read = {name: value for name, value in received.sent.items() if name not in _NOT_READ}
        counted = (received, count)
        before = first.setdefault(json.dumps(read, sort_keys=True), counted)
        if before[0].exchange.key != received.exchange.key:
            yield before, counted


@check(
    "usage.same-text-same-tokens", over=_pairs((MEASURE, "input.long-parts")), together=True, not_for_captured=COMPARES
)
def test_the_same_text_counts_the_same_in_each_form(responses: list[Received]) -> Findings:
    (string, expected), (parts, count) = _counted(responses)
    yield EXAMINED
    if abs(count - expected) > expected * _FORMS + SPREAD:
        message = f"input_tokens is {count}, but {expected} for the same text in {string.scenario}"
        yield between(string, parts, message, parts.pointer + _POINTER, expected, count)


@check(
    "usage.more-input-more-tokens", over=_pairs(("text", MEASURE, "input.very-long")), together=True,
    not_for_captured=COMPARES,
)  # fmt: skip
def test_all_of_a_long_input_is_counted(responses: list[Received]) -> Findings:
    short, measure, long = _counted(responses)
    yield from _all_is_counted(short, measure, long)


@check(
    "usage.more-input-more-tokens", over=_pairs(("text", MEASURE, "tools.unused", "turns.history-forms")),
    together=True, not_for_captured=COMPARES,
)  # fmt: skip
def test_all_of_a_long_conversation_is_counted(responses: list[Received]) -> Findings:
    short, measure, (_, with_tool), long = _counted(responses)
    # The conversation has the same tool, whose tokens are more than a dropped message could hide behind.
    yield from _all_is_counted(short, measure, long, with_tool - short[1])


def _all_is_counted(short: Counted, measure: Counted, long: Counted, tools: int = 0) -> Findings:
    """A finding if a long input has fewer tokens than its characters and its tools, which have ``tools`` of them."""
    least_size, size, long_size = (_characters(one.sent) for one, _ in (short, measure, long))
    # The short text shows what the server adds to each input, such as a system prompt.
    (_, few), (measured, known), (received, count) = short, measure, long
    prose = known + (known - few) / (size - least_size) * (long_size - size)
    least = int((prose + max(tools, 0)) * _LEAST)
    yield EXAMINED
    if count < least:
        message = (
            f"input_tokens is {count} for {long_size} characters, expected at least {least}: "
            f"{measured.scenario} has {known} for {size} characters of such text"
        )
        yield between(measured, received, message, received.pointer + _POINTER, f"at least {least}", count)


@check(
    "usage.more-input-more-tokens",
    over=_pairs(("max_output_tokens=1", "tools.unused"), ("tools.call", "tools.output")),
    together=True,
    not_for_captured=COMPARES,
)
def test_what_is_added_is_counted(responses: list[Received]) -> Findings:
    (less, known), (more, count) = _counted(responses)
    yield EXAMINED
    if count <= known:
        known_in = f"which the shorter input of the scenario {less.scenario} has"
        message = f"input_tokens is {count}, expected more than {known}, {known_in}"
        yield between(less, more, message, more.pointer + _POINTER, f"more than {known}", count)


def _previous(context: Context) -> list[Group]:
    """A response, and a shorter request with its id as previous_response_id."""
    names = ("parallel.1", "undocumented.previous_response_id-real")
    return [Group("earlier-response", names, requires_all=True)] if set(names) <= set(context.scenarios) else []


@check("unsupported.previous-response-id-not-honoured", over=_previous, together=True, not_for_captured=COMPARES)
def test_the_earlier_conversation_is_not_counted(responses: list[Received]) -> Findings:
    (earlier, known), (later, count) = _counted(responses)
    output = earlier.tokens("output_tokens")
    if not output:
        raise DoesNotApply("the earlier response has no output_tokens")
    yield EXAMINED
    if count >= known + output:
        message = (
            f"previous_response_id is in effect: input_tokens is {count}, expected less than {known},"
            " as for the longer input of the earlier response"
        )
        yield between(earlier, later, message, later.pointer + _POINTER, f"less than {known}", count)


@check(
    "usage.summary-costs-nothing",
    over=_pairs(("tools.reasoning-returned", "tools.reasoning-summary")),
    together=True,
    not_for_captured=COMPARES,
)
def test_a_summary_of_returned_reasoning_costs_nothing(responses: list[Received]) -> Findings:
    (without, known), (received, count) = _counted(responses)
    if not any(item.get("summary") for item in objects(received.sent.get("input"))):
        raise CannotEvaluate("the earlier response contains no reasoning item to return")
    yield EXAMINED
    if count > known + SPREAD:
        message = f"input_tokens is {count} with a summary in the returned reasoning, but {known} without it"
        yield between(without, received, message, received.pointer + _POINTER, known, count)


@check(
    "usage.cap-adds-no-tokens",
    over=everything("same-output", where=lambda one: one.expect == "answer"),
    together=True,
    not_for_captured=COMPARES,
)
def test_the_cap_adds_no_tokens(responses: list[Received]) -> Findings:
    pairs = list(_same_output(responses))
    if not pairs:
        raise DoesNotApply("no two requests with different max_output_tokens have the same text as response")
    yield Examined(len(pairs))
    for (less, expected), (received, count) in pairs:
        if count > expected * _MORE + SPREAD:
            caps = [one.sent.get(_CAP, "none") for one in (received, less)]
            known = f"{expected} with {caps[1]} for the same text in {less.scenario}"
            message = f"output_tokens is {count} with max_output_tokens {caps[0]}, but {known}"
            yield between(less, received, message, received.pointer + "/usage/output_tokens", expected, count)


def _same_output(responses: list[Received]) -> Iterator[tuple[Counted, Counted]]:
    """For each text the response with the lowest cap, and each with a higher one, with their output_tokens."""
    texts: dict[str, list[Counted]] = {}
    for received in responses:
        if count := _text_tokens(received):
            texts.setdefault(received.words, []).append((received, count))
    for equal in texts.values():
        first, *others = sorted(equal, key=lambda one: _cap(one[0]))
        yield from ((first, one) for one in others if _cap(one[0]) > _cap(first[0]))


def _cap(received: Received) -> float:
    cap = integer(received.sent.get(_CAP))
    return math.inf if cap is None else cap


def _text_tokens(received: Received) -> int | None:
    """output_tokens of a completed response that consists of text alone; None for any other."""
    try:
        if not received.exchange.ok or received.final_status != "completed":
            return None
        if received.tokens(*_DETAILS) or not received.contract.turns_thinking_off(received.sent):
            return None
        only_text = received.words and all(item.get("type") == "message" for item in received.output)
        return received.tokens("output_tokens") if only_text else None
    except CannotEvaluate:
        return None


def _efforts(context: Context) -> list[Group]:
    """One question at the effort that turns reasoning off, and at each other effort."""
    found = [one for one in context.scenarios.values() if one.tags & {"thinking", "not-thinking"}]
    names = tuple(one.name for one in sorted(found, key=lambda one: "thinking" in one.tags))
    return [Group("efforts", names)] if any("not-thinking" in one.tags for one in found) else []


@check("usage.reasoning-not-input", over=_efforts, together=True, not_for_captured=COMPARES)
def test_reasoning_is_not_counted_as_input(responses: list[Received]) -> Findings:
    counted = [(one, count) for one in responses if (count := _count(one)) is not None]
    quiet = next(((one, count) for one, count in counted if not one.has_reasoning), None)
    reasoning = [(one, count, one.tokens(*_DETAILS) or 0) for one, count in counted if one.has_reasoning]
    reasoning = [each for each in reasoning if each[2] > 2 * SPREAD]
    if quiet is None or len(reasoning) < 2:
        raise DoesNotApply("fewer than two responses count reasoning, or no response is without it")
    yield Examined(len(reasoning))
    if all(abs(count - quiet[1] - tokens) <= SPREAD for _, count, tokens in reasoning):
        first, count, tokens = reasoning[0]
        message = f"input_tokens is {count}, expected about {quiet[1]} as without reasoning ({tokens} reasoning tokens)"
        yield between(quiet[0], first, message, first.pointer + _POINTER, quiet[1], count)


#: Values from here on are not compared; usage.integers reports values that are no integers.
_NO_COUNT = 10**12


def _count(received: Received) -> int | None:
    """input_tokens of a served request; None if it is missing or implausible."""
    count = count_of_served(received, "input_tokens")
    return count if count is not None and abs(count) < _NO_COUNT else None


def _counted(responses: list[Received]) -> list[Counted]:
    """Both responses with their input_tokens.

    Raises :class:`DoesNotApply` if one was refused, :class:`CannotEvaluate` if a count is missing.
    """
    if refused := next((one for one in responses if one.exchange.refused), None):
        raise DoesNotApply(f"{refused.scenario} was refused with HTTP {refused.exchange.status}")
    counts = [(one, count) for one in responses if (count := _count(one)) is not None]
    if len(counts) < len(responses):
        raise CannotEvaluate("one of the responses to compare has no input_tokens")
    return counts


def _characters(sent: dict[str, Any]) -> int:
    """The number of characters in instructions, messages and tool results."""
    given = sent.get("input")
    items = objects(given)
    texts = [text(sent.get("instructions")), text(given)]
    for item in items:
        for name in ("content", "output", "arguments"):
            texts += [text(item.get(name)), *(text(mapping(part).get("text")) for part in objects(item.get(name)))]
    return sum(map(len, texts))
