"""The plan of a run: which scenarios are sent, in which order and how often."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence

from conformance.decode.response import FINAL, CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import BACK_OFF, OutgoingRequest, PlannedRequest
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario, encode, schema_violation

#: Output tokens that a request without max_output_tokens may use: the default and the maximum of the contract.
UNCAPPED = 131_072

#: The attempts of a request that must be served, and of one that must be refused, for which a 5xx is a finding.
_ANSWER_TRIES, _REFUSAL_TRIES = len(BACK_OFF) + 1, len(BACK_OFF)

#: The header of a scenario whose body is compressed.
_GZIP = ("Content-Encoding", "gzip")


def plan(context: Context, needed: Iterable[str]) -> list[Scenario]:
    """The scenarios with these names and those they depend on, in the order they are sent."""
    wanted: set[str] = set()
    todo = list(needed)
    while todo:
        scenario = context.scenarios[todo.pop()]
        if scenario.name not in wanted and not scenario.claims & context.target.lacks:
            wanted.add(scenario.name)
            todo += [name for name in (scenario.after, scenario.within) if name]
    return [one for one in context.scenarios.values() if one.name in wanted]


def most_output_tokens(scenarios: Sequence[Scenario]) -> int:
    """The most output tokens that these may use if all are served, repeated samples included."""
    return sum(_most(one) * one.tries for one in scenarios)


def _most(scenario: Scenario) -> int:
    """The most output tokens that one response may use: max_output_tokens, or the contract's maximum if that is lower;
    0 for a request that must be refused."""
    cap = scenario.body.get("max_output_tokens")
    return min(cap, UNCAPPED) if scenario.expect != "refusal" and isinstance(cap, int) else 0


def uncapped(scenario: Scenario) -> bool:
    """Whether it may be served and has no valid max_output_tokens."""
    return scenario.method == "POST" and scenario.expect != "refusal" and _most(scenario) < 1


class Plan:
    """The planned requests of a run, and the key of each scenario's exchange."""

    def __init__(self, context: Context, needed: Iterable[str]) -> None:
        self._target = context.target
        self.scenarios = plan(context, needed)
        self.key_of: dict[str, str] = {}
        first: dict[str, str] = {}
        for one in self.scenarios:
            digest = one.digest(self._target.model)
            self.key_of[one.name] = first.setdefault(digest, f"{_file_name(one.name)}-{digest}")
        self.requests = [self._planned(one, 0) for one in self._senders()]
        #: The number of requests if every response is conformant, without repeated samples.
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
                scenario.must_fit_schema
                and not scenario.follow
                and schema_violation(self._target.revision, plain or b"null")
            ):
                return None  # A defect of the suite: not sent, and reported as an internal error on evaluation.
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
        """The default header is api-key, or bearer if the profile excludes that."""
        if scenario.auth != "api-key" or "api-key" not in self._target.lacks:
            return scenario.auth
        return "bearer"


def is_covered_by(scenario: Scenario, containing: Exchange) -> bool:
    """Whether the response to the request that contains this one makes this one unnecessary.

    A final Response shows that every part of the request was accepted; a refusal does not show which part was not.
    """
    try:
        response = Received(containing, scenario.name).response
    except CannotEvaluate:
        return False
    return response.get("status") in FINAL and isinstance(response.get("output"), list)


def met(scenario: Scenario, exchange: Exchange) -> bool:
    """Whether an exchange meets the need of the scenario."""
    if scenario.need is None:
        return True
    try:
        return scenario.need.met(Received(exchange, scenario.name))
    except CannotEvaluate:
        return False


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._=-" else "_" for letter in name)
