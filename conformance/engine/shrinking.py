"""The smallest form of a random request that fails: found with few requests, each of which is recorded and evaluated.

A random request gives each factor a value (:mod:`conformance.scenarios.explore`); what is not at its simplest value is
a set. Sought is a small subset that violates the same rule. The other random requests of the run are evidence that
costs nothing: a subset of one that passed is taken to pass, and what all failing ones have in common is tried first.
After that, members are found one by one by bisection (QuickXplain; Junker, AAAI 2004): about log2(n) requests a member.

All of it is a function of the recorded exchanges, so that each process of a run, and a replay, compute the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

from conformance.contract.rules import requirement
from conformance.decode.response import Received
from conformance.exchange.exchange import Exchange
from conformance.judge.evidence import InternalError, examine
from conformance.judge.registry import CHECKS, EXPLORE, Case, cases
from conformance.scenarios.context import Context
from conformance.scenarios.explore import (
    FACTORS,
    LEGAL,
    MOST_SMALLER,
    SIMPLEST,
    WORDS,
    Choice,
    is_set,
    scenario_of_choice,
)  # fmt: skip
from conformance.scenarios.scenario import Scenario

#: The values of a choice that are not the simplest ones, as (factor, value).
Values = frozenset[tuple[str, str]]

#: Yields what is to be tried, receives whether it fails, returns the smallest that fails.
_Steps = Generator[Values, bool, Values]


@dataclass(frozen=True)
class _Failure:
    """A random request that violates ``rule``; ``passed`` and ``failed`` are the values of all random requests by that
    rule, ``values`` those of this one."""

    scenario: Scenario
    rule: str
    values: Values
    passed: tuple[Values, ...]
    failed: tuple[Values, ...]


class Shrinking:
    """Gives the requests of the scenarios ``explore.smallest.*``; ``samples`` gives the recorded exchanges of a
    scenario that was sent before."""

    def __init__(self, context: Context, samples: Callable[[str], Sequence[Exchange]]) -> None:
        self._context = context
        self._samples = samples
        self._known: dict[str, frozenset[str]] = {}
        self._found: list[_Failure | None] = []
        self._mutex = threading.RLock()

    def following(self, scenario: Scenario, samples: Sequence[Exchange]) -> Scenario | None:
        """What is sent after these samples: first the failing request once more, at the end the smallest failing one;
        None if that was sent, if there is no such failure, or if it does not occur again."""
        with self._mutex:
            failure = self._failure(int(scenario.name.rpartition(".")[2]) - 1)
            if failure is None or not samples:
                return failure.scenario if failure else None
            values = self._tried(failure, scenario.name, samples)[1]
        if values is None:
            return None
        words = failure.scenario.about[WORDS] if ("text", "random") in values else ""
        return scenario_of_choice(0, {**SIMPLEST, **dict(values), WORDS: words}, self._context.contract)

    def _tried(self, failure: _Failure, name: str, samples: Sequence[Exchange]) -> tuple[Values | None, Values | None]:
        """What the last sample sent, and what is sent next; each None where there is nothing."""
        outcomes = [failure.rule in self._violated(one, name) for one in samples]
        if not outcomes or not outcomes[0]:
            return None, None  # What does not occur again cannot be reduced.
        return _following(failure.values, failure.passed, failure.failed, outcomes)

    def _failure(self, place: int) -> _Failure | None:
        """The failure of that place: of the random requests that no smaller form explains, the one with fewest values;
        None if there are not so many."""
        while len(self._found) <= place:
            self._found.append(self._next_failure() if None not in self._found else None)
        return self._found[place]

    def _next_failure(self) -> _Failure | None:
        violated = self._unexplained()
        failing = [name for name, rules in violated.items() if rules]
        if not failing:
            return None
        name = min(failing, key=lambda one: len(_values(self._about(one))))
        rule = min(violated[name], key=lambda one: (requirement(one).level != "MUST", self._order[one]))
        failed = [one for one in failing if rule in violated[one]]
        passed = [one for one in violated if self._samples(one)[-1].ok and rule not in self._violations[one]]
        return _Failure(
            self._context.scenarios[name],
            rule,
            _values(self._about(name)),
            tuple(_values(self._about(one)) for one in passed),
            tuple(_values(self._about(one)) for one in failed),
        )

    def _unexplained(self) -> dict[str, frozenset[str]]:
        """The rules that each random request violates, without what earlier failures explain: all of a request that
        violates the same rule and sets the factors of the smallest form, to whatever values; where nothing special is
        needed to fail, the rules that the smallest form violates."""
        left = dict(self._violations)
        for place, failure in enumerate(self._found, 1):
            if failure is None:
                continue
            name = f"explore.smallest.{place}"
            samples = self._samples(name)
            smallest = self._tried(failure, name, samples)[0]
            rules = self._violated(samples[-1], name) | {failure.rule}
            for one, violated in left.items():
                if smallest is None or not smallest:
                    left[one] = violated - rules
                elif _factors(smallest) <= _factors(_values(self._about(one))) and failure.rule in violated:
                    left[one] = frozenset()
        return left

    @cached_property
    def _violations(self) -> dict[str, frozenset[str]]:
        """The rules that each random documented request violates."""
        lacks = self._context.target.lacks
        sent = [one for one in self._context.scenarios.values() if LEGAL in one.tags and not one.searches]
        return {
            one.name: self._violated(self._samples(one.name)[-1], one.name) for one in sent if not one.claims & lacks
        }

    def _about(self, name: str) -> Choice:
        return self._context.scenarios[name].about

    @cached_property
    def _cases(self) -> list[Case]:
        """The cases over random requests that evaluate each response alone."""
        found = [case for check in CHECKS if not check.together for case in cases(check, self._context)]
        random = [case for case in found if case.label.partition(".")[0] == EXPLORE]
        return [case for case in random if case.requirement.level != "MAY" and not case.requirement.excluded]

    @cached_property
    def _order(self) -> dict[str, int]:
        return {case.rule: place for place, case in reversed([*enumerate(self._cases)])}

    def _violated(self, exchange: Exchange, name: str) -> frozenset[str]:
        """The rules that a response violates."""
        if exchange.key not in self._known:
            received = Received(exchange, name, contract=self._context.contract)
            found = {case.rule for case in self._cases if name in case.scenarios and _violates(case, received)}
            self._known[exchange.key] = frozenset(found)
        return self._known[exchange.key]


def _violates(case: Case, received: Received) -> bool:
    try:
        return bool(examine(case, received, received.scenario).found)
    except InternalError:
        return False  # Reported where the case is evaluated.


def _values(choice: Choice) -> Values:
    return frozenset(is_set(choice).items())


def _factors(values: Values) -> frozenset[str]:
    return frozenset(name for name, _ in values)


def _following(
    start: Values, passed: Sequence[Values], failed: Sequence[Values], outcomes: Sequence[bool]
) -> tuple[Values, Values | None]:
    """What was tried last, and what is tried after these outcomes, the first of which is that of ``start``; None after
    the smallest."""
    steps, tried = _smallest(start, passed, failed), [start]
    smallest = start
    try:
        step = next(steps)
        for outcome in outcomes[1:]:
            tried.append(step)
            smallest = step if outcome else smallest
            if len(tried) >= MOST_SMALLER - 1:
                break
            step = steps.send(outcome)
        else:
            return tried[-1], step
    except StopIteration as done:
        smallest = done.value
    if len(outcomes) > len(tried):  # It was sent last.
        return smallest, None
    return tried[-1], None if tried[-1] == smallest else smallest


def _smallest(start: Values, passed: Sequence[Values], failed: Sequence[Values]) -> _Steps:
    """A small subset of ``start`` that fails."""
    known_to_pass, known_to_fail = list(passed), {start, *failed}

    def fails(values: Values) -> Generator[Values, bool, bool]:
        if values in known_to_fail:
            return True
        if any(values <= one for one in known_to_pass):
            return False
        if (yield values):
            known_to_fail.add(values)
            return True
        known_to_pass.append(values)
        return False

    common = start.intersection(*failed)
    best = common if common != start and (yield from fails(common)) else start
    order = list(FACTORS)
    left = sorted(best, key=lambda one: order.index(one[0]))
    needed: Values = frozenset()
    while not (yield from fails(needed)):
        # The shortest beginning of what is left that fails together with what is needed; its last member is needed.
        least, most = 1, len(left)
        while least < most:
            middle = (least + most) // 2
            if (yield from fails(needed | set(left[:middle]))):
                most = middle
            else:
                least = middle + 1
        if not left:
            return best
        needed |= {left[least - 1]}
        left = left[: least - 1]
    return needed
