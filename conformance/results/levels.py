"""The levels that a run passes: ``core``, ``tools``, ``reasoning``, ``full``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.contract.levels import PARTS, Levels, levels_of
from conformance.contract.rules import requirement
from conformance.judge import reasons
from conformance.judge.verdict import FAIL, INCONCLUSIVE, PASS
from conformance.results.obstacles import NEED
from conformance.results.records import CaseRecord, RunEnd, RunHead
from conformance.results.results_file import ERROR, Results
from conformance.results.score import many

PASSES, FAILS, UNKNOWN = "passes", "fails", "unknown"


@dataclass(frozen=True)
class LevelResult:
    """Whether a run passes a level: ``state`` is passes, fails or unknown; ``why`` is the reason; for passes
    the cases that are not counted, or empty."""

    name: str
    state: str
    why: str = ""

    @property
    def says(self) -> str:
        """The result in one line."""
        return f"{self.name} {self.state}" + (f" ({self.why})" if self.why else "")


def level_results(head: RunHead, lines: Sequence[CaseRecord], end: RunEnd | None) -> list[LevelResult]:
    """The result of each level. A level is unknown if a rule of it was not evaluated: the run is partial, a case is
    inconclusive, or the profile excludes what the rule is about. A case whose need the model did not meet is not
    counted where the rule passes in another case. Empty for captured traffic and for both sides of a proxy, which show
    no level."""
    if head.mode in ("traffic", "proxy"):
        return []
    levels = levels_of(head.suite)
    by_part: dict[str, list[CaseRecord]] = {name: [] for name in PARTS["full"]}
    for line in lines:
        if part := _part(levels, line):
            by_part[part].append(line)
    complete = end is not None and not end.interrupted
    absent = {part: _absent(levels, part, lines, head) for part in by_part} if complete else {}
    found = []
    for name, parts in PARTS.items():
        cases = [line for part in parts for line in by_part[part]]
        missing = [rule for part in parts for rule in absent.get(part, ())]
        found.append(_result(name, cases, missing) if complete else LevelResult(name, UNKNOWN, "interrupted"))
    return found


def passed_levels(run: Results) -> str:
    """The levels that a run passes, in words: ``full``, those that it passes, ``none``, or ``unknown``; empty for
    captured traffic."""
    found = level_results(run.head, run.cases, run.end)
    passed = [one.name for one in found if one.state == PASSES]
    if not passed:
        return "" if not found else "none" if found[0].state == FAILS else "unknown"
    return "full" if "full" in passed else " + ".join(passed)


def _part(levels: Levels, line: CaseRecord) -> str:
    try:
        return levels.part_of(line.requirement)
    except KeyError:
        return ""  # A rule of another version of the suite.


def _absent(levels: Levels, part: str, lines: Sequence[CaseRecord], head: RunHead) -> list[str]:
    """The rows of a set without a case in the run, though its revision of the contract has them."""
    seen = set()
    for line in lines:
        try:
            seen.add(requirement(line.requirement).id)
        except KeyError:
            continue
    rows = [row for row, name in levels.rows.items() if name == part and row not in seen]
    return [row for row in rows if requirement(row).revision <= head.revision]


def _result(name: str, cases: Sequence[CaseRecord], missing: Sequence[str]) -> LevelResult:
    failed = [line for line in cases if line.own_verdict in (FAIL, ERROR)]
    if failed:
        rules = list(dict.fromkeys(line.requirement for line in failed))
        return LevelResult(name, FAILS, _listed(rules, "rule", "violated"))
    undecided = [line for line in cases if line.own_verdict == INCONCLUSIVE]
    evaluated = {line.requirement for line in cases if line.own_verdict == PASS}
    unmet = [line.id for line in undecided if line.requirement in evaluated and _is_unmet(line)]
    if unknown := [line.id for line in undecided if line.id not in unmet]:
        return LevelResult(name, UNKNOWN, _listed(unknown, "case", "inconclusive"))
    if excluded := [line for line in cases if line.reason.code == reasons.UNSUPPORTED]:
        features = sorted({feature for line in excluded for feature in line.reason.features})
        return LevelResult(name, UNKNOWN, f"the profile excludes {', '.join(features)}")
    if missing:
        return LevelResult(name, UNKNOWN, _listed(missing, "rule", "not evaluated"))
    return LevelResult(name, PASSES, _listed(unmet, "case", "not counted") if unmet else "")


def _is_unmet(line: CaseRecord) -> bool:
    """Whether a case is inconclusive as the model did not do what a request is for, such as call two tools at once."""
    kinds = [one.by for one in line.blocked]
    return NEED in kinds and (set(kinds) == {NEED} or all(one.any for one in line.blocked))


def _listed(names: Sequence[str], noun: str, what: str) -> str:
    """The number of names, and the first."""
    return f"{many(len(names), noun)} {what}{': ' if len(names) == 1 else ', such as '}{names[0]}"
