"""A server that sends the same general error for several reasons has several causes; one reason stays one cause."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import Context, combine, fault
from conformance.emulator.shapes import Refusal
from conformance.results import results_file
from conformance.results.causes import Cause, causes, with_representative_causes
from conformance.results.grouping import group_by_cause
from conformance.results.shared_traits import with_traits
from tools.in_process import context, evaluated


def _causes(behaviour: Any) -> list[Cause]:
    results, recorded = evaluated(behaviour)
    lines = group_by_cause(results_file.in_order(results_file.case_record(one, recorded, 1.0) for one in results))
    exchanges = {one.key: one for one in (recorded.received(name).exchange for name in context("2026-06-24").scenarios)}
    return causes(with_representative_causes(with_traits(lines, list(exchanges), exchanges.get)))


def _fails(message: str, *reasons: str) -> Any:
    def validate(ctx: Context, usual: Refusal | None) -> Refusal | None:
        body = ctx.body
        given = body.get("input")
        kinds = [one.get("type") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        found = {
            "parallel": "function_call function_call" in " ".join(map(str, kinds)),
            "choice": isinstance(body.get("tool_choice"), dict),
            "developer": '"developer"' in ctx.raw.decode("utf-8", "replace"),
            "temperature": body.get("temperature") == 0 and "temperature" in body,
        }
        return Refusal(500, {"message": message, "code": "500"}) if any(found[one] for one in reasons) else usual

    return fault("separate.reasons", "Fails for several reasons.", validate=validate)


def test_different_reasons_with_the_same_message_are_different_causes() -> None:
    found = _causes(_fails("Internal Server Error", "developer", "temperature"))
    assert len(found) == 2
    assert {"developer" in str(one.cases[0].findings[0].trait) for one in found} == {True, False}
    assert {one.rule for one in found} >= {"request.temperature-accepted"}
    [choice] = [one for one in _causes(_fails("Internal Server Error", "parallel", "choice"))
                if any("tool_choice" in each.scenario for each in one.cases)]  # fmt: skip
    assert all("tool_choice" in each.scenario for each in (*choice.cases, *choice.consequences))


@pytest.mark.parametrize(
    ("names", "scenarios"),
    [
        # Of a third reason, in requests of clients, none has a request like a served one.
        (("undocumented.unknown-name-is-500", "undocumented.service-tier-is-500"), {"unknown", "service_tier"}),
        # One parameter is served in plain requests.
        (
            ("undocumented.tool-choice-required-is-500", "undocumented.access-programs-is-500-streaming"),
            {"tool_choice=required-without-tools", "access_programs"},
        ),
    ],
)
def test_two_faults_with_the_same_message_are_two_causes(names: tuple[str, str], scenarios: set[str]) -> None:
    found = _causes(combine([FAULTS[name] for name in names]))
    shown = {one.cases[0].findings[0].scenario.removesuffix(".stream").removeprefix("undocumented.") for one in found}
    assert shown == scenarios


@pytest.mark.parametrize("reason", ["parallel", "choice", "developer", "temperature"])
def test_one_reason_is_one_cause(reason: str) -> None:
    assert len(_causes(_fails("Internal Server Error", reason))) == 1


@pytest.mark.parametrize(
    "name", ["tools.output-is-500", "undocumented.include-is-500-streaming", "turns.history-is-500"]
)
def test_a_reason_that_is_no_trait_is_one_cause(name: str) -> None:
    assert len(_causes(FAULTS[name])) == 1
