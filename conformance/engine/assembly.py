"""The cases of a run put together: grouped under their root causes, and set against a baseline, once.

Grouping comes first: a case that only follows from an expected failure is expected too. Until both are done no text of
a failure is rendered, and then only for the cases that are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from conformance.results import results_file
from conformance.results.baseline import Entry, Problem, apply
from conformance.results.causes import represented
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord


@dataclass(frozen=True)
class Assembled:
    """The cases in the order of the results file, and the baseline entries that do not apply."""

    cases: list[CaseRecord]
    problems: list[Problem]

    def exit_code(self, strict: bool) -> int:
        """The exit code of the verdicts and of the baseline; ``strict``: warnings fail too."""
        code = results_file.exit_code([case.counted for case in self.cases], strict)
        return results_file.EXIT_FAILED if self.problems and code != results_file.EXIT_BROKEN else code


def assemble(
    cases: Iterable[CaseRecord],
    entries: Sequence[Entry] = (),
    known: Sequence[str] = (),
    today: date | None = None,
) -> Assembled:
    """Group the cases and apply a baseline; ``known`` are the ids of all cases of the revision, by which an entry is
    called stale or unmatched. ``today`` is in UTC unless it is given."""
    grouped = group_by_cause(results_file.in_order(cases))
    marked, problems = apply(grouped, entries, known, today or datetime.now(UTC).date())
    return Assembled(represented(marked), problems)
