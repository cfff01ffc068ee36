"""usage: present, all counters integers, totals and details consistent."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.contract.schemas import ABSENT
from conformance.decode.response import DoesNotApply, Received
from conformance.judge.applicability import FINAL_RESPONSE, GROWS, Where
from conformance.judge.selectors import RESPONSES, everything
from conformance.judge.token_counts import (
    characters_of_output,
    count_of_served,
    has_input,
    needs_tokens,
    too_few_tokens,
)
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check, finding_from_schema

_DETAILS = ("input_tokens_details", "output_tokens_details")

#: The least number of responses to compare, and the share of them with more tokens than each response before. The
#: requests of a run are short and long in turn: of 100 counters in such an order about five exceed all before them.
#: A sum that several processes of a server keep may exceed it in fewer than all.
_COMPARED, _GROWING = 15, 0.85


@check("usage.present", over=RESPONSES, where=FINAL_RESPONSE)
def test_usage_is_there(received: Received) -> Findings:
    usage = received.response.get("usage", ABSENT)
    yield EXAMINED
    if not isinstance(usage, dict):
        yield Finding(
            "the final Response has no usage", received.pointer + "/usage", received.event, "an object", usage
        )


@check("usage.integers", over=RESPONSES, where=FINAL_RESPONSE)
def test_counters_are_integers(received: Received, case: Case) -> Findings:
    pointer = received.pointer + "/usage"
    event = received.terminal if received.looks_like_stream else None
    problems = case.context.schemas.errors("usage.json", received.usage)
    yield EXAMINED
    for problem in problems:
        yield finding_from_schema(problem, pointer, event)
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        value = received.usage.get(name)
        if isinstance(value, float):  # 12.0 is an integer to JSON Schema, and to few clients.
            yield Finding(
                f"{name} is written as a decimal fraction", f"{pointer}/{name}", received.event, "an integer", value
            )


@check("usage.total-is-sum", over=RESPONSES, where=FINAL_RESPONSE)
def test_total_is_the_sum(received: Received) -> Findings:
    given = [received.tokens(name) for name in ("input_tokens", "output_tokens", "total_tokens")]
    read, written, total = given
    if read is None or written is None or total is None:
        return
    yield EXAMINED
    if read + written != total:
        want = read + written
        message = f"total_tokens is {total}, expected {want} ({read} input + {written} output)"
        yield Finding(message, received.pointer + "/usage/total_tokens", received.event, want, total)


@check("usage.reasoning-within-output", over=RESPONSES, where=FINAL_RESPONSE)
def test_reasoning_is_part_of_output(received: Received) -> Findings:
    yield from _within(received, ("output_tokens_details", "reasoning_tokens"), "output_tokens")


@check("usage.cached-within-input", over=RESPONSES, where=FINAL_RESPONSE)
def test_cached_is_part_of_input(received: Received) -> Findings:
    yield from _within(received, ("input_tokens_details", "cached_tokens"), "input_tokens")


def _within(received: Received, part: tuple[str, str], total_name: str) -> Findings:
    some, every = received.tokens(*part), received.tokens(total_name)
    if some is not None and every is not None:
        yield EXAMINED
    if some is not None and every is not None and some > every:
        pointer = f"{received.pointer}/usage/{'/'.join(part)}"
        yield Finding(
            f"{part[1]} is {some}, more than {total_name}, {every}",
            pointer,
            received.event,
            f"at most {every}",
            some,
        )


@check("usage.nonzero", over=RESPONSES, where=Where("finished", depends_on=("*",)))
def test_something_is_counted(received: Received) -> Findings:
    for name, required in (("input_tokens", has_input(received)), ("output_tokens", needs_tokens(received))):
        yield Examined(required and received.tokens(name) is not None)
        if required and received.tokens(name) == 0:
            yield Finding(f"{name} is 0", f"{received.pointer}/usage/{name}", received.event, "more than 0", 0)


@check("usage.output-covers-text", over=RESPONSES, where=FINAL_RESPONSE)
def test_output_tokens_cover_the_text(received: Received) -> Findings:
    output = received.tokens("output_tokens")
    size = characters_of_output(received)
    yield Examined(bool(output and size))
    if output and too_few_tokens(received):
        message = f"output_tokens is {output} for {size} characters"
        yield Finding(message, received.pointer + "/usage/output_tokens", received.event, "a plausible count", output)


@check("usage.details-present", over=RESPONSES, where=FINAL_RESPONSE)
def test_details_are_there(received: Received) -> Findings:
    for name in _DETAILS:
        yield EXAMINED
        if not isinstance(received.usage.get(name), dict):
            pointer = f"{received.pointer}/usage/{name}"
            got = received.usage.get(name, ABSENT)
            yield Finding(f"usage has no {name}", pointer, received.event, "an object", got)


@check("usage.reasoning-tokens-present", over=RESPONSES, where=FINAL_RESPONSE)
def test_output_details_hold_reasoning_tokens(received: Received) -> Findings:
    details = received.usage.get("output_tokens_details")
    if not isinstance(details, dict):
        raise DoesNotApply("usage has no output_tokens_details")
    yield EXAMINED
    if "reasoning_tokens" not in details:
        pointer = f"{received.pointer}/usage/output_tokens_details/reasoning_tokens"
        yield Finding("output_tokens_details has no reasoning_tokens", pointer, received.event, "an integer", ABSENT)


@check("usage.details-hold-integers", over=RESPONSES)
def test_input_details_hold_cached_tokens(received: Received) -> Findings:
    """Recorded only: in the documentation's own example these details are empty."""
    details = received.usage.get("input_tokens_details")
    if isinstance(details, dict):
        yield EXAMINED
        if "cached_tokens" not in details:
            pointer = f"{received.pointer}/usage/input_tokens_details/cached_tokens"
            yield Finding("input_tokens_details has no cached_tokens", pointer, received.event, "an integer", ABSENT)


@check(
    "usage.of-one-response",
    over=everything("all-answers", where=lambda one: one.expect == "answer"),
    together=True,
    not_for_captured=GROWS,
)
def test_no_earlier_response_is_counted(responses: list[Received]) -> Findings:
    for group in (responses, [one for one in responses if one.looks_like_stream]):
        for name in ("input_tokens", "output_tokens"):
            later = list(_after_others(group, name))
            grown = [each for each in later if each[1] > each[2]]
            yield Examined(len(later))
            if len(later) >= _COMPARED and len(grown) > _GROWING * len(later):
                last, count, most = grown[-1]
                message = f"{name} grows from response to response: it is {count}, and was {most} before"
                pointer = f"{last.pointer}/usage/{name}"
                yield Finding(message, pointer, last.event, "the tokens of one response", count, last.scenario)
                return


def _after_others(responses: list[Received], name: str) -> Iterator[tuple[Received, int, int]]:
    """The responses whose request was sent after another response ended, in this order, with the counter and the
    highest one of the responses that had ended."""
    counted = {one.exchange.key: (one, count) for one in responses if (count := count_of_served(one, name)) is not None}
    ended: list[tuple[float, int]] = []
    for one, count in sorted(counted.values(), key=lambda each: each[0].exchange.sent_at):
        sent = one.exchange.sent_at
        if before := [known for end, known in ended if end <= sent]:
            yield one, count, max(before)
        ended.append((sent + one.exchange.elapsed / 1000, count))
