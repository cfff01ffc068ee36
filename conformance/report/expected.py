"""The baseline section of a run: expected failures by reason, and entries that no longer match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from conformance.judge.verdict import EXPECTED, INCONCLUSIVE
from conformance.report.columns import counted
from conformance.report.failure import printable
from conformance.results.baseline import Problem
from conformance.results.records import CaseRecord


def show(reporter: Any, lines: Sequence[CaseRecord], problems: Sequence[Problem]) -> None:
    """Print the baseline section at the terminal, unless it is empty."""
    section = list(text(lines, problems))
    if section:
        reporter.section("baseline", red=bool(problems), yellow=not problems)
        for line in section:
            reporter.line(line)


def text(lines: Sequence[CaseRecord], problems: Sequence[Problem]) -> Iterator[str]:
    """The expected failures by reason, then each entry that does not match, with its line and the correction."""
    failed: Counter[tuple[str, str]] = Counter()
    unjudged: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.verdict == EXPECTED and (mark := line.baseline):
            counts = unjudged if line.own_verdict == INCONCLUSIVE else failed
            counts[mark.reason, mark.link] += 1
    for (reason, link), _ in (failed + unjudged).most_common():
        fails, others = failed[reason, link], unjudged[reason, link]
        what = [counted(fails, "expected failure")] * bool(fails)
        what += [f"{others} expected to be inconclusive"] * bool(others)
        yield printable(f"{', '.join(what)}: {reason}{' ' + link if link else ''}")
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
