"""Reports to pytest that wait for the end of a run: whose verdict may still change.

With a baseline, a case that fails, warns or could not be judged may follow from an expected failure, and that is known
only when all cases are judged, in all processes. Its report then says nothing to pytest's other plugins (``when`` is
:data:`HELD`); when the run has ended the controller reports it once more, with its final verdict: so letters, counts,
JUnit files and the exit code agree.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, STALE
from conformance.report.failure import printable

#: ``when`` of a report that waits; pytest's own are setup, call and teardown.
HELD = "held"

#: What of a case's line stands in JUnit's properties.
_PROPERTIES = ("requirement", "level", "verdict")

Line = Mapping[str, Any]


def fill(report: pytest.TestReport, line: Line) -> None:
    """Make a report say what a case's line says."""
    verdict, path = line["verdict"], report.location[0]
    if verdict == FAIL:
        report.outcome, report.longrepr = "failed", line.get("text", line["id"])
    elif verdict == STALE:
        report.outcome, report.longrepr = "failed", f"{line['id']}: listed at {line['baseline']['entry']}, and passes"
    elif verdict == EXPECTED:
        report.outcome, report.wasxfail = "skipped", line["baseline"]["reason"]
        report.longrepr = (path, 0, printable(f"{verdict}: {line['baseline']['reason']}"))
    elif verdict in (INCONCLUSIVE, NOT_APPLICABLE):
        report.outcome = "skipped"
        report.longrepr = (path, 0, printable(f"{verdict}: {line['reason']}"))
    # As ASCII text it survives the way from a worker, whatever a server sent.
    report.verdict = verdict  # type: ignore[attr-defined]  # Reports take attributes.
    report.conformance = json.dumps(line)  # type: ignore[attr-defined]  # Reports take attributes.


def properties(line: Line) -> list[tuple[str, object]]:
    """The JUnit properties of a case."""
    return [(name, line[name]) for name in _PROPERTIES]


def hold(report: pytest.TestReport, line: Line) -> None:
    """Make a report wait: it carries its line to the controller."""
    report.when = HELD  # type: ignore[assignment]  # Plugins pass over what is none of pytest's phases.
    report.outcome, report.longrepr = "passed", None
    report.conformance = json.dumps(line)  # type: ignore[attr-defined]  # Reports take attributes.


def released(held: pytest.TestReport, line: Line) -> Iterator[pytest.TestReport]:
    """The reports of a case whose verdict is known now, as pytest makes them: of the call, and of the teardown, with
    which JUnit's plugin ends a case."""
    call = copy.copy(held)
    call.when, call.duration = "call", 0.0  # Its time was counted when it was judged.
    fill(call, line)
    yield call
    teardown = copy.copy(held)
    teardown.when, teardown.duration = "teardown", 0.0
    teardown.user_properties = properties(line)
    del teardown.conformance
    yield teardown
