"""What a run comes to: the score by level, affected clients, and the verdict in one sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.contract.rules import CLIENTS, LEVELS
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, WARNING
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord, Partial, RunEnd
from conformance.results.results_file import ERROR


@dataclass(frozen=True)
class Score:
    """One level: of the cases that got a verdict those that passed, and of their rules those without a broken case.

    ``unknown``: more cases of the level, or of the run, are inconclusive than were evaluated, so that a share would
    mislead.
    """

    level: str
    passed: int
    evaluated: int
    hold: int
    rules: int
    undecided: int
    unknown: bool

    @property
    def percent(self) -> str:
        """The share of cases that passed, never rounded up to all; empty where none was evaluated, or too few."""
        if not self.evaluated or self.unknown:
            return ""
        share = int(1000 * self.passed / self.evaluated) / 10
        return f"{share:g} %"


def scores(lines: Sequence[CaseRecord]) -> list[Score]:
    """The score of each level that has cases."""
    unknown = _mostly_unknown(Counter(INCONCLUSIVE if inconclusive(line) else line.verdict for line in lines))
    by_level = {level: [line for line in lines if line.level == level] for level in LEVELS}
    return [_score(level, found, unknown) for level, found in by_level.items() if found]


def _mostly_unknown(counts: Counter[str]) -> bool:
    return 2 * counts[INCONCLUSIVE] > counts.total() - counts[NOT_APPLICABLE]


def _score(level: str, lines: Sequence[CaseRecord], unknown: bool) -> Score:
    by_rule: dict[str, set[str]] = defaultdict(set)
    verdicts = [INCONCLUSIVE if inconclusive(line) else line.verdict for line in lines]
    counts = Counter(verdicts)
    for line, verdict in zip(lines, verdicts, strict=True):
        if verdict not in (NOT_APPLICABLE, INCONCLUSIVE):
            by_rule[line.requirement].add(verdict)
    hold = sum(verdicts == {PASS} for verdicts in by_rule.values())
    evaluated = len(lines) - counts[NOT_APPLICABLE] - counts[INCONCLUSIVE]
    unknown = unknown or _mostly_unknown(counts)
    return Score(level, counts[PASS], evaluated, hold, len(by_rule), counts[INCONCLUSIVE], unknown)


def affected_clients(found: Sequence[Cause]) -> dict[str, int]:
    """How many causes affect each client: as many as the reports name it at; clients that none affects are left out."""
    counts = Counter(name for cause in found for name in cause.clients)
    return {name: counts[name] for name in CLIENTS if counts[name]}


def allowed(lines: Sequence[CaseRecord]) -> Iterator[str]:
    """What the contract allows and clients stop at all the same, a sentence each: recorded, never a finding."""
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in lines:
        if line.level == "MAY" and line.breaks:
            for said in line.observed:
                seen[said, ", ".join(CLIENTS.get(name, name) for name in line.breaks)].append(line.id)
    for (said, clients), cases in seen.items():
        yield f"{said} ({many(len(cases), 'case')}): the contract allows it, and it stops {clients}"


def inconclusive(line: CaseRecord) -> bool:
    """Whether a case could not be judged, as a baseline expects or not."""
    return line.own_verdict == INCONCLUSIVE


def by_area(lines: Sequence[CaseRecord]) -> dict[str, Counter[str]]:
    """How many cases of each area have each verdict."""
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        counts.setdefault(line.area, Counter())[line.verdict] += 1
    return counts


def reasons(lines: Sequence[CaseRecord]) -> Iterator[tuple[str, list[str]]]:
    """Why cases are inconclusive, with the cases of each reason, the commonest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.verdict == INCONCLUSIVE:
            found[line.reason.text.partition("; ")[0]].append(line.id)
    yield from sorted(found.items(), key=lambda pair: -len(pair[1]))


