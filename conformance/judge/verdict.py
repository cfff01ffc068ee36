"""The verdict of a case: a pure function of what its check found, and of the level of its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.exchange.exchange import WITHHELD
from conformance.exchange.not_sent import NOT_RECORDED
from conformance.judge import reasons
from conformance.judge.evidence import Evidence, Examine, InternalError, Part, Record, collected, examine, parts_of
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
from conformance.judge.registry import CHECKS, Case, Check, Group, Selector, cases, check

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
