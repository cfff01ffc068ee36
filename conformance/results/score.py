"""The score of a run by level, the affected clients, and the verdict of the run in one sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.contract.rules import CLIENTS, LEVELS
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, STALE, WARNING
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord, Partial, RunEnd
from conformance.results.results_file import ERROR


@dataclass(frozen=True)
class Score:
    """The score of one level.

    ``mostly_inconclusive``: more cases of the level, or of the run, are inconclusive than were evaluated, so that a
    percentage would mislead.
    """

    level: str
    passed: int
    evaluated: int
    rules_passed: int
    rules: int
    inconclusive_cases: int
    mostly_inconclusive: bool

    @property
    def percent(self) -> str:
        """The percentage of evaluated cases that passed, rounded down; empty if none or too few were evaluated."""
        if not self.evaluated or self.mostly_inconclusive:
            return ""
        share = int(1000 * self.passed / self.evaluated) / 10
        return f"{share:g} %"


def scores(lines: Sequence[CaseRecord]) -> list[Score]:
    """The score of each level that has cases."""
    mostly_inconclusive = _is_mostly_inconclusive(
        Counter(INCONCLUSIVE if inconclusive(line) else line.verdict for line in lines)
    )
    by_level = {level: [line for line in lines if line.level == level] for level in LEVELS}
    return [_score(level, found, mostly_inconclusive) for level, found in by_level.items() if found]


def _is_mostly_inconclusive(counts: Counter[str]) -> bool:
    return 2 * counts[INCONCLUSIVE] > counts.total() - counts[NOT_APPLICABLE]


def _score(level: str, lines: Sequence[CaseRecord], mostly_inconclusive: bool) -> Score:
    by_rule: dict[str, set[str]] = defaultdict(set)
    verdicts = [INCONCLUSIVE if inconclusive(line) else line.verdict for line in lines]
    counts = Counter(verdicts)
    for line, verdict in zip(lines, verdicts, strict=True):
        if verdict not in (NOT_APPLICABLE, INCONCLUSIVE):
            by_rule[line.requirement].add(verdict)
    rules_passed = sum(verdicts == {PASS} for verdicts in by_rule.values())
    evaluated = len(lines) - counts[NOT_APPLICABLE] - counts[INCONCLUSIVE]
    mostly_inconclusive = mostly_inconclusive or _is_mostly_inconclusive(counts)
    return Score(level, counts[PASS], evaluated, rules_passed, len(by_rule), counts[INCONCLUSIVE], mostly_inconclusive)


def affected_clients(found: Sequence[Cause]) -> dict[str, int]:
    """The number of root causes that affect each client, without unaffected clients."""
    counts = Counter(name for cause in found for name in cause.clients)
    return {name: counts[name] for name in CLIENTS if counts[name]}


def allowed_deviations(lines: Sequence[CaseRecord]) -> Iterator[str]:
    """What the contract allows and clients stop at all the same, a sentence each: recorded, never a finding."""
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in lines:
        if line.level == "MAY" and line.breaks:
            for parts in line.observed:
                seen[parts, ", ".join(CLIENTS.get(name, name) for name in line.breaks)].append(line.id)
    for (parts, clients), cases in seen.items():
        yield f"{parts} ({many(len(cases), 'case')}): the contract allows it, and it stops {clients}"


def clients_of_allowed(lines: Sequence[CaseRecord]) -> list[str]:
    """The names of the clients that stop at something that the contract allows."""
    hit = {name for line in lines if line.level == "MAY" and line.observed for name in line.breaks}
    return [CLIENTS[name] for name in CLIENTS if name in hit]


def inconclusive(line: CaseRecord) -> bool:
    """Whether a case is inconclusive, with or without a baseline that expects it."""
    return line.own_verdict == INCONCLUSIVE


def by_area(lines: Sequence[CaseRecord]) -> dict[str, Counter[str]]:
    """The number of cases by area and verdict."""
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        counts.setdefault(line.area, Counter())[line.verdict] += 1
    return counts


def reasons(lines: Sequence[CaseRecord]) -> Iterator[tuple[str, list[str]]]:
    """The reasons of inconclusive cases, the most frequent first, each with the ids of its cases."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.verdict == INCONCLUSIVE:
            found[line.reason.text.partition("; ")[0]].append(line.id)
    yield from sorted(found.items(), key=lambda pair: -len(pair[1]))


