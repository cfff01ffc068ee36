"""Captured exchanges judged: each a scenario of its own, a case for each rule that can be read from it.

The checks are those of a run, with another choice of what they are over. What they cannot judge here is not
inconclusive, as nobody asked for it: it does not apply, with the reason.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from conformance.config.target import Target
from conformance.contract.schemas import schemas_of
from conformance.decode.response import CannotEvaluate, Received
from conformance.engine.assembly import assemble
from conformance.engine.evaluation import evaluate_case
from conformance.engine.redaction import without
from conformance.exchange.redaction import Secret
from conformance.judge.applicability import Unavailable
from conformance.judge.verdict import Case, Check, Group
from conformance.judge.verdict import cases as cases_of
from conformance.report.failure import told
from conformance.results.records import CaseRecord
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario
from conformance.traffic.captured import Captured, Captures
from conformance.traffic.incomplete import needs_end
from conformance.traffic.passive_rules import passive_checks

#: The label of the cases that are about all answers together.
ALL = "traffic"


@dataclass(frozen=True)
class Evaluation:
    """The cases, grouped and in order; by label why an exchange was not evaluated, or only in part; and the labels of
    those that were in part. :meth:`text` renders a case without any credential that was met in the traffic."""

    cases: list[CaseRecord]
    unjudged: Mapping[str, str]
    in_part: frozenset[str] = frozenset()
    traces: Mapping[str, str] = field(default_factory=dict)
    responses: Mapping[str, Received] = field(default_factory=dict, repr=False)
    secrets: Sequence[Secret] = field(default=(), repr=False)

    def text(self, case: CaseRecord) -> str:
        """What was found in a case, by which rule, where, and which clients it affects; empty without a finding."""
        if case.id in self.traces or not case.findings:
            return self.traces.get(case.id, "")
        text = "\n".join(told(case, lambda finding: self.responses.get(finding.exchange)))
        return str(without(self.secrets, text))


def evaluate_captures(
    captured: Sequence[Captured], target: Target, secrets: Sequence[Secret] = (), together: bool = True
) -> Evaluation:
    """What the rules that need no scenario say of this traffic, none of the secrets in it; ``together``: also what is
    read from all answers side by side."""
    evaluable = [one.by(target.contract) for one in captured if not one.unjudged]
    context = _context(evaluable, target)
    record = Captures(evaluable)
    evaluated = [evaluate_case(case, record, secrets, planned=False) for case in _cases(evaluable, context, together)]
    unjudged = {one.label: why for one in captured if (why := one.unjudged or one.in_part)}
    return Evaluation(
        assemble(one.case for one in evaluated).cases,
        without(secrets, unjudged),
        frozenset(one.label for one in evaluable if one.in_part),
        {one.case.id: one.trace for one in evaluated if one.error},
        {one.exchange.key: one.received for one in evaluable},
        secrets,
    )


def _context(captured: Sequence[Captured], target: Target) -> Context:
    scenarios = {
        one.label: Scenario(one.label, "what a client sent", one.sent or {}, expect="either") for one in captured
    }
    return Context(scenarios, schemas_of(target.contract), target)


def _cases(captured: Sequence[Captured], context: Context, together: bool) -> Iterator[Case]:
    undocumented = {one.label: one.undocumented(context.schemas) for one in captured}
    for check in passive_checks():
        alone = replace(check, where=None)  # What it applies to is chosen here, exchange by exchange.
        fitting = [one for one in captured if _fits(one, check, undocumented[one.label])]
        if check.where and check.where.kind == "all-answers":
            if together and fitting:
                names = tuple(one.label for one in fitting)
                yield from cases_of(replace(alone, over=partial(_as_one, names)), context)
            continue
        for one in fitting:
            yield from cases_of(replace(alone, over=partial(_alone, one, check.rule)), context)


def _as_one(names: tuple[str, ...], context: Context) -> list[Group]:
    return [Group(ALL, names)]


def _alone(one: Captured, rule: str, context: Context) -> list[Group]:
    """The case of one exchange; of a rule about types one for each type that comes up in it."""
    if "{type}" not in rule:
        return [Group(one.label, (one.label,))]
    return [Group(one.label, (one.label,), {"type": kind}) for kind in _types(one, rule, context)]


def _types(one: Captured, rule: str, context: Context) -> list[str]:
    received = one.received
    try:
        events = received.events if received.looks_like_stream else ()
        if rule.startswith("event."):
            return [kind for kind in context.schemas.event_types if kind in received.by_type] if events else []
        seen = {str(event.item.get("type")) for event in events}
    except CannotEvaluate:
        seen = set()
    with contextlib.suppress(CannotEvaluate):
        seen |= {str(item.get("type")) for item in received.output}
    return [kind for kind in context.schemas.item_types if kind in seen]


def _fits(one: Captured, check: Check, undocumented: frozenset[str]) -> bool:
    unavailable: frozenset[Unavailable] = one.unavailable | ({"framing"} if one.unfinished else set())
    if one.unfinished and needs_end(check.rule, one.received):
        return False
    if check.rule == "lifecycle.snapshots" and one.in_background:
        return False  # A Response in the background is created as queued.
    if check.where is None or (check.where.kind == "finished" and one.not_final):
        return False
    return check.where.applies(one.received, unavailable, undocumented)
