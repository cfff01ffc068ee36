"""Cases are evaluated when their responses arrive, while other requests are under way.

A case whose check evaluates each response alone is examined with each of them as it arrives, though its verdict needs
all of them. A case whose check compares responses, or needs a control, is evaluated when the last of these has arrived.
What was found is kept until it is the turn of the case, so that the order in which cases are reported does not depend
on the server, and a finding is known although an earlier case still waits for a slow response.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from conformance.contract.rules import CLIENT
from conformance.decode.response import Received
from conformance.judge.evidence import Part, examine_usable, needs, unusable
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case, Finding, Record, Result, conclude, evaluate
from conformance.scenarios.plan import Plan
from conformance.wire.pool import Pool

#: A callback that is called with each finding when it is known, once or several times a case.
OnFinding = Callable[[Case, Finding], object]


class _NotArrived(Exception):
    """The response of a scenario has not arrived; its name."""


@dataclass
class _Known:
    """What is known of a case before its turn: what its check gave for each of its planned ``scenarios``, or its
    result; and the time that this took in seconds. ``missing`` is the number of responses that it waits for."""

    scenarios: Sequence[str]
    missing: int
    parts: dict[str, Part] = field(default_factory=dict)
    result: Result | None = None
    seconds: float = 0.0


#: Cases over the same scenarios for which the same responses are unusable.
_Group = list[tuple[Case, _Known]]


class Arrivals:
    """The evaluation of cases as their responses arrive. Only the thread that evaluates uses it."""

    def __init__(self, cases: Sequence[Case], pool: Pool, record: Recorded, plan: Plan, found: OnFinding) -> None:
        self._pool = pool
        self._record = record
        self._key_of = plan.key_of
        self._found = found
        self._seen = 0
        self._known: dict[str, _Known] = {}
        self._alone: defaultdict[str, list[_Group]] = defaultdict(list)
        self._compared: defaultdict[str, list[Case]] = defaultdict(list)
        self._scenarios: defaultdict[str, list[str]] = defaultdict(list)
        for name, key in plan.key_of.items():
            self._scenarios[key].append(name)
        place = {name: place for place, name in enumerate(plan.key_of)}
        groups: defaultdict[Hashable, _Group] = defaultdict(list)
        for case in cases:
            planned = [name for name in case.scenarios if name in place]
            if not _is_evaluated(case, planned):
                continue
            if case.check.together or case.check.controlled:
                self._known[case.id] = _Known((), 1)
                self._compared[max(planned, key=place.__getitem__)].append(case)
            else:
                self._known[case.id] = known = _Known(planned, len(planned))
                groups[case.scenarios, needs(case)].append((case, known))
        for group in groups.values():
            for name in group[0][1].scenarios:
                self._alone[name].append(group)

    def evaluate(self, case: Case, record: Record) -> tuple[Result, float]:
        """The result of a case, and the seconds that its evaluation took. Until its responses have arrived, other cases
        are evaluated."""
        known = self._known.get(case.id) or _Known((), 0)
        self._catch_up()
        while known.missing and self._pool.wait_for_arrival(self._seen):
            self._catch_up()
        started, parts = time.perf_counter(), known.parts
        if parts and len(parts) == len(known.scenarios):
            result = conclude(case, known.scenarios, [(name, parts[name]) for name in known.scenarios])
        else:
            result = known.result or evaluate(case, record)
        known.parts, known.result = {}, None  # A case is evaluated once.
        return result, known.seconds + time.perf_counter() - started

    def received(self, scenario: str) -> Received:
        """The response of a scenario, for cases that compare; :class:`_NotArrived` if it has not arrived."""
        if scenario in self._key_of and not self._pool.has_result(self._key_of[scenario]):
            raise _NotArrived(scenario)
        return self._record.received(scenario)

    def _catch_up(self) -> None:
        """Evaluate what has arrived since the last call."""
        while self._seen < len(self._pool.arrived):
            for name in self._scenarios[self._pool.arrived[self._seen]]:
                self._examine(name)
                self._compare(name)
            self._seen += 1

    def _examine(self, scenario: str) -> None:
        for group in self._alone.pop(scenario, ()):
            for _, known in group:
                known.missing -= 1
            with suppress(Exception):  # The cases are then evaluated at their turn, which reports it.
                received = self._record.received(scenario)
                part = unusable(received, group[0][0])
                for case, known in group:
                    known.parts[scenario] = part or self._examined(case, known, received)

    def _examined(self, case: Case, known: _Known, received: Received) -> Part:
        started = time.perf_counter()
        part = examine_usable(case, received, received.scenario)
        known.seconds += time.perf_counter() - started
        for finding in part.found:
            self._found(case, finding)
        return part

    def _compare(self, scenario: str) -> None:
        for case in self._compared.pop(scenario, ()):
            known, started = self._known[case.id], time.perf_counter()
            known.missing -= 1
            try:
                known.result = evaluate(case, self)
            except _NotArrived as missing:
                known.missing += 1
                self._compared[str(missing)].append(case)
            except Exception:  # As above, at the turn of the case.
                continue
            known.seconds += time.perf_counter() - started
            for finding in known.result.findings if known.result else ():
                self._found(case, finding)


def _is_evaluated(case: Case, planned: Sequence[str]) -> bool:
    """Whether a case is evaluated with these scenarios, and without the real clients, which run when all responses are
    received."""
    enough = len(planned) == len(case.scenarios) if case.requires_all else planned
    return bool(enough) and not case.requirement.excluded and case.requirement.area != CLIENT
