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
    """An unsupported feature: the number of excluded cases, of rules of which all cases are excluded
    (``excluded_rules``), and of rules of which some are (``partly_excluded_rules``)."""

    name: str
    cases: int
    excluded_rules: int
    partly_excluded_rules: int

    @property
    def says(self) -> str:
        """The feature and the number of cases and rules that it excludes, in one sentence."""
        description = PROFILE_FEATURES.get(self.name, "")
        numbers = ((self.excluded_rules, "as a whole"), (self.partly_excluded_rules, "in part"))
        rules = " and ".join(f"{_counted(number, 'rule')} {how}" for number, how in numbers if number)
        shown = f"{self.name} ({description})" if description else self.name
        return f"{shown}: {_counted(self.cases, 'case')} not evaluated, {rules}"


def unsupported_features(lines: Sequence[CaseRecord]) -> list[UnsupportedFeature]:
    """The unsupported features by name; a case that needs two of them counts for both."""
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
