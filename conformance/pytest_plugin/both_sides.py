"""The cases of both sides of a proxy as items of pytest.

Both sides are recorded once, by the main process and before the collection: the probes depend on each other, and the
upstream is one. Workers of pytest-xdist receive the evaluated cases.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.config.settings import SETTINGS
from conformance.config.target import Misconfigured, Target, resolve
from conformance.engine.setup import collects_all_checks
from conformance.judge.case_selection import selects
from conformance.judge.verdict import PASS
from conformance.proxy import profile, records, report
from conformance.proxy.evaluation import Evaluated, evaluate
from conformance.proxy.kit import Settings
from conformance.proxy.probes import probes
from conformance.proxy.probes.probe import Probe
from conformance.proxy.rules import AREA, RULES
from conformance.proxy.serving import Served, serving
from conformance.proxy.setup import settings_of
from conformance.pytest_plugin.side_items import SMOKE, BothSides, given
from conformance.results.records import CaseRecord

#: What the head of the output states of a proxy that was started again.
_AGAIN = ", after which the proxy served nothing more and was started again"


def _cases(found: Evaluated, note: str = "") -> BothSides:
    return BothSides(found.cases, {one.id: report.text_of(one, found) for one in found.cases if one.has_problem}, note)


def planned(dialect: str) -> list[CaseRecord]:
    """The cases of the area for a run that sends nothing, without a verdict of their own."""
    return [
        CaseRecord(f"{rule.name}@{probe.name}", rule.name, probe.name, AREA, "MUST", PASS, examined=0)
        for rule in RULES for probe in probes(dialect) if set(rule.kinds) & set(probe.kinds)
    ]  # fmt: skip


def chosen(dialect: str, only: Sequence[str]) -> list[Probe]:
    """The probes whose cases are selected by ``--only``; all without a selection."""
    needed = {one.scenario for one in planned(dialect) if not only or selects(one.id, only)}
    return [probe for probe in probes(dialect) if probe.name in needed]


def settings(config: pytest.Config) -> tuple[Settings, Target]:
    """The settings of the proxy, and the target that they are of. Raises :class:`Misconfigured` for an invalid one."""
    options = {setting.name: config.getoption(setting.name.replace("-", "_")) for setting in SETTINGS}
    file = Path(named) if (named := config.getoption("target")) else None
    target = resolve(options, os.environ, "00000000", file)
    if target.built_in:
        raise Misconfigured("--dialect, --start and --upstream-port need --endpoint with a proxy on loopback")
    changes = profile.read(file) if file else profile.Profile()
    key = os.environ.get(target.api_key_env, "")
    dialect = config.getoption("dialect")
    made = settings_of(target.endpoint, dialect, target.model, changes, target.wait or None, key)
    return made, target


def replayed(folder: Path) -> BothSides | None:
    """The cases of the recording in a run folder that the run had selected; None without a recording. Raises
    :class:`Misconfigured` for an invalid file."""
    file = folder / records.FILE
    if not file.exists():
        return None
    recording = records.read(file)
    try:
        sides, only = _cases(evaluate(recording)), recording.settings.get("only")
        return BothSides([one for one in sides.cases if not only or selects(one.id, only)], sides.texts)
    except ValueError as error:
        raise Misconfigured(f"{file} {error}") from None


def served_to(config: pytest.Config, stack: contextlib.ExitStack) -> tuple[Served | None, BothSides | None]:
    """The proxy, which the stack ends, and the cases of both sides, if options state that the endpoint is a proxy; the
    cases alone for a run that sends nothing."""
    if replay := config.getoption("replay"):
        return None, replayed(Path(replay))
    if not given(config):
        return None, None
    made, target = settings(config)
    if config.getoption("plan") or config.option.collectonly:
        return None, BothSides(planned(made.dialect), {})
    complete = collects_all_checks(config.args, config.invocation_params.dir) and config.option.markexpr != SMOKE
    only = config.getoption("only")
    probes_of_run = chosen(made.dialect, only) if complete else []
    port, start = config.getoption("upstream_port"), config.getoption("start")
    served = stack.enter_context(serving(made, port, start, target.revision, probes_of_run, only, target.wait))
    note = _AGAIN if start and served.has_stopped else ""
    return served, _cases(served.evaluated, note) if served.evaluated else None
