"""A run in one process, without pytest: send the requests, evaluate the cases, write the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from conformance.config.target import Misconfigured
from conformance.engine.assembly import assemble
from conformance.engine.ending import NOT_WRITTEN, OutputOptions, build_results, write_outputs
from conformance.engine.order import position_in_run
from conformance.engine.session import Session
from conformance.judge import case_selection
from conformance.judge.cases import all_cases, load_checks
from conformance.judge.verdict import FAIL, Case
from conformance.results.baseline import Entry
from conformance.results.records import CaseRecord
from conformance.results.results_file import ERROR, Results
from conformance.wire.limits import Stopped

#: A callback that is called with each case when it is evaluated.
OnEvaluated = Callable[[CaseRecord], object]


@dataclass(frozen=True)
class RunOptions:
    """The options of a run.

    ``only`` are selections as for ``--only`` (empty: all cases), ``skip`` those of ``--skip``. ``entries`` are the
    entries of a baseline, ``known`` the ids of all cases of the revision. ``strict``: a warning makes the exit code 1.
    ``max_failures`` is the number of failed cases that ends the run; 0: no limit. ``rerun_command`` is the command
    shown to evaluate a case again. ``renderings`` are further output files by kind (see
    :data:`conformance.report.outputs.KINDS`).
    """

    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    entries: Sequence[Entry] = ()
    known: Sequence[str] = ()
    strict: bool = False
    max_failures: int = 0
    rerun_command: str = "conformance run"
    renderings: Mapping[str, Path] = field(default_factory=dict)


def run_session(session: Session, options: RunOptions, evaluated: OnEvaluated = lambda case: None) -> Results:
    """Evaluate what is selected and write the results into the run folder.

    Raises :class:`Misconfigured` if the endpoint's address, key or model is wrong, ``CannotRecord`` if an exchange
    cannot be written into the run folder, and ``OSError`` if the results cannot be written.
    """
    started = time.monotonic()
    load_checks()
    cases = [case for case in all_cases(session.context) if _selected(case, session, options)]
    cases.sort(key=position_in_run(session.context, cases))
    records: list[CaseRecord] = []
    interrupted = True
    try:
        session.start(cases)
        if error := session.setup_error():
            raise Misconfigured(error)
        session.evaluate_on_arrival(cases)
        interrupted = _evaluate(session, cases, options.max_failures, records, evaluated)
    finally:
        session.close(wait=not interrupted)
    assembled = assemble(records, options.entries, options.known, folder=session.folder)
    seconds, code = time.monotonic() - started, assembled.exit_code(options.strict)
    target, command = session.context.target, options.rerun_command
    ending = OutputOptions(command, seconds, code, interrupted, None, options.renderings, target)
    run, written = write_outputs(build_results(session.folder, assembled, ending), session.folder, ending)
    if problem := written.get(NOT_WRITTEN):
        raise OSError(f"cannot be written: {problem}")
    return run


def _selected(case: Case, session: Session, options: RunOptions) -> bool:
    chosen = case_selection.selects(case.id, options.only) if options.only else session.selects(case)
    return chosen and not case_selection.selects(case.id, options.skip)


def _evaluate(
    session: Session, cases: Sequence[Case], most: int, records: list[CaseRecord], evaluated: OnEvaluated
) -> bool:
    """Evaluate the cases and append their records; True if it ended before all were evaluated."""
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