@dataclass(frozen=True)
class RunVerdict:
    """The verdict of a complete run: ``verdict`` is the name of a case verdict, ``word`` a short label, ``says`` a
    sentence."""

    verdict: str
    word: str
    says: str


def run_verdict(lines: Sequence[CaseRecord], end: RunEnd | None) -> RunVerdict:
    """The verdict of a complete run; ``end`` is None if it was interrupted."""
    found = causes(lines)
    rules = Counter(verdict for verdict, _ in {(one.verdict, one.rule) for one in found})
    counts = Counter(line.verdict for line in lines)
    if end is None or end.interrupted:
        says = "The run was interrupted: its results are incomplete and prove no conformance."
        return RunVerdict(ERROR, "interrupted", says)
    if counts[ERROR]:
        return RunVerdict(ERROR, "no verdict", f"{many(counts[ERROR], 'check')} of the suite itself broke.")
    if end.stopped and not rules[FAIL]:
        says = f"{many(counts[INCONCLUSIVE], 'case')} could not be evaluated: {end.stopped}."
        return RunVerdict(INCONCLUSIVE, "no verdict", says)
    if rules[FAIL]:
        return RunVerdict(FAIL, "fails", f"{faults(lines)}, in {many(counts[FAIL], 'case')}.")
    if counts[STALE]:
        return RunVerdict(FAIL, "fails", f"{many(counts['stale'], 'expected failure')} did not occur.")
    if not counts[PASS] + counts[WARNING] + counts[EXPECTED] + counts[INCONCLUSIVE]:
        return RunVerdict(INCONCLUSIVE, "nothing evaluated", "No case was evaluated.")
    if counts[INCONCLUSIVE]:
        return RunVerdict(INCONCLUSIVE, "inconclusive", f"{many(counts[INCONCLUSIVE], 'case')} could not be evaluated.")
    if counts[EXPECTED]:
        inconclusive_cases = sum(line.verdict == EXPECTED and inconclusive(line) for line in lines)
        failed = counts[EXPECTED] - inconclusive_cases
        listed = [many(failed, "failure")] * bool(failed)
        listed += [many(inconclusive_cases, "inconclusive case")] * bool(inconclusive_cases)
        word = "expected failures" if failed else "expected"
        return RunVerdict(WARNING, word, f"{' and '.join(listed)}, all expected.")
    if partial := end.partial:
        warnings = f"; {_rules(rules[WARNING], 'SHOULD')}" if rules[WARNING] else ""
        what = "No MUST violation" if rules[WARNING] else "No violation"
        says = f"{what} found in the evaluated part{warnings}; {_partial(partial)}."
        return RunVerdict(INCONCLUSIVE, "evaluated in part", says)
    if rules[WARNING]:
        return RunVerdict(WARNING, "conforms", f"No MUST rule is violated; {_rules(rules[WARNING], 'SHOULD')}.")
    return RunVerdict(PASS, "conforms", f"{many(counts[PASS], 'case')} passed, no violation found.")


def faults(lines: Sequence[CaseRecord]) -> str:
    """How many faults there are, as causes are counted, and how many MUST rules fail because of them."""
    number = sum(one.verdict == FAIL for one in causes(lines))
    rules = len({line.requirement for line in lines if line.verdict == FAIL})
    fail = f"{many(rules, 'MUST rule')} {'fails' if rules == 1 else 'fail'}"
    return f"{many(number, 'fault')}; {fail} because of {'it' if number == 1 else 'them'}"


def _partial(partial: Partial) -> str:
    """Of captured traffic, how much was not evaluated, or not by all rules."""
    numbers = ((partial.in_part, "evaluated in part"), (partial.not_evaluated, "not evaluated"))
    of = f"of {many(partial.exchanges, 'exchange')}"
    parts = [f"{number} {of} {how}" for number, how in numbers if number]
    others = ((partial.websockets, "WebSocket", "not evaluated"), (partial.unread_files, "file", "not readable"))
    return ", ".join(parts + [f"{many(number, what)} {how}" for number, what, how in others if number])


def _rules(number: int, level: str) -> str:
    return f"{many(number, f'{level} rule')} {'is' if number == 1 else 'are'} violated"


def many(number: int, what: str) -> str:
    """The number with the word for it, in the plural unless it is one."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
