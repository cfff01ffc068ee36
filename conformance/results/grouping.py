"""Grouping of failed cases and warnings under their root causes, so that one violation is reported once.

A case gets a cause in one of three ways. A row of ``consequences.toml`` states that its rule cannot pass if another is
violated, and the violation of that one does not begin later in the stream. Its findings have the same messages as those
of an earlier case. Or it is the failure of a real client, and a rule that lists the client in ``breaks`` is violated in
the same responses. A fail is never grouped under a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from conformance.contract.consequences import Consequence, follows, independent
from conformance.contract.rules import CLIENT, catalogue, requirement
from conformance.judge.normalise import without_numbers
from conformance.judge.verdict import FAIL, INCONCLUSIVE, PASS, WARNING
from conformance.results.affected_clients import restrict_consequences
from conformance.results.blocked import causes_of_inconclusive, concerns
from conformance.results.causes import representative
from conformance.results.records import CaseRecord
from conformance.results.same_message import group_same_messages, without_location
from conformance.results.systemic import (
    STREAM_END,
    root_of,
    systemic,
    with_the_same_exception,
    with_the_same_refusal,
    with_their_status,
)

#: The order of areas: of two rules with the same message, that of the first area is the root cause. Requests are before
#: responses, and a Response before its items and events.
_AREAS = (
    "auth", "http", "sse", "request", "effort", "tools", "format", "turns", "unsupported", "undocumented", "error",
    "response", "item", "usage", "event", "sequence", "truncation", "lifecycle", "identity", "sum", "parallel",
    CLIENT,
)  # fmt: skip

_REFUSED = re.compile(r"received HTTP (?!401|403)")

#: The status that a message states, with the server's message behind it, but without the number of requests.
_OUTCOME = re.compile(
    r"\bHTTP (\d{3}.*?)(?: \((?:the smallest refused combination, by \d+ requests|not reduced: [\w ]+)\))?$", re.DOTALL
)

#: A smallest refused combination of two members or more: without any of them, the request is served.
_COMBINED = re.compile(r" and .*\(the smallest refused combination, by \d+ requests\)$", re.DOTALL)

#: The reason for which a body or an event is not JSON.
_NOT_JSON = re.compile(r"is not (?:a )?JSON [^:]*: (.*)$", re.DOTALL)

#: Labels of cases over many requests that have no case of their own.
_AGGREGATES = re.compile(r"others|lenient|all-answers")


def group_by_cause(lines: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The cases with ``cause`` set: the id of the root cause, empty for a root cause. Of several cases with the same
    violation, the simplest is the root cause."""
    cases = list(lines)
    broken = sorted((one for one in cases if one.verdict in (FAIL, WARNING)), key=_order_key)
    by_rule: dict[str, list[CaseRecord]] = {}
    for one in broken:
        by_rule.setdefault(one.requirement, []).append(one)
    scenarios_of = _FindingScenarios(by_rule)
    shared = systemic(broken)
    left = [one for one in broken if one.id not in shared and one.id not in shared.values()]
    causes = {
        one.id: cause
        for one in left
        if (cause := _cause_by_row(one, scenarios_of) or _of_each_finding(one, scenarios_of, left)
            or _cause_for_client(one, broken))
    } | shared  # fmt: skip
    causes |= _of_the_same_member(left, causes) | _of_a_failure_that_follows(left, causes)
    causes |= _with_their_rule(left, causes, {(one.requirement, one.scenario) for one in cases if one.verdict == PASS})
    _put_combinations_first(left, causes)
    group_same_messages([one for one in left if one.id not in causes], causes)
    causes = with_their_status(broken, causes)
    causes |= with_the_same_exception(broken, causes)
    causes |= with_the_same_refusal(broken, causes)
    causes |= causes_of_inconclusive((one for one in cases if one.verdict == INCONCLUSIVE), broken)
    roots = {one.id: root_of(one.id, causes) for one in cases if one.id in causes or one.verdict in (FAIL, WARNING)}
    representatives = _representatives(broken, roots)
    roots = {case: representatives.get(root, root) for case, root in roots.items()}
    return restrict_consequences(_with_cause(one, roots.get(one.id, one.id)) for one in cases)


def _with_cause(one: CaseRecord, root: str) -> CaseRecord:
    cause = "" if root == one.id else root
    return one if one.cause == cause else replace(one, cause=cause)


