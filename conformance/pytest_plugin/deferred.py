"""Test reports that are deferred until the end of a run, because a baseline may change their verdict.

A baseline is applied when all cases are evaluated, in all processes: a case that fails, warns or is inconclusive may
be a consequence of an expected failure, and a case that an entry names may pass. Other plugins of pytest ignore such a
report (its ``when`` is :data:`DEFERRED`). When the run has ended, the controller reports the case again with its final
verdict, so that letters, counts, JUnit files and the exit code agree.
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

#: ``when`` of a deferred report; pytest's own phases are setup, call and teardown.
DEFERRED = "deferred"


def may_change(case: CaseRecord, entries: Sequence[Entry]) -> bool:
    """Whether a baseline with these entries can change the verdict of the case."""
    if case.verdict in (PASS, NOT_APPLICABLE):
        return any(entry.case == case.id for entry in entries)
    return bool(entries) and case.verdict in EXPECTABLE


def set_outcome(report: pytest.TestReport, case: CaseRecord, text: str) -> None:
    """Set the outcome of a report from a case's record; ``text`` is the text of a failure."""
    verdict, path = case.verdict, report.location[0]
    if verdict == FAIL:
        report.outcome, report.longrepr = "failed", text or case.id
    elif verdict == STALE and case.baseline:
        report.outcome, report.longrepr = "failed", f"{case.id} passes; expected a failure ({case.baseline.entry})"
    elif verdict == EXPECTED and case.baseline:
        report.outcome, report.wasxfail = "skipped", case.baseline.reason
        report.longrepr = (path, 0, printable(f"{verdict}: {case.baseline.reason}"))
    elif verdict in (INCONCLUSIVE, NOT_APPLICABLE):
        report.outcome = "skipped"
        report.longrepr = (path, 0, printable(f"{verdict}: {case.reason}"))
    report.verdict = verdict  # type: ignore[attr-defined]  # Reports take attributes.
    attach_record(report, case)


def attach_record(report: pytest.TestReport, case: CaseRecord) -> None:
    """Attach a case's record to a report."""
    report.conformance = case  # type: ignore[attr-defined]  # Reports take attributes.


def make_transferable(report: object) -> None:
    """Replace the record of a report by ASCII JSON: pytest-xdist transfers only plain values, and not every character
    that a string of the server can contain."""
    record = getattr(report, "conformance", None)
    if isinstance(record, CaseRecord):
        report.conformance = json.dumps(record.to_json())  # type: ignore[attr-defined]  # Reports take attributes.


def attached_record(report: pytest.TestReport) -> CaseRecord | None:
    """The record attached to a report, in this process or in a worker; None if there is none."""
    record = getattr(report, "conformance", None)
    return CaseRecord.from_json(json.loads(record)) if isinstance(record, str) else record


def properties(case: CaseRecord) -> list[tuple[str, object]]:
    """The JUnit properties of a case."""
    return [("requirement", case.requirement), ("level", case.level), ("verdict", case.verdict)]


def defer(report: pytest.TestReport, case: CaseRecord) -> None:
    """Defer a report; its record is attached for the main process."""
    report.when = DEFERRED  # type: ignore[assignment]  # Plugins ignore a value that is not one of pytest's phases.
    report.outcome, report.longrepr = "passed", None
    attach_record(report, case)


def final_reports(deferred: pytest.TestReport, case: CaseRecord, text: str) -> Iterator[pytest.TestReport]:
    """The pytest reports of a case with its final verdict: one of the call, and one of the teardown, on which the JUnit
    plugin writes the case."""
    call = copy.copy(deferred)
    call.when, call.duration = "call", 0.0  # Its time was counted when it was evaluated.
    set_outcome(call, case, text)
    yield call
    teardown = copy.copy(deferred)
    teardown.when, teardown.duration = "teardown", 0.0
    teardown.user_properties = properties(case)
    del teardown.conformance
    yield teardown
