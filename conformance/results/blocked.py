"""Which failure kept an inconclusive case from being judged, by the evidence of its obstacles.

A failure explains an obstacle where it was found in the same response: in its status, or in a body of which
``consequences.toml`` says that the case cannot be judged by it. A case follows from a failure only if each of its
obstacles is explained: what nothing explains (a busy server, a model that called no tool) stays inconclusive by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from conformance.contract.consequences import blocking, follows
from conformance.results.obstacles import BODY, COMPARISON, KINDS
from conformance.results.records import CaseRecord, FindingRecord

#: Of obstacles the statuses that refuse a request for good.
_REFUSED = re.compile(r"HTTP 4(?!29)")


def explained(lines: Iterable[CaseRecord], broken: Sequence[CaseRecord]) -> dict[str, str]:
    """Of each inconclusive case that follows from a broken one its id, and that of the other; the first of ``broken``
    that explains it is taken."""
    evidence = _Evidence(broken)
    left = [one for one in lines if one.blocked]
    above: dict[str, str] = {}
    while left:
        found = {one.id: cause for one in left if (cause := evidence.of(one))}
        if not found:
            break
        above |= found
        evidence.know(one for one in left if one.id in found)
        left = [one for one in left if one.id not in found]
    return above


def concerns(cause: CaseRecord, members: tuple[str, ...]) -> bool:
    """Whether what is wrong there is one of these members, lies in one, or is the whole."""
    pointers = [finding.pointer.split("/") for finding in cause.findings]
    return not members or any(pointer == [""] or member in pointer for pointer in pointers for member in members)


class _Evidence:
    """The broken cases by the scenarios in which something was found."""

    def __init__(self, broken: Sequence[CaseRecord]) -> None:
        self._known = list(broken)
        self._at: dict[str, list[tuple[CaseRecord, FindingRecord]]] = {}
        for one in broken:
            for finding in one.findings:
                for name in finding.scenarios:
                    self._at.setdefault(name, []).append((one, finding))
        self._explaining = lru_cache(maxsize=None)(self._cause)

    def know(self, lines: Iterable[CaseRecord]) -> None:
        """Take these for causes too, wherever they are: inconclusive cases that are explained."""
        self._known += lines
        self._explaining.cache_clear()

    def of(self, one: CaseRecord) -> str:
        """The id of the broken case that explains the first obstacle, if all are explained; else empty. Of obstacles
        of which one is enough, one is enough."""
        found = [[self._explaining(one.requirement, each.by, name) for name in each.scenarios] for each in one.blocked]
        if one.blocked[0].any:
            return next((cause for causes in found for cause in causes if cause), "")
        return found[0][0] if all(map(all, found)) else ""

    def _cause(self, rule: str, by: str, scenario: str) -> str:
        """The id of the broken case that explains an obstacle in the response to a scenario; empty if none does."""
        here = (one for one, finding in self._at.get(scenario, []) if _explains(one, finding, rule, by))
        anywhere = (one for one in self._known if any(row.anywhere for row in blocking(rule, one.requirement, by)))
        return next((one.id for one in chain(here, anywhere)), "")


def _explains(cause: CaseRecord, finding: FindingRecord, rule: str, by: str) -> bool:
    """Whether a failure found in a response explains the obstacle in it: a row says so, or it is about the status."""
    if blocking(rule, cause.requirement, by):
        return True
    # What a refusal says may be read too: its envelope.
    rows = follows(rule, cause.requirement) if by in (BODY, COMPARISON) or _REFUSED.match(by) else ()
    consequence = (not row.alike and not row.same_member and concerns(cause, row.members) for row in rows)
    return any(consequence) or (by not in KINDS and _of_status(finding, by))


def _of_status(finding: FindingRecord, by: str) -> bool:
    """Whether a finding is about the status that is the obstacle, or about there being none."""
    got = finding.got
    return by in (got, f"HTTP {got}") or re.search(rf"\b{re.escape(by)}\b", finding.message) is not None
