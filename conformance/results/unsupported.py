"""What the profile leaves out: for each thing that the target does not claim, the cases and rules not judged for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.config.target import PROFILE_FEATURES
from conformance.judge.verdict import EXCLUDED_BY_PROFILE, NOT_APPLICABLE

Line = Mapping[str, Any]


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


def lacks(lines: Sequence[Line]) -> list[Lack]:
    """What is lacked, by name; a case that needs two such things counts for both."""
    left: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        for name in _lacked(line):
            left[name].append(line)
    evaluated = {line["requirement"] for line in lines if line["verdict"] != NOT_APPLICABLE}
    return [_lack(name, found, evaluated) for name, found in sorted(left.items())]


def _lack(name: str, found: Sequence[Line], evaluated: set[str]) -> Lack:
    rules = {line["requirement"] for line in found}
    return Lack(name, len(found), len(rules - evaluated), len(rules & evaluated))


#: The prefix in results of earlier versions.
_EXCLUDED_BEFORE = "the target's profile lacks "


def _lacked(line: Line) -> Iterator[str]:
    if line["verdict"] == NOT_APPLICABLE and line["reason"].startswith((EXCLUDED_BY_PROFILE, _EXCLUDED_BEFORE)):
        yield from line["reason"].removeprefix(EXCLUDED_BY_PROFILE).removeprefix(_EXCLUDED_BEFORE).split(", ")


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
