"""The built-in endpoint without a network: the same exchanges, thousands a second."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from conformance.config.target import Target, resolve
from conformance.contract.clients import NAMES
from conformance.contract.schemas import SchemaProblem, Schemas
from conformance.decode.response import Received
from conformance.emulator import Behaviour, Endpoint, Reply
from conformance.exchange.exchange import NO_BYTE, Attempt, Chunk, Ended, Exchange, Request
from conformance.exchange.not_sent import unbuilt
from conformance.exchange.planned import TEMPORARY_STATUSES, OutgoingRequest, PlannedRequest
from conformance.judge.cases import all_cases, context_of
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case, Result, evaluate
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan
from conformance.wire.client import credentials
from conformance.wire.retry import attempt_of

KEY = "in-process-key-77c1d09e"

#: The fixed clock of endpoint and client, so that every run has equal exchanges.
NOW = 1_790_000_000.0

_ENDED: dict[str, Ended] = {"clean": "clean", "cut": "cut", "reset": "reset", "stall": "time-out"}


class InProcess:
    """A sender without sockets: calls an endpoint object, and retries without waiting."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        """The exchange that the endpoint's reply makes."""
        attempts: list[Attempt] = []
        while True:
            exchange = self._once(outgoing, tuple(attempts))
            if len(attempts) + 1 >= outgoing.tries or exchange.status not in TEMPORARY_STATUSES:
                return exchange
            attempts.append(attempt_of(exchange, 0.0))

    def _once(self, outgoing: OutgoingRequest, attempts: tuple[Attempt, ...]) -> Exchange:
        own = {name.lower() for name, _ in outgoing.headers}
        usual = (("Content-Type", "application/json"), ("Accept-Encoding", "gzip, deflate"))
        headers = [*(pair for pair in usual if pair[0].lower() not in own), *outgoing.headers]
        headers = [pair for pair in headers if pair[1]]
        auth = credentials(outgoing.auth, KEY)
        path = "/v1/responses" + outgoing.suffix
        reply = self._endpoint.respond(outgoing.method, path, [*headers, *auth], outgoing.body)
        return _exchange(outgoing, reply, [value for _, value in auth], attempts)


def _exchange(outgoing: OutgoingRequest, reply: Reply, sent: Sequence[str], attempts: tuple[Attempt, ...]) -> Exchange:
    from conformance.exchange.redaction import redact_response

    headers = tuple((name.lower(), value) for name, value in reply.headers)
    chunks = tuple(_timed(reply))
    size = dict(headers).get("content-length")
    ended = _ENDED[reply.ending]
    has_body = outgoing.method != "HEAD"
    if (
        has_body
        and reply.framing == "length"
        and ended == "clean"
        and size
        and sum(len(one.data) for one in chunks) < int(size)
    ):
        ended = "cut"
    secrets = [KEY, *(value.partition(" ")[2] or value for value in sent)]
    kept, chunks, leaks = redact_response(headers, chunks, secrets)
    request = Request(outgoing.method, "http://in-process/v1/responses" + outgoing.suffix, (), outgoing.body)
    no_status = reply.ending in ("reset", "stall") and not reply.chunks
    return Exchange(
        outgoing.key,
        outgoing.scenario,
        outgoing.sample,
        request,
        None if no_status else reply.status,
        kept,
        chunks,
        ended,
        _detail(reply),
        NOW,
        chunks[-1].at if chunks else 120_000.0 if reply.ending == "stall" else 0.0,
        leaks,
        attempts,
    )


def _detail(reply: Reply) -> str:
    """The end and the detail that the transport would report."""
    stalled = f"{NO_BYTE}30 s" if reply.chunks else "no response, or incomplete headers, within 120 s"
    return stalled if reply.ending == "stall" else f"in process: {reply.ending}"


def _timed(reply: Reply) -> Iterator[Chunk]:
    at = 0.0
    for delay, data in reply.chunks:
        at += delay
        yield Chunk(at, data)


@cache
def target(revision: str = "2026-06-24") -> Target:
    """The target of the in-process endpoint."""
    options = {"endpoint": "http://127.0.0.1:9/v1", "revision": revision}
    return resolve(options, {}, "5eed5eed", None)


