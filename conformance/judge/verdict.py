"""From findings and levels to verdicts: the checks' registry, cases, and the pure function that judges one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from conformance.contract.rules import Requirement, requirement
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import COMPARES, UNKNOWN_SENDER, Where, undocumented_in
from conformance.judge.control import NoControl, need_controls, of_run
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
    without_numbers,
)
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import encode, schema_violation

#: The names that a check uses, so that it imports from one module.
__all__ = [
    "CHECKS", "EXAMINED", "EXPECTED", "FAIL", "INCONCLUSIVE", "LACKS", "MISSING", "NOTHING_EXAMINED", "NOT_APPLICABLE",
    "PASS", "STALE", "WARNING", "Case", "Check", "Examined", "Finding", "Findings", "Group", "InternalError", "Record",
    "Result", "Selector", "cases", "check", "evaluate", "finding_at", "finding_from_schema", "finding_from_violation",
    "merge", "without_numbers",
]  # fmt: skip

PASS, FAIL, WARNING = "pass", "fail", "warning"
INCONCLUSIVE, NOT_APPLICABLE = "inconclusive", "not-applicable"

#: How the reason of a case begins that the target's profile leaves out.
LACKS = "the target's profile lacks "

#: The reason of a case for which the responses hold nothing.
NOTHING_EXAMINED = "the responses hold nothing that this rule is about"

#: What a baseline makes of verdicts: fails as listed, or is listed and fails no more (conformance.results.baseline).
EXPECTED, STALE = "expected", "stale"

#: What a broken rule of each level gives.
_BROKEN = {"MUST": FAIL, "SHOULD": WARNING, "MAY": PASS}


@dataclass(frozen=True)
class Group:
    """Scenarios that make one case: ``label`` names it, ``about`` fills the placeholders of the rule's id.

    ``whole``: the case needs every one of them (a pair); else those that the target lacks drop out. ``where``: those
    whose exchange the predicate does not apply to drop out too, and what cannot be judged is not applicable.
    ``beside``: further scenarios of which a check of several gets the responses that the run has.
    """

    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    where: Where | None = None
    beside: tuple[str, ...] = ()


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

    @property
    def controlled(self) -> bool:
        """Whether it is about what a request causes, so that a response counts only beside a served control."""
        return self.not_for_captured in (UNKNOWN_SENDER, COMPARES)


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
    beside: tuple[str, ...] = ()

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
    reason: str = ""
    observed: tuple[str, ...] = ()
    examined: int = 0
    blocked: tuple[str, ...] = ()


class InternalError(Exception):
    """The suite itself is wrong; the server has nothing to do with it."""


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
        requirement(rule), rule, group.label, group.scenarios, group.about, check, context, group.whole, group.where,
        group.beside,
    )  # fmt: skip


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
        and not one.suffix.startswith("/")  # What lies below the endpoint is no response of it.
        and (_UNUSUAL not in one.tags if label == "answers" else one.expect != "refusal")
    )
    return [Group(label, names, where=check.where)] if names else []


def evaluate(case: Case, record: Record) -> Result:
    """The verdict of a case; a pure function of the recorded answers."""
    if case.requirement.excluded:
        return Result(case, NOT_APPLICABLE, reason=case.requirement.excluded)
    context = case.context
    lacking = {name: context.scenarios[name].claims & context.target.lacks for name in case.scenarios}
    names = [name for name in case.scenarios if not lacking[name]]
    if not names or (case.whole and len(names) < len(case.scenarios)):
        lacks = sorted(set().union(*lacking.values()))
        return Result(case, NOT_APPLICABLE, reason=LACKS + ", ".join(lacks))
    withheld = [held.detail for name in names if (held := record.received(name).exchange).withheld]
    if withheld and (case.check.together or len(withheld) == len(names)):
        return _unasked(case, withheld)
    found: list[Finding] = []
    examined = 0
    blocked, blocked_at, idle = list[str](), list[str](), list[str]()
    for subject, name in _subjects(case, names, record):
        looked = 0
        try:
            if isinstance(subject, Received):
                _usable(subject, case)
            elif not case.check.without_response:
                _answered(subject)
            if case.check.controlled:
                need_controls(subject, context.scenarios, record.received)
            for one in case.check.evaluate(subject, case) if case.check.takes_case else case.check.evaluate(subject):
                if isinstance(one, Examined):
                    looked += one.count
                else:
                    found.append(replace(one, scenario=one.scenario or name))
        except DoesNotApply as error:
            idle.append(str(error))
        except CannotEvaluate as error:
            blocked.append(str(error) if case.check.together or len(names) == 1 else f"{name}: {error}")
            blocked_at += [error.control] if isinstance(error, NoControl) else names if case.check.together else [name]
        else:
            examined += looked  # What was examined before a check had to give up is no evidence of a pass.
    examined = max(examined, len(found))
    if case.requirement.level == "MAY" and not found and blocked:
        return Result(case, NOT_APPLICABLE, reason=f"nothing to record: {blocked[0]}")
    if case.requirement.level == "MAY" and (found or examined):
        return Result(case, PASS, observed=tuple(one.message for one in merge(found)), examined=examined)
    if found:
        return Result(case, _BROKEN[case.requirement.level], tuple(merge(found)), examined=examined)
    if withheld:  # What was asked is in order; nobody knows of the rest.
        return _unasked(case, withheld)
    if case.where:
        idle, blocked = idle + blocked, []
    if blocked and (case.check.together or not examined):
        return Result(case, INCONCLUSIVE, reason="; ".join(dict.fromkeys(blocked)), blocked=tuple(blocked_at))
    if not examined:
        return Result(case, NOT_APPLICABLE, reason=idle[0] if idle else NOTHING_EXAMINED)
    return Result(case, PASS, examined=examined)


def _unasked(case: Case, why: Sequence[str]) -> Result:
    """The result where a limit of ours, or a recording's gap, kept requests of the case from being asked."""
    verdict = NOT_APPLICABLE if case.requirement.level == "MAY" else INCONCLUSIVE
    return Result(case, verdict, reason="; ".join(dict.fromkeys(why)))


