"""The data of the HTML report: all cases in a compact form, and the exchanges of cases that did not pass."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from conformance.contract.rules import CLIENTS, requirement
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.verdict import INCONCLUSIVE
from conformance.report.failure import clipped, show
from conformance.report.html.evidence import exchange
from conformance.report.html.stream import shortened
from conformance.report.sources import link
from conformance.report.summary import latency
from conformance.results import score
from conformance.results.affected_clients import sentences
from conformance.results.causes import Cause, causes
from conformance.results.client_trials import TESTED_CLIENTS
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results

#: Maximum characters of exchanges in one report, and findings of one case.
_BUDGET, _FINDINGS = 2_000_000, 5


class _Table:
    """A table of distinct values, to which the cases refer by index."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._places: dict[Hashable, int] = {}

    def at(self, key: Hashable, row: Callable[[], Any] | None = None) -> int:
        """The index of a key; its row is the key itself, or the result of ``row``."""
        if key not in self._places:
            self._places[key] = len(self.rows)
            self.rows.append(row() if row else key)
        return self._places[key]


def document(results: Results, folder: RunDirectory, again: str) -> dict[str, Any]:
    """All data of the report, as JSON values."""
    rules, scenarios, verdicts, clients, keys, reasons = (_Table() for _ in range(6))
    found = causes(results.cases)
    place = {line.id: number for number, line in enumerate(results.cases)}
    cases = [
        [
            rules.at(line.requirement, partial(_rule, line)),
            scenarios.at(line.scenario),
            verdicts.at(line.verdict),
            clients.at(tuple(line.breaks)),
            keys.at(line.exchange),
            reasons.at(shortened(line.why, 400)),
        ]
        for line in results.cases
    ]
    return {
        "end": results.end.to_json() if results.end else None,
        "latency": list(latency(results.end)) if results.end else [],
        "again": again,
        "clients": {name: CLIENTS[name] for name in CLIENTS if name in TESTED_CLIENTS},
        "scores": [
            [
                one.level, one.passed, one.evaluated, one.rules_passed, one.rules,
                "mostly unknown" if one.mostly_inconclusive else one.percent,
            ]
            for one in score.scores(results.cases)
        ],
        "breaks": score.affected_clients(found),
        "rules": rules.rows,
        "scenarios": scenarios.rows,
        "verdicts": verdicts.rows,
        "breaking": clients.rows,
        "keys": keys.rows,
        "reasons": reasons.rows,
        "cases": cases,
        "findings": {place[line.id]: _findings(line) for line in results.cases if line.findings},
        "effects": {place[line.id]: text for line in results.cases if (text := sentences(line))},
        "observed": {
            place[line.id]: [show(one, 300) for one in line.observed[:_FINDINGS]]
            for line in results.cases
            if line.observed
        },
        "causes": [
            [[place[line.id] for line in one.cases], [place[line.id] for line in one.consequences], one.clients]
            for one in found
        ],
        "exchanges": _exchanges(results.cases, found, folder),
    }  # fmt: skip


def _rule(line: CaseRecord) -> list[Any]:
    try:
        row = requirement(line.requirement)
        says, source = row.says, row.source
    except KeyError:  # A rule of another version of the suite.
        says = source = ""
    return [line.requirement, line.area, line.level, says, source, link(source)]


def _findings(line: CaseRecord) -> list[Any]:
    found = [
        {
            "message": show(one.message, 600),
            "pointer": one.pointer,
            "at": show(one.pointer, 200),
            "event": one.event,
            **{name: clipped(value, 400) for name, value in one.compared.items()},
            "scenario": one.scenario,
            "also": list(one.also),
            "exchange": one.exchange,
            "count": one.count,
        }
        for one in line.findings[:_FINDINGS]
    ]
    more = len(line.findings) - _FINDINGS
    return [found, max(more, 0)]


def _exchanges(lines: Sequence[CaseRecord], causes: Sequence[Cause], folder: RunDirectory) -> dict[str, Any]:
    """The exchanges of cases that did not pass, by key; ``missing`` or ``left out`` for one that is not included."""
    pointers: dict[str, set[tuple[int | None, str]]] = defaultdict(set)
    ordered = [line for one in causes for line in (*one.cases, *one.consequences)]
    ordered += [line for line in lines if line.verdict == INCONCLUSIVE]
    # The first case of each root cause takes precedence within the size limit.
    first_cases = {one.cases[0].id for one in causes}
    for line in sorted(ordered, key=lambda line: line.id not in first_cases):
        for one in line.findings[:_FINDINGS]:
            pointers[one.exchange].add((one.event, one.pointer))
        if line.exchange and not (line.has_problem and line.findings):
            pointers[line.exchange].update(())
    found: dict[str, Any] = {}
    room = _BUDGET
    for key, named in pointers.items():
        recorded = folder.read(key) if key and room > 0 else None
        if recorded is None:
            found[key] = "missing" if room > 0 else "left out"
            continue
        found[key] = exchange(recorded, sorted(named, key=repr))
        room -= len(json.dumps(found[key]))
    return found
