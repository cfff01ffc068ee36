"""The pytest hooks in each process of a run: collect the cases, send their requests, evaluate them."""

from __future__ import annotations

import gc
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from conformance.engine import setup
from conformance.engine.order import position_in_run
from conformance.engine.redaction import redact_value
from conformance.engine.session import Session
from conformance.judge import case_selection
from conformance.judge.reasons import INTERNAL_ERROR, Reason
from conformance.judge.registry import Check
from conformance.judge.verdict import Case, Finding, cases
from conformance.pytest_plugin.case_items import CaseItem, items_of
from conformance.pytest_plugin.deferred import DEFERRED, defer, make_transferable, may_change, properties, set_outcome
from conformance.pytest_plugin.invocation import rerun_command
from conformance.pytest_plugin.side_items import BothSides, SideItem
from conformance.report import terminal
from conformance.report.failure import brief, show
from conformance.report.progress import Progress
from conformance.results.baseline import Entry
from conformance.results.records import CaseRecord
from conformance.results.results_file import error_record
from conformance.wire.limits import Stopped
from conformance.wire.pool import CannotRecord

if TYPE_CHECKING:
    from conformance.emulator import Server

#: Options with which not all cases are evaluated.
_SELECTING_OPTIONS = (
    "only", "skip", "keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly", "plan",
    "replay",
)  # fmt: skip

#: Thresholds of the garbage collector: thousands of cases produce little garbage, and with Python's defaults the
#: collector took a sixth of a run.
_GC_THRESHOLDS = (20_000, 20, 20)

#: pytest's plugins that prepare each test function: its warnings, asserts and classes. A case has none, and this takes
#: as long as most evaluations.
_FOR_FUNCTIONS = ("warnings", "assertion", "unittest")

#: Exceptions that end the run instead of failing a case.
_RUN_ENDING_EXCEPTIONS = (pytest.exit.Exception, KeyboardInterrupt)


