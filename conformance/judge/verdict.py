"""The registry of checks, their cases, and the pure function from findings and levels to verdicts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from conformance.contract.rules import Requirement, requirement
from conformance.decode.response import Received
from conformance.exchange.exchange import WITHHELD
from conformance.exchange.not_sent import NOT_RECORDED
from conformance.judge import reasons
from conformance.judge.applicability import COMPARES, UNKNOWN_SENDER, Where
from conformance.judge.evidence import Evidence, Examine, InternalError, Part, collected, examine, parts_of
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

_UNRECORDED = WITHHELD + NOT_RECORDED

_UNSUPPORTED = "the target's profile excludes "

#: The reason of a case for which the responses contain nothing to check.
_NOTHING = Reason(reasons.NOTHING_EXAMINED, "the responses contain nothing that this rule is about")

#: Verdicts that a baseline assigns: the case fails as listed, or is listed and passes (conformance.results.baseline).
EXPECTED, STALE = "expected", "stale"

#: The verdict of a violated rule, by level.
_BROKEN = {"MUST": FAIL, "SHOULD": WARNING, "MAY": PASS}


@dataclass(frozen=True)
class Group:
    """The scenarios of one case: ``label`` names it, ``about`` fills the placeholders of the rule's id.

    ``requires_all``: the case needs every scenario (a pair); otherwise those that the profile excludes are left out.
    ``where``: only exchanges to which it applies are evaluated, and a case without evidence is not applicable.
    ``beside``: further scenarios, of which a check of several responses receives those that the run has.
    """

    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    requires_all: bool = False
    where: Where | None = None
    beside: tuple[str, ...] = ()


Selector = Callable[[Context], list[Group]]


@dataclass(frozen=True)
class Check:
    """A check: the rule's id (with placeholders), its selector, and its generator function.

    ``together``: the generator receives all responses of a group instead of one. ``takes_case``: it also receives the
    case. ``without_response``: it also evaluates exchanges without a response, which are no evidence for other checks.
    ``where``: the predicate for exchanges of any origin. ``not_for_captured``: why captured traffic is not evaluated.
    """

    rule: str
    over: Selector
    evaluate: Callable[..., Findings]
    together: bool
    takes_case: bool
    without_response: bool = False
    where: Where | None = None
    not_for_captured: str = ""

    @property
    def controlled(self) -> bool:
        """Whether it is about what a request causes, so that a response counts only beside a served control."""
        return self.not_for_captured in (UNKNOWN_SENDER, COMPARES)


@dataclass(frozen=True, repr=False)
class Case:
    """A requirement and the scenarios on which it is evaluated; it has one verdict."""

    requirement: Requirement
    rule: str
    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str]
    check: Check
    context: Context
    requires_all: bool = False
    where: Where | None = None
    beside: tuple[str, ...] = ()

    @property
    def breaks(self) -> tuple[str, ...]:
        """The clients that the rule can affect: the client of the case, or all in the rule's ``breaks``.

        Codex only streams, so a plain response does not affect it. :mod:`conformance.results.affected_clients`
        decides which clients a finding affects.
        """
        streams = any(self.context.scenarios[name].streaming for name in self.scenarios)
        mine = self.about.get("client")
        return tuple(name for name in self.requirement.breaks if (name != "codex" or streams) and mine in (None, name))

    @property
    def id(self) -> str:
        """``<requirement>@<scenario>``: the key in results, baselines and comparisons."""
        return f"{self.rule}@{self.label}"

    def __repr__(self) -> str:
        """The id: reporters print test parameters, and the representation of the context takes megabytes."""
        return self.id


@dataclass(frozen=True)
class Result:
    """A case's verdict, with its findings or the reason. ``observed``: the messages of a MAY rule. ``examined``: the
    number of events, items, members or responses evaluated. ``blocked``: the scenarios whose responses made the case
    inconclusive."""

    case: Case
    verdict: str
    findings: tuple[Finding, ...] = ()
    reason: Reason = NO_REASON
    observed: tuple[str, ...] = ()
    examined: int = 0
    blocked: tuple[str, ...] = ()


class Record(Protocol):
    """Source of the recorded responses."""

    def received(self, scenario: str) -> Received:
        """The recorded response of a scenario."""


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
            raise NotImplementedError("the plugin evaluates the case instead of calling this function")

        test.__doc__ = evaluate.__doc__
        test.__name__ = evaluate.__name__
        test.__module__ = evaluate.__module__
        test.conformance_check = registered  # type: ignore[attr-defined]  # Functions take attributes.
        return test

    return register


def cases(check: Check, context: Context) -> list[Case]:
    """The cases of a check: those of its selector, and one over all other exchanges to which it applies; those of rules
    that the contract's revision does not have yet are left out."""
    groups = check.over(context)
    found = [_case(check, group, context) for group in (*groups, *_other_scenarios(check, groups, context))]
    known = {"", *(contract.revision for contract in context.contract.lineage)}
    return [case for case in found if case.requirement.revision in known]


def _case(check: Check, group: Group, context: Context) -> Case:
    rule = check.rule.format_map(dict(group.about))
    return Case(
        requirement(rule), rule, group.label, group.scenarios, group.about, check, context, group.requires_all,
        group.where, group.beside,
    )  # fmt: skip


#: Tag of requests that a gateway may refuse, with a body in its own format.
_UNUSUAL = "unusual-form"

#: The label of the case over exchanges of other scenarios, by kind of response.
_OTHER_SCENARIOS = {"streams": "lenient.stream", "plain": "lenient.plain", "answers": "lenient", "finished": "lenient"}


