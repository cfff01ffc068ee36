"""Broken cases by cause: one group a rule that stands for itself, with what only follows from it, the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.contract.rules import CLIENTS, LEVELS
from conformance.judge.verdict import INCONCLUSIVE, NOT_APPLICABLE, PASS
from conformance.results.baseline import counted

Line = Mapping[str, Any]

#: Verdicts that break nothing; every other one names something to look at.
QUIET = (PASS, NOT_APPLICABLE, INCONCLUSIVE)

#: The worst first; a verdict that is not listed comes after these.
_WORST = ("error", "fail", "stale", "warning", "expected")


@dataclass(frozen=True)
class Cause:
    """A broken rule: its own cases, the easiest to read first, and the cases of other rules that only follow."""

    rule: str
    level: str
    verdict: str
    cases: tuple[Line, ...]
    follow: tuple[Line, ...]

    @property
    def clients(self) -> list[str]:
        """The clients that its own findings affect, and its consequences in the same exchanges, in the catalogue's
        order. A case without a finding (an expected one that is inconclusive) affects nobody."""
        own = [line for line in self.cases if line["findings"]]
        here = set().union(*map(places, own))
        near = [line for line in self.follow if here & places(line)]
        hit = {name for line in (*own, *near) for name in line["breaks"]}
        return [name for name in CLIENTS if name in hit]


def places(line: Line) -> set[str]:
    """The scenarios in which something was found."""
    return {name for one in line["findings"] for name in (one["scenario"], *one.get("also", []))}


def broken(line: Line) -> bool:
    """Whether a case shows something wrong; one that is inconclusive as expected does not."""
    return line["verdict"] not in QUIET and counted(line) not in QUIET


def reason(line: Line) -> str:
    """Why a case has no verdict of its own, or why its failure is expected; empty if neither."""
    return str(line["reason"] or line.get("baseline", {}).get("reason", ""))


def causes(lines: Sequence[Line]) -> list[Cause]:
    """The broken rules that stand for themselves, the worst first."""
    roots = _roots(lines)
    of = {line["id"]: (line["verdict"], line["requirement"]) for line in lines}
    own: dict[tuple[str, str], list[Line]] = defaultdict(list)
    follow: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in filter(broken, lines):
        cause = of[roots[line["id"]]]
        # The same rule broken elsewhere is the same thing once more, not a consequence.
        (own if cause == of[line["id"]] else follow)[cause].append(line)
    found = [
        Cause(rule, cases[0]["level"], verdict, tuple(sorted(cases, key=plainness)), tuple(follow[verdict, rule]))
        for (verdict, rule), cases in own.items()
    ]
    return sorted(found, key=_badness)


def _roots(lines: Sequence[Line]) -> dict[str, str]:
    """For each broken case the id of the one it follows from in the end: itself if it stands for itself."""
    named = {line["id"]: line.get("cause", "") for line in lines if broken(line)}
    roots = {}
    for case in named:
        root, seen = case, {case}
        while named[root] in named and named[root] not in seen:
            root = named[root]
            seen.add(root)
        # A ring has no beginning: each of its cases then stands for itself.
        roots[case] = case if named[root] in seen else root
    return roots


def plainness(line: Line) -> tuple[int, bool, int, int, str]:
    """Sorts the case that is read fastest first, the one by which a broken rule is told: that with the shortest
    request, a plain one before a streaming one, early in its stream, short of name."""
    first: Line = line["findings"][0] if line["findings"] else {}
    event = first.get("event")
    streaming = event is not None or str(first.get("scenario") or line["id"]).endswith(".stream")
    return first.get("request_bytes", 0), streaming, event or 0, len(line["id"]), line["id"]


def represented(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines, each ``cause`` the case by which the reports tell its rule: one name for it everywhere."""
    roots = _roots(lines)
    of = {line["id"]: line for line in lines}
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        if roots.get(line["id"]) == line["id"]:
            key = line["verdict"], line["requirement"]
            told[key] = min(told.get(key, line), line, key=plainness)

    def first(cause: str) -> str:
        root = of.get(roots.get(cause, cause))
        return str(told.get((root["verdict"], root["requirement"]), root)["id"]) if root else cause

    return [{**line, "cause": first(line["cause"])} if line.get("cause") else line for line in lines]


def _badness(cause: Cause) -> tuple[int, int, int, str]:
    return (
        _WORST.index(cause.verdict) if cause.verdict in _WORST else len(_WORST),
        LEVELS.index(cause.level) if cause.level in LEVELS else len(LEVELS),
        -len(cause.cases) - len(cause.follow),
        cause.rule,
    )
