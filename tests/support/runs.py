"""Run folders for the tests of what is rendered: from the in-process endpoint, or made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.emulator import Behaviour
from conformance.exchange.exchange import Chunk, Exchange, Request
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Result
from conformance.report.failure import render
from conformance.results import results_file
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord, RunHead
from tools.in_process import NOW, record, verdicts

HEAD = RunHead.from_json({
    "kind": "run", "format": 1, "suite": "0.1.0", "revision": "2026-06-24", "mode": "live",
    "target": {"name": "my proxy", "endpoint": "http://127.0.0.1:9/v1", "model": "mimo-v2.5-pro"},
    "started_at": "2026-09-01T08:00:00+00:00",
})  # fmt: skip


def evaluated(path: Path, behaviour: Behaviour | None, only: str = "") -> results_file.Results:
    """The run of an endpoint with this twist: every case, or those whose id ends so."""
    recorded = record(behaviour)
    folder = folder_at(path)
    found = [one for one in verdicts(behaviour) if one.case.id.endswith(only)]
    for name in {name for one in found for name in one.case.scenarios}:
        folder.write(recorded.received(name).exchange)
    lines = group_by_cause(results_file.in_order(results_file.case_record(one, recorded, 1.0) for one in found))
    return written(folder, lines)


def text_of(result: Result, recorded: Recorded, folder: RunDirectory) -> str:
    """A failed case on one screen."""
    case = results_file.case_record(result, recorded, 0.0)
    return render(case, lambda finding: recorded.received(finding.scenario), folder, "pytest conformance")


def written(folder: RunDirectory, lines: Sequence[CaseRecord], head: RunHead = HEAD) -> results_file.Results:
    """A results file of these case lines, read back."""
    end = results_file.end_record(lines, folder, 12.34, results_file.exit_code([line.verdict for line in lines], False))
    file = folder.path / "results.jsonl"
    results_file.Results(file, head, lines, end).write(file)
    return results_file.read(folder.path)


def line(case: str, verdict: str = "fail", message: str = "", **more: Any) -> CaseRecord:
    """A case made by hand; with a message it has one finding."""
    rule, _, scenario = case.partition("@")
    finding = {
        "message": message, "pointer": "", "event": None, "scenario": scenario, "also": [], "exchange": "one",
        "count": 1, "clients": {},
    }  # fmt: skip
    made = {
        "kind": "case", "id": case, "requirement": rule, "scenario": scenario, "area": rule.partition(".")[0],
        "level": "MUST", "verdict": verdict, "breaks": [], "findings": [finding] if message else [], "observed": [],
        "reason": "", "exchange": "one", "cause": "", "ms": 1.0,
    }  # fmt: skip
    return CaseRecord.from_json(made | more)


def exchange(key: str, body: bytes, content_type: str = "application/json", **more: Any) -> Exchange:
    """A recorded exchange with this answer, in one piece."""
    sent = json.dumps({"model": "mimo-v2.5-pro", "input": "Say hello."}).encode()
    headers = (("Content-Type", "application/json"), ("api-key", "${MIMO_API_KEY}"))
    request = Request("POST", "http://127.0.0.1:9/v1/responses", headers, sent)
    answered = (("content-type", content_type),)
    usual = {"status": 200, "headers": answered, "chunks": (Chunk(4.0, body),), "ended": "clean", "detail": ""}
    return Exchange(key=key, scenario="text", sample=0, request=request, sent_at=NOW, elapsed=5.0, **(usual | more))


def stream(events: Sequence[dict[str, Any]]) -> bytes:
    """The bytes of these events."""
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)


def folder_at(path: Path) -> RunDirectory:
    (path / "exchanges").mkdir(parents=True, exist_ok=True)
    return RunDirectory(path)
