"""The records of a results file: JSON there and back, files of earlier versions, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conformance.contract.schemas import schema_dir
from conformance.judge.findings import MISSING
from conformance.judge.reasons import CODES, NO_REASON, NOTHING_EXAMINED, UNSUPPORTED, Reason
from conformance.results import results_file
from conformance.results.records import (
    BaselineMark,
    CaseRecord,
    FindingRecord,
    Obstacle,
    Partial,
    ProblemRecord,
    RunEnd,
    RunHead,
    TargetRecord,
    Tokens,
)
from tests.support.lines import case, end, head, written

VALIDATOR = Draft202012Validator(json.loads((schema_dir() / "results.json").read_text(encoding="utf-8")))

TEXT = st.text(max_size=12)
NAME = st.text(min_size=1, max_size=8)
NAMES = st.lists(NAME, max_size=3).map(tuple)
COUNT = st.integers(0, 10**6)
VERDICT = st.sampled_from(
    ["pass", "fail", "warning", "inconclusive", "not-applicable", "error", "expected", "stale"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | COUNT | TEXT, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner)
)

FINDINGS = st.builds(
    FindingRecord, NAME, TEXT, st.none() | COUNT, JSON | st.just(MISSING), JSON | st.just(MISSING), NAME, NAMES, TEXT,
    st.none() | COUNT, st.integers(1, 99), st.none() | st.dictionaries(NAME, NAME, max_size=2),
)  # fmt: skip
REASONS = st.just(NO_REASON) | st.builds(Reason, st.sampled_from(CODES), NAME, NAMES)
CASES = st.builds(
    CaseRecord, st.just("a.b@c"), NAME, NAME, NAME, st.sampled_from(["MUST", "SHOULD", "MAY"]), VERDICT, NAMES,
    st.lists(FINDINGS, max_size=2).map(tuple), NAMES, REASONS, st.none() | COUNT,
    st.lists(st.builds(Obstacle, NAME, NAMES, st.booleans()), max_size=2).map(tuple), TEXT, TEXT,
    st.none() | st.builds(BaselineMark, VERDICT, TEXT, TEXT, TEXT), st.floats(0, 1000),
)  # fmt: skip
HEADS = st.builds(
    RunHead, TEXT, TEXT, st.builds(TargetRecord, TEXT, TEXT, TEXT), st.sampled_from(["live", "replay"]), TEXT
)  # fmt: skip
PROBLEMS = st.builds(ProblemRecord, st.sampled_from(["stale", "expired"]), TEXT, TEXT, TEXT)
ENDS = st.builds(
    RunEnd, st.dictionaries(VERDICT, COUNT), COUNT, COUNT, st.builds(Tokens, COUNT, COUNT), st.floats(0, 1000),
    st.integers(0, 6), st.booleans(), TEXT, st.none() | st.builds(Partial, COUNT, COUNT, COUNT, COUNT),
    st.lists(PROBLEMS, max_size=2).map(tuple),
)  # fmt: skip


@given(CASES | HEADS | ENDS)
def test_a_record_survives_the_way_through_its_line(record: CaseRecord | RunHead | RunEnd) -> None:
    line = json.loads(json.dumps(record.to_json()))
    assert type(record).from_json(line) == record
    assert [error.message for error in VALIDATOR.iter_errors(line)] == []


def test_a_line_of_an_earlier_version_is_read() -> None:
    old: dict[str, Any] = {
        "kind": "case", "id": "a.b@c", "requirement": "a.b", "scenario": "c", "area": "a", "level": "MUST",
        "verdict": "fail", "breaks": ["codex"], "observed": [], "reason": "", "exchange": "k", "cause": "", "ms": 1.5,
        "findings": [{"message": "m", "pointer": "", "event": None, "scenario": "c", "also": [], "exchange": "k",
                      "count": 1}],
    }  # fmt: skip
    record = CaseRecord.from_json(old)
    assert (record.examined, record.findings[0].clients, record.findings[0].request_bytes) == (None, None, None)
    assert record.to_json() == old


@pytest.mark.parametrize(
    ("text", "code", "features"),
    [
        ("the target's profile lacks reasoning, tools", UNSUPPORTED, ("reasoning", "tools")),
        ("the responses hold nothing that this rule is about", NOTHING_EXAMINED, ()),
        ("HTTP 503 after 3 tries", "", ()),
    ],
)
def test_a_reason_without_a_code_is_known_by_its_text(text: str, code: str, features: tuple[str, ...]) -> None:
    assert case("a.b@c", "not-applicable", reason=text).reason == Reason(code, text, features)


def test_the_verdict_that_counts_is_the_one_before_the_baseline() -> None:
    aside = case("a.b@c", "expected", reason="r", baseline=BaselineMark("inconclusive", "f:1", "known").to_json())
    assert (aside.own_verdict, aside.counted, aside.has_problem) == ("inconclusive", "not-applicable", False)
    known = case("a.b@c", "expected", baseline=BaselineMark("fail", "f:1", "known").to_json())
    assert (known.own_verdict, known.counted, known.has_problem, known.why) == ("fail", "expected", True, "known")
    assert known.without_baseline().verdict == "fail"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"kind": "case", "id": "a.b@c"}, "a line of kind case has no member requirement"),
        ({**case("a.b@c").to_json(), "findings": "x"}, "findings in a line of kind case has the wrong type"),
        ({**case("a.b@c").to_json(), "ms": "long"}, "ms in a line of kind case has the wrong type"),
        ({**case("a.b@c").to_json(), "observed": [1]}, "observed in a line of kind case has the wrong type"),
    ],
)
def test_what_is_no_results_file_is_one_line(line: dict[str, Any], says: str, tmp_path: Path) -> None:
    file = written(tmp_path / "results.jsonl", head())
    file.write_text(file.read_text() + json.dumps(line) + "\n")
    with pytest.raises(ValueError, match=says):
        results_file.read(file)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    cases = [case("a.b@c"), case("a.b@d", "fail", "wrong"), case("x.y@d", "warning", "odd", cause="a.b@d")]
    run = results_file.Results(tmp_path / "results.jsonl", head(), cases, end(cases))
    run.write(run.path)
    again = results_file.read(run.path)
    assert again == run
    assert (again.counts, again.exit_code) == ({"fail": 1, "pass": 1, "warning": 1}, 1)
    assert [one.message for one in again.findings] == ["wrong", "odd"]
    assert [(one.rule, len(one.consequences)) for one in again.causes] == [("a.b", 1)]
