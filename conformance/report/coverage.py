"""Coverage of the contract by a run: the evaluated rules of each clause, their scenarios and their faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.contract.clauses import SECTIONS, Clause, clauses
from conformance.contract.client_evidence import faults_that_stop
from conformance.contract.fault_matrix import faults_of
from conformance.judge.reasons import NOTHING_EXAMINED
from conformance.judge.verdict import FAIL, PASS, WARNING
from conformance.report.columns import counted
from conformance.results.records import CaseRecord


@dataclass(frozen=True)
class Covered:
    """A clause: ``cases`` maps its evaluated rules to scenarios, ``faults`` to the faults that violate them."""

    clause: Clause
    cases: Mapping[str, Sequence[str]]
    faults: Mapping[str, Sequence[str]]


def covered(cases: Sequence[CaseRecord]) -> list[Covered]:
    """Every clause with its evaluated cases: those that passed, failed or warned."""
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
    """The gaps, a line each: clauses without an evaluated case, rules without a clause, rules that no fault violates.

    A clause is not a gap if its rules are not applicable to any response: the endpoint may omit what they check.
    """
    absent = {one.requirement for one in cases if one.reason.code == NOTHING_EXAMINED}
    lines = [
        f"clause {one.clause.id} has no evaluated case"
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
            lines.append(f"no fault of the built-in endpoint violates rule {rule}")
    return lines


#: Rules evaluated only where a profile requires an outcome; a separate test covers both verdicts.
WITHOUT_FAULT = ("undocumented.outcome-as-profile",)


def render(found: Sequence[Covered]) -> Iterator[str]:
    """Sections, clauses and a line a rule: its cases and faults, each with the number and the first names."""
    section = ""
    for one in found:
        if one.clause.section != section:
            section = one.clause.section
            yield f"\n{section} {SECTIONS[section]}"
        yield f"  {one.clause.id}: {one.clause.says}"
        if one.clause.unjudged and not one.cases:
            yield f"      not checked: {one.clause.unjudged}"
        elif not one.cases:
            yield "      NO CASE EVALUATED" + (f" (since {one.clause.since})" if one.clause.since else "")
        for rule, scenarios in one.cases.items():
            yield f"      {rule:<48} {_first(scenarios, 'case')}; {_first(one.faults[rule], 'fault')}"


def _faults(rule: str) -> list[str]:
    if rule.startswith("client."):
        return faults_that_stop(rule.removeprefix("client."))
    causes, followed = faults_of(rule)
    return [*causes, *followed]


def _first(names: Sequence[str], what: str) -> str:
    if not names:
        return f"no {what}"
    shown = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
    return f"{counted(len(names), what)} ({shown})"