def _order_key(one: CaseRecord) -> tuple[bool, bool, bool, int, int, str]:
    """A sort key that puts a root cause before the cases that repeat its message."""
    row, area = requirement(one.requirement), one.area
    message = one.findings[0].message if one.findings else ""
    names_parameter = one.requirement.partition(".")[2].removesuffix("-accepted") in message
    # If the request was refused for another reason than the key, authentication is not the cause.
    is_refused_request = area == "auth" and _REFUSED.match(message) is not None
    place = _AREAS.index(area) if area in _AREAS else len(_AREAS)
    return one.verdict != FAIL, is_refused_request, not names_parameter, place, _catalogue_order()[row.id], one.id


@cache
def _catalogue_order() -> dict[str, int]:
    return {name: place for place, name in enumerate(catalogue())}


class _FindingScenarios:
    """The scenarios in which each violated rule has findings."""

    def __init__(self, by_rule: Mapping[str, list[CaseRecord]]) -> None:
        self.rules = tuple(by_rule)
        self._by_rule = by_rule
        self._known: dict[tuple[str, tuple[str, ...], bool], tuple[list[CaseRecord], set[str]]] = {}

    def of(self, rule: str, row: Consequence, fails_only: bool) -> tuple[list[CaseRecord], set[str]]:
        """The cases of a rule that can be a cause by a row, and the scenarios of their findings."""
        key = (rule, row.members, fails_only)
        if key not in self._known:
            cases = [one for one in self._by_rule[rule] if concerns(one, row.members)]
            cases = [one for one in cases if one.verdict == FAIL or not fails_only]
            self._known[key] = (cases, set[str]().union(*(one.found_in for one in cases)))
        return self._known[key]


def _cause_by_row(one: CaseRecord, scenarios_of: _FindingScenarios) -> str:
    """The id of a case that causes this one by a row of ``consequences.toml``, in every response with a finding; empty
    if there is none."""
    here = one.found_in
    found: list[CaseRecord] = []
    for rule in scenarios_of.rules:
        for row in follows(one.requirement, rule):
            cases, where = scenarios_of.of(rule, row, one.verdict == FAIL)
            cases = [each for each in cases if _matches_row(one, each, row) and not _begins_before(one, each)]
            if cases and (row.anywhere or here <= where or (row.overlap and here & where)):
                found.append(next((each for each in cases if here & each.found_in), cases[0]))
    # Of several causes, one with the same message is preferred.
    same = (each for each in found if _facts(one) & _facts(each))
    return next(same, found[0]).id if found else ""


def _of_each_finding(one: CaseRecord, scenarios_of: _FindingScenarios, left: Sequence[CaseRecord]) -> str:
    """The id of the first failure that causes one of several findings, if each has a cause; empty if there is none."""
    if one.verdict != FAIL or len(one.findings) < 2:
        return ""
    parts = (replace(one, verdict=WARNING, findings=(each,)) for each in one.findings)
    found = [_cause_by_row(part, scenarios_of) for part in parts]
    failed = {each.id for each in left if each.verdict == FAIL}
    return next((each for each in found if each in failed), "") if all(found) else ""


def _matches_row(one: CaseRecord, cause: CaseRecord, row: Consequence) -> bool:
    """Whether the findings meet the condition of a row: a word, or the same messages, value or member in the cause."""
    if independent(one.requirement, cause.requirement, [each.got for each in one.findings]):
        return False
    if row.alike and not _outcomes(one) <= _outcomes(cause):
        return False
    if not all(row.word in each.message for each in one.findings):
        return False
    if row.same_value and not all(any(each.got == known.got for known in cause.findings) for each in one.findings):
        return False
    return not row.same_member or all(concerns(cause, (name,)) for name in _members(one))


def _begins_before(one: CaseRecord, cause: CaseRecord) -> bool:
    """Whether a finding is at an earlier event of a stream than all findings of the other case in it: what begins later
    did not cause it."""
    located = [each for each in one.findings if each.event is not None]
    if not located:
        return False
    begins: dict[str, int] = {}
    for known in cause.findings:
        if known.event is not None:
            begins[known.scenario] = min(known.event, begins.get(known.scenario, known.event))
    return any(each.event is not None and each.event < begins.get(each.scenario, 0) for each in located)


def _members(one: CaseRecord) -> set[str]:
    return {finding.pointer.rpartition("/")[2] for finding in one.findings}


def _facts(one: CaseRecord) -> set[str]:
    return {without_location(message) for message in _messages(one)}