def _subjects(case: Case, names: Sequence[str], record: Record) -> Iterator[tuple[Any, str]]:
    if case.check.together:
        yield [*(record.received(name) for name in names), *of_run(case.beside, record.received)], names[0]
    else:
        yield from ((record.received(name), name) for name in names)


def _answered(responses: Sequence[Received]) -> None:
    """Several exchanges of which none has a response are no evidence of anything."""
    if all(received.exchange.status is None for received in responses):
        next((one for one in responses if one.exchange.ended != "not-sent"), responses[0]).need_response()


def _usable(received: Received, case: Case) -> None:
    """A request that was never sent says nothing, one without a response next to nothing, and a refusal nothing of a
    Response object."""
    scenario, target = case.context.scenarios[received.scenario], case.context.target
    if received.exchange.ended == "not-sent":
        # What follows from an answer is known only when it is built; what was held back may be as sound as any.
        ours = scenario.meant_well and not scenario.follow and not received.exchange.withheld
        if ours and (why := schema_violation(target.revision, encode(scenario.body, target.model))):
            raise InternalError(f"the suite itself is wrong: {scenario.name} would send a request whose {why}")
        raise CannotEvaluate(received.exchange.detail)
    if not case.check.without_response:
        received.need_response()
    refused = received.exchange.refused
    followed = refused and scenario.follow and scenario.meant_well
    if followed and (why := schema_violation(target.revision, received.exchange.request.body)):
        raise CannotEvaluate(f"what {scenario.after} answered is malformed when sent back: {why}")
    strange = undocumented_in(target.revision, received.exchange.request.body) if case.where else frozenset()
    if case.where and not case.where.applies(received, frozenset(), strange):
        raise DoesNotApply("no such response")
