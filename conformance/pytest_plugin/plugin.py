"""The hooks of the pytest plugin: its options and the setup of a run."""

from __future__ import annotations

import contextlib
import difflib
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.config.output_files import check_output_files
from conformance.config.settings import SETTINGS
from conformance.config.target import Misconfigured
from conformance.engine import setup
from conformance.judge import own_rules
from conformance.pytest_plugin.options import options
from conformance.pytest_plugin.reporter import Reporter
from conformance.pytest_plugin.runner import Runner
from conformance.pytest_plugin.side_items import RECORDING, SMOKE, BothSides, from_text, given, unrelated
from conformance.report import allure, outputs
from conformance.results import baseline_file

if TYPE_CHECKING:
    from conformance.proxy.serving import Served


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options. ``--strict`` is an option of pytest; with it a warning makes the exit code 1."""
    for option in options():
        group = parser.getgroup(f"conformance-{option.group.split()[0]}", f"conformance: {option.group}")
        group.addoption(option.name, help=option.help, **option.arguments)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Set up the run if pytest's arguments select checks. An invalid setting ends with one line and exit code 2."""
    if not setup.collects_checks(config.args, config.invocation_params.dir):
        return None
    if config.getoption("plan") and hasattr(config.option, "numprocesses"):
        config.option.numprocesses = None  # The plan is listed in one process.
        config.option.tx = []
    if (getattr(config.option, "numprocesses", None) or 0) < 0:
        raise pytest.UsageError(f"-n is {config.option.numprocesses}; it must be 0 or more")
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    if not _is_worker(config):
        stack.enter_context(_interrupted_by_signals())
    try:
        if config.getoption("rules"):
            config.option.rules = str(Path(config.option.rules).absolute())
            config.args += [str(module) for module in own_rules.load(Path(config.option.rules))]
        served, sides = (None, _sides_of_worker(config)) if _is_worker(config) else _both_sides(config, stack)
        runner = _runner(config, sides)
        if served:
            stack.callback(served.keep, runner.session.folder)
            served.write(runner.session.folder)
    except Misconfigured as error:
        stack.close()
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        stack.close()
        print(f"conformance: {error.filename}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # While both sides of a proxy are recorded.
        stack.close()
        print("conformance: the run was interrupted", file=sys.stderr)
        return 2
    config.pluginmanager.register(runner, "conformance-run")
    config.pluginmanager.register(Reporter(config, runner), "conformance-report")
    allure.watch(config, runner.session.folder, runner.session.context.target.revision)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark ``smoke``."""
    config.addinivalue_line("markers", f"{SMOKE}: the most important cases, which need few requests")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Release the lock on the run folder: all files are written."""
    if runner := config.pluginmanager.get_plugin("conformance-run"):
        runner.session.folder.close()


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt the run as Ctrl-C does, so that its results are written: a CI system that cancels a
    job sends the first, a terminal that is closed the second. One that is ignored (``nohup``) stays so."""
    main_thread = threading.current_thread() is threading.main_thread()  # Only it may set a handler.
    ends = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL and main_thread]
    for one in ends:
        signal.signal(one, signal.default_int_handler)
    try:
        yield
    finally:
        for one in ends:
            signal.signal(one, signal.SIG_DFL)


def _both_sides(config: pytest.Config, stack: contextlib.ExitStack) -> tuple[Served | None, BothSides | None]:
    """The proxy under test and the cases of both its sides; None for each that there is not."""
    replay = config.getoption("replay")
    if not (Path(replay) / RECORDING).exists() if replay else not given(config):
        return None, None
    from conformance.pytest_plugin.both_sides import served_to  # Most runs are not of a proxy.

    return served_to(config, stack)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _sides_of_worker(config: pytest.Config) -> BothSides | None:
    text = config.workerinput["both_sides"]  # type: ignore[attr-defined]  # Workers have this attribute.
    return from_text(text) if text else None


def _runner(config: pytest.Config, sides: BothSides | None) -> Runner:
    # Absolute paths: a worker can have another working directory.
    config.option.baseline = [str(Path(one).absolute()) for one in config.getoption("baseline")]
    expected = baseline_file.read(map(Path, config.option.baseline))
    if _is_worker(config):
        given = config.workerinput["conformance"]  # type: ignore[attr-defined]  # Workers have this attribute.
        session = setup.create_worker_session(given, str(config.workerinput["workerid"]))  # type: ignore[attr-defined]
        return Runner(config, session, expected, None, sides)
    settings = {setting.name: config.getoption(setting.name.replace("-", "_")) for setting in SETTINGS}
    given = (config.getoption(name) for name in ("target", "run_dir", "replay", "clients"))
    file, folder, replay, clients = (Path(path) if path else None for path in given)
    plan_only = bool(config.getoption("plan") or config.option.collectonly)
    _check_marks(config.getoption("markexpr"), [re.split("[:(]", line)[0] for line in config.getini("markers")])
    check_output_files(config.getoption(name) for name in ("results", *outputs.KINDS))
    only, skip = (unrelated(sides, config.getoption(name)) for name in ("only", "skip"))
    session, server = setup.create_session(
        settings, file, folder, plan_only, replay, clients, config.getoption("overwrite"), only,
        config.getoption("explore"), config.getoption("explore_seed"), skip, config.getoption("label").strip(),
        stopped=sides is not None and sides.stopped,
    )  # fmt: skip
    return Runner(config, session, expected, server, sides)


def _check_marks(expression: str, known: Sequence[str]) -> None:
    """Raise :class:`Misconfigured` for a misspelled ``smoke`` in ``-m``, with which pytest would select no case or all.
    Other marks are accepted: plugins register theirs later."""
    for name in re.findall(r"[A-Za-z_]\w*", expression):
        if name != SMOKE and name not in known and difflib.get_close_matches(name, [SMOKE], cutoff=0.7):
            raise Misconfigured(f"-m: unknown mark {name!r}; did you mean {SMOKE!r}?")
