"""From findings and levels to verdicts: the checks' registry, cases, and the pure function that judges one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from conformance.answer import Answer, CannotJudge, DoesNotApply
from conformance.requirements import Requirement, requirement
from conformance.scenarios.scenario import Scenario, encode, misfit
from conformance.schemas import SchemaProblem, Schemas
from conformance.stream.events import Event
from conformance.stream.violation import Violation
from conformance.target import Target

PASS, FAIL, WARNING = "pass", "fail", "warning"
INCONCLUSIVE, NOT_APPLICABLE = "inconclusive", "not-applicable"

#: How the reason of a case begins that the target's profile leaves out.
LACKS = "the target's profile lacks "

#: What a baseline makes of verdicts: fails as listed, or is listed and fails no more (see conformance.baseline).
EXPECTED, STALE = "expected", "stale"

#: What a broken rule of each level gives.
_BROKEN = {"MUST": FAIL, "SHOULD": WARNING, "MAY": PASS}


#: Stands for ``want`` or ``got`` where a finding has nothing to set against each other.
UNSAID = object()


@dataclass(frozen=True)
class Finding:
    """One departure from a rule: ``event`` is an index in the stream, ``pointer`` a JSON pointer into that event or
    into the body, ``count`` how often the same was found, ``scenario`` where first and ``also`` where else."""

    message: str
    pointer: str = ""
    event: int | None = None
    want: Any = UNSAID
    got: Any = UNSAID
    scenario: str = ""
    count: int = 1
    also: tuple[str, ...] = ()


def on(event: Event, message: str, pointer: str = "", want: Any = UNSAID, got: Any = UNSAID) -> Finding:
    """A finding at an event."""
    return Finding(f"{event.type}: {message}", pointer, event.index, want, got)


def strays(violation: Violation) -> Finding:
    """The finding of what an automaton reported."""
    event = violation.event.index if violation.event else None
    want = UNSAID if violation.want is None else violation.want
    got = UNSAID if violation.got is None else violation.got
    return Finding(violation.message, violation.pointer, event, want, got)


def breaks_schema(problem: SchemaProblem, pointer: str = "", event: Event | None = None) -> Finding:
    """The finding of a schema problem below ``pointer``."""
    where = pointer + problem.pointer
    message = f"{event.type + ': ' if event else ''}{where or 'the body'} {problem.message}"
    want = "not empty" if problem.keyword in ("minLength", "minItems") else problem.want
    return Finding(message, where, event.index if event else None, want, problem.got)


@dataclass(frozen=True)
class Group:
    """Scenarios that make one case: ``label`` names it, ``about`` fills the placeholders of the rule's id.

    ``whole``: the case needs every one of them (a pair); else those that the target lacks drop out. ``if_served``:
    those that were refused drop out too.
    """

    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    if_served: bool = False


@dataclass(frozen=True)
class World:
    """What selectors choose from; ``clients`` are those of the client lane, if it is asked for."""

    scenarios: Mapping[str, Scenario]
    schemas: Schemas
    target: Target
    clients: tuple[str, ...] = ()


Selector = Callable[[World], list[Group]]


@dataclass(frozen=True)
class Check:
    """A check: the rule's id (with placeholders), its selector, and the bare generator.

    ``together``: the generator takes the list of a group's answers instead of one at a time.
    """

    rule: str
    over: Selector
    judge: Callable[..., Iterator[Finding]]
    together: bool
    takes_case: bool


@dataclass(frozen=True, repr=False)
class Case:
    """One thing that gets one verdict: a requirement at a scenario or group."""

    requirement: Requirement
    rule: str
    label: str
    scenarios: tuple[str, ...]
    about: Mapping[str, str]
    check: Check
    world: World
    whole: bool = False
    if_served: bool = False

    @property
    def breaks(self) -> tuple[str, ...]:
        """The clients that stop working: the one that the case is about, or all that the rule names. Codex only
        streams, so that a plain answer is nothing to it."""
        streams = any(self.world.scenarios[name].streaming for name in self.scenarios)
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
    ``blocked`` are the scenarios whose responses an inconclusive case could not be judged by."""

    case: Case
    verdict: str
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    observed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()


class SuiteFault(Exception):
    """The suite itself is wrong; the server has nothing to do with it."""


class Record(Protocol):
    """Where the answers come from."""

    def answer(self, scenario: str) -> Answer:
        """The recorded answer of a scenario."""


CHECKS: list[Check] = []


def check(rule: str, over: Selector, together: bool = False) -> Callable[[Any], Any]:
    """Register a generator of findings as the check of a rule; pytest gets a function that takes one ``case``."""

    def register(judge: Callable[..., Iterator[Finding]]) -> Callable[..., None]:
        taken = len(inspect.signature(judge).parameters)
        registered = Check(rule, over, judge, together, takes_case=taken > 1)
        CHECKS.append(registered)

        def test(case: Case) -> None:
            raise NotImplementedError("the plugin judges in place of calling this")

        test.__doc__ = judge.__doc__
        test.__name__ = judge.__name__
        test.__module__ = judge.__module__
        test.conformance_check = registered  # type: ignore[attr-defined]  # Functions take attributes.
        return test

    return register


