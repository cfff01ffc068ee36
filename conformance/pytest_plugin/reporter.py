"""The output of a run: a letter for each case, then the results file, the reports and the exit code."""

from __future__ import annotations

import gc
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.engine.assembly import Assembled, assemble
from conformance.engine.ending import OutputOptions, build_results, write_outputs
from conformance.engine.redaction import redact_value
from conformance.judge.reasons import WORKER_CRASHED, Reason
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, STALE, WARNING
from conformance.pytest_plugin.deferred import DEFERRED, attached_record, final_reports
from conformance.pytest_plugin.runner import Runner
from conformance.report import allure, catalogue, github, outputs, terminal
from conformance.report.failure import recorded, render, show
from conformance.results import baseline, results_file
from conformance.results.causes import causes
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results

_LETTERS = {
    FAIL: ("failed", "F", ("FAIL", {"red": True})),
    WARNING: ("warning", "W", ("WARNING", {"yellow": True})),
    INCONCLUSIVE: ("inconclusive", "I", ("INCONCLUSIVE", {"yellow": True})),
    NOT_APPLICABLE: ("not-applicable", "s", ("NOT-APPLICABLE", {})),
    EXPECTED: ("expected", "x", ("EXPECTED", {"yellow": True})),
    STALE: ("stale", "X", ("STALE", {"red": True})),
    results_file.ERROR: ("error", "E", ("ERROR", {"red": True})),
}

#: Number of letters of deferred reports on one line of the terminal.
_LETTERS_PER_LINE = 72


