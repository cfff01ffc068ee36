"""From findings and levels to verdicts: the checks' registry, cases, and the pure function that judges one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from conformance.contract.rules import Requirement, requirement
from conformance.decode.response import Received
from conformance.judge import reasons
from conformance.judge.applicability import Where
from conformance.judge.evidence import Evidence, Examine, InternalError, collect, examine
from conformance.judge.findings import (
    EXAMINED,
    MISSING,
    Examined,
    Finding,
    Findings,
    finding_at,
    finding_from_schema,
    finding_from_violation,
    merge,
)
from conformance.judge.reasons import NO_REASON, Reason
from conformance.scenarios.context import Context
from conformance.scenarios.explore import EXPLORED, random_requests

#: The names that a check uses, so that it imports from one module.
__all__ = [
    "CHECKS", "EXAMINED", "EXPECTED", "FAIL", "INCONCLUSIVE", "MISSING", "NOT_APPLICABLE", "PASS", "STALE", "WARNING",
    "Case", "Check", "Examined", "Finding", "Findings", "Group", "InternalError", "Record", "Result", "Selector",
    "cases", "check", "evaluate", "finding_at", "finding_from_schema", "finding_from_violation", "merge",
]  # fmt: skip

PASS, FAIL, WARNING = "pass", "fail", "warning"
INCONCLUSIVE, NOT_APPLICABLE = "inconclusive", "not-applicable"

_UNSUPPORTED = "the target's profile lacks "

#: The reason of a case for which the responses hold nothing.
_NOTHING = Reason(reasons.NOTHING_EXAMINED, "the responses hold nothing that this rule is about")

#: What a baseline makes of verdicts: fails as listed, or is listed and fails no more (conformance.results.baseline).
EXPECTED, STALE = "expected", "stale"

#: What a broken rule of each level gives.
_BROKEN = {"MUST": FAIL, "SHOULD": WARNING, "MAY": PASS}


@dataclass(frozen=True)
class Group:
    """Scenarios that make one case: ``label`` names it, ``about`` fills the placeholders of the rule's id.

    ``whole``: the case needs every one of them (a pair); else those that the target lacks drop out. ``where``: those
    whose exchange the predicate does not apply to drop out too, and what cannot be judged is not applicable.
    """

    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    where: Where | None = None


Selector = Callable[[Context], list[Group]]


@dataclass(frozen=True)
class Check:
    """A check: the rule's id (with placeholders), its selector, and the bare generator.

    ``together``: the generator takes the list of a group's answers instead of one at a time. ``without_response``: it
    also evaluates an exchange in which no response arrived; for every other check such an exchange is no evidence.
    ``where`` is the predicate by which the rule applies to any exchange, whoever asked for it; ``aside`` says why it is
    not evaluated on captured traffic.
    """

    rule: str
    over: Selector
    evaluate: Callable[..., Findings]
    together: bool
    takes_case: bool
    without_response: bool = False
    where: Where | None = None
    not_for_captured: str = ""


@dataclass(frozen=True, repr=False)
class Case:
    """One thing that gets one verdict: a requirement at a scenario or group."""

    requirement: Requirement
    rule: str
    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str]
    check: Check
    context: Context
    whole: bool = False
    where: Where | None = None

    @property
    def breaks(self) -> tuple[str, ...]:
        """The clients that the rule can affect: the one that the case is about, or all that the rule names.

        Codex only streams, so that a plain response does not affect it. Which clients a finding does affect:
        :mod:`conformance.results.affected_clients`.
        """
        streams = any(self.context.scenarios[name].streaming for name in self.scenarios)
        mine = self.about.get("client")
        return tuple(name for name in self.requirement.breaks if (name != "codex" or streams) and mine in (None, name))

    @property
    def id(self) -> str:
        """``<requirement>@<scenario>``: the key in results, baselines and comparisons."""
        return f"{self.rule}@{self.label}"

    def __repr__(self) -> str:
        """The id: the whole world it stands in would be megabytes, and reporters print parameters."""
        return self.id


@dataclass(frozen=True)
class Result:
    """A case's verdict, with findings, or the reason why there is none; ``observed`` is what a MAY rule saw,
    ``examined`` how many things (events, items, members, responses) were evaluated, ``blocked`` the scenarios whose
    responses an inconclusive case could not be judged by."""

    case: Case
    verdict: str
    findings: tuple[Finding, ...] = ()
    reason: Reason = NO_REASON
    observed: tuple[str, ...] = ()
    examined: int = 0
    blocked: tuple[str, ...] = ()


class Record(Protocol):
    """Where the answers come from."""

    def received(self, scenario: str) -> Received:
        """The recorded answer of a scenario."""


CHECKS: list[Check] = []


def check(
    rule: str, over: Selector, together: bool = False, without_response: bool = False,
    where: Where | None = None, not_for_captured: str = "",
) -> Callable[[Any], Any]:  # fmt: skip
    """Register a generator of findings as the check of a rule; pytest gets a function that takes one ``case``."""

    def register(evaluate: Callable[..., Findings]) -> Callable[..., None]:
        taken = len(inspect.signature(evaluate).parameters)
        registered = Check(rule, over, evaluate, together, taken > 1, without_response, where, not_for_captured)
        CHECKS.append(registered)

        def test(case: Case) -> None:
            raise NotImplementedError("the plugin judges in place of calling this")

        test.__doc__ = evaluate.__doc__
        test.__name__ = evaluate.__name__
        test.__module__ = evaluate.__module__
        test.conformance_check = registered  # type: ignore[attr-defined]  # Functions take attributes.
        return test

    return register


def cases(check: Check, context: Context) -> list[Case]:
    """The cases of a check at a target: those of its selector, and one over every other exchange it applies to."""
    groups = check.over(context)
    return [_case(check, group, context) for group in (*groups, *_elsewhere(check, groups, context))]


def _case(check: Check, group: Group, context: Context) -> Case:
    rule = check.rule.format_map(dict(group.about))
    return Case(
        requirement(rule), rule, group.label, group.scenarios, group.about, check, context, group.whole, group.where
    )


#: Tag of requests that something before the endpoint may refuse, in a form of its own.
_UNUSUAL = "unusual-form"

#: The label of the case over the exchanges that no other case of a check is about, by the kind of response.
_ELSEWHERE = {"streams": "lenient.stream", "plain": "lenient.plain", "answers": "lenient", "finished": "lenient"}


def _elsewhere(check: Check, groups: Sequence[Group], context: Context) -> list[Group]:
    """The group of all scenarios that the check's selector leaves out and its predicate may apply to: what a server
    serves though it might have refused it, and refusals of whatever request."""
    if check.where is None or not check.where.elsewhere or check.together:
        return []
    label = _ELSEWHERE.get(check.where.kind, "answers")
    taken = {name for group in groups for name in group.scenarios}
    names = tuple(
        one.name
        for one in context.scenarios.values()
        if one.name not in taken
        and one.method == "POST"
        and EXPLORED not in one.tags
        and not one.suffix.startswith("/")  # What lies below the endpoint is no response of it.
        and (_UNUSUAL not in one.tags if label == "answers" else one.expect != "refusal")
    )
    random = random_requests(context.scenarios.values())
    found = [Group(_RANDOM.get(check.where.kind, EXPLORE), random, where=check.where)] if random else []
    return [*([Group(label, names, where=check.where)] if names else []), *found]


#: The label of the case over the random requests, by the kind of response.
EXPLORE = "explore"
_RANDOM = {"streams": f"{EXPLORE}.stream", "plain": f"{EXPLORE}.plain"}


def evaluate(case: Case, record: Record, examine: Examine = examine) -> Result:
    """The verdict of a case; a pure function of the recorded answers. ``examine`` may keep what it returned before."""
    names, reason = _applicable(case)
    if reason:
        return Result(case, NOT_APPLICABLE, reason=reason)
    withheld = [held.detail for name in names if (held := record.received(name).exchange).withheld]
    if withheld and (case.check.together or len(withheld) == len(names)):
        return _unasked(case, withheld)
    return _decide(case, collect(case, names, record, examine), withheld)


def _applicable(case: Case) -> tuple[list[str], Reason]:
    """The scenarios of a case that the target's profile claims; the reason if none of them can be evaluated."""
    if case.requirement.excluded:
        return [], Reason(reasons.EXCLUDED, case.requirement.excluded)
    context = case.context
    lacking = {name: context.scenarios[name].claims & context.target.lacks for name in case.scenarios}
    names = [name for name in case.scenarios if not lacking[name]]
    if not names or (case.whole and len(names) < len(case.scenarios)):
        features = tuple(sorted(set[str]().union(*lacking.values())))
        return [], Reason(reasons.UNSUPPORTED, _UNSUPPORTED + ", ".join(features), features)
    return names, NO_REASON


