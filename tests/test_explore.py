"""Random requests: each is legal or wrong as it says, the same for the same seed, and a failing one is reduced."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.config.target import Misconfigured
from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.emulator import Behaviour
from conformance.emulator.hooks import Context as Sent
from conformance.emulator.hooks import combine, fault
from conformance.emulator.refusals import of
from conformance.emulator.shapes import Dict, Refusal
from conformance.emulator.variants import VARIANTS
from conformance.judge.cases import all_cases, context_of, load_checks
from conformance.judge.recorded import Recorded
from conformance.judge.registry import EXPLORE
from conformance.judge.verdict import FAIL, INCONCLUSIVE, WARNING, Case, Result, evaluate
from conformance.scenarios import explore
from conformance.scenarios.context import Context
from conformance.scenarios.drawing import explored
from conformance.scenarios.explore import EXPLORED, FACTORS, LEGAL, MOST_SMALLER, SHRUNK, WORDS, Choice
from conformance.scenarios.scenario import encode
from tests.support.running import lines_of, run, timeless
from tools.in_process import record_of, target

REVISIONS = ("2026-06-24", "2026-10")

CHOICES = st.fixed_dictionaries(
    {
        **{name: st.sampled_from(values) for name, values in FACTORS.items()},
        WORDS: st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40),
    }
)


@cache
def random_context(count: int, seed: int = 3, revision: str = "2026-06-24") -> Context:
    """Random requests alone, without the others of a run."""
    load_checks()
    here = target(revision)
    found = context_of(here, explored=explored(count, seed, Schemas(here.contract)))
    return replace(found, scenarios={name: one for name, one in found.scenarios.items() if EXPLORED in one.tags})


def random_cases(context: Context) -> list[Case]:
    """The cases over random requests."""
    if id(context) not in _CASES:
        found = [case for case in all_cases(context) if case.label.partition(".")[0] == EXPLORE]
        assert len(found) > 60  # Else a run without findings shows nothing.
        _CASES[id(context)] = context, found
    return _CASES[id(context)][1]


#: The cases by the identity of the context, which is kept with them.
_CASES: dict[int, tuple[Context, list[Case]]] = {}


def evaluated(behaviour: Behaviour | None, context: Context) -> tuple[list[Result], Recorded]:
    """The results of the cases over random requests."""
    recorded = record_of(context, behaviour)
    return [evaluate(case, recorded) for case in random_cases(context)], recorded


def broken(results: list[Result]) -> list[str]:
    return [f"{one.case.id}: {one.findings[0].message}" for one in results if one.verdict in (FAIL, WARNING)]


@pytest.mark.parametrize("revision", REVISIONS)
@settings(max_examples=150)
@given(choice=CHOICES)
def test_every_choice_is_a_documented_request(revision: str, choice: Choice) -> None:
    here = target(revision)
    body = json.loads(encode(explore.body_of(choice, here.contract), here.model))
    assert Schemas(here.contract).errors("request.json", body) == []
    thinks = "effort" in explore.is_set(choice)
    assert body["max_output_tokens"] <= (here.contract.caps.call if thinks else here.contract.caps.line)


@pytest.mark.parametrize("revision", REVISIONS)
def test_requests_are_the_same_for_a_seed_and_survive_the_run_folder(revision: str) -> None:
    schemas = Schemas(target(revision).contract)
    found = explored(40, 11, schemas)
    assert found == explored(40, 11, schemas)
    assert found != explored(40, 12, schemas)
    assert [explore.from_json(json.loads(json.dumps(explore.to_json(one)))) for one in found] == found
    assert [one.name.split(".")[1] for one in found[:40]] == [str(number) for number in range(1, 41)]
    assert sum(one.searches for one in found) == SHRUNK


def test_what_a_profile_excludes_is_not_drawn() -> None:
    lacks = frozenset({"tools", "reasoning", "bearer", "streaming"})
    found = explored(30, 3, Schemas(target().contract), lacks)
    assert not [one.name for one in found if one.claims & lacks]
    assert len({one.description for one in found if LEGAL in one.tags}) > 20


def test_wrong_values_are_of_many_kinds_and_valid_json_or_numbers() -> None:
    wrong = [one for one in explored(200, 3, Schemas(target().contract)) if one.wrong]
    assert len(wrong) > 40
    assert len({one.about["parameter"] for one in wrong}) > 8
    for one in wrong:
        json.loads(one.raw_for("m") or encode(one.body, "m"))
        assert not one.must_fit_schema


def test_most_pairs_of_values_occur_in_eighty_requests() -> None:
    legal = [one.about for one in explored(80, 3, Schemas(target().contract)) if LEGAL in one.tags and one.about]
    pairs = {
        pair for about in legal for pair in combinations([(name, about[name]) for name in FACTORS], 2)
    }  # fmt: skip
    every = sum(len(one) * len(other) for one, other in combinations(FACTORS.values(), 2))
    assert len(pairs) > 0.95 * every


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_conformant_endpoint_passes(revision: str) -> None:
    results, recorded = evaluated(None, random_context(40, 3, revision))
    assert broken(results) == []
    assert [one.case.id for one in results if one.verdict == INCONCLUSIVE] == []
    assert {recorded.received(f"explore.smallest.{place}").exchange.ended for place in (1, 2, 3)} == {"not-sent"}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda one: str(one.name))
def test_legal_variants_pass(variant: Behaviour) -> None:
    results = evaluated(variant, random_context(16))[0]
    assert broken([one for one in results if one.verdict == FAIL]) == []


# -- faults that a combination shows -----------------------------------------------------------------------------------


def _fails_with(holds: Callable[[Dict], bool]) -> Callable[[Sent, Refusal | None], Refusal | None]:
    """A hook that answers 500 to requests that pass the validation and of which something holds."""

    def validate(sent: Sent, refusal: Refusal | None) -> Refusal | None:
        return of(500, "internal error", "", "server_error") if refusal is None and holds(sent.body) else refusal

    return validate


def _without_end(sent: Sent, events: list[Dict]) -> list[Dict]:
    return events[:-1] if sent.body.get("temperature") == 0 and sent.body.get("tools") else events


def _cjk_output(body: Dict) -> bool:
    outputs = [item for item in body["input"] if item.get("type") == "function_call_output"] if isinstance(
        body.get("input"), list
    ) else []  # fmt: skip
    return "instructions" in body and "世界" in json.dumps(outputs, ensure_ascii=False)


def _json_thinking(body: Dict) -> bool:
    form = (body.get("text") or {}).get("format") or {}
    return form.get("type") == "json_object" and (body.get("reasoning") or {}).get("effort") == "high"


#: A fault that only a combination shows, with the rule that reports it and what the smallest request holds.
COMBINATIONS: Mapping[str, tuple[Behaviour, str, dict[str, str]]] = {
    "end": (
        fault("explore.end", "Loses the terminal event with tools at temperature 0.", events=_without_end),
        "lifecycle.one-terminal-last",
        {"stream": "true", "temperature": "0", "tools": "*"},
    ),
    "cjk": (
        fault("explore.cjk", "Fails on CJK in a tool's output beside instructions.", validate=_fails_with(_cjk_output)),
        "http.documented-request-served",
        {"text": "cjk", "round": "*", "instructions": "*"},
    ),
    "json": (
        fault("explore.json", "Fails on json_object with effort high.", validate=_fails_with(_json_thinking)),
        "http.documented-request-served",
        {"format": "json_object", "effort": "usual"},
    ),
}


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize("seed", [3, 8])
def test_a_combination_is_found_and_reduced_to_what_matters(name: str, seed: int) -> None:
    behaviour, rule, expected = COMBINATIONS[name]
    results, recorded = evaluated(behaviour, random_context(60, seed))
    failed = {one.case.rule: one for one in results if one.verdict == FAIL}
    assert rule in failed
    first = failed[rule].findings[0]
    assert first.scenario == "explore.smallest.1"
    smallest = recorded.received("explore.smallest.1")
    assert len(smallest.samples) <= MOST_SMALLER
    assert _factors(smallest) == expected
    sent = [recorded.received(f"explore.smallest.{place}").exchange.ended for place in (2, 3)]
    assert sent == ["not-sent", "not-sent"]


def _factors(received: Received) -> dict[str, str]:
    """The members of a small request by the factors that set them; ``*`` where several values do."""
    body = received.sent
    kinds = [item.get("type") for item in body["input"]] if isinstance(body["input"], list) else []
    found = {
        "stream": "true" if body.get("stream") else "",
        "temperature": str(body.get("temperature", "")),
        "tools": "*" if "tools" in body else "",
        "instructions": "*" if "instructions" in body else "",
        "round": "*" if "function_call_output" in kinds else "",
        "text": "cjk" if "世界" in json.dumps(body, ensure_ascii=False) else "",
        "format": body.get("text", {}).get("format", {}).get("type", ""),
        "effort": "usual" if body.get("reasoning", {}).get("effort") == "high" else "",
        "other": ",".join(name for name in ("top_p", "tool_choice") if name in body),
    }
    return {name: value for name, value in found.items() if value}


def test_several_faults_are_reduced_each() -> None:
    both = combine([COMBINATIONS["json"][0], COMBINATIONS["end"][0]])
    _, recorded = evaluated(both, random_context(60))
    smallest = [_factors(recorded.received(f"explore.smallest.{place}")) for place in (1, 2)]
    assert sorted(smallest, key=len) == [COMBINATIONS["json"][2], COMBINATIONS["end"][2]]
    assert recorded.received("explore.smallest.3").exchange.ended == "not-sent"


def test_what_fails_always_takes_one_request_more() -> None:
    always = fault("explore.always", "Fails on everything.", validate=_fails_with(lambda body: True))
    _, recorded = evaluated(always, random_context(16))
    assert len(recorded.received("explore.smallest.1").samples) == 1
    assert recorded.received("explore.smallest.2").exchange.ended == "not-sent"


def test_what_does_not_occur_again_is_reported_and_not_reduced() -> None:
    def third(sent: Sent, refusal: Refusal | None) -> Refusal | None:
        return of(400, "no", "input", "invalid_request_error") if sent.number == 3 else refusal

    results, recorded = evaluated(fault("explore.once", "Refuses once.", validate=third), random_context(16))
    assert any(line.startswith("http.success-is-200@explore.served: ") for line in broken(results))
    assert len(recorded.received("explore.smallest.1").samples) == 1


def test_a_wrong_value_that_breaks_the_server_is_reported() -> None:
    def validate(sent: Sent, refusal: Refusal | None) -> Refusal | None:
        given = (sent.body.get("temperature", 1), sent.body.get("top_p", 1))
        return refusal if all(isinstance(one, int | float) for one in given) else of(500, "oops", "", "server_error")

    wrong = fault("explore.type", "Fails on a temperature or top_p that is no number.", validate=validate)
    results, _ = evaluated(wrong, random_context(60))
    reported = [line for line in broken(results) if not line.startswith(("request.null", "request.out-of-range"))]
    assert reported
    assert all(line.startswith("request.wrong-type@explore.illegal: ") for line in reported)


# -- options, the run folder and replays -------------------------------------------------------------------------------


def test_without_the_package_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(Misconfigured, match=r"needs Hypothesis: pip install '.*\[explore\]'"):
        explored(5, 1, Schemas(target().contract))


@pytest.mark.parametrize("count", [-1, 5_001])
def test_a_number_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(Misconfigured, match="--explore is"):
        explored(count, 1, Schemas(target().contract))


def test_no_random_requests_without_the_option() -> None:
    assert explored(0, 1, Schemas(target().contract)) == []
    assert not [name for name in context_of(target()).scenarios if name.startswith("explore.")]


def test_a_replay_gives_the_same_verdicts(tmp_path: Path) -> None:
    options = ("--only", "*@explore*", "-n", "2")
    first = run("--explore", "12", "--explore-seed", "5", "--run-dir", str(tmp_path / "run"), *options)
    assert first.returncode == 0, first.stdout + first.stderr
    again = run("--replay", str(tmp_path / "run"), "--run-dir", str(tmp_path / "again"), *options[:2])
    assert again.returncode == 0, again.stdout + again.stderr
    assert timeless(tmp_path / "again")[1:-1] == timeless(tmp_path / "run")[1:-1]
    assert lines_of(tmp_path / "run")[-1]["requests"] >= 12
    refused = run("--replay", str(tmp_path / "run"), "--explore", "3", "--run-dir", str(tmp_path / "third"))
    assert refused.returncode == 2
    assert "--explore cannot be set with --replay" in refused.stderr
