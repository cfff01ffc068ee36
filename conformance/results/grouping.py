"""Causes first: which broken case only follows from another, so that one defect is told once.

Two things tie a case to its cause. ``consequences.toml`` says which rules cannot hold where another is broken. And the
same fact, found by several rules in the same words, is told by one of them. A fail is never put under a warning.
And what a client of the client lane could not take is told by a rule that names it in ``breaks``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from conformance.contract.consequences import Consequence, follows
from conformance.contract.rules import CLIENT, catalogue, requirement
from conformance.judge.normalise import without_numbers
from conformance.judge.verdict import FAIL, INCONCLUSIVE, WARNING
from conformance.results.affected_clients import settled
from conformance.results.blocked import concerns, explained
from conformance.results.causes import plainness
from conformance.results.records import CaseRecord
from conformance.results.systemic import systemic

#: Of two areas that find the same, the first tells it: what is asked for before what is answered, wholes before parts.
_AREAS = (
    "auth", "http", "sse", "request", "effort", "tools", "format", "turns", "unsupported", "undocumented", "error",
    "response", "item", "usage", "event", "sequence", "truncation", "lifecycle", "identity", "sum", "parallel",
    CLIENT,
)  # fmt: skip

#: A schema's message names the event or item and the whole path; the same member is the same fact anywhere.
_MEMBER = re.compile(r"^(?:[\w.]+: )?(?:/\S*)?(/\w+ (?:is|has) )")

_SERVED = re.compile(r"(?:answered|served) with HTTP 200")
_BAD = "a bad request is "
_BROKE = re.compile(rf"(?:{_BAD})?answered with HTTP (5\d\d)")

#: A server that breaks on the requests of more rules than this breaks on whatever is wrong: that is one defect.
_SOME = 6

#: Different messages of a server that breaks on many requests, up to which each is a defect of its own.
_MESSAGES = 5

_REFUSED = re.compile(r"received HTTP (?!401|403)")


def group_by_cause(lines: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The cases, each with ``cause``: the id of the broken case that explains it, empty if none does; of cases
    that repeat the same, the one that is read fastest."""
    told = list(lines)
    broken = sorted((one for one in told if one.verdict in (FAIL, WARNING)), key=_rank)
    by_rule: dict[str, list[CaseRecord]] = {}
    for one in broken:
        by_rule.setdefault(one.requirement, []).append(one)
    reach = _Reach(by_rule)
    shared = systemic(broken)
    left = [one for one in broken if one.id not in shared and one.id not in shared.values()]
    above = {one.id: cause for one in left if (cause := _explaining(one, reach) or _stopping(one, broken))} | shared
    _same_words([one for one in left if one.id not in above], above)
    above |= explained((one for one in told if one.verdict == INCONCLUSIVE), broken)
    tops = {one.id: _top(one.id, above) for one in told}
    plainest = _plainest(broken, tops)
    tops = {case: plainest.get(top, top) for case, top in tops.items()}
    return settled(replace(one, cause=tops[one.id] if tops[one.id] != one.id else "") for one in told)


def _rank(one: CaseRecord) -> tuple[bool, bool, bool, int, int, str]:
    """Sorts what is to tell a fact before what repeats it."""
    row, area = requirement(one.requirement), one.area
    message = one.findings[0].message if one.findings else ""
    named = one.requirement.partition(".")[2].removesuffix("-accepted") in message
    # What was sent is the cause of a refusal, not the key.
    not_for_captured = area == "auth" and _REFUSED.match(message) is not None
    place = _AREAS.index(area) if area in _AREAS else len(_AREAS)
    return one.verdict != FAIL, not_for_captured, not named, place, _places()[row.id], one.id


@cache
def _places() -> dict[str, int]:
    return {name: place for place, name in enumerate(catalogue())}


class _Reach:
    """How far the broken cases of each rule reach: the scenarios in which they were found."""

    def __init__(self, by_rule: Mapping[str, list[CaseRecord]]) -> None:
        self.rules = tuple(by_rule)
        self._by_rule = by_rule
        self._known: dict[tuple[str, tuple[str, ...], bool], tuple[list[CaseRecord], set[str]]] = {}

    def of(self, rule: str, row: Consequence, fails_only: bool) -> tuple[list[CaseRecord], set[str]]:
        """The cases of a rule that can be a cause by a row, and where they were found."""
        key = (rule, row.members, fails_only)
        if key not in self._known:
            cases = [one for one in self._by_rule[rule] if concerns(one, row.members)]
            cases = [one for one in cases if one.verdict == FAIL or not fails_only]
            self._known[key] = (cases, set[str]().union(*(one.found_in for one in cases)))
        return self._known[key]