def _decide(case: Case, evidence: Evidence, withheld: Sequence[str]) -> Result:
    """The verdict that the evidence gives; ``withheld`` is why some of the case's requests were not sent."""
    found, examined, blocked, idle = evidence.found, evidence.examined, evidence.blocked, evidence.idle
    if case.requirement.level == "MAY" and not found and blocked:
        return Result(case, NOT_APPLICABLE, reason=Reason(reasons.NO_EVIDENCE, f"nothing to record: {blocked[0]}"))
    if case.requirement.level == "MAY" and (found or examined):
        return Result(case, PASS, observed=tuple(one.message for one in merge(found)), examined=examined)
    if found:
        return Result(case, _BROKEN[case.requirement.level], tuple(merge(found)), examined=examined)
    if withheld:  # What was asked is in order; nobody knows of the rest.
        return _unasked(case, withheld)
    if case.where:
        idle, blocked = [*idle, *blocked], []
    if blocked and (case.check.together or not examined):
        reason = Reason(reasons.NO_EVIDENCE, "; ".join(dict.fromkeys(blocked)))
        return Result(case, INCONCLUSIVE, reason=reason, blocked=tuple(evidence.blocked_at))
    if not examined:
        return Result(case, NOT_APPLICABLE, reason=Reason(reasons.DOES_NOT_APPLY, idle[0]) if idle else _NOTHING)
    return Result(case, PASS, examined=examined)


def _unasked(case: Case, why: Sequence[str]) -> Result:
    """The result where a limit of ours, or a recording's gap, kept requests of the case from being asked."""
    verdict = NOT_APPLICABLE if case.requirement.level == "MAY" else INCONCLUSIVE
    return Result(case, verdict, reason=Reason(reasons.WITHHELD, "; ".join(dict.fromkeys(why))))
