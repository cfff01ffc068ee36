"""Broken cases by cause: one group a rule that stands for itself, with what only follows from it, the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.requirements import CLIENTS, LEVELS
from conformance.verdict import INCONCLUSIVE, NOT_APPLICABLE, PASS

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
    """Whether a case shows something wrong."""
    return line["verdict"] not in QUIET


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
        Cause(rule, cases[0]["level"], verdict, tuple(sorted(cases, key=_plainness)), tuple(follow[verdict, rule]))
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


def _plainness(line: Line) -> tuple[bool, int, int, str]:
    """About one scenario, early in its stream, short of name: the case that is read fastest."""
    first: Line = line["findings"][0] if line["findings"] else {}
    elsewhere = first.get("scenario") != line["scenario"]
    return elsewhere, first.get("event") or 0, len(line["id"]), line["id"]


def _badness(cause: Cause) -> tuple[int, int, int, str]:
    return (
        _WORST.index(cause.verdict) if cause.verdict in _WORST else len(_WORST),
        LEVELS.index(cause.level) if cause.level in LEVELS else len(LEVELS),
        -len(cause.cases) - len(cause.follow),
        cause.rule,
    )
