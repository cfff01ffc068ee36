"""A run: the plan of a target's scenarios, each in the form that the target serves."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from conformance.contract.revisions import DEFAULT, Contract
from conformance.decode.response import FINAL, CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import BACK_OFF, OutgoingRequest, PlannedRequest
from conformance.scenarios import base
from conformance.scenarios.base import BASE, BASES, STREAM_BASE, Form
from conformance.scenarios.combinations import Levels, reduced
from conformance.scenarios.context import Context
from conformance.scenarios.controls import control_of, effort_of
from conformance.scenarios.explore import EXPLORED
from conformance.scenarios.item_ids import with_own_ids
from conformance.scenarios.reduction import is_refused, smaller
from conformance.scenarios.scenario import TOGETHER, Body, Scenario, encode, schema_violation

#: The attempts of a request that must be served, and of one that must be refused, for which a 5xx is a finding.
_SERVED_ATTEMPTS, _REFUSED_ATTEMPTS = len(BACK_OFF) + 1, len(BACK_OFF)

#: The header of a scenario whose body is compressed.
_GZIP = ("Content-Encoding", "gzip")


def plan(context: Context, needed: Iterable[str]) -> list[Scenario]:
    """The scenarios that these names need, with those they build on and their controls, in the order they are sent."""
    wanted: set[str] = set()
    todo = list(needed)
    while todo:
        scenario = context.scenarios[todo.pop()]
        if scenario.name not in wanted and not scenario.claims & context.target.lacks:
            wanted.add(scenario.name)
            control = control_of(scenario, context.scenarios, context.contract)
            effort = effort_of(scenario, context.contract)
            others = (scenario.after, scenario.within, control, effort if effort in context.scenarios else "")
            todo += [name for name in others if name]
    return [one for one in context.scenarios.values() if one.name in wanted]


def most_output_tokens(scenarios: Sequence[Scenario], uncapped: int) -> int:
    """The most output tokens that these may cost if all are served, attempts included; ``uncapped`` is the most that
    the contract allows a request, which is also what one without a limit of its own may cost."""
    return sum(_most(one, one.body, uncapped) * one.tries + _most(one, one.closes, uncapped) for one in scenarios)


def _most(scenario: Scenario, body: Body, uncapped: int) -> int:
    """The most output tokens that one response may use: max_output_tokens, or the contract's maximum if that is lower;
    0 for a request that must be refused."""
    cap = body.get("max_output_tokens")
    return min(cap, uncapped) if scenario.expect != "refusal" and isinstance(cap, int) else 0


def uncapped(scenario: Scenario, body: Body | None = None) -> bool:
    """Whether a request may be served without a valid max_output_tokens. ``body`` is the body that is sent, by default
    that of the scenario."""
    most = _most(scenario, scenario.body if body is None else body, 1)
    return scenario.method == "POST" and scenario.expect != "refusal" and not scenario.searches and most < 1


class Search(Protocol):
    """What gives the scenarios that search their requests."""

    def following(self, scenario: Scenario, samples: Sequence[Exchange]) -> Scenario | None:
        """What such a scenario sends after these samples, as a scenario with a body; None where that is enough."""


class Plan:
    """The planned requests of a run, and the key of each scenario's exchange. Without a ``search`` the scenarios that
    search their requests send none."""

    def __init__(self, context: Context, needed: Iterable[str], search: Search | None = None) -> None:
        self._target = context.target
        self._scenarios = context.scenarios
        self._search = search
        self.contract = context.contract
        self._first = base.profile_form(context.target.lacks, self.contract)
        #: The most output tokens that the contract allows a request.
        self.uncapped = context.schemas.most_output_tokens
        self.scenarios = plan(context, needed)
        self.key_of: dict[str, str] = {}
        first: dict[str, str] = {}
        for one in self.scenarios:
            digest = one.digest(self._target.model)
            self.key_of[one.name] = first.setdefault(digest, f"{_file_name(one.name)}-{digest}")
        self._kept_open = {self.key_of.get(one.after or "", "") for one in self.scenarios if one.reuses}
        self.requests = [
            self._searched(one, None, ()) if one.searches else self._planned(one, 0) for one in self._senders()
        ]
        #: The number of requests if every response is conformant, without repeated samples.
        self.expected = sum(
            1 + bool(one.closes) for one in self._senders() if not (one.within or one.searches)
        )  # A stream that is closed is one request more.

    def _senders(self) -> list[Scenario]:
        seen: set[str] = set()
        found = []
        for one in self.scenarios:
            if self.key_of[one.name] not in seen:
                seen.add(self.key_of[one.name])
                found.append(one)
        return found

    def _planned(
        self, outer: Scenario, sample: int, form: Form | None = None, levels: Levels | None = None
    ) -> PlannedRequest:
        """The request of a sample; ``form`` is that in which a base request is sent, others look it up. ``levels`` are
        the factors of a combination that are left in it."""
        scenario = outer if levels is None else reduced(outer, levels, self.contract)
        key = self.key_of[scenario.name] + (f"-{sample + 1}" if sample else "")
        first = self.key_of.get(scenario.after or scenario.within or "")
        after = [key for key in (first, *self._settling(scenario)) if key]
        if scenario.last:
            after = [self.key_of[one.name] for one in self._senders() if not one.last] + after

        def build(before: Sequence[Exchange]) -> OutgoingRequest | None:
            sent_as = form or self._form(scenario, after, before)
            refused = any(map(base.refuses, before[-1:])) if self._effort(scenario) in self.key_of else False
            body = self._body(scenario, before, sent_as, refused)
            encoded = self._encoded(scenario, body, sample)
            fixed = scenario.must_fit_schema and not scenario.follow
            if fixed and schema_violation(self.contract, encode(body or {}, self._target.model, scenario.escaped)):
                return None  # A defect of the suite: not sent, and reported as an internal error on evaluation.
            # The request that contains this one may itself be contained in a served one, and is then not sent.
            covered = bool(scenario.within and before) and (
                (before[0].ended == "not-sent" and not before[0].withheld) or self._covers(scenario, before[0])
            )
            if encoded is None or covered:
                return None
            tries = _SERVED_ATTEMPTS if scenario.expect == "answer" else _REFUSED_ATTEMPTS
            tries = 1 if levels is not None else tries  # The combination failed at every attempt.
            sent = body or {}
            return OutgoingRequest(
                key, scenario.name, sample, scenario.method, encoded,
                base.auth_of(scenario, sent_as, self.contract), scenario.headers, tries,
                self.uncapped if uncapped(scenario, sent) else _most(scenario, sent, self.uncapped), scenario.suffix,
                key in self._kept_open, (first or "") if scenario.reuses and not sample else "",
                self._closed(scenario, sent_as), scenario.expect != "answer",
            )  # fmt: skip

        def more(samples: Sequence[Exchange]) -> PlannedRequest | None:
            if scenario.name in BASES:
                return self._other_form(scenario, samples)
            if outer.factors:
                _, left = smaller(outer.factors, [is_refused(one) for one in samples])
                return None if left is None else self._planned(outer, len(samples), form, left)
            enough = len(samples) >= scenario.tries or scenario.need is None or not samples[-1].ok
            if enough or met(scenario, samples[-1], self.contract):
                return None
            return self._planned(scenario, len(samples))

        return PlannedRequest(key, tuple(after), build, more, TOGETHER in scenario.tags and not sample)

    def _covers(self, scenario: Scenario, containing: Exchange) -> bool:
        """Whether the exchange of the request that a scenario is within speaks for it: not one with less in it."""
        outer = self.key_of.get(scenario.within or "")
        return containing.key == outer and is_covered_by(scenario, containing, self.contract)

    def _searched(self, scenario: Scenario, sent: Scenario | None, samples: Sequence[Exchange]) -> PlannedRequest:
        """The exchange of a scenario that searches its requests: the first one is found once the random requests, and
        the searches before this one, have been received; ``sent`` is the one that follows the samples."""
        earlier = takewhile(lambda one: one is not scenario, self._senders())
        random = [self.key_of[one.name] for one in earlier if EXPLORED in one.tags]
        after = [*random, *self._base_keys(scenario)]
        key = self.key_of[scenario.name] + (f"-{len(samples) + 1}" if samples else "")

        def build(before: Sequence[Exchange]) -> OutgoingRequest | None:
            found = sent
            if not samples and self._search is not None:
                found = self._search.following(scenario, ())
            if found is None:
                return None
            form = self._form(found, after, before)
            body = base.adapted(found, found.body, form, self.contract, "reasoning" in self._target.lacks)
            most = self.uncapped if uncapped(found, body) else _most(found, body, self.uncapped)
            auth = base.auth_of(found, form, self.contract)
            encoded = encode(with_own_ids(found, body, len(samples)), self._target.model)
            return OutgoingRequest(key, scenario.name, len(samples), "POST", encoded, auth, (), _SERVED_ATTEMPTS, most)

        def more(samples: Sequence[Exchange]) -> PlannedRequest | None:
            if self._search is None or samples[-1].ended == "not-sent":
                return None
            found = self._search.following(scenario, samples)
            return self._searched(scenario, found, tuple(samples)) if found else None

        return PlannedRequest(key, tuple(after), build, more)

    def _other_form(self, scenario: Scenario, samples: Sequence[Exchange]) -> PlannedRequest | None:
        """The base request in another form, if it was refused in those before. Streaming it begins with the form that
        is served plain, so that one part more is left out at most."""
        forms = [base.form_sent(one, self._first, self.contract) for one in samples]
        most = 1 if scenario.streaming else len(base.PARTS)
        following = base.next_form(samples, forms, self.contract, most)
        return self._planned(scenario, len(samples), following) if following else None

    def _settling(self, scenario: Scenario) -> Iterator[str | None]:
        """The keys of the requests whose responses decide in which form a scenario is sent: the base requests, and the
        effort that it wants, last."""
        yield from self._base_keys(scenario)
        if scenario.name not in BASES:
            yield self.key_of.get(self._effort(scenario))

    def _base_keys(self, scenario: Scenario) -> list[str]:
        """The keys of the base requests before a scenario: none before the plain one, that before the streaming one."""
        earlier = [] if scenario.name == BASE else [BASE] if scenario.name == STREAM_BASE else BASES
        return [self.key_of[name] for name in earlier if name in self.key_of]

    def _effort(self, scenario: Scenario) -> str:
        """The scenario that sets only the effort of this one; empty if this one has none that it needs."""
        return effort_of(scenario, self.contract) if "reasoning" in scenario.claims else ""

    def _form(self, scenario: Scenario, after: Sequence[str], before: Sequence[Exchange]) -> Form:
        """In which form a scenario is sent, by the responses to the base requests among these: without what either of
        them had to leave out, as plain and streamed responses are compared."""
        keys = self._base_keys(scenario) if len(before) == len(after) else []
        forms = [base.form_of(before[after.index(key)], self._first, self.contract) for key in keys]
        without = frozenset[str]().union(*(form.without for form in forms))
        if not forms:
            return self._first
        stream = base.stream_served([before[after.index(key)] for key in keys])
        if stream is False and scenario.name.removesuffix(".stream") in self._scenarios:
            stream = None  # Its plain counterpart shows the rest.
        return Form(forms[-1 if stream or scenario.streaming else 0].auth, without, stream)

    def _body(self, scenario: Scenario, before: Sequence[Exchange], form: Form, effort_refused: bool) -> Body | None:
        """The body as it is sent; empty where the scenario has none of its own, None if it cannot be built."""
        body = scenario.body
        if scenario.follow and before:
            try:
                followed = scenario.follow(body, Received(before[0], scenario.after or "", contract=self.contract))
            except CannotEvaluate:
                followed = None
            if followed is None:
                return None
            body = followed
        lacks = "reasoning" in self._target.lacks
        return base.adapted(scenario, body, form, self.contract, lacks, effort_refused)

    def _closed(self, scenario: Scenario, form: Form) -> bytes:
        """The body of the stream that is closed before a scenario; empty without one, and where nothing streams."""
        if not scenario.closes or "streaming" in self._target.lacks:
            return b""
        lacks = "reasoning" in self._target.lacks
        return encode(base.adapted(scenario, scenario.closes, form, self.contract, lacks), self._target.model)

    def _encoded(self, scenario: Scenario, body: Body | None, sample: int) -> bytes | None:
        if (raw := scenario.raw_for(self._target.model)) is not None:
            return raw
        if scenario.method not in ("POST", "PUT"):
            return b""
        if body is None:
            return None
        encoded = encode(with_own_ids(scenario, body, sample), self._target.model, scenario.escaped)
        return gzip.compress(encoded, mtime=0) if _GZIP in scenario.headers else encoded


def is_covered_by(scenario: Scenario, containing: Exchange, contract: Contract = DEFAULT) -> bool:
    """Whether the response to the request that this one is within shows what this one would show.

    A final Response shows that every part of the request was accepted; a refusal does not show which part was not,
    unless its status does.
    """
    if scenario.needless and containing.status == scenario.needless:
        return True
    try:
        response = Received(containing, scenario.name, contract=contract).response
    except CannotEvaluate:
        return False
    served = response.get("status") in FINAL and isinstance(response.get("output"), list)
    return served and base.speaks_for(scenario, containing, contract)


def met(scenario: Scenario, exchange: Exchange, contract: Contract = DEFAULT) -> bool:
    """Whether an exchange meets the need of the scenario."""
    if scenario.need is None:
        return True
    try:
        return scenario.need.met(Received(exchange, scenario.name, contract=contract))
    except CannotEvaluate:
        return False


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._=-" else "_" for letter in name)
