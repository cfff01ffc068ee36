"""The hooks of the pytest plugin: its options and the setup of a run."""

from __future__ import annotations

import contextlib
import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.config.settings import SETTINGS
from conformance.config.target import Misconfigured
from conformance.contract.schemas import REVISIONS
from conformance.engine import setup
from conformance.judge import own_rules
from conformance.proxy.script import DIALECTS
from conformance.proxy.serving import Served, serving
from conformance.pytest_plugin.options import options
from conformance.pytest_plugin.reporter import Reporter
from conformance.pytest_plugin.runner import Runner
from conformance.report import allure
from conformance.results import baseline_file

_SMOKE = "smoke"


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
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    try:
        if config.getoption("rules"):
            config.option.rules = str(Path(config.option.rules).absolute())
            config.args += [str(module) for module in own_rules.load(Path(config.option.rules))]
        served = _proxy(config, stack)
        runner = _runner(config)
        if served:
            stack.callback(served.keep, runner.session.folder.path)
    except Misconfigured as error:
        stack.close()
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    config.pluginmanager.register(runner, "conformance-run")
    config.pluginmanager.register(Reporter(config, runner), "conformance-report")
    allure.watch(config, runner.session.folder, runner.session.context.target.revision)
    return None


def _proxy(config: pytest.Config, stack: contextlib.ExitStack) -> Served | None:
    """Serve the upstream of the proxy under test, and start the proxy, if options require it; the stack ends both."""
    dialect, port, start = (config.getoption(name) for name in ("dialect", "upstream_port", "start"))
    if hasattr(config, "workerinput") or not (dialect or port or start):
        return None
    revision = config.getoption("revision") or REVISIONS[0]
    endpoint, model = config.getoption("endpoint"), config.getoption("model")
    return stack.enter_context(serving(endpoint, dialect or DIALECTS[0], port, start, revision, model))


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark ``smoke``."""
    config.addinivalue_line("markers", f"{_SMOKE}: the most important cases, which need few requests")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Release the lock on the run folder: all files are written."""
    if runner := config.pluginmanager.get_plugin("conformance-run"):
        runner.session.folder.close()


def _runner(config: pytest.Config) -> Runner:
    # Absolute paths: a worker can have another working directory.
    config.option.baseline = [str(Path(one).absolute()) for one in config.getoption("baseline")]
    expected = baseline_file.read(map(Path, config.option.baseline))
    if hasattr(config, "workerinput"):
        given = config.workerinput["conformance"]
        session = setup.create_worker_session(given, str(config.workerinput["workerid"]))
        return Runner(config, session, expected, None)
    settings = {setting.name: config.getoption(setting.name.replace("-", "_")) for setting in SETTINGS}
    given = (config.getoption(name) for name in ("target", "run_dir", "replay", "clients"))
    file, folder, replay, clients = (Path(path) if path else None for path in given)
    plan_only = bool(config.getoption("plan") or config.option.collectonly)
    _check_marks(config.getoption("markexpr"), [re.split("[:(]", line)[0] for line in config.getini("markers")])
    session, server = setup.create_session(
        settings, file, folder, plan_only, replay, clients, config.getoption("overwrite"), config.getoption("only"),
        config.getoption("explore"), config.getoption("explore_seed"), config.getoption("skip"),
        config.getoption("label").strip(),
    )  # fmt: skip
    return Runner(config, session, expected, server)


def _check_marks(expression: str, known: Sequence[str]) -> None:
    """Raise :class:`Misconfigured` for a misspelled ``smoke`` in ``-m``, with which pytest would select no case or all.
    Other marks are accepted: plugins register theirs later."""
    for name in re.findall(r"[A-Za-z_]\w*", expression):
        if name != _SMOKE and name not in known and difflib.get_close_matches(name, [_SMOKE], cutoff=0.7):
            raise Misconfigured(f"-m: unknown mark {name!r}; did you mean {_SMOKE!r}?")
