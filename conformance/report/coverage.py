"""What a run really judged of the contract: clause by clause its rules, the scenarios they saw, their faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.contract.clauses import SECTIONS, Clause, clauses
from conformance.contract.client_evidence import faults_that_stop
from conformance.contract.fault_matrix import faults_of
from conformance.judge.reasons import NOTHING_EXAMINED
from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.results.records import CaseRecord


@dataclass(frozen=True)
class Covered:
    """A clause with the rules that were judged, the cases by rule, and the faults that each rule tells."""

    clause: Clause
    cases: Mapping[str, Sequence[str]]
    faults: Mapping[str, Sequence[str]]


def covered(cases: Sequence[CaseRecord]) -> list[Covered]:
    """Every clause with what was judged of it: a case that passed, failed or warned."""
    evaluated: dict[str, list[str]] = defaultdict(list)
    for one in cases:
        if one.verdict in (PASS, FAIL, WARNING):
            evaluated[one.requirement].append(one.scenario)
    found = []
    for clause in clauses():
        rules = {rule: evaluated[rule] for rule in sorted(evaluated) if clause.covers(rule)}
        found.append(Covered(clause, rules, {rule: _faults(rule) for rule in rules}))
    return found


def gaps(found: Sequence[Covered], cases: Sequence[CaseRecord], revision: str) -> list[str]:
    """What is not covered, a line each: a clause that nothing judged, a rule of no clause, a rule no fault breaks.

    A clause is no gap whose rules found nothing in the responses that they are about: the endpoint need not send it.
    """
    absent = {one.requirement for one in cases if one.reason.code == NOTHING_EXAMINED}
    lines = [
        f"clause {one.clause.id} is judged by no case"
        for one in found
        if not one.clause.unjudged
        and not one.cases
        and one.clause.since <= revision
        and not any(map(one.clause.covers, absent))
    ]
    levels = {one.requirement: one.level for one in cases if one.verdict in (PASS, FAIL, WARNING)}
    for rule, level in sorted(levels.items()):
        if not any(rule in one.cases for one in found):
            lines.append(f"rule {rule} belongs to no clause")
        if level != "MAY" and rule not in WITHOUT_FAULT and not _faults(rule):
            lines.append(f"rule {rule} is broken by no fault of the built-in endpoint")
    return lines


#: Judged only where a profile demands an outcome; a test of its own shows both verdicts.
WITHOUT_FAULT = ("undocumented.outcome-as-profile",)


def render(found: Sequence[Covered]) -> Iterator[str]:
    """Section, clause, and a line a rule: how many cases, the first scenarios, how many faults and the first."""
    section = ""
    for one in found:
        if one.clause.section != section:
            section = one.clause.section
            yield f"\n{section} {SECTIONS[section]}"
        yield f"  {one.clause.id}: {one.clause.says}"
        if one.clause.unjudged and not one.cases:
            yield f"      not judged: {one.clause.unjudged}"
        elif not one.cases:
            yield "      NOTHING JUDGED" + (f" (since {one.clause.since})" if one.clause.since else "")
        for rule, scenarios in one.cases.items():
            yield f"      {rule:<48} {_some(scenarios, 'case')}; {_some(one.faults[rule], 'fault')}"


def _faults(rule: str) -> list[str]:
    if rule.startswith("client."):
        return faults_that_stop(rule.removeprefix("client."))
    told, followed = faults_of(rule)
    return [*told, *followed]


def _some(names: Sequence[str], what: str) -> str:
    if not names:
        return f"no {what}"
    shown = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
    return f"{len(names)} {what}{'s' * (len(names) > 1)} ({shown})"
