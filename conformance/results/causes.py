"""Broken cases by cause: one group a rule that stands for itself, with what only follows from it, the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.contract.rules import CLIENTS, LEVELS
from conformance.results.records import CaseRecord, FindingRecord

#: The worst first; a verdict that is not listed comes after these.
_WORST = ("error", "fail", "stale", "warning", "expected")


@dataclass(frozen=True)
class Cause:
    """A broken rule: its own cases, the easiest to read first, and the cases of other rules that only follow."""

    rule: str
    level: str
    verdict: str
    cases: tuple[CaseRecord, ...]
    follow: tuple[CaseRecord, ...]

    @property
    def clients(self) -> list[str]:
        """The clients that its own findings affect, and its consequences in the same exchanges, in the catalogue's
        order. A case without a finding (an expected one that is inconclusive) affects nobody."""
        own = [line for line in self.cases if line.findings]
        here = set[str]().union(*(line.found_in for line in own))
        near = [line for line in self.follow if here & line.found_in]
        hit = {name for line in (*own, *near) for name in line.breaks}
        return [name for name in CLIENTS if name in hit]


def causes(lines: Sequence[CaseRecord]) -> list[Cause]:
    """The broken rules that stand for themselves, the worst first."""
    roots = _roots(lines)
    of = {line.id: (line.verdict, line.requirement) for line in lines}
    own: dict[tuple[str, str], list[CaseRecord]] = defaultdict(list)
    follow: dict[tuple[str, str], list[CaseRecord]] = defaultdict(list)
    for line in (line for line in lines if line.broken):
        cause = of[roots[line.id]]
        # The same rule broken elsewhere is the same thing once more, not a consequence.
        (own if cause == of[line.id] else follow)[cause].append(line)
    found = [
        Cause(rule, cases[0].level, verdict, tuple(sorted(cases, key=plainness)), tuple(follow[verdict, rule]))
        for (verdict, rule), cases in own.items()
    ]
    return sorted(found, key=_badness)


def _roots(lines: Sequence[CaseRecord]) -> dict[str, str]:
    """For each broken case the id of the one it follows from in the end: itself if it stands for itself."""
    named = {line.id: line.cause for line in lines if line.broken}
    roots = {}
    for case in named:
        root, seen = case, {case}
        while named[root] in named and named[root] not in seen:
            root = named[root]
            seen.add(root)
        # A ring has no beginning: each of its cases then stands for itself.
        roots[case] = case if named[root] in seen else root
    return roots


def plainness(line: CaseRecord) -> tuple[int, bool, int, int, str]:
    """Sorts the case that is read fastest first, the one by which a broken rule is told: that with the shortest
    request, a plain one before a streaming one, early in its stream, short of name."""
    first = line.findings[0] if line.findings else FindingRecord("")
    event = first.event
    streaming = event is not None or (first.scenario or line.id).endswith(".stream")
    return first.request_bytes or 0, streaming, event or 0, len(line.id), line.id


def represented(lines: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases, each ``cause`` the case by which the reports tell its rule: one name for it everywhere."""
    roots = _roots(lines)
    of = {line.id: line for line in lines}
    told: dict[tuple[str, str], CaseRecord] = {}
    for line in lines:
        if roots.get(line.id) == line.id:
            key = line.verdict, line.requirement
            told[key] = min(told.get(key, line), line, key=plainness)

    def first(cause: str) -> str:
        root = of.get(roots.get(cause, cause))
        return told.get((root.verdict, root.requirement), root).id if root else cause

    return [replace(line, cause=first(line.cause)) if line.cause else line for line in lines]


def _badness(cause: Cause) -> tuple[int, int, int, str]:
    return (
        _WORST.index(cause.verdict) if cause.verdict in _WORST else len(_WORST),
        LEVELS.index(cause.level) if cause.level in LEVELS else len(LEVELS),
        -len(cause.cases) - len(cause.follow),
        cause.rule,
    )
