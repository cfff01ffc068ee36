"""What a run leaves: the letters while it goes, then the results file, what is rendered from it, and the exit code."""

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
from conformance.engine.ending import Ending, conclude, write_all
from conformance.engine.redaction import without
from conformance.judge.reasons import WORKER_CRASHED, Reason
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, STALE, WARNING
from conformance.pytest_plugin.deferred import HELD, carried, released
from conformance.pytest_plugin.runner import Runner
from conformance.report import allure, catalogue, expected, github, outputs, terminal
from conformance.report.failure import recorded, render
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

#: Letters of what was held back on one line of the terminal.
_LETTERS_A_LINE = 72


class Reporter:
    """Collects the evaluated cases of all processes; the controller writes and shows them when the run has ended."""

    def __init__(self, config: pytest.Config, runner: Runner) -> None:
        self._config = config
        self._runner = runner
        self._cases: list[CaseRecord] = []
        self._problems: list[baseline.Problem] = []
        self._held: dict[str, pytest.TestReport] = {}
        self._releasing = False
        self._errors: dict[str, str] = {}
        self._started = time.monotonic()
        self._run: Results | None = None
        self._written: dict[str, str] = {}
        # Failures are shown by root cause at the end, not one by one with tracebacks.
        config.option.tbstyle = "no"
        if config.option.reportchars == "fE":
            config.option.reportchars = "N"

    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """A letter and a category of its own for each verdict; none yet where it may still change."""
        if report.when == HELD:
            return "", "", ("HELD", {}) if carried(report) else ""
        if _crashed(report):
            return _LETTERS[results_file.ERROR]
        return _LETTERS.get(getattr(report, "verdict", ""))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the records, from workers too."""
        if self._runner.worker or self._releasing:
            return
        if case := carried(report):
            if report.when == HELD:
                self._held[case.id] = report
            if case.verdict == results_file.ERROR:
                self._errors[case.id] = report.longreprtext
            self._cases.append(case)
        elif _crashed(report):
            # A worker died while it evaluated this; pytest-xdist reports it, and others take over what it had to do.
            died = Reason(WORKER_CRASHED, str(report.longrepr))
            case = results_file.error_record(report.nodeid.partition("[")[2][:-1], died)
            self._errors[case.id] = f"{case.id}\n{case.reason}"
            self._cases.append(case)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the results file and set the exit code."""
        # Also where -x or --maxfail ended the run: what is not sent yet is not sent any more.
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED or bool(session.shouldfail or session.shouldstop)
        self._runner.close(wait=not interrupted and not self._runner.setup_error)
        config = self._config
        if self._runner.worker or config.getoption("plan") or config.option.collectonly:
            return
        if setup_error := self._runner.session.folder.stopped():
            print(f"conformance: {setup_error}", file=sys.stderr, flush=True)
            session.exitstatus = results_file.EXIT_SETUP
            return
        assembled = self._assemble()
        self._release()
        code = assembled.exit_code(_strict(config))
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
        gc.freeze()  # pytest ends by looking through all there is for what nothing refers to, several times.

    def _assemble(self) -> Assembled:
        """The cases by root cause, with what the baseline makes of them."""
        expected = self._runner.expected
        known = catalogue.case_ids(self._runner.session.context.target.revision) if expected else []
        assembled = assemble(self._cases, expected, known)
        self._cases, self._problems = assembled.cases, assembled.problems
        return assembled

    def _release(self) -> None:
        """Report to pytest what was held back, by its final verdict; lines of letters, as those before."""
        self._releasing = True
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        letters = 0
        for case in self._cases:
            held = self._held.pop(case.id, None)
            if held is None:
                continue
            if letters % _LETTERS_A_LINE == 0 and terminal and terminal.verbosity <= 0:
                terminal.line("")
            letters += 1
            for report in released(held, case, self._runner.text(case)):
                self._config.hook.pytest_runtest_logreport(report=report)
        if folder := self._config.getoption("allure_report_dir", None):
            shown = {cause.cases[0].id: self._text(cause.cases[0]) for cause in causes(self._cases)}
            allure.amend(Path(folder), self._cases, shown)
        self._releasing = False

    def _text(self, case: CaseRecord) -> str:
        """The text of a case that stands for itself, with the recorded events around what was found."""
        if case.id in self._errors or not case.findings:
            return self._errors.get(case.id, case.id)
        session = self._runner.session
        text = render(case, recorded(session.folder), session.folder, self._runner.again)
        return str(without(session.secrets, text))

    def _write(self, assembled: Assembled, code: int, interrupted: bool) -> None:
        """Write the results file and what is rendered from it."""
        folder, config = self._runner.session.folder, self._config
        renderings = {kind: Path(name) for kind in outputs.KINDS if (name := config.getoption(kind))}
        file = Path(named) if (named := config.getoption("results")) else None
        seconds = time.monotonic() - self._started
        ending = Ending(self._runner.again, seconds, code, interrupted, file, renderings)
        self._run, self._written = write_all(conclude(folder, assembled, ending), folder, ending)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was found, by cause."""
        if not self._run or not self._run.end:
            return
        with _no_commands(terminalreporter):
            again, target, cases = self._runner.again, self._runner.session.context.target, self._run.cases
            what = f"a recording of {target.name}" if target.recorded else target.name
            place = "" if target.name == target.endpoint or target.recorded else f" at {target.endpoint}"
            judged = f"{what}{place}, {target.model}, revision {target.revision}"
            terminal.show(terminalreporter, judged, self._run, self._text, again, self._written)
            expected.show(terminalreporter, cases, self._problems)
        if os.environ.get("GITHUB_ACTIONS"):
            for line in github.render(causes(self._cases)):
                terminalreporter.line(line)


def _crashed(report: pytest.TestReport) -> bool:
    """Whether a worker of pytest-xdist died while it judged this."""
    return report.when not in ("setup", "call", "teardown", HELD) and "@" in report.nodeid


@contextmanager
def _no_commands(terminalreporter: Any) -> Iterator[None]:
    """In GitHub Actions a line may be a command to its runner; nothing that a server said is one."""
    token = secrets.token_hex(16) if os.environ.get("GITHUB_ACTIONS") else ""
    if token:
        terminalreporter.line(f"::stop-commands::{token}")
    yield
    if token:
        terminalreporter.line(f"::{token}::")


def _strict(config: pytest.Config) -> bool:
    return "strict=true" in (config.getoption("override_ini") or [])
