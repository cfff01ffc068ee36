"""Usage: there, made of integers, and adding up."""

from __future__ import annotations

from conformance.contract.schemas import ABSENT
from conformance.decode.response import Answer, DoesNotApply
from conformance.judge.applicability import FINAL_RESPONSE
from conformance.judge.selectors import ANSWERS
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, breaks_schema, check

#: Characters that one token may stand for on average; beyond it the count cannot be of this text.
_LONGEST_TOKEN = 40

_DETAILS = ("input_tokens_details", "output_tokens_details")


@check("usage.present", over=ANSWERS, where=FINAL_RESPONSE)
def test_usage_is_there(answer: Answer) -> Findings:
    usage = answer.response.get("usage")
    yield EXAMINED
    if not isinstance(usage, dict):
        yield Finding("the final Response has no usage", answer.pointer + "/usage", answer.event, "an object", usage)


@check("usage.integers", over=ANSWERS, where=FINAL_RESPONSE)
def test_counters_are_integers(answer: Answer, case: Case) -> Findings:
    pointer = answer.pointer + "/usage"
    event = answer.terminal if answer.looks_like_stream else None
    problems = case.world.schemas.errors("usage.json", answer.usage)
    yield EXAMINED
    for problem in problems:
        yield breaks_schema(problem, pointer, event)
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        value = answer.usage.get(name)
        if isinstance(value, float):  # 12.0 is an integer to JSON Schema, and to few clients.
            yield Finding(f"{name} is written with a fraction", f"{pointer}/{name}", answer.event, "digits only", value)


@check("usage.total-is-sum", over=ANSWERS, where=FINAL_RESPONSE)
def test_total_is_the_sum(answer: Answer) -> Findings:
    given = [answer.tokens(name) for name in ("input_tokens", "output_tokens", "total_tokens")]
    read, written, total = given
    if read is None or written is None or total is None:
        return
    yield EXAMINED
    if read + written != total:
        want = read + written
        message = f"total_tokens is {total}, expected {want} ({read} input + {written} output)"
        yield Finding(message, answer.pointer + "/usage/total_tokens", answer.event, want, total)


@check("usage.reasoning-within-output", over=ANSWERS, where=FINAL_RESPONSE)
def test_reasoning_is_part_of_output(answer: Answer) -> Findings:
    yield from _within(answer, ("output_tokens_details", "reasoning_tokens"), "output_tokens")


@check("usage.cached-within-input", over=ANSWERS, where=FINAL_RESPONSE)
def test_cached_is_part_of_input(answer: Answer) -> Findings:
    yield from _within(answer, ("input_tokens_details", "cached_tokens"), "input_tokens")


def _within(answer: Answer, part: tuple[str, str], whole: str) -> Findings:
    some, every = answer.tokens(*part), answer.tokens(whole)
    if some is not None and every is not None:
        yield EXAMINED
    if some is not None and every is not None and some > every:
        pointer = f"{answer.pointer}/usage/{'/'.join(part)}"
        yield Finding(
            f"{part[1]} is {some}, more than {whole}, {every}",
            pointer,
            answer.event,
            f"at most {every}",
            some,
        )


@check("usage.nonzero", over=ANSWERS, where=FINAL_RESPONSE)
def test_something_is_counted(answer: Answer) -> Findings:
    cut = answer.response.get("status") != "completed"
    said = not cut and bool(answer.words or answer.items("function_call"))
    for name, owed in (("input_tokens", True), ("output_tokens", said)):
        yield Examined(owed and answer.tokens(name) is not None)
        if owed and answer.tokens(name) == 0:
            yield Finding(f"{name} is 0", f"{answer.pointer}/usage/{name}", answer.event, "more than 0", 0)


@check("usage.output-covers-text", over=ANSWERS, where=FINAL_RESPONSE)
def test_output_tokens_cover_the_text(answer: Answer) -> Findings:
    output = answer.tokens("output_tokens")
    size = len(answer.words) + len(answer.thoughts)
    yield Examined(bool(output and size))
    if output and size > _LONGEST_TOKEN * output:
        message = f"{output} output tokens are counted for {size} characters"
        yield Finding(message, answer.pointer + "/usage/output_tokens", answer.event, "a count of this text", output)


@check("usage.details-present", over=ANSWERS, where=FINAL_RESPONSE)
def test_details_are_there(answer: Answer) -> Findings:
    for name in _DETAILS:
        yield EXAMINED
        if not isinstance(answer.usage.get(name), dict):
            pointer = f"{answer.pointer}/usage/{name}"
            yield Finding(f"usage has no {name}", pointer, answer.event, "an object", answer.usage.get(name))


@check("usage.reasoning-tokens-present", over=ANSWERS, where=FINAL_RESPONSE)
def test_output_details_hold_reasoning_tokens(answer: Answer) -> Findings:
    details = answer.usage.get("output_tokens_details")
    if not isinstance(details, dict):
        raise DoesNotApply("usage has no output_tokens_details")
    yield EXAMINED
    if "reasoning_tokens" not in details:
        pointer = f"{answer.pointer}/usage/output_tokens_details/reasoning_tokens"
        yield Finding("output_tokens_details has no reasoning_tokens", pointer, answer.event, "an integer", ABSENT)


@check("usage.details-hold-integers", over=ANSWERS)
def test_input_details_hold_cached_tokens(answer: Answer) -> Findings:
    """Recorded only: the page's own example leaves these details empty."""
    details = answer.usage.get("input_tokens_details")
    if isinstance(details, dict):
        yield EXAMINED
        if "cached_tokens" not in details:
            pointer = f"{answer.pointer}/usage/input_tokens_details/cached_tokens"
            yield Finding("input_tokens_details has no cached_tokens", pointer, answer.event, "an integer", ABSENT)
