"""SARIF and CTRF: what they say of a run, and the members that the formats require."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.report import ctrf, sarif
from conformance.results.results_file import Results
from tests.support import runs
from tests.support.runs import line
from tests.test_report_texts import some


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return runs.written(runs.folder_at(tmp_path), [*some(), line("e.f@x", "expected", "known \x1b[2J")])


def test_sarif_has_a_result_for_each_cause(results: Results) -> None:
    log = json.loads(sarif.render(results, "conformance run"))
    (run,) = log["runs"]
    assert (log["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "conformance")
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
        ("sum.text-deltas", "error"), ("sse.event-line-present", "warning"), ("e.f", "note"),
    ]  # fmt: skip
    first = run["results"][0]
    assert "--only 'sum.text-deltas@cut.stream'" in first["message"]["text"]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    assert first["properties"] == {"cases": 2, "consequences": 1, "clients": ["openai-python", "ai-sdk"]}
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "exchanges/one.json"
    assert "\\u001b" not in sarif.render(results, "conformance run")


def test_ctrf_has_a_test_for_each_case(results: Results) -> None:
    document = json.loads(ctrf.render(results))
    assert (document["reportFormat"], document["specVersion"]) == ("CTRF", "0.0.0")
    tests, summary = document["results"]["tests"], document["results"]["summary"]
    assert [one["name"] for one in tests] == [case.id for case in results.cases]
    counts = {name: summary[name] for name in ("passed", "failed", "skipped", "pending", "other")}
    assert counts == {"passed": 2, "failed": 3, "skipped": 2, "pending": 0, "other": 1}
    assert summary["tests"] == sum(counts.values()) == len(tests)
    assert summary["stop"] - summary["start"] == 12340
    (consequence,) = [one for one in tests if "consequence" in one["tags"] and one["name"].startswith("sum.part")]
    assert (consequence["status"], consequence["suite"]) == ("failed", ["sum", "sum.part"])
