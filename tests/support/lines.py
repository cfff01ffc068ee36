"""Results files made by hand, for what compares and renders them."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

from conformance.cli import main
from conformance.results import results_file
from conformance.results.records import CaseRecord, RunEnd, RunHead
from conformance.results.results_file import Results


def head(name: str = "proxy", **more: Any) -> RunHead:
    """A run's head."""
    target = {"name": name, "endpoint": "http://127.0.0.1:9/v1", "model": "mimo-v2.5-pro"}
    return RunHead.from_json({
        "kind": "run", "format": 1, "suite": "0.1.0", "revision": "2026-06-24", "target": target, "mode": "live",
        "started_at": "2026-06-24T02:00:00+00:00", **more,
    })  # fmt: skip


def case(case_id: str, verdict: str = "pass", *messages: str, **more: Any) -> CaseRecord:
    """A case with a finding a message; a fail has one in any case."""
    rule, _, scenario = case_id.partition("@")
    told = messages or (("HTTP 500",) if verdict in ("fail", "warning", "expected") else ())
    found = [
        {
            "message": one,
            "pointer": "",
            "event": None,
            "scenario": scenario,
            "also": [],
            "exchange": "",
            "count": 1,
            "clients": {},
        }
        for one in told
    ]
    return CaseRecord.from_json({
        "kind": "case", "id": case_id, "requirement": rule, "scenario": scenario, "area": rule.partition(".")[0],
        "level": "MUST", "verdict": verdict, "breaks": [], "findings": found, "observed": [], "reason": "",
        "exchange": "", "cause": "", "ms": 0, **more,
    })  # fmt: skip


def end(cases: list[CaseRecord], **more: Any) -> RunEnd:
    """A run's end."""
    verdicts = [one.verdict for one in cases]
    return RunEnd.from_json({
        "kind": "end", "counts": {name: verdicts.count(name) for name in sorted(set(verdicts))}, "requests": 10,
        "attempts": 10, "tokens": {"input": 100, "output": 200}, "seconds": 1.5,
        "exit": results_file.exit_code(verdicts, strict=False), **more,
    })  # fmt: skip


def run(*cases: CaseRecord, first: RunHead | None = None, **more: Any) -> Results:
    """Results that lie nowhere."""
    return Results(Path("nowhere") / "results.jsonl", first or head(), list(cases), end(list(cases), **more))


def written(path: Path, *lines: RunHead | CaseRecord | RunEnd) -> Path:
    """A results file of these lines."""
    path.write_text("".join(json.dumps(line.to_json()) + "\n" for line in lines), encoding="utf-8")
    return path


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it, without a process of its own."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
