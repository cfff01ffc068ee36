"""The built-in endpoint without a network: the same exchanges, thousands a second."""

from __future__ import annotations

import copy
import gc
import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, ClassVar

from conformance.config.target import Target, resolve
from conformance.contract.clients import NAMES
from conformance.contract.revisions import DEFAULT, REVISIONS, Contract
from conformance.contract.schemas import SchemaProblem, Schemas
from conformance.decode import events as decoding
from conformance.decode import sse
from conformance.decode.json_text import Reader
from conformance.decode.response import CannotEvaluate, Received
from conformance.emulator import Behaviour, Endpoint, Reply
from conformance.emulator.hooks import HOOKS
from conformance.emulator.hooks import Context as HookContext
from conformance.emulator.validate import parse
from conformance.engine.shrinking import Shrinking
from conformance.exchange.exchange import NO_BYTE, Attempt, Chunk, Ended, Exchange, Headers, Request
from conformance.exchange.not_sent import unbuilt
from conformance.exchange.planned import (
    AFTER_CLOSED,
    CLOSED,
    MIDWAY,
    ON_KEPT,
    TEMPORARY_STATUSES,
    OutgoingRequest,
    PlannedRequest,
)
from conformance.exchange.redaction import redact_response
from conformance.judge.cases import all_cases, context_of, load_checks
from conformance.judge.evidence import Part, examine
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import FAIL, WARNING, Case, Record, Result, evaluate
from conformance.scenarios.context import Context
from conformance.scenarios.controls import control_of
from conformance.scenarios.plan import Plan, plan
from conformance.wire.client import credentials
from conformance.wire.retry import attempt_of

KEY = "in-process-key-77c1d09e"

#: The fixed clock of endpoint and client, so that every run has equal exchanges.
NOW = 1_790_000_000.0

_ENDED: dict[str, Ended] = {"clean": "clean", "unread": "clean", "cut": "cut", "reset": "reset", "stall": "time-out"}


#: The hooks of a behaviour that only streams go through, and those that only served requests do.
_STREAMED = {"events", "numbered", "frame", "chunks"}
_SERVED = _STREAMED | {"parsed", "draft", "plan", "response"}


@dataclass(frozen=True)
class Known:
    """A request to the clean endpoint, its reply, and the exchange that both make: most endpoints with one fault send
    the same reply to most requests. ``served`` is the reply before the last hook, None for a refusal. Without request
    and reply: one that is not sent after the clean responses."""

    outgoing: OutgoingRequest | None
    reply: Reply | None
    exchange: Exchange
    served: Reply | None = None