def _cause_for_client(one: CaseRecord, broken: Sequence[CaseRecord]) -> str:
    """Of a client of the lane: the id of the first broken case of a rule that can affect it, if such cases explain
    each response that it did not accept."""
    if one.area != CLIENT:
        return ""
    clients = set(requirement(one.requirement).breaks)
    others = (each for each in broken if each.area != CLIENT)
    possible = [each for each in others if clients & {*each.breaks, *requirement(each.requirement).breaks}]
    possible.sort(key=lambda each: not clients & {*each.breaks})  # Effects shown by a trial are first.
    here = one.found_in
    if not here <= set[str]().union(*(one.found_in for one in possible)):
        return ""
    return next((each.id for each in possible if here & each.found_in), "")


def _messages(one: CaseRecord) -> set[str]:
    return {finding.message for finding in one.findings}


def _outcomes(one: CaseRecord) -> set[str]:
    """What the findings state of the response, whatever was requested: its status with the server's message, or why it
    is not JSON, or in which failure it ends; of one without any, the message without its location."""
    return {_outcome(message) for message in _messages(one)}


def _outcome(message: str) -> str:
    if (found := STREAM_END.search(message)) or (found := _NOT_JSON.search(message)):
        return without_numbers(found[1])
    if found := _OUTCOME.search(message):
        return found[1][:3] + without_numbers(found[1][3:])
    return without_location(message)


def _of_the_same_member(left: Sequence[CaseRecord], causes: Mapping[str, str]) -> dict[str, str]:
    """The causes of warnings about a member that a failure in the same response is about too."""
    failed = [one for one in left if one.verdict == FAIL and one.id not in causes and all(_members(one))]
    found = {}
    for one in (one for one in left if one.verdict == WARNING and one.id not in causes and all(_members(one))):
        same = (each for each in failed if one.found_in <= each.found_in and _members(one) <= _members(each))
        if cause := next(same, None):
            found[one.id] = cause.id
    return found


def _of_a_failure_that_follows(left: Sequence[CaseRecord], causes: Mapping[str, str]) -> dict[str, str]:
    """The causes of warnings from which, by a row, a failure in the same responses follows: a fail has no warning as
    its cause, so that of the two the failure is the cause."""
    failed = [one for one in left if one.verdict == FAIL and one.id not in causes]
    found = {}
    for one in (one for one in left if one.verdict == WARNING and one.id not in causes):
        here = (each for each in failed if one.found_in <= each.found_in and _explains_here(one, each))
        if cause := next(here, None):
            found[one.id] = cause.id
    return found


def _put_combinations_first(left: Sequence[CaseRecord], causes: dict[str, str]) -> None:
    """Makes a smallest refused combination the cause of the refused conversation under which it was grouped: a long
    conversation contains the combination among much else."""
    for one in left:
        cause = causes.get(one.id, "")
        if cause.startswith("turns.") and cause not in causes and all(map(_COMBINED.search, _messages(one))):
            causes[cause] = one.id
            del causes[one.id]


def _explains_here(cause: CaseRecord, one: CaseRecord) -> bool:
    """Whether a case follows from another one by a row about responses that both concern."""
    rows = follows(one.requirement, cause.requirement)
    return any(not row.anywhere and concerns(cause, row.members) and _matches_row(one, cause, row) for row in rows)


def _with_their_rule(
    left: Sequence[CaseRecord], causes: Mapping[str, str], passed: Collection[tuple[str, str]]
) -> dict[str, str]:
    """The causes of warnings, and of cases over many requests, all of whose findings occur in cases of the same rule
    that have one: not every request that meets the defect is one that the rule of the cause evaluates. Where that rule
    passed (``passed``: rule and scenario), it explains nothing."""
    rule_of = {one.id: one.requirement for one in left}
    explained: dict[tuple[str, str, str], str] = {}
    for one in left:
        for fact in _facts(one) if one.id in causes else ():
            explained.setdefault((one.requirement, one.verdict, fact), causes[one.id])
    found = {}
    for one in left:
        facts = [(one.requirement, one.verdict, fact) for fact in sorted(_facts(one))]
        equal = one.verdict == WARNING or _AGGREGATES.match(one.scenario)
        if one.id not in causes and equal and facts and all(map(explained.get, facts)):
            cause = explained[facts[0]]
            if not any((rule_of.get(cause), scenario) in passed for scenario in one.found_in):
                found[one.id] = cause
    return found


def _representatives(broken: Sequence[CaseRecord], roots: Mapping[str, str]) -> dict[str, str]:
    """For each root cause, the case of its rule and verdict in its group as which it is shown."""
    of = {one.id: one for one in broken}
    groups: dict[str, list[CaseRecord]] = {}
    for one in broken:
        root = of[roots[one.id]]
        if (one.requirement, one.verdict) == (root.requirement, root.verdict):
            groups.setdefault(root.id, []).append(one)
    return {root: representative(group).id for root, group in groups.items()}
