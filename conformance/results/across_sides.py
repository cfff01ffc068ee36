"""One defect of a proxy that both sides show, and the rules of an endpoint once more.

What a proxy does to a request or a response is stated by the rules of the area ``proxy``, which see both sides; a rule
of an endpoint sees the same from the client alone, in the probes of both sides and in the run against the endpoint
behind them. The rows are those of the tables ``across`` of ``consequences.toml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.contract.consequences import across
from conformance.judge.verdict import FAIL, PASS
from conformance.results.records import CaseRecord

#: The rule about concurrent streams that a proxy mixes.
_MIXED, _MIXED_IN_RUN = "proxy.response.not-mixed", "parallel.requests-do-not-mix"

#: The rule about the id of a response in its events.
_IDS = "identity.response-id"

#: The rules that compare texts with their deltas.
_DELTAS = {"sum.text-deltas", "sum.reasoning-deltas", "sum.arguments-deltas"}


def with_causes_across(sides: Sequence[CaseRecord], endpoint: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases of both sides, then those of the endpoint, where root causes of the one part have the one of the other
    from which they follow."""
    found = with_causes_of(endpoint, _roots(sides))
    return [*_of_silence(with_causes_of(sides, _roots(endpoint)), endpoint), *_of_mixed_streams(found, sides)]


def with_causes_of(cases: Sequence[CaseRecord], others: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases, root causes among them with the case of the others from which they follow; these are root causes."""
    found = {one.id: _cause(one, others) for one in _roots(cases)}
    return [replace(one, cause=found[one.id]) if found.get(one.id) else one for one in cases]


def _of_silence(sides: Sequence[CaseRecord], endpoint: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases of both sides; those about ids in the probes of silence alone, which are sent together, have the mixed
    responses of the endpoint as cause."""
    mixed = next((one for one in _roots(endpoint) if one.requirement == _MIXED_IN_RUN), None)
    found = [one for one in _roots(sides) if one.requirement == _IDS]
    if mixed is None or not all(one.scenario.startswith("silence.") for one in found):
        return list(sides)
    roots = {one.id for one in found}
    return [replace(one, cause=mixed.id) if one.id in roots else one for one in sides]


def _of_mixed_streams(endpoint: Sequence[CaseRecord], sides: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases of the endpoint; those of a rule that both sides violate only as a consequence of mixed streams have
    these as cause, as requests of a run are sent together. So have those about deltas, if both sides do not violate
    their rule: what was mixed there is not evaluated again."""
    mixed = next((one for one in _roots(sides) if one.requirement == _MIXED), None)
    if mixed is None:
        return list(endpoint)
    broken = [one for one in sides if one.has_problem]
    others = {one.requirement for one in broken if one.cause != mixed.id}
    passed = {one.requirement for one in sides if one.verdict == PASS}
    rules = ({one.requirement for one in broken} | _DELTAS) & passed - others
    roots = {one.id for one in _roots(endpoint) if one.requirement in rules and one.requirement != _MIXED}
    return [replace(one, cause=mixed.id) if one.id in roots else one for one in endpoint]


def _roots(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    return [one for one in cases if one.has_problem and not one.cause]


def _cause(one: CaseRecord, others: Sequence[CaseRecord]) -> str:
    """The id of the first root cause of the other part from which a case follows; empty without one."""
    findings = _findings(one)
    possible = [each for each in others if each.verdict == FAIL or one.verdict != FAIL]
    for row in across():
        for each in possible:
            same = one.scenario == each.scenario
            if row.ties(one.requirement, findings, each.requirement, _findings(each), same):
                return each.id
    return ""


def _findings(one: CaseRecord) -> list[str]:
    return [f"@{each.scenario or one.scenario}: {each.message}" for each in one.findings]