class Repeatable(Endpoint):
    """An endpoint whose identifiers depend on the request alone, and not on how many it served before: a fault that
    refuses one request leaves the responses to all others as they are. So the clean endpoint's reply is taken where the
    request reaches no hook of the behaviour."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.served: Reply | None = None
        self._times: dict[str, int] = {}
        self._hooks = {name for name in HOOKS if getattr(self._twist, name)}
        self._expected: Reply | None = None

    def reply_to(self, key: str, known: Known | None) -> Reply | None:
        """The reply to the request that the clean endpoint received, if no hook can change it; identifiers are derived
        from the key of its exchange."""
        self._times[key] = times = self._times.get(key, 0) + 1
        self._seed, self._minted = f"{key}/{times}", 0
        self.served = self._expected = None
        if known is None or known.reply is None:
            return None
        self._expected = None if self._hooks & _SERVED else known.served
        reached = set(HOOKS) - (_STREAMED if known.reply.framing != "chunked" else set())
        reached -= set() if known.served else _SERVED
        return None if self._hooks & reached else known.reply

    def _serve(self, ctx: HookContext) -> Reply:
        if self._expected is None or self._is_changed(ctx):
            self.served = super()._serve(ctx)
            return self.served
        ctx.served, ctx.responses, ctx.stage = True, self._responses, "terminal" if ctx.stream else "plain"
        self._responses += 1
        return replace(self._expected, headers=[*self._expected.headers], chunks=[*self._expected.chunks])

    def _is_changed(self, ctx: HookContext) -> bool:
        """Whether a hook that may refuse the request has changed it."""
        if not self._hooks & {"auth", "validate"}:
            return False
        body, _ = parse(ctx.raw)
        return ctx.body != body or ctx.stream != (body.get("stream") is True)


class InProcess:
    """A sender without sockets: calls an endpoint object, and retries without waiting."""

    def __init__(
        self,
        endpoint: Endpoint,
        contract: Contract = DEFAULT,
        known: dict[str, Known] | None = None,
        remember: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._contract = contract
        #: The keys of exchanges whose connection is kept, and those of them after which nothing is understood on it.
        self._kept: set[str] = set()
        self._unread: set[str] = set()
        #: What the endpoint remembers of the connection on which an exchange was made.
        self._connections: dict[str, dict[str, Any]] = {}
        self._known = {} if known is None else known
        self._remember = remember

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        """The exchange that the endpoint's reply makes."""
        attempts: list[Attempt] = []
        if outgoing.on in self._unread:
            attempts.append(Attempt(400, "clean", 0.0, detail=ON_KEPT))
        reused = outgoing.on in self._kept and not attempts
        if outgoing.closes:
            self._connect({})
            attempts.append(self._closed(outgoing))
        self._connections[outgoing.key] = memory = self._connections.get(outgoing.on, {}) if reused else {}
        self._connect(memory)
        while True:
            exchange = self._once(outgoing, tuple(attempts))
            exchange = replace(exchange, connection=outgoing.on) if reused else exchange
            if len(attempts) == 1 and outgoing.closes and not exchange.ok:
                attempts.append(replace(attempt_of(exchange, 0.0), detail=AFTER_CLOSED + exchange.detail))
                continue
            if len(attempts) + 1 >= outgoing.tries or exchange.status not in TEMPORARY_STATUSES:
                return exchange
            attempts.append(attempt_of(exchange, 0.0))

    def _connect(self, memory: dict[str, Any]) -> None:
        if isinstance(self._endpoint, Endpoint):
            self._endpoint.use_connection(memory)

    def _closed(self, outgoing: OutgoingRequest) -> Attempt:
        """A stream that the client closes at the first delta."""
        stream = self._once(replace(outgoing, body=outgoing.closes), ())
        output = next((place for place, one in enumerate(stream.chunks) if b".delta" in one.data), None)
        if not stream.ok or output is None or output + 1 >= len(stream.chunks):
            return replace(attempt_of(stream, 0.0), detail=CLOSED + stream.detail)
        if isinstance(self._endpoint, Endpoint):
            self._endpoint.client_closed()
        stream = replace(stream, chunks=stream.chunks[: output + 1], ended="cut")
        return replace(attempt_of(stream, 0.0), detail=CLOSED + MIDWAY)

    def _once(self, outgoing: OutgoingRequest, attempts: tuple[Attempt, ...]) -> Exchange:
        known, reply = self._known.get(outgoing.key), None
        same = known if known and known.outgoing is outgoing and not attempts else None
        if isinstance(self._endpoint, Repeatable):
            reply = self._endpoint.reply_to(outgoing.key, same)
        auth = credentials(outgoing.auth, KEY, self._contract)
        path = self._contract.base_path + self._contract.path + outgoing.suffix
        reply = reply or self._endpoint.respond(outgoing.method, path, [*_headers(outgoing), *auth], outgoing.body)
        if outgoing.keeps and reply.ending in ("clean", "unread"):
            (self._unread if reply.ending == "unread" else self._kept).add(outgoing.key)
        if same and same.reply == reply:
            return same.exchange
        exchange = _exchange(outgoing, path, reply, auth, attempts)
        if self._remember and not attempts:
            served = self._endpoint.served if isinstance(self._endpoint, Repeatable) else None
            self._known[outgoing.key] = Known(outgoing, reply, exchange, served)
        return exchange