class Reporter:
    """Collects the evaluated cases of all processes; the main process writes and shows them at the end of the run."""

    def __init__(self, config: pytest.Config, runner: Runner) -> None:
        self._config = config
        self._runner = runner
        self._cases: list[CaseRecord] = []
        self._problems: list[baseline.Problem] = []
        self._deferred: dict[str, pytest.TestReport] = {}
        self._reporting_deferred = False
        self._errors: dict[str, str] = {}
        self._started = time.monotonic()
        self._run: Results | None = None
        self._written: dict[str, str] = {}
        # Failures are shown by root cause at the end; a traceback of each one would repeat them.
        config.option.tbstyle = "no"
        if getattr(config.option, "reportchars", "") == "fE":  # Not defined with -p no:terminal.
            config.option.reportchars = "N"

    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """The letter and category of the verdict; none for a deferred report."""
        if report.when == DEFERRED:
            return "", "", ("DEFERRED", {}) if attached_record(report) else ""
        verdict = results_file.ERROR if _is_worker_crash(report) else getattr(report, "verdict", "")
        status = _LETTERS.get(verdict)
        if self._runner.progress and verdict:  # The progress line replaces the letters.
            return (status[0], "", status[2]) if status else ("passed", "", "PASSED")
        return status

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the records of all processes."""
        if self._runner.worker or self._reporting_deferred:
            return
        if case := attached_record(report):
            if report.when == DEFERRED:
                self._deferred[case.id] = report
            if case.verdict == results_file.ERROR:
                self._errors[case.id] = report.longreprtext
            self._cases.append(case)
            if self._runner.progress and case.verdict == FAIL and report.when != DEFERRED and case.findings:
                self._runner.progress.show_first_failure(f"{case.id}: {show(case.findings[0].message, 300)}")
        elif _is_worker_crash(report):
            # A worker crashed while it evaluated this case. pytest-xdist starts another worker for its other cases.
            crash = Reason(WORKER_CRASHED, str(report.longrepr))
            case = results_file.error_record(report.nodeid.partition("[")[2][:-1], crash)
            self._errors[case.id] = f"{case.id}\n{case.reason}"
            self._cases.append(case)

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Show that Ctrl-C interrupted the run, and the place in the code only with ``--full-trace``."""
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal and excinfo.type is KeyboardInterrupt and not self._config.option.fulltrace:
            # pytest has no public setting for it: it shows the place if the message contains KeyboardInterrupt.
            terminal._keyboardinterrupt_memo.reprcrash.message = "the run was interrupted"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the results file and the reports, and set the exit code."""
        # A run ended by -x or --maxfail sends no further requests.
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED or bool(session.shouldfail or session.shouldstop)
        self._runner.close(wait=not interrupted and not self._runner.setup_error)
        config = self._config
        if self._runner.worker or config.getoption("plan") or config.option.collectonly:
            return
        if setup_error := self._runner.session.folder.stopped():
            only = "only both sides of the proxy were evaluated: " if self._cases else ""
            print(f"conformance: {only}{setup_error}", file=sys.stderr, flush=True)
            session.exitstatus = results_file.EXIT_SETUP
            if not self._cases:
                return
        assembled = self._assemble()
        self._report_deferred()
        sides = self._runner.sides
        # A proxy that ends while both sides are recorded is no error of the setup: a rule states it.
        is_setup = setup_error and not (sides and sides.stopped)
        code = results_file.EXIT_SETUP if is_setup else assembled.exit_code(_strict(config))
        if exitstatus not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            code = int(exitstatus)
        self._write(assembled, code, interrupted)
        end = self._run.end if self._run else None
        session.exitstatus = end.exit if end else results_file.EXIT_BROKEN
        if end and end.stopped:
            print(f"conformance: {end.stopped}", file=sys.stderr, flush=True)
        gc.freeze()  # pytest runs the garbage collector several times at its end; nothing here is garbage.

    def _assemble(self) -> Assembled:
        """Group the collected cases and apply the baseline."""
        expected, sides = self._runner.expected, self._runner.sides
        of_sides = {case.id for case in sides.cases} if sides else set()
        known = catalogue.case_ids(self._runner.session.context.target.revision) if expected else []
        grouped = [case for case in self._cases if case.id in of_sides]
        cases = [case for case in self._cases if case.id not in of_sides]
        folder = self._runner.session.folder
        assembled = assemble(cases, expected, [*known, *of_sides], grouped=grouped, folder=folder)
        self._cases, self._problems = assembled.cases, assembled.problems
        return assembled

    def _report_deferred(self) -> None:
        """Report the deferred cases to pytest, with their final verdicts."""
        self._reporting_deferred = True
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        letters = 0
        for case in self._cases:
            deferred = self._deferred.pop(case.id, None)
            if deferred is None:
                continue
            if letters % _LETTERS_PER_LINE == 0 and terminal and terminal.verbosity < 0:
                terminal.line("")
            letters += 1
            for report in final_reports(deferred, case, self._runner.text(case)):
                self._config.hook.pytest_runtest_logreport(report=report)
        if folder := self._config.getoption("allure_report_dir", None):
            shown = {cause.cases[0].id: self._text(cause.cases[0]) for cause in causes(self._cases)}
            allure.amend(Path(folder), self._cases, shown)
            allure.describe(Path(folder), self._runner.session.context.target)
        self._reporting_deferred = False

    def _text(self, case: CaseRecord) -> str:
        """The text of a root cause, with the recorded events around its findings."""
        if case.id in self._errors or not case.findings:
            return self._errors.get(case.id, case.id)
        if self._runner.sides and case.id in self._runner.sides.texts:
            return self._runner.sides.texts[case.id]
        session = self._runner.session
        text = render(case, recorded(session.folder), session.folder, self._runner.rerun_command)
        return str(redact_value(session.secrets, text))

    def _write(self, assembled: Assembled, code: int, interrupted: bool) -> None:
        """Write the results file and the reports."""
        folder, config = self._runner.session.folder, self._config
        renderings = {kind: Path(name) for kind in outputs.KINDS if (name := config.getoption(kind))}
        file = Path(named) if (named := config.getoption("results")) else None
        seconds, target = time.monotonic() - self._started, self._runner.session.context.target
        options = OutputOptions(self._runner.rerun_command, seconds, code, interrupted, file, renderings, target)
        self._run, self._written = write_outputs(build_results(folder, assembled, options), folder, options)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the findings by root cause, then the baseline."""
        if not self._run or not self._run.end:
            return
        with _workflow_commands_stopped(terminalreporter):
            rerun_command, target = self._runner.rerun_command, self._runner.session.context.target
            what = f"a recording of {target.name}" if target.recorded else target.name
            place = "" if target.name == target.endpoint or target.recorded else f" at {target.endpoint}"
            evaluated = f"{what}{place}, {target.model}, revision {target.revision}"
            written, problems = self._written, self._problems
            terminal.show(terminalreporter, evaluated, self._run, self._text, rerun_command, written, problems)
        if os.environ.get("GITHUB_ACTIONS"):
            for line in github.render(causes(self._cases)):
                terminalreporter.line(line)


def _is_worker_crash(report: pytest.TestReport) -> bool:
    """Whether this is pytest-xdist's report about a case at which a worker crashed."""
    return report.when not in ("setup", "call", "teardown", DEFERRED) and "@" in report.nodeid


@contextmanager
def _workflow_commands_stopped(terminalreporter: Any) -> Iterator[None]:
    """Disable workflow commands of GitHub Actions, so that a line with text of the server is never executed as one."""
    token = secrets.token_hex(16) if os.environ.get("GITHUB_ACTIONS") else ""
    if token:
        terminalreporter.line(f"::stop-commands::{token}")
    yield
    if token:
        terminalreporter.line(f"::{token}::")


def _strict(config: pytest.Config) -> bool:
    return "strict=true" in (config.getoption("override_ini") or [])
