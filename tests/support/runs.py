"""Run folders for the tests of what is rendered: from the in-process endpoint, or made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.emulator import Twist
from conformance.report import results
from conformance.report.failure import render
from conformance.report.fold import fold
from conformance.results.records import CaseRecord, RunHead
from conformance.run import Recorded
from conformance.verdict import Result
from conformance.wire.exchange import Chunk, Exchange, Request
from conformance.wire.record import Folder
from tests.support.inprocess import NOW, record, verdicts

HEAD = RunHead.from_json({
    "kind": "run", "format": 1, "suite": "0.1.0", "revision": "2026-06-24", "mode": "live",
    "target": {"name": "my proxy", "endpoint": "http://127.0.0.1:9/v1", "model": "mimo-v2.5-pro"},
    "started_at": "2026-09-01T08:00:00+00:00",
})  # fmt: skip


def judged(path: Path, twist: Twist | None, only: str = "") -> results.Results:
    """The run of an endpoint with this twist: every case, or those whose id ends so."""
    recorded = record(twist)
    folder = folder_at(path)
    found = [one for one in verdicts(twist) if one.case.id.endswith(only)]
    for name in {name for one in found for name in one.case.scenarios}:
        folder.write(recorded.answer(name).exchange)
    lines = fold(results.in_order(results.case_record(one, recorded, 1.0) for one in found))
    return written(folder, lines)


def text_of(result: Result, recorded: Recorded, folder: Folder) -> str:
    """A failed case on one screen."""
    case = results.case_record(result, recorded, 0.0)
    return render(case, lambda finding: recorded.answer(finding.scenario), folder, "pytest conformance")


def written(folder: Folder, lines: Sequence[CaseRecord], head: RunHead = HEAD) -> results.Results:
    """A results file of these case lines, read back."""
    end = results.end_record(lines, folder, 12.34, results.exit_code([line.verdict for line in lines], False))
    file = folder.path / "results.jsonl"
    results.Results(file, head, lines, end).write(file)
    return results.read(folder.path)


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


def folder_at(path: Path) -> Folder:
    (path / "exchanges").mkdir(parents=True, exist_ok=True)
    return Folder(path)
