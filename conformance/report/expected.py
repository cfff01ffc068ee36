"""The sections about a baseline: expected failures with their reasons, and entries that no longer match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from conformance.judge.verdict import EXPECTED, INCONCLUSIVE
from conformance.report.columns import counted
from conformance.report.failure import printable
from conformance.report.summary import hanging
from conformance.results.baseline import Problem
from conformance.results.causes import Cause
from conformance.results.records import BaselineMark, CaseRecord


def show(reporter: Any, lines: Sequence[CaseRecord], found: Sequence[Cause], problems: Sequence[Problem]) -> None:
    """Print the expected failures, a line each, and the entries that do not match; nothing without a baseline."""
    if listed := list(expected_failures(lines, found)):
        reporter.section("expected failures", yellow=True)
        for line in listed:
            for piece in hanging(line):
                reporter.line(piece)
        reporter.line("")
    if problems:
        reporter.section("baseline", red=True)
        for line in unmatched(problems):
            reporter.line(line)
        reporter.line("")


def expected_failures(lines: Sequence[CaseRecord], found: Sequence[Cause]) -> Iterator[str]:
    """A line for each root cause that a baseline lists, with the reason, and one a reason for other inconclusive
    cases."""
    open_cases = [one for one in lines if one.verdict == EXPECTED and one.own_verdict == INCONCLUSIVE]
    undecided = Counter(one.cause for one in open_cases)
    listed = {one.id for cause in found if cause.verdict == EXPECTED for one in (*cause.cases, *cause.consequences)}
    for cause in found:
        if cause.verdict == EXPECTED and (mark := cause.cases[0].baseline):
            more = len(cause.cases) + len(cause.consequences) - 1
            beside = f" and {more} more" if more else ""
            lost = sum(undecided[one.id] for one in (*cause.cases, *cause.consequences))
            beside += f", {counted(lost, 'case')} not evaluated because of it" if lost else ""
            yield f"{cause.cases[0].id}{beside}: {_reason(mark)}"
    others = Counter(_reason(one.baseline) for one in open_cases if one.baseline and one.cause not in listed)
    for reason, number in others.most_common():
        yield f"{counted(number, 'case')} expected to be inconclusive: {reason}"


def _reason(mark: BaselineMark) -> str:
    return f"{mark.reason}{' ' + mark.link if mark.link else ''}"


def unmatched(problems: Sequence[Problem]) -> Iterator[str]:
    """Each entry that does not match, with its line and the correction."""
    for one in problems:
        yield printable(f"{one.entry.place}: {one.kind}: {one.entry.case}")
        message, _, new = one.message.partition("\n")
        yield f"  {printable(message)}"
        if written := _written(one):
            yield f"  - {printable(written)}"
        if new:
            yield f"  + {printable(new)}"


def _written(problem: Problem) -> str:
    """The entry's line in its file; empty if the file cannot be read."""
    try:
        lines = Path(problem.entry.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return lines[problem.entry.line - 1].strip() if 0 < problem.entry.line <= len(lines) else ""
