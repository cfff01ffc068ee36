"""The catalogue as text: the list of rules, and one rule explained."""

from __future__ import annotations

import difflib
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
from conformance.results.client_trials import kind_evidence

_RESPONSES = {False: "a plain response", True: "a stream"}


def listing(area: str | None, level: str | None) -> Iterator[str]:
    """A line a rule."""
    for row in catalogue().values():
        if (area is None or row.area == area) and (level is None or row.level == level):
            not_for_captured = f" (not judged: {row.excluded})" if row.excluded else ""
            yield f"{row.id:<50} {row.level:<7} {row.says}{not_for_captured}"


def areas() -> list[str]:
    """The areas of the rules, in the order of the catalogue."""
    return list(dict.fromkeys(row.area for row in catalogue().values()))


def explain(rule: str, revision: str) -> str | None:
    """A rule and the cases it has in a revision; None if there is no such rule."""
    row = catalogue().get(rule)
    if row is None:
        try:
            row = requirement(rule)
        except KeyError:
            return None
    return "\n".join(_explained(rule, row, revision))


def _explained(rule: str, row: Requirement, revision: str) -> Iterator[str]:
    yield f"{rule}   {row.level}"
    yield textwrap.fill(row.says, 100, initial_indent="  ", subsequent_indent="  ")
    yield f"  source  {row.source}"
    yield f"  since   version {row.since} of the suite"
    yield from _affected(rule, row)
    if row.excluded:
        yield f"  not judged: {row.excluded}"
    labels = [case.label for case in _cases(revision) if case.rule == rule or case.requirement.id == rule]
    evaluated = ", ".join(labels) or f"nothing in revision {revision}"
    yield _filled(f"judged at: {evaluated}")
    told, followed = (sorted(set().union(*found)) for found in zip(*map(faults_of, _rules_of(row)), strict=True))
    if told:
        yield _filled(f"told by it, {len(told)} faults of the built-in endpoint: {', '.join(told)}")
    if followed:
        yield _filled(f"broken too, as a consequence, by {len(followed)}: {', '.join(followed)}")
    for one in consequences():
        if any(one.concerns(name) for name in _rules_of(row)):
            yield _filled(f"a consequence where {', '.join(one.follow)} is broken: {one.why}")


def _affected(rule: str, row: Requirement) -> Iterator[str]:
    """Which client is affected by which kind of finding, with its version and the trial; and why it needs the rule."""
    found = list(kind_evidence(rule))
    for one in (one for one in found if one.effects):
        of = "" if one.rule == rule else f" ({one.rule})"
        yield _filled(f"{_RESPONSES[one.streams]} with {' and '.join(map(repr, one.kinds))}{of} affects:")
        yield from (_filled(f"- {effect}; trial: {effect.trial}") for effect in one.effects)
    if harmless := dict.fromkeys(kind for one in found if not one.effects for kind in one.kinds):
        yield _filled(f"tried, and shown to affect no client: {'; '.join(map(repr, harmless))}")
    for need in needs():
        if need.finding and any(fnmatchcase(row.id, glob) for glob in need.rules):
            says = f"{CLIENTS[need.client]} {need.version} {need.says} (not tried: {need.unshown})"
            yield _filled(f"a finding that matches {need.finding!r} affects by construction: {says}")
    if not found and not row.breaks and row.level != "MAY":
        yield "  affected clients: not tried"
    hit = {effect.client for one in found for effect in one.effects}
    for name in CLIENTS:
        if name in hit and (why := need_for(name, rule)) and "docs/clients.md" not in why.says:
            yield _filled(f"why {CLIENTS[name]}: {why.says}")


def _rules_of(row: Requirement) -> list[str]:
    """The ids that a row stands for, as far as faults break them."""
    return [one for one in _known() if row.matches(one)] or [row.id]


@cache
def _known() -> list[str]:
    return sorted({rule for broken in matrix().values() for kind in broken.values() for rule in kind})


def _filled(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def case_ids(revision: str) -> list[str]:
    """The ids of all cases of a revision."""
    return [case.id for case in _cases(revision)]


def _cases(revision: str) -> list[Case]:
    load_checks()
    target = resolve({"revision": revision}, {}, "00000000", None)
    return all_cases(context_of(target))


def nearest(rule: str) -> str:
    """The rule that was meant, as the end of a sentence."""
    near = difflib.get_close_matches(rule, list(catalogue()), n=1, cutoff=0.4)
    return f"; did you mean {near[0]!r}?" if near else ""
