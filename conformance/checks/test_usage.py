"""Usage: there, made of integers, and adding up."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.answer import Answer
from conformance.select import ANSWERS
from conformance.stream.events import integer
from conformance.verdict import Case, Finding, breaks_schema, check

#: Characters that one token may stand for on average; beyond it the count cannot be of this text.
_LONGEST_TOKEN = 40

_COUNTERS = {"input_tokens_details": "cached_tokens", "output_tokens_details": "reasoning_tokens"}


@check("usage.present", over=ANSWERS)
def test_usage_is_there(answer: Answer) -> Iterator[Finding]:
    usage = answer.response.get("usage")
    if not isinstance(usage, dict):
        yield Finding("the final Response has no usage", answer.pointer + "/usage", answer.event, "an object", usage)


@check("usage.integers", over=ANSWERS)
def test_counters_are_integers(answer: Answer, case: Case) -> Iterator[Finding]:
    pointer = answer.pointer + "/usage"
    event = answer.terminal if answer.looks_like_stream else None
    for problem in case.world.schemas.errors("usage.json", answer.usage):
        yield breaks_schema(problem, pointer, event)
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        value = answer.usage.get(name)
        if isinstance(value, float):  # 12.0 is an integer to JSON Schema, and to few clients.
            yield Finding(f"{name} is written with a fraction", f"{pointer}/{name}", answer.event, "digits only", value)


@check("usage.total-is-sum", over=ANSWERS)
def test_total_is_the_sum(answer: Answer) -> Iterator[Finding]:
    given = [answer.tokens(name) for name in ("input_tokens", "output_tokens", "total_tokens")]
    if None not in given and given[0] + given[1] != given[2]:  # type: ignore[operator]  # None was excluded.
        message = f"total_tokens is {given[2]}, and input and output make {given[0]} + {given[1]}"
        want = given[0] + given[1]  # type: ignore[operator]  # None was excluded.
        yield Finding(message, answer.pointer + "/usage/total_tokens", answer.event, want, given[2])


@check("usage.reasoning-within-output", over=ANSWERS)
def test_reasoning_is_part_of_output(answer: Answer) -> Iterator[Finding]:
    yield from _within(answer, ("output_tokens_details", "reasoning_tokens"), "output_tokens")


@check("usage.cached-within-input", over=ANSWERS)
def test_cached_is_part_of_input(answer: Answer) -> Iterator[Finding]:
    yield from _within(answer, ("input_tokens_details", "cached_tokens"), "input_tokens")


def _within(answer: Answer, part: tuple[str, str], whole: str) -> Iterator[Finding]:
    some, every = answer.tokens(*part), answer.tokens(whole)
    if some is not None and every is not None and some > every:
        pointer = f"{answer.pointer}/usage/{'/'.join(part)}"
        yield Finding(
            f"{part[1]} is {some}, more than {whole}, {every}",
            pointer,
            answer.event,
            f"at most {every}",
            some,
        )


@check("usage.nonzero", over=ANSWERS)
def test_something_is_counted(answer: Answer) -> Iterator[Finding]:
    cut = answer.response.get("status") != "completed"
    said = not cut and bool(answer.words or answer.items("function_call"))
    for name, owed in (("input_tokens", True), ("output_tokens", said)):
        if owed and answer.tokens(name) == 0:
            yield Finding(f"{name} is 0", f"{answer.pointer}/usage/{name}", answer.event, "more than 0", 0)


@check("usage.output-covers-text", over=ANSWERS)
def test_output_tokens_cover_the_text(answer: Answer) -> Iterator[Finding]:
    output = answer.tokens("output_tokens")
    size = len(answer.words) + len(answer.thoughts)
    if output and size > _LONGEST_TOKEN * output:
        message = f"{output} output tokens are counted for {size} characters"
        yield Finding(message, answer.pointer + "/usage/output_tokens", answer.event, "a count of this text", output)


@check("usage.details-present", over=ANSWERS)
def test_details_are_there(answer: Answer) -> Iterator[Finding]:
    for name in _COUNTERS:
        if not isinstance(answer.usage.get(name), dict):
            pointer = f"{answer.pointer}/usage/{name}"
            yield Finding(f"usage has no {name}", pointer, answer.event, "an object", answer.usage.get(name))


@check("usage.details-hold-integers", over=ANSWERS)
def test_details_hold_their_counter(answer: Answer) -> Iterator[Finding]:
    for name, counter in _COUNTERS.items():
        details = answer.usage.get(name)
        if isinstance(details, dict) and integer(details.get(counter)) is None:
            pointer = f"{answer.pointer}/usage/{name}/{counter}"
            yield Finding(f"{name} has no integer {counter}", pointer, answer.event, 0, details.get(counter))
