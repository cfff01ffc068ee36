"""The evaluation of captured exchanges: each is a scenario, with one case for each rule that applies to it.

The checks are those of a run, with cases chosen by the exchange. A case that cannot be evaluated is not applicable
instead of inconclusive, because the suite did not choose the requests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from conformance.config.target import Target
from conformance.contract.schemas import schemas_of
from conformance.decode.events import objects
from conformance.decode.response import CannotEvaluate, Received
from conformance.engine.assembly import assemble
from conformance.engine.evaluation import EvaluatedCase, evaluate_case
from conformance.engine.redaction import redact_value
from conformance.exchange.redaction import Secret
from conformance.judge.applicability import Unavailable
from conformance.judge.verdict import Check, Group
from conformance.judge.verdict import cases as cases_of
from conformance.report.failure import case_lines
from conformance.results.records import CaseRecord, FindingRecord
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario
from conformance.traffic.captured import Captured, Captures
from conformance.traffic.distribution import Progress, distributed
from conformance.traffic.incomplete import NEED_EVERY_EVENT, needs_end
from conformance.traffic.passive_rules import passive_checks

#: The members by which responses, items and calls are identified.
_IDENTIFYING = ("id", "object", "type", "status", "call_id", "name")

#: The label of the cases that compare all exchanges.
ALL_EXCHANGES = "traffic"


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of captured traffic: ``cases`` are grouped and sorted.

    ``unjudged`` is, by label, the reason why an exchange was not evaluated, or only in part; ``in_part`` are the labels
    of the latter. ``traces`` are the tracebacks of internal errors by case id, ``captured`` the exchanges by key.
    """

    cases: list[CaseRecord]
    unjudged: Mapping[str, str]
    in_part: frozenset[str] = frozenset()
    traces: Mapping[str, str] = field(default_factory=dict)
    captured: Mapping[str, Captured] = field(default_factory=dict, repr=False)
    secrets: Sequence[Secret] = field(default=(), repr=False)

    def text(self, case: CaseRecord) -> str:
        """The text of a case with its rule, findings, locations and affected clients, with credentials redacted; empty
        without a finding."""
        if case.id in self.traces or not case.findings:
            return self.traces.get(case.id, "")
        text = "\n".join(case_lines(case, self._response, others_in=""))
        return str(redact_value(self.secrets, text))

    def _response(self, finding: FindingRecord) -> Received | None:
        one = self.captured.get(finding.exchange)
        return one.received if one else None


def evaluate_captures(
    captured: Sequence[Captured], target: Target, secrets: Sequence[Secret] = (), together: bool = True,
    jobs: int = 1, progress: Progress = lambda done, total: None,
) -> Evaluation:  # fmt: skip
    """Evaluate captured traffic by the rules that need no scenario; the secrets are redacted in the results. With
    ``together``, also by the rules that compare all exchanges. ``jobs`` is the number of processes; ``progress`` is
    called with the number of evaluated exchanges and of all."""
    evaluable = [one.by(target.contract) for one in captured if not one.unjudged]
    work = Work(evaluable, target, secrets)
    alone, records, traces = [], list[CaseRecord](), dict[str, str]()
    for part in distributed(work.exchange, len(evaluable), jobs, progress):
        records += [one.case for one in part.cases]
        traces |= {one.case.id: one.trace for one in part.cases if one.error}
        alone.append(replace(part, cases=[]))  # A capture has some hundred thousand of them.
    for one in work.all_exchanges(alone) if together else ():
        records.append(one.case)
        traces |= {one.case.id: one.trace} if one.error else {}
    in_part = {one.label: part.in_part for one, part in zip(evaluable, alone, strict=True) if part.in_part}
    unjudged = {one.label: one.unjudged for one in captured if one.unjudged} | in_part
    return Evaluation(
        assemble(records).cases,
        redact_value(secrets, unjudged),
        frozenset(in_part),
        traces,
        {one.exchange.key: one for one in evaluable},
        secrets,
    )


@dataclass(frozen=True)
class Part:
    """The cases of one exchange, and why it was evaluated only in part; empty if it was not.

    ``compared`` are the rules that compare it with all others, and ``ids`` what they read of its response.
    """

    cases: list[EvaluatedCase]
    in_part: str
    compared: tuple[str, ...]
    ids: dict[str, Any] | None


