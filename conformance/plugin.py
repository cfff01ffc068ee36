"""The pytest glue: options, collection, verdict letters, exit codes and the files a run leaves. Judges nothing."""

from __future__ import annotations

import gc
import json
import shlex
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance import emulator, launch
from conformance.progress import Progress
from conformance.report import results, terminal
from conformance.report.failure import printable, render
from conformance.run import plan
from conformance.session import Session
from conformance.target import SETTINGS, Misconfigured
from conformance.verdict import FAIL, INCONCLUSIVE, NOT_APPLICABLE, WARNING, Case, cases

_LETTERS = {
    FAIL: ("failed", "F", ("FAIL", {"red": True})),
    WARNING: ("warning", "W", ("WARNING", {"yellow": True})),
    INCONCLUSIVE: ("inconclusive", "I", ("INCONCLUSIVE", {"yellow": True})),
    NOT_APPLICABLE: ("not-applicable", "s", ("NOT-APPLICABLE", {})),
    results.ERROR: ("error", "E", ("ERROR", {"red": True})),
}

#: The parts of a run; within each, cases are judged in the order of their files.
_PARTS = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options; ``--strict`` is pytest's own and also makes warnings fail the run."""
    group = parser.getgroup("conformance", "conformance of a Responses API endpoint")
    for setting in SETTINGS:
        group.addoption(f"--{setting.name}", default=None, metavar="VALUE", help=setting.help)
    group.addoption("--target", default=None, metavar="FILE", help="TOML file with settings and a profile")
    group.addoption("--results", default=None, metavar="FILE", help="results file (default: in the run folder)")
    group.addoption("--run-dir", default=None, metavar="DIR", help="folder for the recorded exchanges")
    group.addoption("--only", default=None, metavar="GLOB", help="judge only cases (rule@scenario) that match")
    group.addoption("--plan", action="store_true", help="list the requests and what they may cost; send nothing")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Set the run up if the checks are among what pytest was asked to collect; a bad setting is one line and exit 2."""
    if not launch.asked_for_checks(config.args, config.invocation_params.dir):
        return None
    if config.getoption("plan") and hasattr(config.option, "numprocesses"):
        config.option.numprocesses = None  # A plan is made in one process.
        config.option.tx = []
    try:
        run = _run(config)
    except Misconfigured as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    config.pluginmanager.register(run, "conformance-run")
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Name the suite's mark."""
    config.addinivalue_line("markers", "smoke: the heart of the suite, in few requests")


def _run(config: pytest.Config) -> Run:
    if hasattr(config, "workerinput"):
        given = config.workerinput["conformance"]
        session = launch.in_worker(given, str(config.workerinput["workerid"]))
        return Run(config, session, None, given["wait"])
    options = {setting.name: config.getoption(setting.name.replace("-", "_")) for setting in SETTINGS}
    file, folder = config.getoption("target"), config.getoption("run_dir")
    plan_only = bool(config.getoption("plan") or config.option.collectonly)
    session, server = launch.in_controller(
        options, Path(file) if file else None, Path(folder) if folder else None, plan_only
    )
    return Run(config, session, server)


