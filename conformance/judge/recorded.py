"""The responses of a run by scenario, decoded within a budget of memory."""

from __future__ import annotations

from collections.abc import Callable

from conformance.decode.memory_size import forget, weight
from conformance.decode.response import Answer, Seen
from conformance.exchange.exchange import Exchange
from conformance.scenarios.plan import Plan

#: Bytes of memory that decoded answers may take. Peak memory stays under 400 MB with it: 100 MB are Python, pytest and
#: the cases, and as much may pass through while a large body is read.
MOST_DECODED = 150_000_000


#: Answers used last that are kept as long as possible, and bytes from which on an answer is.
_COMPARED, _LARGE = 8, 10_000_000


class Recorded:
    """The answers of a run by scenario. Each is read when it is first needed, and dropped when others need the memory.

    Check after check goes through the same scenarios in the same order. To drop what was used least recently would
    then drop each answer just before it is needed, so those used a moment ago go first; the last few are kept, as a
    check may compare them, and so are large ones, which take seconds to decode.
    """

    def __init__(self, plan: Plan, settle: Callable[[str], tuple[Exchange, ...]], seen: Seen | None = None) -> None:
        self._seen = seen
        self._contract = plan.contract
        self._key_of = plan.key_of
        self._within = {one.name: one.within for one in plan.scenarios if one.within}
        self._settle = settle
        self._answers: dict[str, Answer] = {}
        self._weights: dict[str, int] = {}
        self._judged: dict[str, str] = {}

    def key(self, scenario: str) -> str:
        """The key of a scenario's exchange: that of the sample that was judged, empty if it was not planned."""
        return self._judged.get(scenario) or self._key_of.get(scenario, "")

    def answer(self, scenario: str) -> Answer:
        """The answer of a planned scenario: the last sample, which met the need if any did; or the answer that speaks
        for it."""
        answer = self._answers.pop(scenario, None)
        if answer is not None:
            self._answers[scenario] = answer  # Now the one used last.
            return answer
        samples = self._samples(self._key_of[scenario])
        if samples[-1].ended == "not-sent" and not samples[-1].withheld and scenario in self._within:
            samples = self._samples(self._key_of[self._within[scenario]])
        answer = Answer(samples[-1], scenario, samples, self._seen, self._contract)
        answer.decoded = self._make_room
        self._judged[scenario] = answer.exchange.key
        self._keep(answer, weight(answer, decoded=False))
        return answer

    def _samples(self, key: str) -> tuple[Exchange, ...]:
        """The samples of a key; those of another scenario that shares them where that is at hand."""
        known = (one.samples for one in self._answers.values() if one.samples[0].key == key)
        return next(known, None) or self._settle(key)

    def _make_room(self, answer: Answer) -> None:
        self._keep(answer, weight(answer, decoded=True))

    def _keep(self, answer: Answer, bytes_taken: int) -> None:
        other = self._answers.pop(answer.scenario, None)
        if other is not None and other is not answer:  # A check still holds one that was dropped meanwhile.
            forget(other)
        self._answers[answer.scenario] = answer
        self._weights[answer.scenario] = bytes_taken
        total = sum(self._weights.values())
        if total <= MOST_DECODED:
            return
        names = list(self._answers)[:-1]
        names = [*reversed(names[:-_COMPARED]), *names[-_COMPARED:]]
        for name in sorted(names, key=lambda one: self._weights[one] > _LARGE):
            total -= self._weights.pop(name)
            forget(self._answers.pop(name))
            if total <= MOST_DECODED:
                return
