"""Which rules are judged in traffic; that what is right stays green, and what is wrong is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.contract.fault_matrix import matrix
from conformance.contract.revisions import DEFAULT
from conformance.contract.rules import catalogue
from conformance.emulator.faults import FAULTS, rich_tools
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import Attempt, Chunk, Exchange
from conformance.judge.model_names import is_the_model
from conformance.traffic.captured import UNFINISHED, Captured
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.passive_rules import is_passive, why_not_for_captured
from conformance.traffic.sources import read_source
from tests.support.traffic import FEW, broken, evaluated, received, traffic


def test_every_rule_is_judged_in_traffic_or_stands_aside_with_a_reason() -> None:
    for rule in catalogue():
        assert is_passive(rule) != (why_not_for_captured(rule) != ""), rule


@pytest.mark.parametrize(("revision", "names"), [("2026-06-24", ()), ("2026-10", FEW)])
def test_a_clean_run_gives_no_finding(revision: str, names: frozenset[str]) -> None:
    found = evaluated(traffic(None, names, revision), revision)
    assert broken(found) == set()
    assert {line.verdict for line in found.cases} == {"pass", "not-applicable"}
    assert len({line.requirement for line in found.cases}) > (90 if names else 100)


@pytest.mark.parametrize("name", [name for place, name in enumerate(sorted(VARIANTS)) if place % 9 == 0])
def test_legal_variety_stays_green(name: str) -> None:
    found = evaluated(traffic(VARIANTS[name]))
    assert [line.id for line in found.cases if line.verdict in ("fail", "error")] == []


#: Faults in calls of tools with references, or under an undocumented tool_choice: rules about calls stand aside there.
#: In captured traffic a filter may be the reason of an incomplete response.
APART = {one.name for one in rich_tools.FAULTS} | {"truncation.reason-is-content-filter"}


def _some_faults() -> list[tuple[str, str]]:
    """Every so many a fault whose own rule is passive, and of each area one."""
    rows = [
        (name, rule)
        for name, told in sorted(matrix().items())
        for rule in list(told["causes"])[:1]
        if name in FAULTS
        and is_passive(rule)
        and name.partition(".")[0] == rule.partition(".")[0]
        and not {"custom", "namespace"} & {*rule.partition(".")[2].split("-")}
        and not name.startswith(("effort.low", "sum.split-characters"))  # Their rules compare responses there.
        and name not in APART
    ]
    areas = {rule.partition(".")[0]: (name, rule) for name, rule in reversed(rows)}
    chosen = {*areas.values(), *rows[::40]}
    # Here no request is sent twice, no stream has two calls, and none sets temperature.
    unseen = (
        "error.again-is-text", "identity.arguments-name-the-first-call", "sum.later-call-keeps-earlier-arguments",
        "response.temperature-echo-differs",
    )  # fmt: skip
    return sorted(row for row in chosen if row[0] not in unseen)


@pytest.mark.parametrize(("fault", "rule"), _some_faults())
def test_faults_are_told(fault: str, rule: str) -> None:
    assert rule in broken(evaluated(traffic(FAULTS[fault])))


def sent_with(exchange: Exchange, **members: Any) -> Captured:
    body = json.loads(exchange.request.body) | members
    return Captured("one", replace(exchange, request=replace(exchange.request, body=json.dumps(body).encode())))


def test_what_leans_on_undocumented_parameters_is_not_judged() -> None:
    right = received("text", None)
    wrong = replace(right, chunks=(Chunk(1.0, right.body.replace(b'"max_output_tokens":200', b"")),))
    honest = sent_with(wrong, temperature=0.25)
    assert not any(line.requirement == "response.echo-honest" and line.verdict == "fail"
                   for line in evaluated([honest]).cases)  # fmt: skip
    strange = {line.requirement for line in evaluated([sent_with(right, store=False)]).cases}
    plain = {line.requirement for line in evaluated([sent_with(right)]).cases}
    assert plain - strange >= {"response.echo-honest", "response.ends-final", "tools.none-declared-none-called"}
    assert strange >= {"usage.total-is-sum", "response.schema", "response.model-echoed", "sse.plain-stays-plain"}


def test_tools_that_are_no_functions_do_not_break_a_check() -> None:
    call = received("tools.call")
    tools = [{"type": "web_search"}, {"type": "namespace", "name": "n", "tools": []}]
    found = evaluated([sent_with(call, tools=tools)])
    assert broken(found) == set()
    assert "tools.call-shape" not in {line.requirement for line in found.cases}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": 503}, "HTTP 503"),
        ({"status": 429}, "HTTP 429"),
        ({"status": None, "ended": "unreachable", "detail": "refused"}, "no response: unreachable (refused)"),
        ({"ended": "oversize", "detail": "more than 9 bytes"}, "more than 9 bytes"),
    ],
)
def test_what_says_nothing_of_the_contract_is_named_and_not_judged(changes: dict[str, Any], says: str) -> None:
    found = evaluated([Captured("one", replace(received("text"), **changes))])
    assert found.cases == []
    assert says in found.unjudged["one"]


def test_a_stream_that_the_client_left_is_not_held_against_the_server() -> None:
    whole = received("text.stream")
    cut = replace(whole, chunks=(Chunk(1.0, whole.body[:900]),))
    assert "lifecycle.one-terminal-last" in broken(evaluated([Captured("one", cut)]))
    left = replace(cut, ended="time-out", detail=f"{UNFINISHED} (the client went away)")
    found = evaluated([Captured("one", left)])
    assert broken(found) == set()
    assert UNFINISHED in found.unjudged["one"]


def test_a_check_that_breaks_is_an_error_and_costs_no_other_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    from conformance.engine import evaluation

    def breaks(case: Any, record: Any) -> Any:
        if case.rule == "usage.present":
            raise ZeroDivisionError("a bug")
        return kept(case, record)

    kept = evaluation.evaluate
    monkeypatch.setattr(evaluation, "evaluate", breaks)
    found = evaluated([Captured("one", replace(received("text"), attempts=(Attempt(500, "clean", 0.1),)))])
    assert [line.verdict for line in found.cases if line.requirement == "usage.present"] == ["error"]
    assert sum(line.verdict == "pass" for line in found.cases) > 20


def test_ids_are_compared_over_all_of_the_traffic() -> None:
    one = received("text")
    found = evaluated([Captured("one", one), Captured("two", replace(one, key="other"))])
    assert "response.id-unique" in broken(found)


@pytest.mark.parametrize("profile", ["", '[profile]\nreasoning = "hidden"\n'])
def test_a_profile_states_that_reasoning_is_hidden(profile: str, tmp_path: Path) -> None:
    one = received("effort.high")
    response = json.loads(one.body)
    for item in response["output"]:
        item.update({"content": []} if item["type"] == "reasoning" else {})
    folder, file = tmp_path / "recorded", tmp_path / "target.toml"
    folder.mkdir()
    (folder / "request.json").write_bytes(one.request.body)
    (folder / "response.json").write_text(json.dumps(response), encoding="utf-8")
    file.write_text(profile, encoding="utf-8")
    source = read_source(folder, None, file if profile else None)
    found = evaluate_captures(source.traffic.captured, source.target)
    assert broken(found) == (set() if profile else {"effort.reasoning-item-shape"})


@pytest.mark.parametrize(
    ("asked", "named", "is_it"),
    [
        ("mimo-v2.5-pro", "mimo-v2.5-pro", True),
        ("mimo-v2.5-pro", "mimo-v2.5-pro-2026-07-18", True),
        ("mimo-v2.5-pro", "mimo-v2.5-pro-20260718", True),
        ("mimo-v2.5-pro", "mimo-v2.5-pro-ultraspeed", False),
        ("mimo-v2.5-pro", "mimo-v2.5", False),
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", True),
        ("gpt-5.6", "gpt-5.6-sol", True),
        ("gpt-4o", "gpt-4o2", False),
    ],
)
def test_the_name_of_a_model_is_the_requested_one_or_its_snapshot(asked: str, named: str, is_it: bool) -> None:
    assert is_the_model(asked, named, DEFAULT) is is_it
