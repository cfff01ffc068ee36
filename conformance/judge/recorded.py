"""The responses of a run by scenario, decoded within a budget of memory."""

from __future__ import annotations

from collections.abc import Callable

from conformance.decode.memory_size import discard_decoded, estimated_bytes
from conformance.decode.response import OutcomeLookup, Received
from conformance.exchange.exchange import Exchange
from conformance.scenarios import base
from conformance.scenarios.plan import Plan

#: Bytes of memory for decoded responses. Peak memory is then below 400 MB: 100 MB for Python, pytest and the cases, and
#: up to 150 MB while a large body is read.
MAX_DECODED_BYTES = 150_000_000


#: The number of most recently used responses that are evicted last, and the size in bytes from which a response is.
_COMPARED, _LARGE = 8, 10_000_000


class Recorded:
    """The responses of a run by scenario, each decoded at first use and evicted when others need the memory.

    Every check reads the scenarios in the same order. Least-recently-used eviction would evict each response just
    before its next use, so recently used ones are evicted first, except the last few, which a check may compare, and
    large ones, which take seconds to decode.
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
        self._last: dict[str, str] = {}
        self._estimated_bytes: dict[str, int] = {}
        self._judged: dict[str, str] = {}

    def key(self, scenario: str) -> str:
        """The key of a scenario's evaluated exchange; empty if the scenario was not planned."""
        return self._judged.get(scenario) or self._key_of.get(scenario, "")

    def received(self, scenario: str) -> Received:
        """The response of a planned scenario: the last sample, which meets the need if any does (of a combination the
        first, which contains all of it); if it was not sent, the response of the scenario that contains it."""
        received = self._answers.pop(scenario, None)
        if received is not None:
            self._answers[scenario] = received  # Moves it to the end: used last.
            return received
        samples, outer = self._samples_of(scenario), scenario
        while samples[-1].ended == "not-sent" and not samples[-1].withheld and outer in self._within:
            samples = self._samples_of(outer := self._within[outer])
        chosen = samples[0 if outer in self._combinations else -1]
        received = Received(chosen, scenario, samples, self._seen, self._contract)
        received.decoded = self._make_room
        self._judged[scenario] = received.exchange.key
        self._last[samples[0].key] = scenario
        self._keep(received, estimated_bytes(received, decoded=False))
        return received

    def _samples_of(self, scenario: str) -> tuple[Exchange, ...]:
        """The samples of a scenario; those of the base up to the one in which it was served."""
        key = self._key_of[scenario]
        samples = self._samples(key)
        is_base = key in [self._key_of.get(name) for name in base.BASES]
        return tuple(base.evaluated(samples)) if is_base else samples

    def _samples(self, key: str) -> tuple[Exchange, ...]:
        """The samples of a key, taken from another scenario with the same key if that is in memory."""
        known = self._answers.get(self._last.get(key, ""))
        return known.samples if known else self._get_or_send(key)

    def _make_room(self, received: Received) -> None:
        self._keep(received, estimated_bytes(received, decoded=True))

    def _keep(self, received: Received, bytes_taken: int) -> None:
        other = self._answers.pop(received.scenario, None)
        if other is not None and other is not received:  # A check may still refer to an evicted one.
            discard_decoded(other)
        self._answers[received.scenario] = received
        self._estimated_bytes[received.scenario] = bytes_taken
        total = sum(self._estimated_bytes.values())
        if total <= MAX_DECODED_BYTES:
            return
        names = list(self._answers)[:-1]
        names = [*reversed(names[:-_COMPARED]), *names[-_COMPARED:]]
        for name in sorted(names, key=lambda one: self._estimated_bytes[one] > _LARGE):
            total -= self._estimated_bytes.pop(name)
            discard_decoded(self._answers.pop(name))
            if total <= MAX_DECODED_BYTES:
                return
