"""The root causes of a run: one group for each violated rule that is not a consequence, the most severe first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.contract.rules import CLIENTS, LEVELS
from conformance.judge.normalise import without_numbers
from conformance.results.records import CaseRecord, FindingRecord

#: Verdicts, the most severe first; others are sorted after these.
_BY_SEVERITY = ("error", "fail", "stale", "warning", "expected")

_STATUS = re.compile(r"\bHTTP \d{3}")


#: What is one root cause: a verdict, a rule, and what the refused requests share.
_Key = tuple[str, str, str]


#: Rules of which each other message is another defect: what makes an upstream request invalid, and documented requests
#: that are not served, by the class of the status and whether they reached the upstream.
_DIALECT, _SERVED, _NOT_SERVED = (
    "proxy.request.dialect", "proxy.request.served", re.compile(r"HTTP (\d)\d\d .*?, (before|although)"),
)  # fmt: skip

#: Bytes of a request up to which a reader sees what is special about it.
_READABLE = 1_000


@dataclass(frozen=True)
class Cause:
    """A violated rule: its cases, the simplest first, and the cases of other rules that are its consequences."""

    rule: str
    level: str
    verdict: str
    cases: tuple[CaseRecord, ...]
    consequences: tuple[CaseRecord, ...]

    @property
    def clients(self) -> list[str]:
        """The clients affected by its own findings and by its consequences in the same exchanges, in the order of the
        catalogue. A case without a finding affects none."""
        own = [line for line in self.cases if line.findings]
        own_scenarios = set[str]().union(*(line.found_in for line in own))
        in_same_exchanges = [line for line in self.consequences if own_scenarios & line.found_in]
        affected_names = {name for line in (*own, *in_same_exchanges) for name in line.breaks}
        return [name for name in CLIENTS if name in affected_names]


def causes(lines: Sequence[CaseRecord]) -> list[Cause]:
    """The root causes, the most severe first. Of one rule there are several where its cases are about requests that are
    refused for different traits."""
    roots = _roots(lines)
    case_of = {line.id: line for line in lines if line.has_problem}
    defects = _defects([case_of[name] for name in dict.fromkeys(roots.values())])
    own: dict[_Key, list[CaseRecord]] = defaultdict(list)
    consequences: dict[_Key, list[CaseRecord]] = defaultdict(list)
    for line in (line for line in lines if line.has_problem):
        cause = defects[roots[line.id]]
        # Another violation of the same rule belongs to the root cause itself, it is not a consequence.
        (own if cause[:2] == (line.verdict, line.requirement) else consequences)[cause].append(line)
    found = []
    for (verdict, rule, trait), cases in own.items():
        first = representative(cases)
        ordered = sorted(cases, key=lambda one: (one is not first, readability_key(one)))
        found.append(Cause(rule, first.level, verdict, tuple(ordered), tuple(consequences[verdict, rule, trait])))
    return sorted(found, key=_severity_key)


def _defects(roots: Sequence[CaseRecord]) -> dict[str, _Key]:
    """What each root cause is a case of, by id. One without a trait belongs to the first one of its rule."""
    traits: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in sorted(roots, key=readability_key):
        traits[one.verdict, one.requirement] += [_trait(one)] if _trait(one) else []
    firsts = {rule: found[0] for rule, found in traits.items() if found}
    found = {}
    for one in roots:
        rule = (one.verdict, one.requirement)
        found[one.id] = (*rule, _trait(one) or firsts.get(rule, ""))
    return found


def _trait(line: CaseRecord) -> str:
    """What the requests that are refused like that of a case share, where it is a documented one, or what makes the
    upstream request of a proxy invalid; empty otherwise."""
    if line.requirement == _DIALECT:
        return without_numbers(line.message)
    if line.requirement == _SERVED and (found := _NOT_SERVED.search(line.message)):
        return " ".join(found.groups())
    return next((one.trait for one in line.findings[:1] if one.want == 200), "")


def _roots(lines: Sequence[CaseRecord]) -> dict[str, str]:
    """The root cause of each case with a problem, by id: the case itself if it has no cause."""
    named = {line.id: line.cause for line in lines if line.has_problem}
    roots = {}
    for case in named:
        root, seen = case, {case}
        while named[root] in named and named[root] not in seen:
            root = named[root]
            seen.add(root)
        # In a cycle no case is first: each of its cases is then a root cause.
        roots[case] = case if named[root] in seen else root
    return roots


def readability_key(line: CaseRecord) -> tuple[bool, bool, int, bool, int, int, str]:
    """A sort key that puts the simplest case first, as which a violated rule is shown: not one over requests that a
    server may refuse; the request that the rule is named after, as others are special forms of it; the shortest
    request (to 50 bytes: "Count from 1 to 900" is no simpler than a sentence), without streaming, at an early event,
    with a short id."""
    first = line.findings[0] if line.findings else FindingRecord("")
    event, size = first.event, first.request_bytes or 0
    streaming = event is not None or (first.scenario or line.id).endswith(".stream")
    topic = line.scenario.removesuffix(".stream").rpartition(".")[2]
    is_special = topic != line.requirement.partition(".")[2] or size > _READABLE
    return line.scenario.startswith("lenient"), is_special, size // 50, streaming, event or 0, len(line.id), line.id


def representative(cases: Sequence[CaseRecord]) -> CaseRecord:
    """The case as which a violated rule is shown: the simplest of those with the outcome that more than half of them
    have; without such an outcome, the simplest."""
    by_outcome: dict[tuple[str, str], list[CaseRecord]] = defaultdict(list)
    for one in cases:
        by_outcome[_outcome(one)].append(one)
    usual = max(by_outcome.values(), key=len)
    return min(usual if 2 * len(usual) > len(cases) else cases, key=readability_key)


def _outcome(line: CaseRecord) -> tuple[str, str]:
    """What the first finding of a case states, whatever was requested: the status, and the message without numbers."""
    status = _STATUS.search(line.message)
    return status[0] if status else "", without_numbers(line.message)


def with_representative_causes(lines: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases; each ``cause`` is replaced by the case as which reports show that root cause, so that all reports use
    the same id."""
    roots = _roots(lines)
    named = {line.cause for line in lines}
    case_of = {line.id: line for line in lines if line.has_problem or line.id in named}
    defects = _defects([case_of[name] for name in dict.fromkeys(roots.values())])
    own: dict[_Key, list[CaseRecord]] = defaultdict(list)
    for line in (one for one in lines if one.id in roots):
        if (key := defects[roots[line.id]])[:2] == (line.verdict, line.requirement):
            own[key].append(line)
    representatives = {key: representative(found) for key, found in own.items()}

    def first(cause: str) -> str:
        root = case_of.get(roots.get(cause, cause))
        key = defects.get(root.id, (root.verdict, root.requirement, "")) if root else None
        return representatives.get(key, root).id if root and key else cause

    def renamed(line: CaseRecord) -> CaseRecord:
        cause = first(line.cause)
        return replace(line, cause="" if cause == line.id else cause)

    return [renamed(line) if line.cause else line for line in lines]


def _severity_key(cause: Cause) -> tuple[int, int, int, str]:
    return (
        _BY_SEVERITY.index(cause.verdict) if cause.verdict in _BY_SEVERITY else len(_BY_SEVERITY),
        LEVELS.index(cause.level) if cause.level in LEVELS else len(LEVELS),
        -len(cause.cases) - len(cause.consequences),
        cause.rule,
    )
