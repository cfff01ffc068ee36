"""The plan: what is sent fits the contract unless it is wrong on purpose, and every keyword has its violation."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from conformance.contract.schemas import REVISIONS, Schemas, schemas_of
from conformance.emulator.faults import FAULTS
from conformance.emulator.hooks import Behaviour, Hook
from conformance.emulator.refusals import of
from conformance.emulator.request_hooks import input_parts
from conformance.emulator.shapes import Refusal
from conformance.judge.verdict import InternalError, evaluate
from conformance.scenarios import scenarios
from conformance.scenarios.controls import control_of
from conformance.scenarios.derived import accepted, parameters, violations
from conformance.scenarios.item_ids import with_own_ids
from conformance.scenarios.plan import Plan, most_output_tokens
from conformance.scenarios.scenario import Scenario, encode
from tools.in_process import cases, context, evaluated, record, record_of, verdicts


def is_image(body: dict[str, Any]) -> bool:
    return any(part.get("type") == "input_image" for part in input_parts(body))


def has_detail(body: dict[str, Any]) -> bool:
    return any("detail" in part for part in input_parts(body))


def refused_with(status: int, test: Callable[[dict[str, Any]], bool]) -> Hook[Refusal | None]:
    """Serves images, except those that pass the test."""
    no = of(status, "This is refused", "input", "invalid_request_error")
    return lambda ctx, refusal: no if test(ctx.body) else None if is_image(ctx.body) else refusal


ALL = [(revision, one) for revision in REVISIONS for one in context(revision).scenarios.values()]
SENT = [(revision, one) for revision, one in ALL if one.method == "POST" and one.raw is None]


def _ids(value: object) -> str:
    return value.name if isinstance(value, Scenario) else str(value)


@pytest.mark.parametrize(("revision", "scenario"), SENT, ids=_ids)
def test_request_fits_the_schema_unless_wrong_on_purpose(revision: str, scenario: Scenario) -> None:
    # One that is within another is not sent where that other was served.
    sent = b"" if scenario.within else _record(revision).received(scenario.name).exchange.request.body
    compressed = ("Content-Encoding", "gzip") in scenario.headers
    body = json.loads(
        (gzip.decompress(sent) if compressed else sent) or encode(scenario.body, "mimo-v2.5-pro", scenario.escaped)
    )
    problems = Schemas(revision).errors("request.json", body)
    assert bool(problems) == scenario.wrong, problems


_RECORDS: dict[str, object] = {}


def _record(revision: str):  # type: ignore[no-untyped-def]  # A cache of what record() gives.
    if revision not in _RECORDS:
        _RECORDS[revision] = record(None, revision)
    return _RECORDS[revision]


@pytest.mark.parametrize("revision", REVISIONS)
def test_no_two_scenarios_send_the_same(revision: str) -> None:
    """What asks about a part of another request is within that one, so that it can be sent alone."""
    plan = Plan(context(revision), context(revision).scenarios)
    assert {one.name for one in plan.scenarios if plan.key_of[one.name] in _keys(plan, but=one.name)} == set()


def _keys(plan: Plan, but: str) -> set[str]:
    return {key for name, key in plan.key_of.items() if name != but}


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_keyword_of_every_parameter_is_violated(revision: str) -> None:
    scenarios = context(revision).scenarios
    for parameter in parameters(Schemas(revision)):
        if parameter.path[0] == "tools" and not parameter.required and len(parameter.path) > 1:
            continue
        for keyword, name in (("minimum", None), ("maximum", None), ("enum", "unlisted"), ("pattern", "not-a-name!")):
            if keyword in parameter.schema and parameter.name != "tool_choice":
                sent = [
                    one
                    for one in scenarios.values()
                    if one.about.get("keyword") == keyword
                    and one.about["parameter"] == parameter.name
                    and not one.streaming
                ]
                # An integer is also sent beyond 64 bits.
                expected = 2 if keyword == "maximum" and parameter.types == ["integer"] else 1
                assert len(sent) == expected, (parameter.name, keyword)
                assert name is None or sent[0].name == f"{parameter.name}={name}"


def test_a_request_of_ours_that_is_wrong_is_not_sent_and_blamed_on_the_suite() -> None:
    here = context()
    broken = replace(here.scenarios["text"], body={**here.scenarios["text"].body, "temperature": "warm"})
    spoiled = replace(here, scenarios={**here.scenarios, "text": broken})
    recorded = record_of(spoiled)
    assert recorded.received("text").exchange.ended == "not-sent"
    case = next(one for one in cases() if one.id == "http.success-is-200@text")
    with pytest.raises(
        InternalError, match=r"text sends a request that violates request\.json: /temperature is 'warm'"
    ):
        evaluate(replace(case, context=spoiled), recorded)


def test_a_follow_up_that_is_refused_for_what_the_server_said_is_inconclusive() -> None:
    results = {one.case.id: one for one in verdicts(FAULTS["tools.call-id-missing"])}
    told = results["tools.output-accepted@tools.output"]
    assert told.verdict == "inconclusive"
    assert (
        "the request returns the output of tools.call, which is malformed: /input/1/call_id is missing"
        in told.reason.text
    )


def test_a_parameter_in_the_schema_brings_its_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    schemas = Schemas()
    document = schemas.document("request.json")
    seed = {"type": "integer", "minimum": 1, "maximum": 9}
    grown = {**document, "properties": {**document["properties"], "seed": seed}}
    monkeypatch.setattr(schemas, "document", lambda path: grown if path == "request.json" else Schemas().document(path))
    before = {one.name for one in (*accepted(Schemas()), *violations(Schemas()))}
    new = {one.name: one for one in (*accepted(schemas), *violations(schemas)) if one.name not in before}
    assert set(new) == {
        *("seed=1", "seed=9", "seed=many", 'seed="16"', "seed=10.5", "seed=true", "seed=null", "seed=0", "seed=10"),
        f"seed={2**63}",
    }
    assert new["seed=0"].tags >= {"violation", "minimum"}
    assert new["seed=9"].body["seed"] == 9


def test_what_needs_a_profile_is_not_planned() -> None:
    here = context()
    without = replace(here, target=replace(here.target, lacks=frozenset({"tools"})))
    names = {one.name for one in Plan(without, here.scenarios).scenarios}
    assert not any(name.startswith("tools.") for name in names)
    assert "text" in names


@pytest.mark.parametrize(
    ("name", "control"),
    [
        ("turns.reasoning-forms", "input.output-message"),
        ("turns.reasoning-without-content", "input.output-message"),
        ("turns.reasoning-returned", "turns.output-returned"),
        ("tools.reasoning-returned", "tools.output"),
    ],
)
def test_returned_reasoning_has_a_control_with_the_items_beside_it(name: str, control: str) -> None:
    asked = context()
    assert control_of(asked.scenarios[name], asked.scenarios, asked.contract) == control


def test_the_plan_is_bounded() -> None:
    plan = Plan(context(), context().scenarios)
    assert plan.expected <= 210
    most = Schemas().document("request.json")["properties"]["max_output_tokens"]["maximum"]
    small = [one for one in plan.scenarios if one.body.get("max_output_tokens") not in (most, most + 1, 2**63)]
    assert most_output_tokens(small, plan.uncapped) < 140_000


def test_the_plan_of_the_newest_revision_is_bounded() -> None:
    here = context("2026-10")
    assert Plan(here, here.scenarios).expected <= 240  # 225, and those of a parameter more.


def test_smoke_takes_few_requests() -> None:
    smoke = [one.name for one in context().scenarios.values() if "smoke" in one.tags]
    assert 5 <= Plan(context(), smoke).expected <= 15


def test_a_run_costs_few_output_tokens() -> None:
    sent = {one.exchange.key: one for one in map(record(None).received, context().scenarios) if one.exchange.ok}
    used = [one.tokens("output_tokens") or 0 for one in sent.values() if "usage" in one.response]
    assert sum(used) < 6_000


def test_what_is_served_together_is_not_sent_alone() -> None:
    recorded = record(None)
    for whole in ("turns.history-forms", "turns.reasoning-forms", "turns.unusual", "combination.1"):
        alone = [one.name for one in context().scenarios.values() if one.within == whole]
        assert len(alone) > 1
        assert {recorded.received(name).exchange.key for name in alone} == {recorded.received(whole).exchange.key}


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        ("turns.several-developers-refused", "turns.history-accepted@turns.developers"),
        ("turns.incomplete-message-refused", "turns.history-accepted@turns.incomplete-message"),
        ("turns.long-list-refused", "turns.history-accepted@turns.many-turns"),
        ("turns.user-after-output-refused", "turns.history-accepted@turns.text-before-call"),
        ("turns.reasoning-without-content-refused", "request.reasoning-returned@turns.reasoning-without-content"),
        ("turns.foreign-id-is-500", "turns.unusual-history@turns.foreign-ids"),
        ("request.empty-text-refused", "request.text-accepted@text={}"),
    ],
)
def test_what_is_refused_together_is_sent_alone_until_the_cause_is_known(fault: str, case: str) -> None:
    results = {one.case.id: one.verdict for one in verdicts(FAULTS[fault])}
    whole = context().scenarios[case.partition("@")[2]].within
    alone = {one.name for one in context().scenarios.values() if one.within == whole}
    failed = {name for name, verdict in results.items() if verdict == "fail" and name.partition("@")[2] in alone}
    assert failed == {case}


@pytest.mark.parametrize(
    ("status", "test", "sent", "outcome"),
    [
        (400, is_image, True, "rejected, as input.image is"),
        (400, has_detail, True, "rejected"),
        (404, is_image, False, "rejected, as input.image is"),
    ],
)
def test_an_image_is_sent_without_detail_where_that_may_be_the_reason(
    status: int, test: Callable[[dict[str, Any]], bool], sent: bool, outcome: str
) -> None:
    endpoint = Behaviour("image", "image", "Refuses it.", validate=refused_with(status, test))
    results, recorded = evaluated(endpoint)
    found = {one.case.id: one for one in results}
    assert (recorded.received("input.image").exchange.key.startswith("input.image")) is sent
    case = "@undocumented.input_image.detail"
    assert found[f"undocumented.input-image.detail{case}"].verdict == "pass"
    assert found[f"undocumented.outcome{case}"].observed == (f"input_image.detail: {outcome}",)


@pytest.mark.parametrize("lets", ["filter", "reject"])
def test_a_refused_image_shows_nothing_of_what_the_profile_demands(lets: str) -> None:
    here = context()
    demanding = replace(here, target=replace(here.target, unknown_parameters=lets))
    case = next(one for one in cases() if one.id == "undocumented.outcome-as-profile@undocumented.input_image.detail")
    assert evaluate(replace(case, context=demanding), record(None)).verdict == "not-applicable"


def test_no_two_items_of_the_requests_share_an_id() -> None:
    """A server can store items by id."""
    every = scenarios(schemas_of(REVISIONS[-1]), "n")
    made = {name: with_own_ids(one, one.body, 0) for name, one in every.items() if "captured" not in one.tags}
    ids = [
        item["id"]
        for name, body in made.items()
        if every[name].follow is None and isinstance(body.get("input"), list)
        for item in body["input"]
        if isinstance(item, dict) and re.fullmatch(r"[a-z]+_\w+", str(item.get("id")))  # Others are odd on purpose.
    ]
    assert len(ids) > 20
    assert len(set(ids)) == len(ids)
    codex = every["client.codex.follow-up"]
    assert with_own_ids(codex, codex.body, 0) is codex.body
