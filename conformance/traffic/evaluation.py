"""The evaluation of captured exchanges: each is a scenario, with one case for each rule that applies to it.

The checks are those of a run, with cases chosen by the exchange. A case that cannot be evaluated is not applicable
instead of inconclusive, because the suite did not choose the requests.
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
from conformance.engine.redaction import redact_value
from conformance.exchange.redaction import Secret
from conformance.judge.applicability import Unavailable
from conformance.judge.verdict import Case, Check, Group
from conformance.judge.verdict import cases as cases_of
from conformance.report.failure import told
from conformance.results.records import CaseRecord
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario
from conformance.traffic.captured import Captured, Captures
from conformance.traffic.incomplete import NEED_EVERY_EVENT, needs_end
from conformance.traffic.passive_rules import passive_checks

#: The label of the cases that compare all exchanges.
ALL_EXCHANGES = "traffic"


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of captured traffic: ``cases`` are grouped and sorted.

    ``unjudged`` is, by label, the reason why an exchange was not evaluated, or only in part; ``in_part`` are the labels
    of the latter. ``traces`` are the tracebacks of internal errors by case id, ``responses`` the responses by key.
    """

    cases: list[CaseRecord]
    unjudged: Mapping[str, str]
    in_part: frozenset[str] = frozenset()
    traces: Mapping[str, str] = field(default_factory=dict)
    responses: Mapping[str, Received] = field(default_factory=dict, repr=False)
    secrets: Sequence[Secret] = field(default=(), repr=False)

    def text(self, case: CaseRecord) -> str:
        """The text of a case with its rule, findings, locations and affected clients, with credentials redacted; empty
        without a finding."""
        if case.id in self.traces or not case.findings:
            return self.traces.get(case.id, "")
        text = "\n".join(told(case, lambda finding: self.responses.get(finding.exchange)))
        return str(redact_value(self.secrets, text))


def evaluate_captures(
    captured: Sequence[Captured], target: Target, secrets: Sequence[Secret] = (), together: bool = True
) -> Evaluation:
    """Evaluate captured traffic by the rules that need no scenario; the secrets are redacted in the results. With
    ``together``, also by the rules that compare all exchanges."""
    evaluable = [one.by(target.contract) for one in captured if not one.unjudged]
    context = _context(evaluable, target)
    record = Captures(evaluable)
    evaluated = [evaluate_case(case, record, secrets, planned=False) for case in _cases(evaluable, context, together)]
    unjudged = {one.label: why for one in captured if (why := one.unjudged or one.in_part)}
    return Evaluation(
        assemble(one.case for one in evaluated).cases,
        redact_value(secrets, unjudged),
        frozenset(one.label for one in evaluable if one.in_part),
        {one.case.id: one.trace for one in evaluated if one.error},
        {one.exchange.key: one.received for one in evaluable},
        secrets,
    )


def _context(captured: Sequence[Captured], target: Target) -> Context:
    scenarios = {
        one.label: Scenario(one.label, "a captured request", one.sent or {}, expect="either") for one in captured
    }
    return Context(scenarios, schemas_of(target.contract), target)


def _cases(captured: Sequence[Captured], context: Context, together: bool) -> Iterator[Case]:
    undocumented = {one.label: one.undocumented(context.schemas) for one in captured}
    for check in passive_checks():
        single = replace(check, where=None)  # The exchanges to which it applies are chosen here.
        applicable = [one for one in captured if _fits(one, check, undocumented[one.label])]
        if check.where and check.where.kind == "all-answers":
            for source in dict.fromkeys(one.source for one in applicable if together):
                names = tuple(one.label for one in applicable if one.source == source)
                yield from cases_of(replace(single, over=partial(_one_group, names, source)), context)
            continue
        for one in applicable:
            yield from cases_of(replace(single, over=partial(_group_of, one, check.rule)), context)


def _one_group(names: tuple[str, ...], source: str, context: Context) -> list[Group]:
    """The case of all exchanges of one file: the same recording may be in several files of a folder."""
    return [Group(f"{source} {ALL_EXCHANGES}".lstrip(), names)]


def _group_of(one: Captured, rule: str, context: Context) -> list[Group]:
    """The case of one exchange; for a rule about types, one for each type that occurs in it."""
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
    if one.shortened and check.rule.startswith(NEED_EVERY_EVENT):
        return False
    if check.rule == "lifecycle.snapshots" and one.in_background:
        return False  # A background Response can be created with status queued.
    if check.where is None or (check.where.kind == "finished" and one.not_final):
        return False
    return check.where.applies(one.received, unavailable, undocumented)
