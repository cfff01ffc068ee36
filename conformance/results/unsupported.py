"""The unsupported features of a target's profile, each with the cases and rules that it excludes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.config.target import PROFILE_FEATURES
from conformance.judge.reasons import UNSUPPORTED
from conformance.judge.verdict import NOT_APPLICABLE
from conformance.results.records import CaseRecord


@dataclass(frozen=True)
class UnsupportedFeature:
    """One thing lacked: how many cases it leaves out, and of how many rules all (``excluded_rules``) or only some (``partly_excluded_rules``)."""

    name: str
    cases: int
    excluded_rules: int
    partly_excluded_rules: int

    @property
    def says(self) -> str:
        """In one sentence."""
        description = PROFILE_FEATURES.get(self.name, "")
        rules = " and ".join(
            f"{_many(number, 'rule')} {how}" for number, how in ((self.excluded_rules, "as a whole"), (self.partly_excluded_rules, "in part"))
            if number
        )  # fmt: skip
        return (
            f"{self.name}{f' ({description})' if description else ''}: {_many(self.cases, 'case')} not judged, {rules}"
        )


def unsupported_features(lines: Sequence[CaseRecord]) -> list[UnsupportedFeature]:
    """What is lacked, by name; a case that needs two such things counts for both."""
    by_feature: dict[str, list[CaseRecord]] = defaultdict(list)
    for line in lines:
        for name in _unsupported(line):
            by_feature[name].append(line)
    evaluated = {line.requirement for line in lines if line.verdict != NOT_APPLICABLE}
    return [_feature(name, found, evaluated) for name, found in sorted(by_feature.items())]


def _feature(name: str, found: Sequence[CaseRecord], evaluated: set[str]) -> UnsupportedFeature:
    rules = {line.requirement for line in found}
    return UnsupportedFeature(name, len(found), len(rules - evaluated), len(rules & evaluated))


def _unsupported(line: CaseRecord) -> Iterator[str]:
    if line.verdict == NOT_APPLICABLE and line.reason.code == UNSUPPORTED:
        yield from line.reason.features


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
