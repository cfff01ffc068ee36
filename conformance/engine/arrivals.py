"""Cases are evaluated when their responses arrive, while other requests are under way.

A case whose check evaluates each response alone is examined with each of them as it arrives, though its verdict needs
all of them. A case whose check compares responses, or needs a control, is evaluated when the last of these has arrived.
What was found is kept until it is the turn of the case, so that the order in which cases are reported does not depend
on the server, and a finding is known although an earlier case still waits for a slow response.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from conformance.contract.rules import CLIENT
from conformance.decode.response import Received
from conformance.judge.evidence import Part, examine
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case, Finding, Record, Result, evaluate
from conformance.scenarios.plan import Plan
from conformance.wire.pool import Pool

#: A callback that is called with each finding when it is known, once or several times a case.
OnFinding = Callable[[Case, Finding], object]


class _NotArrived(Exception):
    """The response of a scenario has not arrived; its name."""


@dataclass
class _Known:
    """What is known of a case before its turn: what its check gave for each scenario, or its result; and the time that
    this took in seconds. ``missing`` is the number of responses that it waits for."""

    missing: int
    parts: dict[str, Part] = field(default_factory=dict)
    result: Result | None = None
    seconds: float = 0.0


class Arrivals:
    """The evaluation of cases as their responses arrive. Only the thread that evaluates uses it."""

    def __init__(self, cases: Sequence[Case], pool: Pool, record: Recorded, plan: Plan, found: OnFinding) -> None:
        self._pool = pool
        self._record = record
        self._key_of = plan.key_of
        self._found = found
        self._seen = 0
        self._known: dict[str, _Known] = {}
        self._alone: defaultdict[str, list[Case]] = defaultdict(list)
        self._compared: defaultdict[str, list[Case]] = defaultdict(list)
        self._scenarios: defaultdict[str, list[str]] = defaultdict(list)
        for name, key in plan.key_of.items():
            self._scenarios[key].append(name)
        place = {name: place for place, name in enumerate(plan.key_of)}
        for case in cases:
            planned = [name for name in case.scenarios if name in place]
            if not _is_evaluated(case, planned):
                continue
            if case.check.together or case.check.controlled:
                self._known[case.id] = _Known(1)
                self._compared[max(planned, key=place.__getitem__)].append(case)
            else:
                self._known[case.id] = _Known(len(planned))
                for name in planned:
                    self._alone[name].append(case)

    def evaluate(self, case: Case, record: Record) -> tuple[Result, float]:
        """The result of a case, and the seconds that its evaluation took. Until its responses have arrived, other cases
        are evaluated."""
        known = self._known.get(case.id) or _Known(0)
        self._catch_up()
        while known.missing and self._pool.wait_for_arrival(self._seen):
            self._catch_up()
        started = time.perf_counter()

        def part(case: Case, subject: Received | Sequence[Received], name: str) -> Part:
            return known.parts.get(name) or examine(case, subject, name)

        result = known.result or evaluate(case, record, part)
        known.parts, known.result = {}, None  # A case is evaluated once.
        return result, known.seconds + time.perf_counter() - started

    def received(self, scenario: str) -> Received:
        """The response of a scenario, for cases that compare; :class:`_NotArrived` if it has not arrived."""
        if scenario in self._key_of and not self._pool.is_settled(self._key_of[scenario]):
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
        for case in self._alone.pop(scenario, ()):
            known, started = self._known[case.id], time.perf_counter()
            known.missing -= 1
            with suppress(Exception):  # It is raised again, and reported, at the turn of the case.
                known.parts[scenario] = examine(case, self._record.received(scenario), scenario)
            known.seconds += time.perf_counter() - started
            for finding in known.parts[scenario].found if scenario in known.parts else ():
                self._found(case, finding)

    def _compare(self, scenario: str) -> None:
        for case in self._compared.pop(scenario, ()):
            known, started = self._known[case.id], time.perf_counter()
            known.missing -= 1
            try:
                known.result = evaluate(case, self)
            except _NotArrived as missing:
                known.missing += 1
                self._compared[str(missing)].append(case)
            except Exception:  # As above.
                continue
            known.seconds += time.perf_counter() - started
            for finding in known.result.findings if known.result else ():
                self._found(case, finding)


def _is_evaluated(case: Case, planned: Sequence[str]) -> bool:
    """Whether a case is evaluated with these scenarios, and without the real clients, which run when all responses are
    received."""
    enough = len(planned) == len(case.scenarios) if case.requires_all else planned
    return bool(enough) and not case.requirement.excluded and case.requirement.area != CLIENT
