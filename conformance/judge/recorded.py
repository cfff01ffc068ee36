"""The responses of a run by scenario, decoded within a budget of memory."""

from __future__ import annotations

from collections.abc import Callable

from conformance.decode.memory_size import forget, weight
from conformance.decode.response import OutcomeLookup, Received
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

    def __init__(
        self, plan: Plan, get_or_send: Callable[[str], tuple[Exchange, ...]], seen: OutcomeLookup | None = None
    ) -> None:
        self._seen = seen
        self._contract = plan.contract
        self._key_of = plan.key_of
        self._within = {one.name: one.within for one in plan.scenarios if one.within}
        self._combinations = {one.name for one in plan.scenarios if one.factors}
        self._get_or_send = get_or_send
        self._answers: dict[str, Received] = {}
        self._weights: dict[str, int] = {}
        self._judged: dict[str, str] = {}

    def key(self, scenario: str) -> str:
        """The key of a scenario's exchange: that of the sample that was judged, empty if it was not planned."""
        return self._judged.get(scenario) or self._key_of.get(scenario, "")

    def received(self, scenario: str) -> Received:
        """The answer of a planned scenario: the last sample, which met the need if any did (of a combination the first,
        which holds all of it); or the answer that speaks for it."""
        received = self._answers.pop(scenario, None)
        if received is not None:
            self._answers[scenario] = received  # Now the one used last.
            return received
        samples = self._samples(self._key_of[scenario])
        whole = scenario
        if samples[-1].ended == "not-sent" and not samples[-1].withheld and scenario in self._within:
            samples = self._samples(self._key_of[whole := self._within[scenario]])
        received = Received(
            samples[0 if whole in self._combinations else -1], scenario, samples, self._seen, self._contract
        )
        received.decoded = self._make_room
        self._judged[scenario] = received.exchange.key
        self._keep(received, weight(received, decoded=False))
        return received

    def _samples(self, key: str) -> tuple[Exchange, ...]:
        """The samples of a key; those of another scenario that shares them where that is at hand."""
        known = (one.samples for one in self._answers.values() if one.samples[0].key == key)
        return next(known, None) or self._get_or_send(key)

    def _make_room(self, received: Received) -> None:
        self._keep(received, weight(received, decoded=True))

    def _keep(self, received: Received, bytes_taken: int) -> None:
        other = self._answers.pop(received.scenario, None)
        if other is not None and other is not received:  # A check still holds one that was dropped meanwhile.
            forget(other)
        self._answers[received.scenario] = received
        self._weights[received.scenario] = bytes_taken
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
