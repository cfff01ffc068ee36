"""What was seen when real clients were fed responses that violate a rule, and how that is made and kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from conformance.contract.client_evidence import FILE, NUMBERS, evidence, faults_that_stop
from conformance.contract.clients import CLIENTS
from conformance.contract.rules import catalogue, requirement
from conformance.emulator.faults import FAULTS
from conformance.exchange.client_outcomes import Outcome
from tests.test_client_lane import CLEAN, ended
from tools.client_evidence import PAGE, did, joined, page, plan
from tools.in_process import record

TEXT = CLEAN.received("text.stream")
RIGHT = ended(TEXT, "openai-python-stream", shown=CLEAN.received("text.stream").words)


def test_the_published_page_is_that_of_the_evidence() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(FILE.read_text(encoding="utf-8")))


def test_the_evidence_is_of_rules_faults_and_clients_that_there_are() -> None:
    rows, names = evidence()["rules"], {one.name for one in CLIENTS}
    assert set(rows) <= set(catalogue())
    assert {fault for faults in rows.values() for fault in faults} <= set(FAULTS)
    assert {name for faults in rows.values() for by in faults.values() for name in by} <= names
    assert set(evidence()["versions"]) <= names


def test_each_rule_that_can_be_fed_is_tried_with_a_fault_that_it_tells() -> None:
    assert all(1 <= len(faults) <= 5 for faults in plan().values())
    assert not {requirement(rule).area for rule in plan()} & {"auth", "request", "error"}
    assert faults_that_stop("openai-python-stream")
    assert faults_that_stop("nobody") == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({}, ""),
        ({"error": {"type": "KeyError", "message": "'id'"}}, "KeyError: 'id'"),
        ({"text": "other"}, "other text"),
        ({"shown": None}, "other text"),
        ({"reasoning": "Hm."}, "other reasoning"),
        ({"calls": [{"call_id": "c", "name": "n", "arguments": "{}"}]}, "other calls"),
        ({"usage": None}, "no usage"),
        ({"usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 1}}, NUMBERS),
    ],
)
def test_what_a_client_did(other: dict[str, object], says: str) -> None:
    assert did(replace(RIGHT, **other), RIGHT, [TEXT]) == says  # type: ignore[arg-type]  # Whatever a test wants.


def test_a_client_that_the_right_answer_stops_shows_nothing() -> None:
    stopped = Outcome(RIGHT.client, RIGHT.key, error={"type": "KeyError", "message": "'id'"})
    assert did(stopped, stopped, [TEXT]) is None
    assert did(RIGHT, replace(RIGHT, text=None), TEXT) is None


def test_who_shows_another_answer_as_it_was_sent_copes() -> None:
    """Thoughts where there should be none are no trouble to a client; a text that was sent and is not shown is."""
    has_reasoning = record(FAULTS["effort.none-thinks-streaming"]).received("effort.none.stream")
    right = ended(CLEAN.received("effort.none.stream"), "codex")
    assert (right.reasoning, did(ended(has_reasoning, "codex"), right, [has_reasoning])) == ("", NUMBERS)
    assert did(replace(ended(has_reasoning, "codex"), text=""), right, [has_reasoning]) == "other text"


def test_what_other_clients_did_before_is_kept() -> None:
    before = {"versions": {"codex": "1"}, "rules": {"r": {"f": {"codex": "x", "ai-sdk-plain": "y"}, "gone": {}}}}
    after = joined(before, {"ai-sdk-plain": "2"}, {"r": {"f": {"ai-sdk-plain": ""}}, "new": {"g": {}}})
    assert after == {
        "versions": {"ai-sdk-plain": "2", "codex": "1"},
        "rules": {"new": {"g": {}}, "r": {"f": {"ai-sdk-plain": "", "codex": "x"}}},
    }