@dataclass(frozen=True)
class Verdict:
    """What a run says as a whole: a verdict's name, one word, and a sentence."""

    verdict: str
    word: str
    says: str


def verdict(lines: Sequence[CaseRecord], end: RunEnd | None) -> Verdict:
    """The verdict of a whole run; ``end`` is None where it broke off."""
    found = causes(lines)
    rules = Counter(one.verdict for one in found)
    counts = Counter(line.verdict for line in lines)
    if end is None or end.interrupted:
        return Verdict(ERROR, "broke off", "The run broke off: what is here is not all, and proves no conformance.")
    if counts[ERROR]:
        return Verdict(ERROR, "no verdict", f"{many(counts[ERROR], 'check')} of the suite itself broke.")
    if end.stopped and not rules[FAIL]:
        says = f"{many(counts[INCONCLUSIVE], 'case')} could not be judged: {end.stopped}."
        return Verdict(INCONCLUSIVE, "no verdict", says)
    if rules[FAIL]:
        return Verdict(FAIL, "fails", f"{faults(lines)}, in {many(counts[FAIL], 'case')}.")
    if counts["stale"]:
        return Verdict(FAIL, "fails", f"{many(counts['stale'], 'expected failure')} no longer as expected.")
    if not counts[PASS] + counts[WARNING] + counts[EXPECTED] + counts[INCONCLUSIVE]:
        return Verdict(INCONCLUSIVE, "nothing judged", "No case was judged.")
    if counts[INCONCLUSIVE]:
        return Verdict(INCONCLUSIVE, "inconclusive", f"{many(counts[INCONCLUSIVE], 'case')} could not be judged.")
    if counts[EXPECTED]:
        unjudged = sum(line.verdict == EXPECTED and inconclusive(line) for line in lines)
        failed = counts[EXPECTED] - unjudged
        listed = [many(failed, "failure")] * bool(failed) + [many(unjudged, "inconclusive case")] * bool(unjudged)
        word = "expected failures" if failed else "expected"
        return Verdict(WARNING, word, f"{' and '.join(listed)}, all expected.")
    if partial := end.partial:
        found_so_far = f"; {_rules(rules[WARNING], 'SHOULD')}" if rules[WARNING] else ""
        what = "No MUST violation" if rules[WARNING] else "No violation"
        says = f"{what} found in what was evaluated{found_so_far}; {_partial(partial)}."
        return Verdict(INCONCLUSIVE, "evaluated in part", says)
    if rules[WARNING]:
        return Verdict(WARNING, "conforms", f"No MUST is broken; {_rules(rules[WARNING], 'SHOULD')}.")
    return Verdict(PASS, "conforms", f"{many(counts[PASS], 'case')} judged, nothing found.")


def faults(lines: Sequence[CaseRecord]) -> str:
    """How many faults there are, as causes are counted, and how many MUST rules fail because of them."""
    number = sum(one.verdict == FAIL for one in causes(lines))
    rules = len({line.requirement for line in lines if line.verdict == FAIL})
    fail = f"{many(rules, 'MUST rule')} {'fails' if rules == 1 else 'fail'}"
    return f"{many(number, 'fault')}; {fail} because of {'it' if number == 1 else 'them'}"


def _partial(partial: Partial) -> str:
    """Of captured traffic, how much was not evaluated, or not by all rules."""
    numbers = ((partial.in_part, "evaluated in part"), (partial.not_for_captured, "not evaluated"))
    of = f"of {many(partial.exchanges, 'exchange')}"
    said = [f"{number} {of} {how}" for number, how in numbers if number]
    sockets = [f"{many(partial.websockets, 'WebSocket')} not evaluated"] if partial.websockets else []
    return ", ".join(said + sockets)


def _rules(number: int, level: str) -> str:
    return f"{many(number, f'{level} rule')} {'is' if number == 1 else 'are'} broken"


def many(number: int, what: str) -> str:
    """The number with the word for it, in the plural unless it is one."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
