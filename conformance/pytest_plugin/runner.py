"""What pytest does in each process of a run: collect the cases, send what they need, judge them one by one."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from conformance import emulator
from conformance.engine import setup
from conformance.engine.order import part_of_run
from conformance.engine.redaction import without
from conformance.engine.session import Session
from conformance.judge import case_selection
from conformance.judge.reasons import INTERNAL_ERROR, Reason
from conformance.judge.verdict import Case, cases
from conformance.pytest_plugin.deferred import HELD, fill, hold, may_change, properties
from conformance.report import terminal
from conformance.report.failure import brief
from conformance.report.progress import Progress
from conformance.results.baseline import Entry
from conformance.results.records import CaseRecord
from conformance.results.results_file import error_record
from conformance.wire.limits import Stopped
from conformance.wire.pool import CannotRecord

#: Options that name this run only, each with a value.
_NOT_AGAIN = (
    "--only", "--results", "--run-dir", "--html", "--markdown", "--badge", "--junitxml", "--junit-xml", "--alluredir",
    "-n", "--numprocesses",
)  # fmt: skip

#: The same without a value.
_NOT_AGAIN_FLAGS = ("-q", "--overwrite")


#: Options under which not every case is judged, or none.
_NARROWING = (
    "only", "keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly", "plan",
    "replay",
)  # fmt: skip

#: When Python looks for garbage: of all that thousands of cases make, little is any, and looking took a sixth of a run.
_GARBAGE = (20_000, 20, 20)

#: What ends the whole run, and is no case's own.
_STOPS = (pytest.exit.Exception, KeyboardInterrupt)


class Runner:
    """One run in one process: the controller (or only process), or a worker of pytest-xdist."""

    def __init__(
        self,
        config: pytest.Config,
        session: Session,
        expected: Sequence[Entry],
        server: emulator.Server | None,
        wait: bool | None = None,
    ) -> None:
        self.config = config
        self.session = session
        self.expected = expected
        self._server = server
        self.worker = hasattr(config, "workerinput")
        self.distributed = bool(config.getoption("numprocesses", None) or config.getoption("tx", None))
        self.progress: Progress | None = None
        self.setup_error = ""
        self._wait = bool(wait)
        self._evaluated: dict[str, CaseRecord] = {}
        self._held: set[str] = set()
        self.again = _again(config)

    # -- before -----------------------------------------------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """What is judged, with what, and where each setting came from."""
        if self.worker:
            return []
        return terminal.header(self.session.context.target, self.session.folder)

    def pytest_sessionstart(self) -> None:
        """Where a person watches, requests go first, under a line that says how far they are."""
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if not self.worker and terminal.interactive(reporter):
            self._wait = not self.config.getoption("maxfail")  # Else all is sent before the first failure shows.
            self.progress = Progress(self.session.folder, lambda line: reporter.rewrite(line, erase=True))
            if self.distributed:
                self.progress.start()  # Only the workers know how many requests there will be.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand a worker what the controller resolved; the key travels in the environment only."""
        node.workerinput["conformance"] = {**setup.for_worker(self.session), "wait": self._wait}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Where nothing narrows the run, send what all of it needs while the cases are being collected."""
        gc.set_threshold(*_GARBAGE)
        narrowed = self.distributed or any(getattr(self.config.option, name, None) for name in _NARROWING)
        if not narrowed and setup.asked_for_all(self.config.args, self.config.invocation_params.dir):
            self.session.begin()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each case of a check."""
        check = getattr(metafunc.function, "conformance_check", None)
        if check is None:
            return
        context = self.session.context
        params = []
        for case in cases(check, context):
            smoke = all("smoke" in context.scenarios[name].tags for name in case.scenarios)
            params.append(pytest.param(case, id=case.id, marks=[pytest.mark.smoke] if smoke else []))
        metafunc.parametrize("case", params)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what ``--only`` names, or in a replay what the run was to judge; drop the place-holders of checks that
        have no case in this revision."""
        items[:] = [item for item in items if _case(item) or not hasattr(_function(item), "conformance_check")]
        selections = self.config.getoption("only")
        kept: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            case = _case(item)
            wanted = case is None or (
                case_selection.selects(case.id, selections) if selections else self.session.selects(case)
            )
            (kept if wanted else others).append(item)
        if others:
            self.config.hook.pytest_deselected(items=others)
            items[:] = kept
        _place(items)
        part = part_of_run(self.session.context, [case for item in items if (case := _case(item))])
        items.sort(key=lambda item: part(_case(item)))

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Begin to send what the selected cases need; with ``--plan`` only say what that is."""
        if self.distributed and not self.worker:
            return None
        cases = [case for item in session.items if (case := _case(item))]
        if self.config.getoption("plan"):
            terminal.show_plan(self.session.context, cases, self.config.get_terminal_writer())
            return True
        if session.testsfailed or not cases or self.config.option.collectonly:
            return None
        gc.freeze()  # The thousands of cases stay to the end: to look through them again and again is of no use.
        self.session.start(cases)
        if self.progress:
            self.progress.start(self.session.planned)
        self.setup_error = self.session.setup_error()
        if self._wait and not self.setup_error:
            self.session.wait()
        if self.progress:
            self.progress.stop()
        # A worker goes through its cases without evaluating them, as pytest-xdist expects to hear of each.
        return True if self.setup_error and not self.worker else None

    # -- judging ----------------------------------------------------------------------------------------------------

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Judge a case without the setting up and the tearing down of fixtures, of which it has none: for thousands of
        cases that takes longer than judging."""
        case = _case(item)
        if case is None:
            return None
        if self.setup_error:
            return True
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        call = pytest.CallInfo.from_call(lambda: self.evaluate(case), "call", _STOPS)
        hook.pytest_runtest_logreport(report=(report := hook.pytest_runtest_makereport(item=item, call=call)))
        if call.excinfo is not None and report.failed:
            hook.pytest_exception_interact(node=item, call=call, report=report)
        xml = getattr(self.config.option, "xmlpath", None)
        if xml and case.id not in self._held:  # JUnit's plugin ends a case with its teardown.
            call = pytest.CallInfo.from_call(lambda: None, "teardown")
            hook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, call))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Judge in place of calling a function; without a fixture, as thousands of cases are set up."""
        case = _case(pyfuncitem)
        if case is None:
            return None
        self.evaluate(case)
        return True

    def evaluate(self, case: Case) -> None:
        """Evaluate a case and keep its record for the report; raises what its check raised."""
        evaluated = self.session.evaluate(case)
        self._evaluated[case.id] = evaluated.case
        if evaluated.error:
            raise evaluated.error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn the verdict into the report's outcome."""
        report = yield
        case = _case(item)
        if case is None:
            return report
        if call.excinfo is not None and isinstance(call.excinfo.value, CannotRecord | Stopped):
            # Nothing more can be evaluated, here or in any process.
            item.session.shouldstop = str(call.excinfo.value) or "the run was stopped"
            report.outcome, report.longrepr = "skipped", (str(item.path), 0, str(item.session.shouldstop))
            return report
        if call.when != "call":
            if case.id in self._held:
                report.when = HELD  # type: ignore[assignment]  # With it JUnit's plugin would end the case.
            return report
        record = self._evaluated.pop(case.id, None) or error_record(case.id, Reason(INTERNAL_ERROR, str(call.excinfo)))
        # JUnit files are written from the properties of the teardown's report, which takes them from the item.
        item.user_properties += properties(record)
        if may_change(record, self.expected):
            hold(report, record)
            self._held.add(case.id)
        else:
            fill(report, record, self.text(record))
        if call.excinfo is not None:
            report.longrepr = str(without(self.session.secrets, f"{case.id}\n{report.longreprtext}"))
        return report

    def text(self, record: CaseRecord) -> str:
        """What pytest's other plugins show of a case. The terminal shows it only of the cases that stand for
        themselves, and with the recorded events."""
        return brief(record, self.session.folder, self.again) if record.findings else ""

    # -- after ------------------------------------------------------------------------------------------------------

    def close(self, wait: bool = True) -> None:
        """Stop showing, sending and serving; without ``wait`` at once and in every process of the run."""
        if self.progress:
            self.progress.stop()
        self.session.close(wait)
        if self._server:
            self._server.close()


def _case(item: pytest.Item) -> Case | None:
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def _place(items: Sequence[pytest.Item]) -> None:
    """Say where each case stands: where its check does. pytest would read the source for each of thousands anew."""
    known: dict[object, tuple[str, int | None]] = {}
    for item in items:
        check = _function(item)
        if check in known:
            item.location = (*known[check], item.name)
        elif check is not None:
            known[check] = item.location[:2]


def _function(item: pytest.Item) -> object:
    return getattr(item, "function", None)


def _again(config: pytest.Config) -> str:
    """The command as it was given, without what names this run only."""
    words: list[str] = []
    skip = False
    for word in map(str, config.invocation_params.args):
        name, equals, _ = word.partition("=")
        if skip or name in (*_NOT_AGAIN, *_NOT_AGAIN_FLAGS):
            skip = not skip and not equals and name not in _NOT_AGAIN_FLAGS
            continue
        words.append(word)
    return shlex.join(["pytest", *words])
