"""The pytest plugin: its options, and the setting up of a run. Judges nothing."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.config.settings import SETTINGS
from conformance.config.target import Misconfigured
from conformance.engine import setup
from conformance.pytest_plugin.reporter import Reporter
from conformance.pytest_plugin.runner import Runner
from conformance.report import allure, outputs
from conformance.results import baseline_file

_SMOKE = "smoke"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options; ``--strict`` is pytest's own and also makes warnings fail the run."""
    group = parser.getgroup("conformance", "conformance of a Responses API endpoint")
    for setting in SETTINGS:
        group.addoption(f"--{setting.name}", default=None, metavar="VALUE", help=setting.help)
    group.addoption("--target", default=None, metavar="FILE", help="TOML file with settings and a profile")
    group.addoption("--results", default=None, metavar="FILE", help="results file (default: in the run folder)")
    group.addoption("--run-dir", default=None, metavar="DIR", help="folder for the recorded exchanges")
    replaced = "replace an earlier run in the folder that --run-dir names"
    group.addoption("--overwrite", action="store_true", help=replaced)
    for kind, says in outputs.HELP.items():
        group.addoption(f"--{kind}", default=None, metavar="FILE", help=says)
    only = "evaluate only these cases: rule@scenario, a rule, an area or a glob; may be given several times"
    group.addoption("--only", action="append", default=[], metavar="GLOB", help=only)
    expected = "TOML file of expected failures; may be given several times"
    group.addoption("--baseline", action="append", default=[], metavar="FILE", help=expected)
    group.addoption("--replay", default=None, metavar="DIR", help="judge the recorded run in DIR again; send nothing")
    fed = "folder of conformance clients --install: real clients are fed the recorded answers, and judged"
    group.addoption("--clients", default=None, metavar="DIR", help=fed)
    group.addoption("--plan", action="store_true", help="list the requests and what they may cost; send nothing")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Set the run up if the checks are among what pytest was asked to collect; a bad setting is one line and exit 2."""
    if not setup.asked_for_checks(config.args, config.invocation_params.dir):
        return None
    if config.getoption("plan") and hasattr(config.option, "numprocesses"):
        config.option.numprocesses = None  # A plan is made in one process.
        config.option.tx = []
    try:
        runner = _runner(config)
    except Misconfigured as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    config.pluginmanager.register(runner, "conformance-run")
    config.pluginmanager.register(Reporter(config, runner), "conformance-report")
    allure.watch(config, runner.session.folder, runner.session.context.target.revision)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Name the suite's mark."""
    config.addinivalue_line("markers", f"{_SMOKE}: the heart of the suite, in few requests")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the next run have the folder; now all is written."""
    if runner := config.pluginmanager.get_plugin("conformance-run"):
        runner.session.folder.close()


def _runner(config: pytest.Config) -> Runner:
    # Workers may start elsewhere, and have their options from here.
    config.option.baseline = [str(Path(one).absolute()) for one in config.getoption("baseline")]
    expected = baseline_file.read(map(Path, config.option.baseline))
    if hasattr(config, "workerinput"):
        given = config.workerinput["conformance"]
        session = setup.in_worker(given, str(config.workerinput["workerid"]))
        return Runner(config, session, expected, None, given["wait"])
    options = {setting.name: config.getoption(setting.name.replace("-", "_")) for setting in SETTINGS}
    given = (config.getoption(name) for name in ("target", "run_dir", "replay", "clients"))
    file, folder, replay, clients = (Path(path) if path else None for path in given)
    plan_only = bool(config.getoption("plan") or config.option.collectonly)
    _check_marks(config.getoption("markexpr"), [re.split("[:(]", line)[0] for line in config.getini("markers")])
    session, server = setup.in_controller(
        options, file, folder, plan_only, replay, clients, config.getoption("overwrite"), config.getoption("only")
    )
    return Runner(config, session, expected, server)


def _check_marks(expression: str, known: Sequence[str]) -> None:
    """:class:`Misconfigured` for a mistyped ``smoke`` in ``-m``: pytest would select nothing, or all. Other marks may
    be those of plugins, which are not known this early."""
    for name in re.findall(r"[A-Za-z_]\w*", expression):
        if name != _SMOKE and name not in known and difflib.get_close_matches(name, [_SMOKE], cutoff=0.7):
            raise Misconfigured(f"-m: there is no mark {name!r}; did you mean {_SMOKE!r}?")
