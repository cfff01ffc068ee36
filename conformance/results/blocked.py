"""The violations that explain why a case is inconclusive, from the evidence of its obstacles.

A violation explains an obstacle if it was found in the same response: in the status, or in a body with which, by
``consequences.toml``, the case cannot be evaluated. A row about the reason of the case is preferred: a missing status
explains "the Response has no status", and another violation in that response does not. A case is a consequence only if
each of its obstacles is explained.
Otherwise (a busy server, a model that did not call a tool) the case is inconclusive without a root cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from conformance.contract.consequences import Blocked, blocking, follows
from conformance.results.obstacles import BODY, COMPARISON, KINDS
from conformance.results.records import CaseRecord, FindingRecord

#: Obstacles that are a refusal without retry: 4xx, except 429.
_FINAL_REFUSAL = re.compile(r"HTTP 4(?!29)")


def causes_of_inconclusive(lines: Iterable[CaseRecord], broken: Sequence[CaseRecord]) -> dict[str, str]:
    """The ids of the inconclusive cases that are consequences, each with the id of its cause: the first case of
    ``broken`` (failed cases and warnings) that explains it."""
    evidence = _Evidence(broken)
    unexplained = [one for one in lines if one.blocked]
    causes: dict[str, str] = {}
    while unexplained:
        found = {one.id: cause for one in unexplained if (cause := evidence.of(one))}
        if not found:
            break
        causes |= found
        evidence.add(one for one in unexplained if one.id in found)
        unexplained = [one for one in unexplained if one.id not in found]
    return causes


def concerns(cause: CaseRecord, members: tuple[str, ...]) -> bool:
    """Whether a finding of the case is at one of these members, inside one, or at the complete body; True without
    members."""
    pointers = [finding.pointer.split("/") for finding in cause.findings]
    return not members or any(pointer == [""] or member in pointer for pointer in pointers for member in members)


class _Evidence:
    """The failed cases and warnings, by the scenarios of their findings."""

    def __init__(self, broken: Sequence[CaseRecord]) -> None:
        self._known = list(broken)
        self._at: dict[str, list[tuple[CaseRecord, FindingRecord]]] = {}
        for one in broken:
            for finding in one.findings:
                for name in finding.scenarios:
                    self._at.setdefault(name, []).append((one, finding))
        self._explaining = lru_cache(maxsize=None)(self._cause)

    def add(self, lines: Iterable[CaseRecord]) -> None:
        """Add inconclusive cases that are explained: they can be causes too."""
        self._known += lines
        self._explaining.cache_clear()

    def of(self, one: CaseRecord) -> str:
        """The id of the case that explains the first obstacle, if all obstacles are explained; else empty. For an
        obstacle with ``any``, one explained scenario is enough."""
        found = [
            [self._explaining(one.requirement, each.by, name, one.why) for name in each.scenarios]
            for each in one.blocked
        ]
        if one.blocked[0].any:
            return next((cause for causes in found for cause in causes if cause), "")
        return found[0][0] if all(map(all, found)) else ""

    def _cause(self, rule: str, by: str, scenario: str, reason: str) -> str:
        """The id of the case that explains an obstacle in the response to a scenario; empty if there is none."""
        here = self._at.get(scenario, [])
        named = (one for one, finding in here if _ties(one, finding, rule, by, reason))
        explaining = (one for one, finding in here if _explains(one, finding, rule, by))
        return next((one.id for one in chain(named, self._anywhere(rule, by, reason), explaining)), "") or next(
            (one.id for one in self._anywhere(rule, by, "")), ""
        )

    def _anywhere(self, rule: str, by: str, reason: str) -> Iterator[CaseRecord]:
        """The cases that explain an obstacle wherever they were found, by a row about this reason."""
        for one in self._known:
            rows = (row for row in blocking(rule, one.requirement, by) if row.anywhere and _is_about(row, reason))
            if any(not row.members or any(_is_at(finding, row.members) for finding in one.findings) for row in rows):
                yield one


def _is_about(row: Blocked, reason: str) -> bool:
    """Whether a row is about this reason; without a reason, whether it is about any."""
    return row.names(reason) if reason else not row.reasons


def _is_at(finding: FindingRecord, members: tuple[str, ...]) -> bool:
    """Whether a finding is at one of these members, or at the complete body; True without members."""
    return not members or finding.pointer.rpartition("/")[2] in ("", *members)


def _ties(cause: CaseRecord, finding: FindingRecord, rule: str, by: str, reason: str = "") -> bool:
    """Whether a finding explains the obstacle by a row about this reason, or without a reason, about any."""
    rows = blocking(rule, cause.requirement, by)
    return any(_is_about(row, reason) and _is_at(finding, row.members) for row in rows)


def _explains(cause: CaseRecord, finding: FindingRecord, rule: str, by: str) -> bool:
    """Whether a finding in a response explains the obstacle in it: by a row of ``consequences.toml``, or because it is
    about the status."""
    if _ties(cause, finding, rule, by):
        return True
    # The body of a refusal is read too: its error object.
    rows = follows(rule, cause.requirement) if by in (BODY, COMPARISON) or _FINAL_REFUSAL.match(by) else ()
    consequence = (concerns(cause, row.members) for row in rows if not row.compares)
    return any(consequence) or (by not in KINDS and _of_status(finding, by))


def _of_status(finding: FindingRecord, by: str) -> bool:
    """Whether a finding is about the status that is the obstacle, or about a missing response."""
    got = finding.got
    return by in (got, f"HTTP {got}") or re.search(rf"\b{re.escape(by)}\b", finding.message) is not None
