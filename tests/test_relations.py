"""Relations between requests: what they report, and which ways to count are legal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import Behaviour, Context, fault
from conformance.emulator.shapes import ParsedRequest
from conformance.emulator.variants import VARIANTS
from conformance.judge.verdict import FAIL, NOT_APPLICABLE, PASS, WARNING, Result
from tools.in_process import evaluated, verdicts

RULES = ("usage.same-input-same-tokens", "usage.same-text-same-tokens", "usage.more-input-more-tokens")


def counting(how: Callable[[Context, ParsedRequest], int]) -> Behaviour:
    """An endpoint that counts the input in another way."""
    return fault(
        "usage.other",
        "Counts otherwise.",
        parsed=lambda ctx, parsed: replace(parsed, input_tokens=how(ctx, parsed)),
    )


def relations(of: Behaviour) -> list[Result]:
    return [one for one in verdicts(of) if one.case.rule in RULES]


def default_instructions(ctx: Context, planned: ParsedRequest) -> int:
    """A template that fills in a system message where the request has none."""
    told = ctx.body.get("instructions") or '"system"' in str(ctx.body.get("input"))
    return planned.input_tokens + (0 if told else 40)


@pytest.mark.parametrize(
    "count",
    [
        lambda ctx, planned: planned.input_tokens * 5 // 4,
        lambda ctx, planned: planned.input_tokens + ctx.number % 3,
        lambda ctx, planned: planned.input_tokens + 60 * bool(planned.tools),
        lambda ctx, planned: planned.input_tokens + 6 * len(planned.turns),
        lambda ctx, planned: planned.input_tokens + 3000,
        default_instructions,
    ],
    ids=[
        "larger-tokens",
        "time-of-day",
        "tool-preamble",
        "markup-around-turns",
        "system-prompt",
        "default-instructions",
    ],
)
def test_another_way_to_count_violates_nothing(count: Callable[[Context, ParsedRequest], int]) -> None:
    assert {one.verdict for one in relations(counting(count))} == {"pass"}


@pytest.mark.parametrize(
    ("fault", "cases"),
    [
        ("usage.input-more-in-streams", {"usage.same-input-same-tokens@same-input"}),
        ("usage.input-without-cached", {"usage.same-input-same-tokens@same-input"}),
        ("turns.developer-messages-dropped", {"usage.more-input-more-tokens@turns.history-forms"}),
        ("turns.output-parts-dropped", {"usage.more-input-more-tokens@turns.history-forms"}),
        ("turns.tools-not-counted", {"usage.more-input-more-tokens@tools.unused"}),
        ("request.long-text-shortened", {"usage.more-input-more-tokens@input.very-long"}),
    ],
)
def test_input_that_is_dropped_is_reported_where_it_is_missing(fault: str, cases: set[str]) -> None:
    warned = [one for one in relations(FAULTS[fault]) if one.verdict == WARNING]
    assert {one.case.id for one in warned} == cases
    assert all("input_tokens is" in one.findings[0].message for one in warned)


def test_the_tokens_of_a_tool_do_not_hide_what_is_dropped() -> None:
    dropped = FAULTS["turns.developer-messages-dropped"]

    def count(ctx: Context, planned: ParsedRequest) -> int:
        assert dropped.parsed
        return dropped.parsed(ctx, planned).input_tokens + 700 * bool(planned.tools)

    found = {one.case.id for one in relations(counting(count)) if one.verdict != PASS}
    assert found == {"usage.more-input-more-tokens@turns.history-forms"}


def test_equal_counts_are_reported_with_the_scenario_of_the_shorter_input() -> None:
    warned = [one for one in relations(FAULTS["turns.tools-not-counted"]) if one.verdict == WARNING]
    expected = "expected more than 15, which the shorter input of the scenario max_output_tokens=1 has"
    assert [one.findings[0].message for one in warned] == [f"input_tokens is 15, {expected}"]


@pytest.mark.parametrize("small", [VARIANTS["behaviour.small-context"], FAULTS["request.long-string-is-413"]])
def test_a_refusal_for_size_says_nothing_of_the_form(small: Behaviour) -> None:
    """A small context is one warning, each kind of history is evaluated alone, and nothing is compared."""
    results = {one.case.id: one for one in verdicts(small)}
    broken = [one for one in results.values() if one.verdict in (FAIL, WARNING)]
    assert {one.case.rule for one in broken} == {"request.long-input-served"}
    assert {one.verdict for one in broken} == {WARNING}
    assert "for its length" in results["turns.history-accepted@turns.history-forms"].reason.text
    assert results["turns.history-accepted@turns.text-before-call"].verdict == PASS
    compared = results["usage.more-input-more-tokens@input.very-long"]
    assert compared.verdict == NOT_APPLICABLE
    assert "was refused with HTTP" in compared.reason.text


def test_another_refusal_of_a_long_input_is_one_of_its_form() -> None:
    """What names no size is reported by the rule of the form that was sent."""
    results = {one.case.id: one.verdict for one in verdicts(FAULTS["turns.several-developers-refused"])}
    assert results["turns.history-accepted@turns.history-forms"] == FAIL
    assert results["request.long-input-served@turns.history-forms"] == PASS


def test_a_text_that_only_the_lower_cap_ends_is_not_compared() -> None:
    results, _ = evaluated(VARIANTS["behaviour.long-texts"])
    told = {one.case.id: one.verdict for one in results}
    assert told["sum.plain-same-kinds@unicode"] == "not-applicable"
    assert "inconclusive" not in told.values()
