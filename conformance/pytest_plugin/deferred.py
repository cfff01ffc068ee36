"""Reports to pytest that wait for the end of a run: whose verdict may still change.

A baseline is applied when all cases are evaluated, in all processes: a case that fails, warns or is inconclusive may
follow from an expected failure, and a case that an entry names may pass. Its report then says nothing to pytest's other
plugins (``when`` is :data:`HELD`); when the run has ended the controller reports it once more, with its final verdict:
so letters, counts, JUnit files and the exit code agree.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence

import pytest

from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, STALE
from conformance.report.failure import printable
from conformance.results.baseline import EXPECTABLE, Entry
from conformance.results.records import CaseRecord

#: ``when`` of a report that waits; pytest's own are setup, call and teardown.
HELD = "held"


def may_change(case: CaseRecord, entries: Sequence[Entry]) -> bool:
    """Whether a baseline of these entries may give the case another verdict."""
    if case.verdict in (PASS, NOT_APPLICABLE):
        return any(entry.case == case.id for entry in entries)
    return bool(entries) and case.verdict in EXPECTABLE


def fill(report: pytest.TestReport, case: CaseRecord, text: str) -> None:
    """Make a report say what a case's record says; ``text`` is shown of a failure."""
    verdict, path = case.verdict, report.location[0]
    if verdict == FAIL:
        report.outcome, report.longrepr = "failed", text or case.id
    elif verdict == STALE and case.baseline:
        report.outcome, report.longrepr = "failed", f"{case.id}: listed at {case.baseline.entry}, and passes"
    elif verdict == EXPECTED and case.baseline:
        report.outcome, report.wasxfail = "skipped", case.baseline.reason
        report.longrepr = (path, 0, printable(f"{verdict}: {case.baseline.reason}"))
    elif verdict in (INCONCLUSIVE, NOT_APPLICABLE):
        report.outcome = "skipped"
        report.longrepr = (path, 0, printable(f"{verdict}: {case.reason}"))
    report.verdict = verdict  # type: ignore[attr-defined]  # Reports take attributes.
    carry(report, case)


def carry(report: pytest.TestReport, case: CaseRecord) -> None:
    """Put a case's record into a report: as ASCII text it survives the way from a worker, whatever a server sent."""
    report.conformance = json.dumps(case.to_json())  # type: ignore[attr-defined]  # Reports take attributes.


def carried(report: pytest.TestReport) -> CaseRecord | None:
    """The record that a report carries; None if it carries none."""
    kept = getattr(report, "conformance", None)
    return CaseRecord.from_json(json.loads(kept)) if kept else None


def properties(case: CaseRecord) -> list[tuple[str, object]]:
    """The JUnit properties of a case."""
    return [("requirement", case.requirement), ("level", case.level), ("verdict", case.verdict)]


def hold(report: pytest.TestReport, case: CaseRecord) -> None:
    """Make a report wait: it carries its record to the controller."""
    report.when = HELD  # type: ignore[assignment]  # Plugins pass over what is none of pytest's phases.
    report.outcome, report.longrepr = "passed", None
    carry(report, case)


def released(held: pytest.TestReport, case: CaseRecord, text: str) -> Iterator[pytest.TestReport]:
    """The reports of a case whose verdict is known now, as pytest makes them: of the call, and of the teardown, with
    which JUnit's plugin ends a case."""
    call = copy.copy(held)
    call.when, call.duration = "call", 0.0  # Its time was counted when it was evaluated.
    fill(call, case, text)
    yield call
    teardown = copy.copy(held)
    teardown.when, teardown.duration = "teardown", 0.0
    teardown.user_properties = properties(case)
    del teardown.conformance
    yield teardown
