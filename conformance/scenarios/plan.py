"""A run: the plan of a target's scenarios, and the record of what came back."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence

from conformance.decode.memory_size import forget, weight
from conformance.decode.response import FINAL, CannotEvaluate, OutcomeLookup, Received
from conformance.exchange.exchange import Exchange
from conformance.judge.verdict import Context
from conformance.scenarios.scenario import Scenario, encode, schema_violation
from conformance.wire.client import OutgoingRequest
from conformance.wire.pool import PlannedRequest
from conformance.wire.retry import BACK_OFF

#: Output tokens that a request without a limit of its own may cost: the default, and the most, of the contract.
UNCAPPED = 131_072

#: A request that must be refused is asked again fewer times after a 5xx: that is then the finding.
_ANSWER_TRIES, _REFUSAL_TRIES = len(BACK_OFF) + 1, len(BACK_OFF)

#: The header of a scenario whose body is compressed.
_GZIP = ("Content-Encoding", "gzip")


def plan(context: Context, needed: Iterable[str]) -> list[Scenario]:
    """The scenarios that these names need, with those they build on, in the order they are sent."""
    wanted: set[str] = set()
    todo = list(needed)
    while todo:
        scenario = context.scenarios[todo.pop()]
        if scenario.name not in wanted and not scenario.claims & context.target.lacks:
            wanted.add(scenario.name)
            todo += [name for name in (scenario.after, scenario.within) if name]
    return [one for one in context.scenarios.values() if one.name in wanted]


def most_output_tokens(scenarios: Sequence[Scenario]) -> int:
    """The most output tokens that these may cost if all are answered, tries included."""
    return sum(_most(one) * one.tries for one in scenarios)


def _most(scenario: Scenario) -> int:
    """The most output tokens that one answer may cost: its own limit, or the contract's where that is lower; what must
    be refused costs none."""
    cap = scenario.body.get("max_output_tokens")
    return min(cap, UNCAPPED) if scenario.expect != "refusal" and isinstance(cap, int) else 0


def uncapped(scenario: Scenario) -> bool:
    """Whether it may be served though it sets no limit that a server can use."""
    return scenario.method == "POST" and scenario.expect != "refusal" and _most(scenario) < 1


class Plan:
    """The asks of a run, and which exchange belongs to which scenario."""

    def __init__(self, context: Context, needed: Iterable[str]) -> None:
        self._target = context.target
        self.scenarios = plan(context, needed)
        self.key_of: dict[str, str] = {}
        first: dict[str, str] = {}
        for one in self.scenarios:
            digest = one.digest(self._target.model)
            self.key_of[one.name] = first.setdefault(digest, f"{_file_name(one.name)}-{digest}")
        self.requests = [self._planned(one, 0) for one in self._senders()]
        #: How many requests are sent where every answer is what the contract says, repeated tries left out.
        self.expected = sum(not one.within for one in self._senders())

    def _senders(self) -> list[Scenario]:
        seen: set[str] = set()
        found = []
        for one in self.scenarios:
            if self.key_of[one.name] not in seen:
                seen.add(self.key_of[one.name])
                found.append(one)
        return found

    def _planned(self, scenario: Scenario, sample: int) -> PlannedRequest:
        key = self.key_of[scenario.name] + (f"-{sample + 1}" if sample else "")
        after: tuple[str, ...] = ()
        if scenario.last:
            after = tuple(self.key_of[one.name] for one in self._senders() if not one.last)
        elif (first := scenario.after or scenario.within) in self.key_of:
            after = (self.key_of[first or ""],)

        def build(before: Sequence[Exchange]) -> OutgoingRequest | None:
            body = self._body(scenario, before)
            plain = body if _GZIP not in scenario.headers else gzip.decompress(body or b"")
            if (
                scenario.meant_well
                and not scenario.follow
                and schema_violation(self._target.revision, plain or b"null")
            ):
                return None  # A bug of the suite: told where it is judged, and no server is asked.
            if body is None or (scenario.within and before and is_covered_by(scenario, before[0])):
                return None
            tries = _ANSWER_TRIES if scenario.expect == "answer" else _REFUSAL_TRIES
            auth = self._auth(scenario)
            return OutgoingRequest(
                key, scenario.name, sample, scenario.method, body, auth, scenario.headers, tries,
                UNCAPPED if uncapped(scenario) else _most(scenario), scenario.suffix,
            )  # fmt: skip

        def more(samples: Sequence[Exchange]) -> PlannedRequest | None:
            enough = len(samples) >= scenario.tries or scenario.need is None or not samples[-1].ok
            if enough or met(scenario, samples[-1]):
                return None
            return self._planned(scenario, len(samples))

        return PlannedRequest(key, after, build, more)

    def _body(self, scenario: Scenario, before: Sequence[Exchange]) -> bytes | None:
        if scenario.raw is not None:
            return scenario.raw
        if scenario.method not in ("POST", "PUT"):
            return b""
        body = scenario.body
        if scenario.follow and before:
            try:
                followed = scenario.follow(body, Received(before[0], scenario.after or ""))
            except CannotEvaluate:
                followed = None
            if followed is None:
                return None
            body = followed
        encoded = encode(body, self._target.model, scenario.escaped)
        return gzip.compress(encoded, mtime=0) if _GZIP in scenario.headers else encoded

    def _auth(self, scenario: Scenario) -> str:
        """The usual header is the first that the profile does not lack."""
        if scenario.auth != "api-key" or "api-key" not in self._target.lacks:
            return scenario.auth
        return "bearer"


def is_covered_by(scenario: Scenario, whole: Exchange) -> bool:
    """Whether the answer to the request that this one is within tells what this one would.

    A finished answer shows that every part of it was taken; a refusal does not say of which part.
    """
    try:
        response = Received(whole, scenario.name).response
    except CannotEvaluate:
        return False
    return response.get("status") in FINAL and isinstance(response.get("output"), list)


def met(scenario: Scenario, exchange: Exchange) -> bool:
    """Whether an exchange gives what the scenario needs."""
    if scenario.need is None:
        return True
    try:
        return scenario.need.met(Received(exchange, scenario.name))
    except CannotEvaluate:
        return False


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._=-" else "_" for letter in name)


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
        self._key_of = plan.key_of
        self._within = {one.name: one.within for one in plan.scenarios if one.within}
        self._get_or_send = get_or_send
        self._answers: dict[str, Received] = {}
        self._weights: dict[str, int] = {}
        self._judged: dict[str, str] = {}

    def key(self, scenario: str) -> str:
        """The key of a scenario's exchange: that of the sample that was judged, empty if it was not planned."""
        return self._judged.get(scenario) or self._key_of.get(scenario, "")

    def received(self, scenario: str) -> Received:
        """The answer of a planned scenario: the last sample, which met the need if any did; or the answer that speaks
        for it."""
        received = self._answers.pop(scenario, None)
        if received is not None:
            self._answers[scenario] = received  # Now the one used last.
            return received
        samples = self._samples(self._key_of[scenario])
        if samples[-1].ended == "not-sent" and not samples[-1].withheld and scenario in self._within:
            samples = self._samples(self._key_of[self._within[scenario]])
        received = Received(samples[-1], scenario, samples, self._seen)
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