def _explaining(one: CaseRecord, reach: _Reach) -> str:
    """The id of a broken case that is a cause of this one; empty if none explains it in each answer it was found in."""
    here = one.found_in
    found: list[CaseRecord] = []
    for rule in reach.rules:
        for row in follows(one.requirement, rule):
            cases, where = reach.of(rule, row, one.verdict == FAIL)
            cases = [each for each in cases if _fits(one, each, row)]
            if cases and (row.anywhere or here <= where or (row.overlap and here & where)):
                found.append(next((each for each in cases if here & each.found_in), cases[0]))
    # Of several the one that found the same: the others explain it no better.
    same = (each for each in found if _gists(one) & _gists(each))
    return next(same, found[0]).id if found else ""


def _fits(one: CaseRecord, cause: CaseRecord, row: Consequence) -> bool:
    """Whether what a cause found is what a row asks for: the same words, or something about the same member."""
    if row.alike and not _words(one) <= _words(cause):
        return False
    return not row.same_member or all(concerns(cause, (name,)) for name in _members(one))


def _members(one: CaseRecord) -> set[str]:
    return {finding.pointer.rpartition("/")[2] for finding in one.findings}


def _gists(one: CaseRecord) -> set[str]:
    return {_bare(message) for message in _words(one)}


def _stopping(one: CaseRecord, broken: Sequence[CaseRecord]) -> str:
    """Of a client of the lane: the id of the first broken case of a rule that can affect it, if such cases explain
    each answer that it did not take."""
    if one.area != CLIENT:
        return ""
    mine = set(requirement(one.requirement).breaks)
    able = (each for each in broken if each.area != CLIENT)
    named = [each for each in able if mine & {*each.breaks, *requirement(each.requirement).breaks}]
    named.sort(key=lambda each: not mine & {*each.breaks})  # Those of which a trial shows it come first.
    here = one.found_in
    if not here <= set[str]().union(*(one.found_in for one in named)):
        return ""
    return next((each.id for each in named if here & each.found_in), "")


def _words(one: CaseRecord) -> set[str]:
    return {finding.message for finding in one.findings}


def _same_words(roots: list[CaseRecord], above: dict[str, str]) -> None:
    """Put a case all of whose findings were told before under the one that told the first of them."""
    first: dict[str, str] = {}
    asked = [one for one in roots if one.area != "auth"]  # A lock that breaks is a defect of its own.
    breaking = {one.requirement for one in asked for each in one.findings if _BROKE.match(each.message)}
    broke = [each.message for one in asked for each in one.findings if _BROKE.match(each.message)]
    few = len({_bare(_BROKE.sub("", message)) for message in broke}) <= _MESSAGES
    for one in roots:
        words = [_gist(finding.message, one.area, len(breaking) > _SOME, few) for finding in one.findings]
        if any(_SERVED.match(finding.message) for finding in one.findings):
            continue  # Of two wrong requests that are served each is a defect of its own.
        if words and all(word in first for word in words):
            above[one.id] = first[words[0]]
        for word in words:
            first.setdefault(word, one.id)


def _gist(message: str, area: str, often: bool, few: bool) -> str:
    """What a message says wherever it was found; of a server that breaks ``often``, only that it does, and with which
    words where they are ``few``."""
    if (broke := _BROKE.match(message)) and (often or area == "auth"):
        words = _bare(message[broke.end() :]) if few else ""
        return "the lock broke" if area == "auth" else f"broke with {broke[1]}{words}"
    return _bare(message.removeprefix(_BAD))


def _bare(message: str) -> str:
    """The message without what says where it was found."""
    return _MEMBER.sub(r"\1", without_numbers(message))


def _top(case: str, above: Mapping[str, str]) -> str:
    """The cause of the cause: what stands at the top; the case itself if it stands for itself, or if causes run in a
    ring, which has no beginning."""
    top, seen = case, {case}
    while top in above:
        top = above[top]
        if top in seen:
            return case
        seen.add(top)
    return top


def _plainest(broken: Sequence[CaseRecord], tops: Mapping[str, str]) -> dict[str, str]:
    """Of what stands at the top and the cases of its rule below it, the one that is read fastest."""
    of = {one.id: one for one in broken}
    found: dict[str, CaseRecord] = {}
    for one in broken:
        top = of[tops[one.id]]
        if (one.requirement, one.verdict) == (top.requirement, top.verdict):
            found[top.id] = min(found.get(top.id, one), one, key=plainness)
    return {top: one.id for top, one in found.items()}
