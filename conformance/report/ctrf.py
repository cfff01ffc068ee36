"""The cases in the Common Test Report Format (CTRF), for test dashboards."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, STALE, WARNING
from conformance.report.failure import printable
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results

#: The version of the format.
_VERSION = "0.0.0"

_STATUS = {
    PASS: "passed", WARNING: "passed", FAIL: "failed", STALE: "failed", ERROR: "failed", NOT_APPLICABLE: "skipped",
    EXPECTED: "skipped", INCONCLUSIVE: "other",
}  # fmt: skip


def render(results: Results) -> str:
    """The report of these results."""
    tests = [_test(case) for case in results.cases]
    counts = Counter(one["status"] for one in tests)
    start = round(datetime.fromisoformat(results.head.started_at).timestamp() * 1000)
    took = round((results.end.seconds if results.end else 0) * 1000)
    summary = {
        "tests": len(tests),
        **{name: counts[name] for name in ("passed", "failed", "skipped", "pending", "other")},
        "start": start,
        "stop": start + took,
    }
    environment = {"appName": printable(results.head.target.name), "appVersion": printable(results.head.target.model)}
    document = {
        "reportFormat": "CTRF",
        "specVersion": _VERSION,
        "results": {
            "tool": {"name": "conformance", "version": results.head.suite},
            "summary": summary,
            "tests": tests,
            "environment": environment,
        },
    }
    return json.dumps(document) + "\n"


def _test(case: CaseRecord) -> dict[str, Any]:
    printed = printable(case.message or case.why)
    return {
        "name": case.id,
        "status": _STATUS.get(case.verdict, "other"),
        "rawStatus": case.verdict,
        "duration": max(0, round(case.ms)),
        "suite": [case.area, case.requirement],
        "tags": [case.level, *(["consequence"] if case.is_consequence else [])],
        **({"message": printed} if printed else {}),
    }
