"""What the profile leaves out: for each thing that the target does not claim, the cases and rules not judged for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.config.target import PROFILE_FEATURES
from conformance.judge.reasons import UNSUPPORTED
from conformance.judge.verdict import NOT_APPLICABLE
from conformance.results.records import CaseRecord


@dataclass(frozen=True)
class Lack:
    """One thing lacked: how many cases it leaves out, and of how many rules all (``whole``) or only some (``part``)."""

    name: str
    cases: int
    whole: int
    part: int

    @property
    def says(self) -> str:
        """In one sentence."""
        told = PROFILE_FEATURES.get(self.name, "")
        rules = " and ".join(
            f"{_many(number, 'rule')} {how}" for number, how in ((self.whole, "as a whole"), (self.part, "in part"))
            if number
        )  # fmt: skip
        return f"{self.name}{f' ({told})' if told else ''}: {_many(self.cases, 'case')} not judged, {rules}"


def lacks(lines: Sequence[CaseRecord]) -> list[Lack]:
    """What is lacked, by name; a case that needs two such things counts for both."""
    left: dict[str, list[CaseRecord]] = defaultdict(list)
    for line in lines:
        for name in _lacked(line):
            left[name].append(line)
    evaluated = {line.requirement for line in lines if line.verdict != NOT_APPLICABLE}
    return [_lack(name, found, evaluated) for name, found in sorted(left.items())]


def _lack(name: str, found: Sequence[CaseRecord], evaluated: set[str]) -> Lack:
    rules = {line.requirement for line in found}
    return Lack(name, len(found), len(rules - evaluated), len(rules & evaluated))


def _lacked(line: CaseRecord) -> Iterator[str]:
    if line.verdict == NOT_APPLICABLE and line.reason.code == UNSUPPORTED:
        yield from line.reason.features


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