class Work:
    """The evaluation of a capture, exchange by exchange: what was decoded of one is discarded before the next."""

    def __init__(self, captured: Sequence[Captured], target: Target, secrets: Sequence[Secret]) -> None:
        self._captured, self._target, self._secrets = captured, target, secrets
        self._schemas = schemas_of(target.contract)

    def exchange(self, place: int) -> Part:
        """The cases of one exchange."""
        one = self._captured[place]
        try:
            context = self._context([one], lambda each: each.sent or {})
            undocumented, record = one.undocumented(self._schemas), Captures([one])
            cases = [
                case
                for check in passive_checks()
                if not _compares_all(check) and _fits(one, check, undocumented)
                for case in cases_of(replace(check, where=None, over=partial(_group_of, one, check.rule)), context)
            ]
            evaluated = [_portable(evaluate_case(case, record, self._secrets, planned=False)) for case in cases]
            replaced = ""
            if one.is_of_file:
                cleared = [one.placeholders.cleared(case) for case in evaluated]
                evaluated, replaced = [case for case, _ in cleared], next((why for _, why in cleared if why), "")
            compared = tuple(check.rule for check in _comparing() if _fits(one, check, undocumented))
            return Part(evaluated, one.in_part or replaced, compared, _ids_of(one) if compared else None)
        finally:
            one.release()

    def all_exchanges(self, parts: Sequence[Part]) -> list[EvaluatedCase]:
        """The cases that compare all exchanges of one file."""
        compared = [(one, part) for one, part in zip(self._captured, parts, strict=True) if part.ids is not None]
        context = self._context([one for one, _ in compared], lambda each: {"stream": True} if each.streaming else {})
        record = Captures([one for one, _ in compared], {one.label: part.ids or {} for one, part in compared})
        evaluated: list[EvaluatedCase] = []
        for check in _comparing():
            of_source: dict[str, list[str]] = {}
            for one, part in compared:
                if check.rule in part.compared:
                    of_source.setdefault(one.source, []).append(one.label)
            for source, names in of_source.items():
                single = replace(check, where=None, over=partial(_one_group, tuple(names), source))
                evaluated += [
                    evaluate_case(case, record, self._secrets, planned=False) for case in cases_of(single, context)
                ]
        return evaluated

    def _context(self, captured: Sequence[Captured], body: Callable[[Captured], dict[str, Any]]) -> Context:
        scenarios = {
            one.label: Scenario(one.label, "a captured request", body(one), expect="either") for one in captured
        }
        return Context(scenarios, self._schemas, self._target)


def _portable(one: EvaluatedCase) -> EvaluatedCase:
    """The same with an exception that can be sent to another process."""
    return replace(one, error=RuntimeError(str(one.error))) if one.error else one


def _compares_all(check: Check) -> bool:
    return check.where is not None and check.where.kind == "all-answers"


@cache
def _comparing() -> tuple[Check, ...]:
    return tuple(check for check in passive_checks() if _compares_all(check))


def _ids_of(one: Captured) -> dict[str, Any] | None:
    """The members of the response that identify it and its items: rules that compare all exchanges of a capture read no
    others, and all complete ones do not fit into the memory. None if there is no Response object."""
    try:
        response = one.received.response
    except CannotEvaluate:
        return None
    output = [{name: item[name] for name in _IDENTIFYING if name in item} for item in objects(response.get("output"))]
    return {**{name: response[name] for name in _IDENTIFYING if name in response}, "output": output}


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
    if one.placeholders.excludes(check.rule):
        return False
    if check.rule == "lifecycle.snapshots" and one.in_background and _begins_queued(one.received):
        return False  # A background Response can be created with status queued.
    if check.rule == "response.ends-final" and one.failed:
        return False
    if check.where is None or (check.where.kind == "finished" and one.not_final):
        return False
    return check.where.applies(one.received, unavailable, undocumented)


def _begins_queued(received: Received) -> bool:
    """Whether an opening event of a stream has status queued."""
    opening = received.of(*received.contract.decoding.of("begin")) if received.looks_like_stream else []
    return any(event.response.get("status") == "queued" for event in opening)
