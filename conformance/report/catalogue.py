"""The catalogue as text: the list of rules, and the explanation of one rule."""

from __future__ import annotations

import difflib
import shutil
import textwrap
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from conformance.config.target import resolve
from conformance.contract.consequences import consequences
from conformance.contract.fault_matrix import faults_of, matrix
from conformance.contract.needs import need_for, needs
from conformance.contract.rules import CLIENTS, Requirement, catalogue, requirement
from conformance.judge.cases import all_cases, context_of, load_checks
from conformance.judge.verdict import Case
from conformance.report.columns import counted
from conformance.results.client_trials import kind_evidence

_RESPONSES = {False: "a plain response", True: "a stream"}


def listing(area: str | None, level: str | None) -> Iterator[str]:
    """One line a rule."""
    for row in catalogue().values():
        if (area is None or row.area == area) and (level is None or row.level == level):
            excluded = f" (not evaluated: {row.excluded})" if row.excluded else ""
            yield f"{row.id:<50} {row.level:<7} {row.says}{excluded}"


def areas() -> list[str]:
    """The areas of the rules, in the order of the catalogue."""
    return list(dict.fromkeys(row.area for row in catalogue().values()))


def explain(rule: str, revision: str) -> str | None:
    """A rule and its cases in a revision; None for an unknown rule."""
    row = catalogue().get(rule)
    if row is None:
        try:
            row = requirement(rule)
        except KeyError:
            return None
    return "\n".join(_explained(rule, row, revision))


def _explained(rule: str, row: Requirement, revision: str) -> Iterator[str]:
    yield f"{rule}   {row.level}"
    yield textwrap.fill(row.says, _width(), initial_indent="  ", subsequent_indent="  ")
    yield _filled(f"source: {row.source}")
    yield f"  since: version {row.since} of the suite"
    yield from _affected(rule, row)
    if row.excluded:
        yield f"  not evaluated: {row.excluded}"
    labels = [case.label for case in _cases(revision) if case.rule == rule or case.requirement.id == rule]
    yield _filled(f"evaluated with: {', '.join(labels) or f'no scenario of revision {revision}'}")
    causes, followed = (sorted(set().union(*found)) for found in zip(*map(faults_of, _rules_of(row)), strict=True))
    if causes:
        yield _filled(f"detects {counted(len(causes), 'fault')} of the built-in endpoint: {', '.join(causes)}")
    if followed:
        yield _filled(f"violated as a consequence of {counted(len(followed), 'fault')}: {', '.join(followed)}")
    for one in consequences():
        if any(one.concerns(name) for name in _rules_of(row)):
            yield _filled(f"a consequence where {', '.join(one.follow)} is violated: {one.why}")


def _affected(rule: str, row: Requirement) -> Iterator[str]:
    """The clients affected by each kind of finding, with version and trial; and why they depend on the rule."""
    found = list(kind_evidence(rule))
    for one in (one for one in found if one.effects):
        of = "" if one.rule == rule else f" ({one.rule})"
        yield _filled(f"{_RESPONSES[one.streams]} with {' and '.join(map(repr, one.kinds))}{of} affects:")
        yield from (_filled(f"- {effect}; trial: {effect.trial}") for effect in one.effects)
    # A kind alone has no effect where only several kinds together have one: those are listed above.
    with_effect = {kind for one in found if one.effects for kind in one.kinds}
    if harmless := dict.fromkeys(kind for one in found for kind in one.kinds if kind not in with_effect):
        yield _filled(f"tested, without effect on any client: {'; '.join(map(repr, harmless))}")
    for need in needs():
        if need.finding and any(fnmatchcase(row.id, glob) for glob in need.rules):
            effect = f"{CLIENTS[need.client]} {need.version} {need.says} (not tested: {need.unshown})"
            yield _filled(f"a finding that matches {need.finding!r} affects, by the client's source: {effect}")
    if not found and not row.breaks and row.level != "MAY":
        yield "  affected clients: not tested"
    hit = {effect.client for one in found for effect in one.effects}
    for name in CLIENTS:
        if name in hit and (why := need_for(name, rule)) and "docs/clients.md" not in why.says:
            yield _filled(f"why {CLIENTS[name]}: {why.says}")


def _rules_of(row: Requirement) -> list[str]:
    """The rule ids of a row that faults violate; the row id itself if there are none."""
    return [one for one in _known() if row.matches(one)] or [row.id]


@cache
def _known() -> list[str]:
    return sorted({rule for violated in matrix().values() for kind in violated.values() for rule in kind})


def _filled(text: str) -> str:
    return textwrap.fill(text, _width(), initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _width() -> int:
    """The width of the terminal, which the variable COLUMNS overrides; 100 columns if the output is no terminal."""
    return max(40, shutil.get_terminal_size((100, 24)).columns)


def case_ids(revision: str) -> list[str]:
    """The ids of all cases of a revision."""
    return [case.id for case in _cases(revision)]


def _cases(revision: str) -> list[Case]:
    load_checks()
    target = resolve({"revision": revision}, {}, "00000000", None)
    return all_cases(context_of(target))


def nearest(rule: str) -> str:
    """A suggestion for an unknown rule id, as the end of a sentence; empty if no id is similar."""
    near = difflib.get_close_matches(rule, list(catalogue()), n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near else ""