class Runner:
    """The hooks of one process: the main process, or a worker of pytest-xdist."""

    def __init__(
        self,
        config: pytest.Config,
        session: Session,
        expected: Sequence[Entry],
        server: Server | None,
        sides: BothSides | None = None,
    ) -> None:
        self.config = config
        self.session = session
        self.expected = expected
        self._server = server
        self.sides = sides
        self.worker = hasattr(config, "workerinput")
        self.distributed = bool(config.getoption("numprocesses", None) or config.getoption("tx", None))
        self.progress: Progress | None = None
        self.setup_error = ""
        self._evaluated: dict[str, CaseRecord] = {}
        self._deferred: set[str] = set()
        self.rerun_command = rerun_command(config, session.context.target.nonce)

    # -- collection and sending -------------------------------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """The target, its settings and the source of each setting."""
        if self.worker:
            return []
        lines = terminal.header(self.session.context.target, self.session.folder, self.config.option.verbose > 0)
        if self.sides:
            lines.append(f"both sides of the proxy: {len(self.sides.cases):,} cases{self.sides.note}")
        return lines

    def pytest_sessionstart(self) -> None:
        """Show the progress in one line, unless ``-v`` or ``-q`` selects pytest's own output: a line or a letter a
        case."""
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if self.worker or not reporter or self.config.option.verbose or self.config.option.collectonly:
            return
        self.progress = Progress(self.session.folder, reporter, terminal.interactive(reporter))
        reporter.showfspath = False
        reporter._show_progress_info = False  # pytest has no public setting for it once the reporter exists.
        if self.distributed:
            self.progress.start()  # Without the number of requests, which only the workers know.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Pass the settings to a worker. The key is not among them: a worker reads it from the environment."""
        node.workerinput["conformance"] = setup.worker_settings(self.session)
        node.workerinput["both_sides"] = self.sides.to_text() if self.sides else ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """If all cases are selected, start to send their requests before the cases are collected."""
        gc.set_threshold(*_GC_THRESHOLDS)
        is_selection = self.distributed or any(getattr(self.config.option, name, None) for name in _SELECTING_OPTIONS)
        if not is_selection and setup.collects_all_checks(self.config.args, self.config.invocation_params.dir):
            self.session.start_all()

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str, obj: object) -> list[CaseItem] | None:
        """The cases of a check that ``--only`` selects, or in a replay those of the recorded run: pytest would take
        longer to collect the others than a small run takes."""
        check = getattr(obj, "conformance_check", None)
        if not isinstance(check, Check):
            return None
        context = self.session.context
        selected = [case for case in cases(check, context) if self._selects(case)]
        return items_of(collector, name, selected, context, self.evaluate)

    def _selects(self, case: Case | CaseRecord) -> bool:
        """Whether ``--only`` and ``--skip`` select a case; of a replay, without ``--only``, whether the recorded run
        had selected it."""
        selections = self.config.getoption("only")
        if selections:
            is_selected = case_selection.selects(case.id, selections)
        else:
            is_selected = isinstance(case, CaseRecord) or self.session.selects(case)
        return is_selected and not case_selection.selects(case.id, self.config.getoption("skip"))

    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Put the cases in the order of evaluation, after the selected ones of both sides."""
        if self.sides:
            items[:0] = [item for item in self.sides.items(session) if self._selects(item.record)]
        position = position_in_run(self.session.context, [case for item in items if (case := _case(item))])
        items.sort(key=lambda item: position(_case(item)))

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Send the requests of the selected cases; with ``--plan`` list them instead."""
        if self.distributed and not self.worker:
            return None
        cases = [case for item in session.items if (case := _case(item))]
        if self.config.getoption("plan"):
            terminal.show_plan(self.session.context, cases, self.config.get_terminal_writer())
            return True
        if session.testsfailed or not cases or self.config.option.collectonly:
            return None
        gc.freeze()  # The cases live until the end of the run: the garbage collector need not examine them.
        self.session.start(cases)
        if self.progress:
            self.progress.start(self.session.planned)
        self.setup_error = self.session.setup_error()
        if self.worker:
            return None  # pytest-xdist runs a part of the cases, also after an error: it expects a report of each.
        if not self.setup_error:
            self.session.evaluate_on_arrival(cases, self._show_first_failure)
        self._run_all(session)
        return True

    def _run_all(self, session: pytest.Session) -> None:
        """Run the items as pytest does, the cases without what its plugins prepare for test functions."""
        hook, manager = self.config.hook.pytest_runtest_protocol, self.config.pluginmanager
        unneeded = [plugin for name in _FOR_FUNCTIONS if (plugin := manager.get_plugin(name))]
        of_cases = manager.subset_hook_caller("pytest_runtest_protocol", unneeded)
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            (of_cases if _case(item) else hook)(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    # -- evaluation -------------------------------------------------------------------------------------------------

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Evaluate a case without setup and teardown: cases have no fixtures, and for thousands of cases these phases
        take longer than the evaluation."""
        case = _case(item) or _recorded(item)
        if case is None:
            return None
        if self.setup_error and isinstance(case, Case):
            return True  # Both sides of a proxy are evaluated: their records are complete.
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        call = pytest.CallInfo.from_call(lambda: self.evaluate(case), "call", _RUN_ENDING_EXCEPTIONS)
        hook.pytest_runtest_logreport(report=(report := hook.pytest_runtest_makereport(item=item, call=call)))
        if call.excinfo is not None and report.failed:
            hook.pytest_exception_interact(node=item, call=call, report=report)
        xml = getattr(self.config.option, "xmlpath", None)
        if xml and case.id not in self._deferred:  # The JUnit plugin writes a case at its teardown.
            call = pytest.CallInfo.from_call(lambda: None, "teardown")
            hook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, call))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def evaluate(self, case: Case | CaseRecord) -> None:
        """Evaluate a case and store its record for the report. Raises the exception of an internal error."""
        if isinstance(case, CaseRecord):
            self._evaluated[case.id] = case
            return
        evaluated = self.session.evaluate(case)
        self._evaluated[case.id] = evaluated.case
        if evaluated.error:
            raise evaluated.error

    def _show_first_failure(self, case: Case, finding: Finding) -> None:
        """Show a failure when it is found, before its case is evaluated completely. Not with a baseline, which may
        expect it."""
        if self.progress and not self.expected and case.requirement.level == "MUST":
            message = redact_value(self.session.secrets, finding.message)
            self.progress.show_first_failure(f"{case.id}: {show(message, 300)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Set the report's outcome from the verdict."""
        report = yield
        case = _case(item) or _recorded(item)
        if case is None:
            return report
        if call.excinfo is not None and isinstance(call.excinfo.value, CannotRecord | Stopped):
            # No further case can be evaluated, in any process.
            item.session.shouldstop = str(call.excinfo.value) or "the run was interrupted"
            report.outcome, report.longrepr = "skipped", (str(item.path), 0, str(item.session.shouldstop))
            return report
        if call.when != "call":
            if case.id in self._deferred:
                report.when = DEFERRED  # type: ignore[assignment]  # Else the JUnit plugin would write the case now.
            return report
        record = self._evaluated.pop(case.id, None) or error_record(case.id, Reason(INTERNAL_ERROR, str(call.excinfo)))
        # The JUnit plugin reads the properties of the teardown's report, which are copied from the item.
        item.user_properties += properties(record)
        if may_change(record, self.expected):
            defer(report, record)
            self._deferred.add(case.id)
        else:
            set_outcome(report, record, self.text(record))
        if call.excinfo is not None:
            report.longrepr = str(redact_value(self.session.secrets, f"{case.id}\n{report.longreprtext}"))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_to_serializable(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        """Make the record of a report transferable before pytest serialises the report."""
        make_transferable(report)

    def text(self, record: CaseRecord) -> str:
        """The failure text of a case for pytest's other plugins, without recorded events; empty without a finding."""
        if self.sides and record.id in self.sides.texts:
            return self.sides.texts[record.id]
        return brief(record, self.session.folder, self.rerun_command) if record.findings else ""

    # -- end --------------------------------------------------------------------------------------------------------

    def close(self, wait: bool = True) -> None:
        """Stop the progress line, the sending and the built-in endpoint; without ``wait``, at once and in all processes
        of the run."""
        if self.progress:
            self.progress.stop()
        self.session.close(wait)
        if self._server:
            self._server.close()


def _case(item: pytest.Item) -> Case | None:
    return item.case if isinstance(item, CaseItem) else None


def _recorded(item: pytest.Item) -> CaseRecord | None:
    """The evaluated case of both sides of a proxy; None for other items."""
    return item.record if isinstance(item, SideItem) else None
