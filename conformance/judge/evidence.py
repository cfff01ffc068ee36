"""What a check gives for the responses of a case: each subject is evaluated alone, then the parts are put together.

A subject is one response, or the list of a case's responses where the check compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import Where, undocumented_in
from conformance.judge.control import need_controls, of_run
from conformance.judge.findings import Examined, Finding
from conformance.judge.registry import Case
from conformance.scenarios.scenario import encode, schema_violation

#: Why a case with a predicate does not apply to a response for which the predicate is false.
NOT_OF_THIS_KIND = "no such response"


class InternalError(Exception):
    """A defect of the suite, not of the server."""


@dataclass(frozen=True)
class Part:
    """What the check gave for one subject: findings, and how many things it examined.

    ``blocked`` is why it could not evaluate the subject, ``idle`` why the rule does not apply to it; None where it did.
    ``at`` is the scenario whose response blocks it, where that is another one: its control. ``withheld``: it is blocked
    because its request was not sent.
    """

    found: tuple[Finding, ...] = ()
    examined: int = 0
    blocked: str | None = None
    idle: str | None = None
    at: str = ""
    withheld: bool = False


#: :func:`examine`, or a function that keeps what it returned before.
Examine = Callable[[Case, Received | Sequence[Received], str], Part]


class Record(Protocol):
    """Source of the recorded responses."""

    def received(self, scenario: str) -> Received:
        """The recorded response of a scenario."""


@dataclass(frozen=True)
class Evidence:
    """What the check of a case gave for all its subjects; ``blocked_at`` are the scenarios that are blocked."""

    found: tuple[Finding, ...]
    examined: int
    blocked: list[str]
    blocked_at: list[str]
    idle: list[str]


def parts_of(case: Case, names: Sequence[str], record: Record, examine: Examine) -> list[tuple[str, Part]]:
    """What the check of a case gives for the responses to these scenarios: one part, or one of each."""
    return [
        (name, _uncontrolled(case, subject, record) or examine(case, subject, name))
        for name, subject in _subjects(case, names, record)
    ]


def collected(case: Case, names: Sequence[str], parts: Sequence[tuple[str, Part]]) -> Evidence:
    """The parts of a case put together."""
    together = case.check.together
    found = tuple(finding for _, part in parts for finding in part.found)
    blocked = [(name, part.blocked) for name, part in parts if part.blocked is not None]
    return Evidence(
        found,
        max(sum(part.examined for _, part in parts), len(found)),
        [why if together or len(names) == 1 else f"{name}: {why}" for name, why in blocked],
        _blocked_at(names if together else (), parts),
        [part.idle for _, part in parts if part.idle is not None],
    )


def _blocked_at(names: Sequence[str], parts: Sequence[tuple[str, Part]]) -> list[str]:
    """The scenarios whose responses block the parts; those of ``names`` where the responses are taken together."""
    blocked = [(name, part) for name, part in parts if part.blocked is not None]
    return [each for name, part in blocked for each in ([part.at] if part.at else names or [name])]


def _uncontrolled(case: Case, subject: Received | Sequence[Received], record: Record) -> Part | None:
    """The part of a subject that shows nothing of its request, as its control was not served; None for others."""
    if not case.check.controlled:
        return None
    if not isinstance(subject, Received) and len(case.scenarios) == 1:
        subject = subject[0]  # The others are beside it.
    try:
        need_controls(subject, case.context, record.received)
    except DoesNotApply as error:
        return Part(idle=str(error))
    except CannotEvaluate as error:
        return Part(blocked=str(error), at=getattr(error, "control", ""))
    return None


def _subjects(case: Case, names: Sequence[str], record: Record) -> Iterator[tuple[str, Any]]:
    if case.check.together:
        beside = of_run(case.beside, record.received)
        yield names[0], [*(record.received(name) for name in names), *beside]
    else:
        for name in names:
            yield name, record.received(name)


def examine(case: Case, subject: Received | Sequence[Received], name: str) -> Part:
    """What the check gives for one subject; a pure function of what was recorded. ``name`` is the scenario of findings
    that name none. :class:`InternalError` where the suite itself would have sent something wrong."""
    if isinstance(subject, Received) and (part := unusable(subject, case)) is not None:
        return part
    return examine_usable(case, subject, name)


def examine_usable(case: Case, subject: Received | Sequence[Received], name: str) -> Part:
    """The same as :func:`examine`, for a response that is not :func:`unusable`."""
    found: list[Finding] = []
    looked = 0
    try:
        if not isinstance(subject, Received) and not case.check.without_response:
            _need_any_response(subject)
        for one in case.check.evaluate(subject, case) if case.check.takes_case else case.check.evaluate(subject):
            if isinstance(one, Examined):
                looked += one.count
            else:
                found.append(replace(one, scenario=one.scenario or name))
    except DoesNotApply as error:
        return Part(tuple(found), idle=str(error))
    except CannotEvaluate as error:  # What was examined before the check had to give up is no evidence of a pass.
        return Part(tuple(found), blocked=str(error), at=getattr(error, "control", ""))
    return Part(tuple(found), looked) if found else _examined(looked)


@cache
def _examined(count: int) -> Part:
    return Part((), count)


def _need_any_response(responses: Sequence[Received]) -> None:
    """Several exchanges of which none has a response are no evidence of anything."""
    if all(received.exchange.status is None for received in responses):
        next((one for one in responses if one.exchange.ended != "not-sent"), responses[0]).need_response()


def needs(case: Case) -> Hashable:
    """What a response must be to be evidence for a case: equal for cases for which the same ones are
    :func:`unusable`."""
    return case.where, case.check.where, case.check.without_response


def unusable(received: Received, case: Case) -> Part | None:
    """The part of a response that is no evidence for the case; None for others. It depends only on the scenario and
    what the case :func:`needs`, as hundreds of cases do, so it is kept with the response."""
    where = case.where or (case.check.where if _sent_in_other_form(received, case) else None)
    key = (received.scenario, where, case.check.without_response)
    if key not in received.kept:
        try:
            _need_usable(received, case, where)
            received.kept[key] = None
        except DoesNotApply as error:
            received.kept[key] = Part(idle=str(error))
        except CannotEvaluate as error:
            at, withheld = getattr(error, "control", ""), received.exchange.withheld
            received.kept[key] = Part(blocked=str(error), at=at, withheld=withheld)
    part: Part | None = received.kept[key]
    return part


def _sent_in_other_form(received: Received, case: Case) -> bool:
    """Whether a request was sent streaming in place of plain, or plain in place of streaming."""
    return received.streaming != case.context.scenarios[received.scenario].streaming


def _need_usable(received: Received, case: Case, where: Where | None) -> None:
    """A request that was never sent is no evidence, one without a response nearly none, and a refusal none for a
    Response object."""
    scenario, target = case.context.scenarios[received.scenario], case.context.target
    if received.exchange.ended == "not-sent":
        if scenario.searches and not received.exchange.withheld:
            raise DoesNotApply("no more random requests fail")
        # A request built from a response is known only when it is built; a withheld request may be valid.
        ours = scenario.must_fit_schema and not scenario.follow and not received.exchange.withheld
        planned = encode(scenario.body, target.model, scenario.escaped)
        if ours and (why := schema_violation(case.context.contract, planned)):
            raise InternalError(f"internal error: {scenario.name} sends a request that violates request.json: {why}")
        raise CannotEvaluate(received.exchange.detail)
    if not case.check.without_response:
        received.need_response()
    refused = received.exchange.refused
    followed = refused and scenario.follow and scenario.must_fit_schema
    if followed and (why := schema_violation(case.context.contract, received.exchange.request.body)):
        raise CannotEvaluate(f"the request returns the output of {scenario.after}, which is malformed: {why}")
    undocumented = undocumented_in(case.context.contract, received.exchange.request.body) if where else frozenset()
    if where and not where.applies(received, frozenset(), undocumented):
        raise DoesNotApply(NOT_OF_THIS_KIND)
