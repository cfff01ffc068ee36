"""The final results of a run: its cases are grouped under their root causes, then compared with a baseline.

Grouping is first, because a consequence of an expected failure is expected too. Failure texts are rendered after both
steps, and only for the cases that are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from conformance.exchange.run_directory import RunDirectory
from conformance.results import results_file
from conformance.results.across_sides import with_causes_across
from conformance.results.baseline import Entry, Problem, apply
from conformance.results.causes import with_representative_causes
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord
from conformance.results.shared_traits import with_traits


@dataclass(frozen=True)
class Assembled:
    """The cases in the order of the results file, and the problems of the baseline."""

    cases: list[CaseRecord]
    problems: list[Problem]

    def exit_code(self, strict: bool) -> int:
        """The exit code of the verdicts and the baseline. With ``strict`` a warning counts as a failure."""
        code = results_file.exit_code([case.counted for case in self.cases], strict)
        return results_file.EXIT_FAILED if self.problems and code != results_file.EXIT_BROKEN else code


def assemble(
    cases: Iterable[CaseRecord],
    entries: Sequence[Entry] = (),
    known: Sequence[str] = (),
    today: date | None = None,
    grouped: Sequence[CaseRecord] = (),
    folder: RunDirectory | None = None,
) -> Assembled:
    """Group the cases and apply a baseline, also to those that are ``grouped`` already, which are first. The requests
    in ``folder`` show what the refused ones have in common.

    ``known`` are the ids of all cases of the revision; they decide whether an entry is stale or unmatched. ``today``
    is compared with the ``until`` of entries; None is the current date in UTC.
    """
    found = with_causes_across(grouped, group_by_cause(results_file.in_order(cases)))
    marked, problems = apply(found, entries, known, today or datetime.now(UTC).date())
    shown = with_traits(marked, folder.recorded(), folder.read) if folder else marked
    return Assembled(with_representative_causes(shown), problems)