def _headers(outgoing: OutgoingRequest) -> list[tuple[str, str]]:
    own = {name.lower() for name, _ in outgoing.headers}
    usual = (("Content-Type", "application/json"), ("Accept-Encoding", "gzip, deflate"))
    headers = [*(pair for pair in usual if pair[0].lower() not in own), *outgoing.headers]
    return [pair for pair in headers if pair[1]]


def _exchange(
    outgoing: OutgoingRequest, path: str, reply: Reply, auth: Headers, attempts: tuple[Attempt, ...]
) -> Exchange:
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
    secrets = (KEY, *(value.partition(" ")[2] or value for _, value in auth))
    kept, chunks, leaks = _redacted(headers, chunks, secrets)
    described = tuple((name, "$KEY") for name, _ in auth)
    request = Request(outgoing.method, "http://in-process" + path, described, outgoing.body)
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


#: Most of what one faulty endpoint sends is what another sends.
_redacted = lru_cache(maxsize=5000)(redact_response)


def _detail(reply: Reply) -> str:
    """The end and the detail that the transport would report."""
    stalled = f"{NO_BYTE}30 s" if reply.chunks else "no response, or incomplete headers, within 120 s"
    return stalled if reply.ending == "stall" else f"in process: {reply.ending}"


def _timed(reply: Reply) -> Iterator[Chunk]:
    at = 0.0
    for delay, data in reply.chunks:
        at += delay
        yield Chunk(at, data)


#: A part of the newest revision: what it adds to the revision before it. In place of a revision, this name means
#: the requests that only the newer one makes (with their controls), and the cases over them.
ADDED = f"added by {REVISIONS[-1]}"


@cache
def target(revision: str = "2026-06-24") -> Target:
    """The target of the in-process endpoint."""
    options = {"endpoint": "http://127.0.0.1:9/v1", "revision": REVISIONS[-1] if revision == ADDED else revision}
    return resolve(options, {}, "5eed5eed", None)


#: The plan of the scenarios of each :func:`context`, by its identity.
_plans: dict[int, Plan] = {}

#: What the clean endpoint received and sent, by the plan's identity and the key of the exchange.
_known: dict[int, dict[str, Known]] = {}


@cache
def context(revision: str = "2026-06-24") -> Context:
    """Its scenarios and schemas."""
    load_checks()
    made = context_of(target(revision))
    if revision == ADDED:
        made = replace(made, scenarios={one.name: one for one in plan(made, _added_names())})
    _plans[id(made)] = Plan(made, made.scenarios)
    return made


@cache
def cases(revision: str = "2026-06-24") -> tuple[Case, ...]:
    """Every case of that revision that needs no real client."""
    return tuple(_added_cases() if revision == ADDED else all_cases(context(revision)))


def _added_names() -> list[str]:
    """The scenarios of the newest revision that the one before it does not have."""
    return [name for name in context(REVISIONS[-1]).scenarios if name not in context(REVISIONS[-2]).scenarios]


def _added_cases() -> Iterator[Case]:
    """The cases over requests that only the newest revision makes; of a case over many responses the part over them."""
    sent, new = context(ADDED).scenarios, set(_added_names())
    for case in cases(REVISIONS[-1]):
        mine = tuple(name for name in case.scenarios if name in new)
        complete = set(case.scenarios) | set(case.beside) <= sent.keys()
        if mine and complete:
            yield case
        elif mine and not (case.requires_all or case.check.together or case.beside):
            yield replace(case, scenarios=mine, label=f"{case.label}.added")


@cache
def client_cases(revision: str = "2026-06-24") -> tuple[Case, ...]:
    """The cases of the client lane of that revision."""
    client_input = replace(context(revision), clients=NAMES)
    return tuple(case for case in all_cases(client_input) if case.requirement.area == "client")


def record(behaviour: Behaviour | None, revision: str = "2026-06-24", **options: Any) -> Recorded:
    """The exchanges of every planned request with an endpoint that has this fault or variant."""
    return record_of(context(revision), behaviour, **options)