class Run:
    """One run in one process: the controller (or only process), or a worker of pytest-xdist."""

    def __init__(
        self,
        config: pytest.Config,
        session: Session,
        server: emulator.Server | None,
        wait: bool | None = None,
    ) -> None:
        self.config = config
        self.session = session
        self._server = server
        self.worker = hasattr(config, "workerinput")
        self.distributed = bool(config.getoption("numprocesses", None) or config.getoption("tx", None))
        self.progress: Progress | None = None
        self._wait = bool(wait)
        self._judged: dict[str, dict[str, Any]] = {}
        self._lines: list[dict[str, Any]] = []
        self._texts: dict[str, str] = {}
        self._started = time.monotonic()
        self._again = _again(config)
        self._end: dict[str, Any] | None = None
        self._written = ""
        # Failures are told by rule at the end, not one by one with tracebacks.
        config.option.tbstyle = "no"
        if config.option.reportchars == "fE":
            config.option.reportchars = "N"

    # -- before -----------------------------------------------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """What is judged, with what, and where each setting came from."""
        if self.worker:
            return []
        return terminal.header(self.session.world.target, self.session.folder)

    def pytest_sessionstart(self) -> None:
        """Where a person watches, requests go first, under a line that says how far they are."""
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if not self.worker and terminal.interactive(reporter):
            self._wait = True
            self.progress = Progress(self.session.folder, lambda line: reporter.rewrite(line, erase=True))
            if self.distributed:
                self.progress.start()  # Only the workers know how many requests there will be.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand a worker what the controller resolved; the key travels in the environment only."""
        node.workerinput["conformance"] = {**launch.for_worker(self.session), "wait": self._wait}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each case of a check."""
        check = getattr(metafunc.function, "conformance_check", None)
        if check is None:
            return
        world = self.session.world
        params = []
        for case in cases(check, world):
            smoke = all("smoke" in world.scenarios[name].tags for name in case.scenarios)
            params.append(pytest.param(case, id=case.id, marks=[pytest.mark.smoke] if smoke else []))
        metafunc.parametrize("case", params)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what ``--only`` names; drop the place-holders of checks that have no case in this revision."""
        items[:] = [item for item in items if _case(item) or not hasattr(_function(item), "conformance_check")]
        glob = self.config.getoption("only")
        if glob:
            kept = [item for item in items if (case := _case(item)) is None or terminal.matches(case.id, glob)]
            self.config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
            items[:] = kept
        items.sort(key=self._part_of_run([name for item in items if (case := _case(item)) for name in case.scenarios]))

    def _part_of_run(self, needed: Sequence[str]) -> Callable[[pytest.Item], int]:
        """In which part of the run the last answer that a case needs comes in: what is there is judged meanwhile."""
        sent = plan(self.session.world, needed)
        part = {scenario.name: place * _PARTS // len(sent) for place, scenario in enumerate(sent)}

        def of(item: pytest.Item) -> int:
            case = _case(item)
            return max((part.get(name, 0) for name in case.scenarios), default=0) if case else 0

        return of

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Begin to send what the selected cases need; with ``--plan`` only say what that is."""
        if self.distributed and not self.worker:
            return None
        needed = [name for item in session.items if (case := _case(item)) for name in case.scenarios]
        if self.config.getoption("plan"):
            terminal.show_plan(self.session.world, needed, self.config.get_terminal_writer())
            return True
        if session.testsfailed or not needed or self.config.option.collectonly:
            return None
        gc.freeze()  # The thousands of cases stay to the end: to look through them again and again is of no use.
        self.session.start(needed)
        if self.progress:
            self.progress.start(self.session.planned)
        if self._wait:
            self.session.wait()
        if self.progress:
            self.progress.stop()
        return None

    # -- judging ----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Judge in place of calling a function; without a fixture, as thousands of cases are set up."""
        case = _case(pyfuncitem)
        if case is None:
            return None
        self.judge(case)
        return True

    def judge(self, case: Case) -> None:
        """Judge a case and keep its line for the report."""
        started = time.perf_counter()
        result = self.session.judge(case)
        record = self.session.record()
        line = results.case_line(result, record, (time.perf_counter() - started) * 1000)
        if result.findings:
            line["text"] = render(result, record, self.session.folder, self._again)
        self._judged[case.id] = self.session.cleared(line)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn the verdict into the report's outcome."""
        report = yield
        case = _case(item)
        if case is None:
            return report
        if call.excinfo is not None:
            line = results.error_line(case.id, str(call.excinfo.value))
            line["text"] = f"{case.id}\n{report.longreprtext}"
            line = self.session.cleared(line)
            report.longrepr = line["text"]
        elif call.when == "call":
            line = self._judged.pop(case.id)
        else:
            return report
        verdict = line["verdict"]
        if verdict == FAIL:
            report.outcome, report.longrepr = "failed", line["text"]
        elif verdict in (INCONCLUSIVE, NOT_APPLICABLE):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, printable(f"{verdict}: {line['reason']}"))
        for name in ("requirement", "level", "verdict"):
            report.user_properties.append((name, line[name]))
        # As ASCII text it survives the way from a worker, whatever a server sent.
        report.verdict = verdict  # type: ignore[attr-defined]  # Reports take attributes.
        report.conformance = json.dumps(line)  # type: ignore[attr-defined]  # Reports take attributes.
        return report

    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """A letter and a category of its own for each verdict."""
        return _LETTERS.get(getattr(report, "verdict", ""))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the lines, from workers too."""
        kept = getattr(report, "conformance", None)
        if kept and not self.worker:
            line = json.loads(kept)
            self._texts[line["id"]] = line.pop("text", "")
            self._lines.append(line)

    # -- after ------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the results file and set the exit code."""
        if self.progress:
            self.progress.stop()
        self.session.close()
        if self._server:
            self._server.close()
        if self.worker or self.config.getoption("plan") or self.config.option.collectonly:
            return
        order = {"MUST": 0, "SHOULD": 1, "MAY": 2}
        self._lines.sort(key=lambda line: (line["area"], order[line["level"]], line["id"]))
        code = results.exit_code([line["verdict"] for line in self._lines], _strict(self.config))
        if exitstatus not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            code = int(exitstatus)
        folder = self.session.folder
        seconds = time.monotonic() - self._started
        self._end = results.end_line(self._lines, folder, seconds, code)
        path = Path(self.config.getoption("results") or folder.path / "results.jsonl")
        try:
            results.write(path, [folder.head(), *self._lines, self._end])
            self._written = str(path)
        except OSError as error:
            self._end["exit"] = code = results.EXIT_BROKEN
            self._written = f"NOT WRITTEN ({error.strerror}): {path}"
        session.exitstatus = code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was found, by rule."""
        if self._end:
            terminal.show(terminalreporter, self._lines, self._texts, self._end, self._written)
            terminalreporter.line(terminal.header(self.session.world.target, self.session.folder)[0])


def _case(item: pytest.Item) -> Case | None:
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def _function(item: pytest.Item) -> object:
    return getattr(item, "function", None)


def _strict(config: pytest.Config) -> bool:
    return "strict=true" in (config.getoption("override_ini") or [])


def _again(config: pytest.Config) -> str:
    """The command as it was given, without what names this run only."""
    words: list[str] = []
    skip = False
    for word in map(str, config.invocation_params.args):
        name, equals, _ = word.partition("=")
        if skip or name in ("--only", "--results", "--run-dir", "-n", "--numprocesses", "-q"):
            skip = not skip and not equals and name != "-q"
            continue
        words.append(word)
    return shlex.join(["pytest", *words])
