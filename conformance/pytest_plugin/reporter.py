"""What a run leaves: the letters while it goes, then the results file, what is rendered from it, and the exit code."""

from __future__ import annotations

import gc
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.exchange.run_directory import RESULTS
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, STALE, WARNING
from conformance.pytest_plugin.deferred import HELD, released
from conformance.pytest_plugin.runner import Runner
from conformance.report import allure, catalogue, expected, github, outputs, terminal
from conformance.results import baseline, results_file
from conformance.results.causes import causes, represented
from conformance.results.grouping import group_by_cause

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
    """Collects the judged cases of all processes; the controller writes and shows them when the run has ended."""

    def __init__(self, config: pytest.Config, runner: Runner) -> None:
        self._config = config
        self._runner = runner
        self._lines: list[dict[str, Any]] = []
        self._problems: list[baseline.Problem] = []
        self._held: dict[str, pytest.TestReport] = {}
        self._releasing = False
        self._texts: dict[str, str] = {}
        self._started = time.monotonic()
        self._end: dict[str, Any] | None = None
        self._written: dict[str, str] = {}
        # Failures are told by rule at the end, not one by one with tracebacks.
        config.option.tbstyle = "no"
        if config.option.reportchars == "fE":
            config.option.reportchars = "N"

    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """A letter and a category of its own for each verdict; none yet where it may still change."""
        if report.when == HELD:
            return "", "", ("HELD", {}) if _kept(report) else ""
        if _crashed(report):
            return _LETTERS[results_file.ERROR]
        return _LETTERS.get(getattr(report, "verdict", ""))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the lines, from workers too."""
        if self._runner.worker or self._releasing:
            return
        if line := _kept(report):
            if report.when == HELD:
                self._held[line["id"]] = report
            self._texts[line["id"]] = line.pop("text", "")
            self._lines.append(line)
        elif _crashed(report):
            # A worker died while it judged this; pytest-xdist says so, and what it had under way others take over.
            line = results_file.error_line(report.nodeid.partition("[")[2][:-1], str(report.longrepr))
            self._texts[line["id"]] = f"{line['id']}\n{line['reason']}"
            self._lines.append(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the results file and set the exit code."""
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        self._runner.close(wait=not interrupted and not self._runner.setup_error)
        config = self._config
        if self._runner.worker or config.getoption("plan") or config.option.collectonly:
            return
        if setup_error := self._runner.session.folder.stopped():
            print(f"conformance: {setup_error}", file=sys.stderr, flush=True)
            session.exitstatus = results_file.EXIT_SETUP
            return
        code = self._apply_baseline()
        self._release()
        if exitstatus not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            code = int(exitstatus)
        session.exitstatus = self._write(code, interrupted)
        if stopped := (self._end or {}).get("stopped"):
            print(f"conformance: {stopped}", file=sys.stderr, flush=True)
        gc.freeze()  # pytest ends by looking through all there is for what nothing refers to, several times.

    def _apply_baseline(self) -> int:
        """Mark the cases that fail as expected; the exit code of what they and the baseline's entries come to."""
        known = catalogue.case_ids(self._runner.session.context.target.revision) if self._runner.expected else []
        today = datetime.now(UTC).date()
        # Causes are found among what failed, listed or not; the workers have marked what is listed.
        lines = group_by_cause(results_file.in_order(map(baseline.bare, self._lines)))
        lines, self._problems = baseline.apply(lines, self._runner.expected, known, today)
        self._lines = represented(lines)
        code = results_file.exit_code(map(baseline.counted, self._lines), _strict(self._config))
        return results_file.EXIT_FAILED if self._problems and code != results_file.EXIT_BROKEN else code

    def _release(self) -> None:
        """Report to pytest what was held back, by its final verdict; lines of letters, as those before."""
        self._releasing = True
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        letters = 0
        for line in self._lines:
            held = self._held.pop(line["id"], None)
            if held is None:
                continue
            if letters % _LETTERS_A_LINE == 0 and terminal and terminal.verbosity <= 0:
                terminal.line("")
            letters += 1
            for report in released(held, {**line, "text": self._texts.get(line["id"], "")}):
                self._config.hook.pytest_runtest_logreport(report=report)
        if folder := self._config.getoption("allure_report_dir", None):
            allure.amend(Path(folder), [line for line in self._lines if line["verdict"] == EXPECTED])
        self._releasing = False

    def _write(self, code: int, interrupted: bool) -> int:
        """Write the results file; the exit code, which says so if that cannot be done."""
        folder = self._runner.session.folder
        seconds = time.monotonic() - self._started
        self._end = results_file.end_line(self._lines, folder, seconds, code, interrupted)
        if "stopped" in self._end and code in (
            results_file.EXIT_OK,
            results_file.EXIT_INCONCLUSIVE,
            results_file.EXIT_NOTHING,
        ):
            self._end["exit"] = code = results_file.EXIT_SETUP
        if self._problems:
            self._end["baseline"] = [one.as_json() for one in self._problems]
        path = Path(self._config.getoption("results") or folder.path / RESULTS).absolute()
        files = {kind: Path(name) for kind in outputs.KINDS if (name := self._config.getoption(kind))}
        files.setdefault("html", folder.path / "report.html")
        try:
            results_file.write(path, [folder.head(), *self._lines, self._end])
            self._written["results"] = str(path)
            told = results_file.read(path)
            outputs.write(told, folder, self._runner.again, files)
            self._written |= {kind: str(file.absolute()) for kind, file in files.items()}
            outputs.write_step_summary(told, self._runner.again)
        except OSError as error:
            self._written["NOT WRITTEN"] = f"{error.filename} ({error.strerror})"
        except Exception as error:  # A rendering that breaks is a bug of the suite, and must not take the run along.
            self._written["NOT WRITTEN"] = f"a report: {type(error).__name__}: {error}"
        if "NOT WRITTEN" in self._written:
            self._end["exit"] = code = results_file.EXIT_BROKEN
        return code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was found, by cause."""
        if not self._end:
            return
        with _no_commands(terminalreporter):
            again, target = self._runner.again, self._runner.session.context.target
            what = f"a recording of {target.name}" if target.recorded else target.name
            place = "" if target.name == target.endpoint or target.recorded else f" at {target.endpoint}"
            evaluated = f"{what}{place}, {target.model}, revision {target.revision}"
            terminal.show(terminalreporter, evaluated, self._lines, self._texts, self._end, again, self._written)
            expected.show(terminalreporter, self._lines, self._problems)
        if os.environ.get("GITHUB_ACTIONS"):
            for line in github.render(causes(self._lines)):
                terminalreporter.line(line)


def _kept(report: pytest.TestReport) -> dict[str, Any]:
    """The line of a case that a report carries; empty if it carries none."""
    kept = getattr(report, "conformance", None)
    line: dict[str, Any] = json.loads(kept) if kept else {}
    return line


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