def cases(check: Check, world: World) -> list[Case]:
    """The cases of a check at a target."""
    found: list[Case] = []
    for group in check.over(world):
        rule = check.rule.format_map(dict(group.about))
        found.append(
            Case(
                requirement(rule),
                rule,
                group.label,
                group.scenarios,
                group.about,
                check,
                world,
                group.whole,
                group.if_served,
            )
        )
    return found


def judge(case: Case, record: Record) -> Result:
    """The verdict of a case; a pure function of the recorded answers."""
    if case.requirement.excluded:
        return Result(case, NOT_APPLICABLE, reason=case.requirement.excluded)
    world = case.world
    lacking = {name: world.scenarios[name].claims & world.target.lacks for name in case.scenarios}
    names = [name for name in case.scenarios if not lacking[name]]
    if not names or (case.whole and len(names) < len(case.scenarios)):
        lacks = sorted(set().union(*lacking.values()))
        return Result(case, NOT_APPLICABLE, reason=LACKS + ", ".join(lacks))
    withheld = [held.detail for name in names if (held := record.answer(name).exchange).withheld]
    if withheld and (case.check.together or len(withheld) == len(names)):
        return _unasked(case, withheld)
    found: list[Finding] = []
    blocked: list[str] = []
    blocked_at: list[str] = []
    idle: list[str] = []
    for subject, name in _subjects(case, names, record):
        try:
            if isinstance(subject, Answer):
                _usable(subject, case)
            for one in case.check.judge(subject, case) if case.check.takes_case else case.check.judge(subject):
                found.append(replace(one, scenario=one.scenario or name))
        except DoesNotApply as error:
            idle.append(str(error))
        except CannotJudge as error:
            blocked.append(str(error) if case.check.together or len(names) == 1 else f"{name}: {error}")
            blocked_at += names if case.check.together else [name]
    if case.requirement.level == "MAY" and not found and blocked:
        return Result(case, NOT_APPLICABLE, reason=f"nothing to record: {blocked[0]}")
    if case.requirement.level == "MAY":
        return Result(case, PASS, observed=tuple(one.message for one in merge(found)))
    if found:
        return Result(case, _BROKEN[case.requirement.level], tuple(merge(found)))
    if withheld:  # What was asked is in order; nobody knows of the rest.
        return _unasked(case, withheld)
    if blocked and (case.check.together or len(blocked) + len(idle) == len(names)):
        return Result(case, INCONCLUSIVE, reason="; ".join(dict.fromkeys(blocked)), blocked=tuple(blocked_at))
    if idle and len(idle) == len(names):
        return Result(case, NOT_APPLICABLE, reason=idle[0])
    return Result(case, PASS)


def _unasked(case: Case, why: Sequence[str]) -> Result:
    """The result where a limit of ours, or a recording's gap, kept requests of the case from being asked."""
    verdict = NOT_APPLICABLE if case.requirement.level == "MAY" else INCONCLUSIVE
    return Result(case, verdict, reason="; ".join(dict.fromkeys(why)))


def _subjects(case: Case, names: Sequence[str], record: Record) -> Iterator[tuple[Any, str]]:
    if case.check.together:
        yield [record.answer(name) for name in names], names[0]
    else:
        for name in names:
            yield record.answer(name), name


def _usable(answer: Answer, case: Case) -> None:
    """A request that was never sent says nothing, and a refusal nothing of an answer."""
    scenario, target = case.world.scenarios[answer.scenario], case.world.target
    if answer.exchange.ended == "not-sent":
        # What follows from an answer is known only when it is built; what was held back may be as sound as any.
        ours = scenario.meant_well and not scenario.follow and not answer.exchange.withheld
        if ours and (why := misfit(target.revision, encode(scenario.body, target.model))):
            raise SuiteFault(f"the suite itself is wrong: {scenario.name} would send a request whose {why}")
        raise CannotJudge(answer.exchange.detail)
    refused = answer.exchange.refused
    followed = refused and scenario.follow and scenario.meant_well
    if followed and (why := misfit(target.revision, answer.exchange.request.body)):
        raise CannotJudge(f"what {scenario.after} answered is malformed when sent back: {why}")
    if case.if_served and refused:
        raise DoesNotApply("every such request was refused")


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that differ in place only, as one with a count."""
    merged: dict[str, Finding] = {}
    for one in findings:
        key = without_numbers(one.message)
        first = merged.get(key)
        if first is None:
            merged[key] = one
            continue
        places = dict.fromkeys((first.scenario, *first.also, one.scenario, *one.also))
        merged[key] = replace(first, count=first.count + one.count, also=tuple(places)[1:])
    return list(merged.values())


def without_numbers(text: str) -> str:
    """The text with what varies from place to place taken out: numbers, quoted values, ids."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "_", text)
    return re.sub(r"\b[a-z]+_[0-9a-f]{6,}\b|\d+", "#", text)