def record_of(
    requested: Context, behaviour: Behaviour | None = None, endpoint: Endpoint | None = None, **options: Any
) -> Recorded:
    """The responses of an endpoint (by default the built-in one of the context's revision, with this behaviour) to
    every planned request of a context."""
    repeats = endpoint is None and not any(options.values())
    if endpoint is None:
        revision = requested.contract.revision
        model = target(revision).model
        endpoint = Repeatable(
            key=KEY, revision=revision, model=model, behaviour=behaviour, clock=lambda: NOW, **options
        )
    made = _plans.get(id(requested)) or Plan(requested, requested.scenarios)
    known = _known.get(id(made), {}) if repeats else {}
    if is_clean := repeats and behaviour is None and id(requested) in _plans and not known:
        _known[id(made)] = known
    sender = InProcess(endpoint, requested.contract, known, remember=is_clean)
    completed: dict[str, tuple[Exchange, ...]] = {}
    if any(one.searches for one in made.scenarios):
        made = Plan(requested, requested.scenarios, Shrinking(requested, lambda name: completed[made.key_of[name]]))
    requests = {planned.key: planned for planned in made.requests}

    def get_or_send(key: str) -> tuple[Exchange, ...]:
        if key not in completed:
            following: PlannedRequest | None = requests[key]
            before = [get_or_send(earlier)[-1] for earlier in requests[key].after]
            samples: list[Exchange] = []
            while following:
                outgoing = _built(following, before, known)
                samples.append(sender.send(outgoing) if outgoing else _unsent(following.key, before, known, is_clean))
                following = following.more(samples)
            completed[key] = tuple(samples)
        return completed[key]

    for key in requests:  # In the order of the plan.
        get_or_send(key)
    return Recorded(made, completed.__getitem__)


def _built(planned: PlannedRequest, before: Sequence[Exchange], known: Mapping[str, Known]) -> OutgoingRequest | None:
    """The request as it is sent: after the same responses, and often after others, that to the clean endpoint."""
    usual = known.get(planned.key)
    as_known = (key in known and known[key].exchange is one for key, one in zip(planned.after, before, strict=True))
    if usual and all(as_known):
        return usual.outgoing
    built = planned.build(before)
    return usual.outgoing if usual and usual.outgoing == built else built


def _unsent(key: str, before: Sequence[Exchange], known: dict[str, Known], remember: bool) -> Exchange:
    exchange = known[key].exchange if key in known and not known[key].outgoing else unbuilt(key, before)
    if remember:
        known[key] = Known(None, None, exchange)
    return exchange


class Modified:
    """A record with other exchanges in place of some scenarios' own."""

    def __init__(self, record: Record, exchanges: Mapping[str, Exchange]) -> None:
        self._record = record
        self._answers = {name: Received(exchange, name) for name, exchange in exchanges.items()}

    def received(self, scenario: str) -> Received:
        """The response of a scenario."""
        return self._answers.get(scenario) or self._record.received(scenario)


class SharingReader(Reader):
    """Reads equal JSON texts once: most events that one faulty endpoint sends are those that another sends."""

    _read: ClassVar[dict[str, tuple[Any, tuple[str, ...]]]] = {}

    def load(self, text: str) -> Any:
        """The value of a JSON text, shared by all who read it."""
        if text not in self._read:
            value = super().load(text)
            if len(text) > 10_000:
                return value
            if len(self._read) > 50_000:
                self._read.clear()
            self._read[text] = value, self.twice
        value, self.twice = self._read[text]
        return value


