"""A run in one process without pytest: send what its cases need, evaluate them, write the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from conformance.config.target import Misconfigured
from conformance.engine.assembly import assemble
from conformance.engine.ending import NOT_WRITTEN, Ending, conclude, write_all
from conformance.engine.order import part_of_run
from conformance.engine.session import Session
from conformance.judge import case_selection
from conformance.judge.cases import all_cases, load_checks
from conformance.judge.verdict import FAIL, Case
from conformance.results.baseline import Entry
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results
from conformance.wire.limits import Stopped

#: Called with each case when it is evaluated, in the order of the evaluation.
Evaluated = Callable[[CaseRecord], object]


@dataclass(frozen=True)
class RunOptions:
    """What is evaluated and when the run ends.

    ``only`` selects cases as ``--only`` does; all without any. ``entries`` are those of a baseline, ``known`` the ids
    of all cases of the revision. ``max_failures`` ends the run after so many failed cases; 0 never. ``renderings`` are
    further files by kind (see :data:`conformance.report.outputs.KINDS`).
    """

    only: Sequence[str] = ()
    entries: Sequence[Entry] = ()
    known: Sequence[str] = ()
    strict: bool = False
    max_failures: int = 0
    again: str = "conformance run"
    renderings: Mapping[str, Path] = field(default_factory=dict)


def run_session(session: Session, options: RunOptions, evaluated: Evaluated = lambda case: None) -> Results:
    """Evaluate what is selected and write the results into the run folder.

    :class:`Misconfigured` if the target is set up wrong: nothing is evaluated then. ``CannotRecord`` if the run folder
    takes nothing more, ``OSError`` if the results cannot be written.
    """
    started = time.monotonic()
    load_checks()
    cases = [case for case in all_cases(session.context) if _selected(case, session, options.only)]
    cases.sort(key=part_of_run(session.context, cases))
    records: list[CaseRecord] = []
    interrupted = True
    try:
        session.start(cases)
        if error := session.setup_error():
            raise Misconfigured(error)
        interrupted = _evaluate(session, cases, options.max_failures, records, evaluated)
    finally:
        session.close(wait=not interrupted)
    assembled = assemble(records, options.entries, options.known)
    seconds, code = time.monotonic() - started, assembled.exit_code(options.strict)
    ending = Ending(options.again, seconds, code, interrupted, None, options.renderings)
    run, written = write_all(conclude(session.folder, assembled, ending), session.folder, ending)
    if problem := written.get(NOT_WRITTEN):
        raise OSError(f"cannot be written: {problem}")
    return run


def _selected(case: Case, session: Session, only: Sequence[str]) -> bool:
    return case_selection.selects(case.id, only) if only else session.selects(case)


def _evaluate(
    session: Session, cases: Sequence[Case], most: int, records: list[CaseRecord], evaluated: Evaluated
) -> bool:
    """Add the record of each case; whether that ended before all were evaluated."""
    failed = 0
    with suppress(Stopped):
        for case in cases:
            record = session.evaluate(case).case
            records.append(record)
            evaluated(record)
            failed += record.verdict in (FAIL, ERROR)
            if most and failed >= most:
                break
    return len(records) < len(cases)
