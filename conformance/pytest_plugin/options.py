"""The options of a run by group, for pytest's ``--help`` and for that of ``conformance run``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.config.settings import SETTINGS
from conformance.proxy import DIALECTS
from conformance.report import outputs

TARGET, LIMITS, SELECTION = "target", "limits", "selection"
RUN, REPORTS = "run folder and evaluation", "reports"
PYTEST = "options of pytest, of which there are more (pytest --help)"

#: The settings that state what is checked; all others are limits.
_OF_TARGET = ("endpoint", "model", "api-key-env", "revision", "wait")


@dataclass(frozen=True)
class Option:
    """An option: its name, group and help text, and the further arguments of ``addoption`` or ``add_argument``."""

    name: str
    group: str
    help: str
    arguments: dict[str, Any]


def options() -> Iterator[Option]:
    """The options of the plugin, group by group, each that takes a value with its default."""
    return map(_with_default, _options())


def _with_default(option: Option) -> Option:
    takes_value = option.arguments.get("action") != "store_true"
    return option if not takes_value or "default" in option.help else replace(option, help=f"{option.help} {_NONE}")


def _options() -> Iterator[Option]:
    for setting in SETTINGS:
        group = TARGET if setting.name in _OF_TARGET else LIMITS
        known = setting.default is not None and "default" not in setting.help
        shown = f"{setting.default:,.0f}" if isinstance(setting.default, int | float) else setting.default
        text = f"{setting.help} (default {shown})" if known else setting.help
        yield Option(f"--{setting.name}", group, text, {"default": None, "metavar": setting.metavar})
    yield Option("--target", TARGET, "target file: TOML with settings and a profile", _value("FILE"))
    dialect = "the endpoint is a proxy with this dialect: both sides are checked too (default: no proxy)"
    yield Option("--dialect", TARGET, dialect, {"choices": DIALECTS, "default": None})
    start = "shell command that starts the proxy at --endpoint, with {upstream} and {key} (docs/proxies.md)"
    yield Option("--start", TARGET, start, _value("COMMAND"))
    port = "port of the proxy's upstream on 127.0.0.1 (default: any)"
    yield Option("--upstream-port", TARGET, port, {"type": int, "default": 0, "metavar": "P"})
    what = "these cases: rule@scenario, a rule, an area or a glob; may be repeated"
    yield Option("--only", SELECTION, f"evaluate only {what} (default: all)", _values("GLOB"))
    yield Option("--skip", SELECTION, f"do not evaluate {what}", _values("GLOB"))
    yield Option("--plan", SELECTION, "list the requests and their maximum cost; send no request", _FLAG)
    explore = "also send N random requests, and reduce those that fail; needs the extra [explore] (default 0)"
    yield Option("--explore", SELECTION, explore, {"type": int, "default": 0, "metavar": "N"})
    seed = "seed of the random requests; the same seed gives the same requests (default: that of the run)"
    yield Option("--explore-seed", SELECTION, seed, {"type": int, "default": None, "metavar": "SEED"})
    folder = "folder for the recorded exchanges (default: a new one in reports/runs)"
    yield Option("--run-dir", RUN, folder, _value("DIR"))
    label = "name of the run on badge, summary and matrix (default: that of the target)"
    yield Option("--label", RUN, label, {"default": "", "metavar": "TEXT"})
    yield Option("--overwrite", RUN, "replace an earlier run in the folder that --run-dir names", _FLAG)
    yield Option("--replay", RUN, "evaluate the recorded run in DIR again; send no request", _value("DIR"))
    yield Option("--baseline", RUN, "TOML file of expected failures; may be repeated", _values("FILE"))
    own = "folder with rules of your own: TOML rows and scenarios, and modules test_*.py with checks"
    yield Option("--rules", RUN, own, _value("DIR"))
    clients = "folder of conformance clients --install: replay the responses to real clients, and evaluate them"
    yield Option("--clients", RUN, clients, _value("DIR"))
    yield Option("--results", REPORTS, "results file (default: in the run folder)", _value("FILE"))
    for kind, text in outputs.HELP.items():
        yield Option(f"--{kind}", REPORTS, text, _value("FILE"))


_NONE = "(default: none)"

#: Options of pytest that are often used in a run: those for a parser that only prints help.
_OF_PYTEST = (
    Option("-m", PYTEST, "only cases with this mark: -m smoke selects the most important ones", {"metavar": "MARK"}),
    Option("-k", PYTEST, "only cases whose name matches the expression", {"metavar": "EXPRESSION"}),
    Option("-x", PYTEST, "end the run and the sending at the first failure", {"action": "store_true"}),
    Option("--maxfail", PYTEST, "end the run and the sending after N failures", {"metavar": "N"}),
    Option("--lf", PYTEST, "only the cases that failed in the last run", {"action": "store_true"}),
    Option("--sw", PYTEST, "end at the first failure, and continue there next time", {"action": "store_true"}),
    Option("--strict", PYTEST, "warnings fail the run too", {"action": "store_true"}),
    Option("-n", PYTEST, "evaluate in N processes; each request is still sent once (default 0)", {"metavar": "N"}),
    Option("-v", PYTEST, "a line for each case, and all settings in the header", {"action": "store_true"}),
    Option("-q", PYTEST, "a letter for each case, and no header", {"action": "store_true"}),
    Option("--junit-xml", PYTEST, "the cases as a JUnit file", {"metavar": "FILE"}),
    Option("--alluredir", PYTEST, "the cases as results for Allure", {"metavar": "DIR"}),
)

OF_PYTEST = tuple(map(_with_default, _OF_PYTEST))

_FLAG: dict[str, Any] = {"action": "store_true"}


def _value(metavar: str) -> dict[str, Any]:
    return {"default": None, "metavar": metavar}


def _values(metavar: str) -> dict[str, Any]:
    return {"action": "append", "default": [], "metavar": metavar}
