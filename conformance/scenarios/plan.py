"""A run: the plan of a target's scenarios, and the record of what came back."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence

from conformance.contract.revisions import DEFAULT, Contract
from conformance.decode.response import FINAL, CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import BACK_OFF, OutgoingRequest, PlannedRequest
from conformance.scenarios.combinations import Levels, reduced, smaller
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario, encode, schema_violation

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


def most_output_tokens(scenarios: Sequence[Scenario], uncapped: int) -> int:
    """The most output tokens that these may cost if all are answered, tries included; ``uncapped`` is the most that the
    contract allows a request, which is also what one without a limit of its own may cost."""
    return sum(_most(one, uncapped) * one.tries for one in scenarios)


def _most(scenario: Scenario, uncapped: int) -> int:
    """The most output tokens that one answer may cost: its own limit, or the contract's where that is lower; what must
    be refused costs none."""
    cap = scenario.body.get("max_output_tokens")
    return min(cap, uncapped) if scenario.expect != "refusal" and isinstance(cap, int) else 0


def uncapped(scenario: Scenario) -> bool:
    """Whether it may be served though it sets no limit that a server can use."""
    return scenario.method == "POST" and scenario.expect != "refusal" and _most(scenario, 1) < 1


class Plan:
    """The asks of a run, and which exchange belongs to which scenario."""

    def __init__(self, context: Context, needed: Iterable[str]) -> None:
        self._target = context.target
        self.contract = context.contract
        #: The most output tokens that the contract allows a request.
        self.uncapped = context.schemas.most_output_tokens
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

    def _planned(self, whole: Scenario, sample: int, levels: Levels | None = None) -> PlannedRequest:
        """The request of a sample; ``levels`` are the factors of a combination that are left in it."""
        scenario = whole if levels is None else reduced(whole, levels, self.contract)
        key = self.key_of[scenario.name] + (f"-{sample + 1}" if sample else "")
        after: tuple[str, ...] = ()
        if scenario.last:
            after = tuple(self.key_of[one.name] for one in self._senders() if not one.last)
        elif (first := scenario.after or scenario.within) in self.key_of:
            after = (self.key_of[first or ""],)

        def build(before: Sequence[Exchange]) -> OutgoingRequest | None:
            body = self._body(scenario, before)
            plain = body if _GZIP not in scenario.headers else gzip.decompress(body or b"")
            if scenario.meant_well and not scenario.follow and schema_violation(self.contract, plain or b"null"):
                return None  # A bug of the suite: told where it is judged, and no server is asked.
            if body is None or (scenario.within and before and self._covers(scenario, before[0])):
                return None
            tries = _ANSWER_TRIES if scenario.expect == "answer" else _REFUSAL_TRIES
            tries = 1 if scenario.factors and sample else tries  # That it fails each time is known of the whole.
            auth = self._auth(scenario)
            return OutgoingRequest(
                key, scenario.name, sample, scenario.method, body, auth, scenario.headers, tries,
                self.uncapped if uncapped(scenario) else _most(scenario, self.uncapped), scenario.suffix,
            )  # fmt: skip

        def more(samples: Sequence[Exchange]) -> PlannedRequest | None:
            if scenario.factors:
                _, levels = smaller(whole.factors, [was_refused(one) for one in samples])
                return self._planned(whole, len(samples), levels) if levels else None
            enough = len(samples) >= scenario.tries or scenario.need is None or not samples[-1].ok
            if enough or met(scenario, samples[-1], self.contract):
                return None
            return self._planned(scenario, len(samples))

        return PlannedRequest(key, after, build, more)

    def _covers(self, scenario: Scenario, whole: Exchange) -> bool:
        """Whether the exchange of the request that a scenario is within speaks for it: not one with less in it."""
        return whole.key == self.key_of.get(scenario.within or "") and is_covered_by(scenario, whole, self.contract)

    def _body(self, scenario: Scenario, before: Sequence[Exchange]) -> bytes | None:
        if (raw := scenario.raw_for(self._target.model)) is not None:
            return raw
        if scenario.method not in ("POST", "PUT"):
            return b""
        body = scenario.body
        if scenario.follow and before:
            try:
                followed = scenario.follow(body, Received(before[0], scenario.after or "", contract=self.contract))
            except CannotEvaluate:
                followed = None
            if followed is None:
                return None
            body = followed
        encoded = encode(body, self._target.model, scenario.escaped)
        return gzip.compress(encoded, mtime=0) if _GZIP in scenario.headers else encoded

    def _auth(self, scenario: Scenario) -> str:
        """The usual way is the first that the profile does not lack."""
        usual = self.contract.way.name
        if scenario.auth != usual or usual not in self._target.lacks:
            return scenario.auth
        return next((one.name for one in self.contract.authentication if one.name != usual), usual)


def was_refused(exchange: Exchange) -> bool:
    """Whether a combination was refused, or failed each time it was tried."""
    return exchange.refused or exchange.status == 500


def is_covered_by(scenario: Scenario, whole: Exchange, contract: Contract = DEFAULT) -> bool:
    """Whether the answer to the request that this one is within tells what this one would.

    A finished answer shows that every part of it was taken; a refusal does not say of which part.
    """
    try:
        response = Received(whole, scenario.name, contract=contract).response
    except CannotEvaluate:
        return False
    return response.get("status") in FINAL and isinstance(response.get("output"), list)


def met(scenario: Scenario, exchange: Exchange, contract: Contract = DEFAULT) -> bool:
    """Whether an exchange gives what the scenario needs."""
    if scenario.need is None:
        return True
    try:
        return scenario.need.met(Received(exchange, scenario.name, contract=contract))
    except CannotEvaluate:
        return False


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._=-" else "_" for letter in name)