@cache
def context(revision: str = "2026-06-24") -> Context:
    """Its scenarios and schemas."""
    import importlib
    import pkgutil

    from conformance import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"conformance.checks.{module.name}")
    return context_of(target(revision))


@cache
def cases(revision: str = "2026-06-24") -> tuple[Case, ...]:
    """Every case of that revision that needs no real client."""
    return tuple(all_cases(context(revision)))


@cache
def client_cases(revision: str = "2026-06-24") -> tuple[Case, ...]:
    """The cases of the client lane of that revision."""
    fed = replace(context(revision), clients=NAMES)
    return tuple(case for case in all_cases(fed) if case.requirement.area == "client")


def record(behaviour: Behaviour | None, revision: str = "2026-06-24", **options: Any) -> Recorded:
    """The exchanges of every planned request with an endpoint that has this fault or variant."""
    return record_of(context(revision), behaviour, **options)


def record_of(context: Context, behaviour: Behaviour | None = None, **options: Any) -> Recorded:
    """The exchanges of every planned request of a context with an endpoint that has this fault or variant."""
    revision = context.target.revision
    endpoint = Endpoint(
        key=KEY, revision=revision, model=target(revision).model, behaviour=behaviour, clock=lambda: NOW, **options
    )
    sender = InProcess(endpoint)
    plan = Plan(context, context.scenarios)
    settled: dict[str, tuple[Exchange, ...]] = {}
    for planned in plan.requests:
        before = [settled[key][-1] for key in planned.after]
        samples: list[Exchange] = []
        following: PlannedRequest | None = planned
        while following:
            outgoing = following.build(before)
            samples.append(sender.send(outgoing) if outgoing else unbuilt(following.key, before))
            following = following.more(samples)
        settled[planned.key] = tuple(samples)
    return Recorded(plan, settled.__getitem__)


class Modified:
    """A record with other exchanges in place of some scenarios' own."""

    def __init__(self, record: Recorded, exchanges: Mapping[str, Exchange]) -> None:
        self._record = record
        self._answers = {name: Received(exchange, name) for name, exchange in exchanges.items()}

    def received(self, scenario: str) -> Received:
        """The response of a scenario."""
        return self._answers.get(scenario) or self._record.received(scenario)


_errors = Schemas.errors
_described: dict[tuple[str, str, str], list[SchemaProblem]] = {}


def _told_before(self: Schemas, path: str, instance: object) -> list[SchemaProblem]:
    """Cache schema validation: most instances of one fault are equal to those of another."""
    key = (self.revision, path, json.dumps(instance))
    if key not in _described:
        if len(_described) > 50_000:
            _described.clear()
        _described[key] = _errors(self, path, instance)
    return _described[key]


Schemas.errors = _told_before  # type: ignore[method-assign]  # For tests that evaluate thousands of responses.


def verdicts(behaviour: Behaviour | None, revision: str = "2026-06-24", **options: Any) -> list[Result]:
    """The results of all cases against an endpoint with this fault or variant."""
    return evaluated(behaviour, revision, **options)[0]


def evaluated(
    behaviour: Behaviour | None, revision: str = "2026-06-24", **options: Any
) -> tuple[list[Result], Recorded]:
    """The results of all cases, and their recorded responses.

    A verdict is a pure function of the recording: a case whose exchanges equal the conformant ones has the conformant
    verdict, and is not evaluated again.
    """
    recorded = record(behaviour, revision, **options)
    if behaviour is None:
        return [evaluate(case, recorded) for case in cases(revision)], recorded
    clean_results, clean = _clean(revision)
    same = {
        name for name in context(revision).scenarios if recorded.received(name).samples == clean.received(name).samples
    }
    recorded._answers |= {name: clean.received(name) for name in same}  # These have been read and decoded.
    results = [
        known if same.issuperset(case.scenarios) else evaluate(case, recorded)
        for case, known in zip(cases(revision), clean_results, strict=True)
    ]
    return results, recorded


@cache
def _clean(revision: str) -> tuple[list[Result], Recorded]:
    return evaluated(None, revision)