def _once(read: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called once for the same objects: the plan reads responses before the checks do."""
    kept: dict[int, tuple[object, tuple[object, ...], Any]] = {}

    def read_once(first: Any, *others: Any) -> Any:
        known = kept.get(id(first))
        if known and known[0] is first and [*map(id, known[1])] == [*map(id, others)]:
            return known[2]
        result = read(first, *others)
        if isinstance(first, tuple) and len(first) < 1000:
            if len(kept) > 1000:
                kept.clear()
            kept[id(first)] = first, others, result  # With the objects: nothing else gets their ids.
        return result

    return read_once


_errors = Schemas.errors
_described: dict[tuple[str, str, str], list[SchemaProblem]] = {}
_of_object: dict[tuple[str, str, int], tuple[object, list[SchemaProblem]]] = {}


def _described_before(self: Schemas, path: str, instance: object) -> list[SchemaProblem]:
    """Cache schema validation: most instances of one fault are equal to those of another, or the same object."""
    if known := _of_object.get((self.revision, path, id(instance))):
        return known[1]
    key = (self.revision, path, json.dumps(instance))
    if key not in _described:
        if len(_described) > 50_000:
            _described.clear()
        _described[key] = _errors(self, path, instance)
    if len(_of_object) > 20_000:
        _of_object.clear()
    _of_object[self.revision, path, id(instance)] = instance, _described[key]  # Kept: nothing else gets its id.
    return _described[key]


# For tests that evaluate thousands of responses.
Schemas.errors = _described_before  # type: ignore[method-assign]
setattr(decoding, "Reader", SharingReader)  # noqa: B010 - mypy does not let a module's import be assigned.
setattr(sse, "parse", _once(sse.parse))  # noqa: B010
setattr(decoding, "decode", _once(decoding.decode))  # noqa: B010


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
    if behaviour is None and not options:
        return _clean(revision)
    recorded = record(behaviour, revision, **options)
    changed, examine = set(_changed(recorded, revision)), Keeping(revision)
    controls = _controls(revision)
    uncontrolled = {name for name, control in controls.items() if changed.intersection(control)}
    results = [
        evaluate(case, recorded, examine) if (changed | uncontrolled).intersection(case.scenarios) else result
        for case, result in zip(cases(revision), _clean(revision)[0], strict=True)
    ]
    return results, recorded


@cache
def _controls(revision: str) -> dict[str, frozenset[str]]:
    """For each scenario its control, the control of that one, and so on."""
    requested = context(revision)
    found: dict[str, frozenset[str]] = {}
    for name, one in requested.scenarios.items():
        chain: list[str] = []
        while control := control_of(one, requested.scenarios, requested.contract):
            chain.append(control)
            one = requested.scenarios[control]
        found[name] = frozenset(chain)
    return found


def violated(
    behaviour: Behaviour,
    revision: str = "2026-06-24",
    rules: Container[str] | None = None,
    may: bool = False,
    **options: Any,
) -> tuple[list[Result], Recorded]:
    """Those of :func:`evaluated` that fail or warn, found in less time: as no conformant response gives a finding, a
    case over many responses is first evaluated on those that differ. Only these rules are evaluated (None: all); MAY
    rules, which never fail, only where their checks are to run too."""
    recorded = record(behaviour, revision, **options)
    changed, examine = _changed(recorded, revision), Keeping(revision)
    responses = {name: recorded.received(name) for name in changed}
    seen: dict[int, list[str]] = {}
    for name in changed:
        for number in _numbers(revision).get(name, ()):
            seen.setdefault(number, []).append(name)
    found = []
    for number in sorted(seen):
        case = cases(revision)[number]
        if (case.requirement.level == "MAY" and not may) or (rules is not None and case.rule not in rules):
            continue
        alone = not (case.requires_all or case.check.together)
        if alone and not any(examine.changed(case, responses[name], name).found for name in seen[number]):
            continue
        if (result := evaluate(case, recorded, examine)).verdict in (FAIL, WARNING):
            found.append(result)
    return found, recorded


@cache
def _numbers(revision: str) -> dict[str, list[int]]:
    """For each scenario the cases over its response, by their places in :func:`cases`."""
    found: dict[str, list[int]] = {}
    for number, case in enumerate(cases(revision)):
        for name in dict.fromkeys(case.scenarios):
            found.setdefault(name, []).append(number)
    return found


def _changed(recorded: Recorded, revision: str) -> list[str]:
    """The scenarios whose responses are not those of the clean endpoint; the others are taken from there, where they
    have been read and decoded."""
    known, sent, usual = _responses(revision), recorded._get_or_send, clean(revision)._get_or_send
    keys = {key for keys in _keys(revision).values() for key in keys}
    same_key = {key: [*map(id, sent(key))] == [*map(id, usual(key))] for key in keys}
    recorded._answers |= {name: known[name] for name, keys in _keys(revision).items() if all(map(same_key.get, keys))}
    left = [name for name in known if name not in recorded._answers]
    same = [name for name in left if recorded.received(name).samples == known[name].samples]
    recorded._answers |= {name: known[name] for name in same}
    changed = [name for name in left if recorded._answers[name] is not known[name]]
    _share(recorded, changed)
    return changed


@cache
def _keys(revision: str) -> dict[str, list[str]]:
    """For each scenario the key of its exchange, and those of the scenarios that contain it."""
    scenarios, recorded = context(revision).scenarios, clean(revision)
    found: dict[str, list[str]] = {}
    for name in scenarios:
        outer: str | None = name
        while outer:
            found.setdefault(name, []).append(recorded._key_of[outer])
            outer = scenarios[outer].within
    return found


@cache
def _responses(revision: str) -> dict[str, Received]:
    """The responses of the clean endpoint by scenario."""
    return {name: clean(revision).received(name) for name in context(revision).scenarios}


def _share(recorded: Recorded, names: Sequence[str]) -> None:
    """Let the responses of the scenarios that share a request share what was decoded of it."""
    first: dict[str, Received] = {}
    for name in names:
        received = recorded.received(name)
        other = first.setdefault(received.exchange.key, received)
        if other is received or other.samples != received.samples:
            continue
        if other.exchange.ok and other.looks_like_stream:
            with suppress(CannotEvaluate):
                _ = other.by_type, other.violations, other.texts, other.item_types
        with suppress(CannotEvaluate):
            _ = other.response
        recorded._answers[name] = shared = copy.copy(other)
        shared.scenario = name


def clean(revision: str = "2026-06-24") -> Recorded:
    """The responses of the clean endpoint, recorded once."""
    return _clean(revision)[1]


@cache
def _kept(revision: str) -> dict[tuple[str, str], Part]:
    """What the check of each case gives for each response of the clean record, as far as it was needed."""
    return {}


class Keeping:
    """:func:`conformance.judge.evidence.examine`, done once for each response of :func:`clean`, and of one record
    beside it; a check that takes nothing of its case is run once on the scenarios that share a request."""

    def __init__(self, revision: str = "2026-06-24") -> None:
        self._clean, self._kept = _responses(revision), _kept(revision)
        self._mine: dict[tuple[int, str], Part] = {}
        self._shared: dict[tuple[int, int], tuple[Part, Received]] = {}

    def __call__(self, case: Case, subject: Received | Sequence[Received], name: str) -> Part:
        if not isinstance(subject, Received):
            return examine(case, subject, name)
        if subject is self._clean.get(name):
            if (case.id, name) not in self._kept:
                self._kept[case.id, name] = examine(case, subject, name)
            return self._kept[case.id, name]
        return self.changed(case, subject, name)

    def changed(self, case: Case, received: Received, name: str) -> Part:
        """The same for a response that is not that of the clean endpoint."""
        mine = (id(case), name)
        if mine not in self._mine:
            alone = case.where is None or case.check.takes_case
            self._mine[mine] = examine(case, received, name) if alone else self._of_check(case, received, name)
        return self._mine[mine]

    def _of_check(self, case: Case, received: Received, name: str) -> Part:
        key = (id(case.check), id(received.exchange))
        if key not in self._shared:
            self._shared[key] = examine(case, received, name), received
        part, first = self._shared[key]
        if not part.found or first is received:
            return part
        mine = [replace(one, scenario=name) if one.scenario == first.scenario else one for one in part.found]
        return replace(part, found=tuple(mine))


@cache
def _clean(revision: str) -> tuple[list[Result], Recorded]:
    recorded = record(None, revision)
    results = [evaluate(case, recorded) for case in cases(revision)]
    gc.collect()
    gc.set_threshold(50_000, 20, 20)  # Thousands of small objects live as long as the evaluation of one fault.
    gc.freeze()  # It stays as long as the process does: the collector need not go through it for each fault.
    return results, recorded