def _other_scenarios(check: Check, groups: Sequence[Group], context: Context) -> list[Group]:
    """The group of all scenarios that the check's selector does not contain and its predicate may match: requests that
    a server may serve or refuse, and refusals of any request."""
    if check.where is None or not check.where.other_scenarios or check.together:
        return []
    label = _OTHER_SCENARIOS.get(check.where.kind, "answers")
    taken = {name for group in groups for name in group.scenarios}
    names = tuple(
        one.name
        for one in context.scenarios.values()
        if one.name not in taken
        and one.method == "POST"
        and EXPLORED not in one.tags
        and not one.suffix.startswith("/")  # A path below the endpoint is another resource.
        and (_UNUSUAL not in one.tags if label == "answers" else one.expect != "refusal")
    )
    random = random_requests(context.scenarios.values())
    found = [Group(_RANDOM.get(check.where.kind, EXPLORE), random, where=check.where)] if random else []
    return [*([Group(label, names, where=check.where)] if names else []), *found]


#: The label of the case over the random requests, by the kind of response.
EXPLORE = "explore"
_RANDOM = {"streams": f"{EXPLORE}.stream", "plain": f"{EXPLORE}.plain"}


def evaluate(case: Case, record: Record, examine: Examine = examine) -> Result:
    """The verdict of a case; a pure function of the recorded responses. ``examine`` may cache its results."""
    names, reason = _applicable(case)
    if reason:
        return Result(case, NOT_APPLICABLE, reason=reason)
    if case.check.together:
        withheld = {name: held.detail for name in names if (held := record.received(name).exchange).withheld}
        names = _without_unrecorded(case, names, withheld)
        if left := [withheld[name] for name in names if name in withheld]:
            return _not_sent(case, left)
    return conclude(case, names, parts_of(case, names, record, examine))


def conclude(case: Case, names: Sequence[str], parts: Sequence[tuple[str, Part]]) -> Result:
    """The verdict that the parts of a case give; ``names`` are its scenarios that the target's profile claims."""
    withheld = [part.blocked or "" for _, part in parts if part.withheld]
    if _UNRECORDED in withheld:
        names = _without_unrecorded(case, names, {name: part.blocked or "" for name, part in parts if part.withheld})
        parts = [(name, part) for name, part in parts if name in names]
        withheld = [part.blocked or "" for _, part in parts if part.withheld]
    if len(withheld) == len(names):
        return _not_sent(case, withheld)
    return _decide(case, collected(case, names, parts), withheld)


def _without_unrecorded(case: Case, names: Sequence[str], withheld: Mapping[str, str]) -> list[str]:
    """The scenarios of a case without those that a recording cannot have: own ones, and those that another version of
    the suite added; all if it has none of them. ``withheld`` is why a request was not sent, by scenario. A check that
    compares responses may need each of the suite's."""
    context = case.context
    if case.requires_all:
        return list(names)
    added = context.replays_other_version and not case.check.together
    kept = [name for name in names if withheld.get(name) != _UNRECORDED or not (added or name in context.own)]
    return kept or list(names)


def _applicable(case: Case) -> tuple[list[str], Reason]:
    """The scenarios of a case that the target's profile claims; the reason if none of them can be evaluated."""
    if case.requirement.excluded:
        return [], Reason(reasons.EXCLUDED, case.requirement.excluded)
    context = case.context
    if case.scenarios and not context.target.lacks:
        return list(case.scenarios), NO_REASON
    lacking = {name: context.scenarios[name].claims & context.target.lacks for name in case.scenarios}
    names = [name for name in case.scenarios if not lacking[name]]
    if not names or (case.requires_all and len(names) < len(case.scenarios)):
        features = tuple(sorted(set[str]().union(*lacking.values())))
        return [], Reason(reasons.UNSUPPORTED, _UNSUPPORTED + ", ".join(features), features)
    return names, NO_REASON


def _decide(case: Case, evidence: Evidence, withheld: Sequence[str]) -> Result:
    """The verdict that the evidence gives; ``withheld`` is why some of the case's requests were not sent."""
    found, examined, blocked, inapplicable = evidence.found, evidence.examined, evidence.blocked, evidence.idle
    if case.requirement.level == "MAY" and not found and blocked:
        return Result(case, NOT_APPLICABLE, reason=Reason(reasons.NO_EVIDENCE, f"nothing to record: {blocked[0]}"))
    if case.requirement.level == "MAY" and (found or examined):
        return Result(case, PASS, observed=tuple(one.message for one in merge(found)), examined=examined)
    if found:
        return Result(case, _BROKEN[case.requirement.level], tuple(merge(found)), examined=examined)
    if withheld:  # The exchanges received pass; the others are unknown.
        return _not_sent(case, withheld)
    if case.where:
        inapplicable, blocked = [*inapplicable, *blocked], []
    if blocked and (case.check.together or not examined):
        reason = Reason(reasons.NO_EVIDENCE, "; ".join(dict.fromkeys(blocked)))
        return Result(case, INCONCLUSIVE, reason=reason, blocked=tuple(evidence.blocked_at))
    if not examined:
        return Result(
            case, NOT_APPLICABLE, reason=Reason(reasons.DOES_NOT_APPLY, inapplicable[0]) if inapplicable else _NOTHING
        )
    return Result(case, PASS, examined=examined)


def _not_sent(case: Case, why: Sequence[str]) -> Result:
    """The result of a case some of whose requests were not sent because of a limit, or are not in the recording."""
    verdict = NOT_APPLICABLE if case.requirement.level == "MAY" else INCONCLUSIVE
    return Result(case, verdict, reason=Reason(reasons.WITHHELD, "; ".join(dict.fromkeys(why))))
