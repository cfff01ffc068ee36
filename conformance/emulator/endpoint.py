"""The endpoint without a transport: a request's parts in, a finished `Reply` out."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from http import HTTPStatus

from . import events, model, refusals, render, tokens
from . import request as reading
from .auth import authenticate
from .hooks import CLEAN, Behaviour, Context, Stage, through
from .service import SERVICES, Service
from .shapes import REVISIONS, Dict, Header, ParsedRequest, Plan, Refusal, Reply, phrase, to_json
from .validate import parse, validate


class Endpoint:
    """An implementation of `POST /v1/responses`; thread-safe.

    `key` is the one credential let in; `model` an id known besides those of the `revision`; `service` is
    another service than that of the revision;
    `first_byte_ms` and `event_ms` the waits before the first byte and between the events of a stream;
    `behaviour` what it does differently from the contract; `seed` what identifiers are derived from (two
    endpoints with the same seed hand out the same ones); `clock` returns the time in unix seconds.
    Raises ValueError for an unknown revision.
    """

    def __init__(
        self,
        *,
        key: str,
        revision: str = REVISIONS[0],
        model: str | None = None,
        service: Service | None = None,
        first_byte_ms: float = 0,
        event_ms: float = 0,
        behaviour: Behaviour | None = None,
        seed: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if revision not in REVISIONS:
            raise ValueError(f"unknown revision {revision!r}: there are {', '.join(REVISIONS)}")
        self._service = service or SERVICES[revision]
        self.revision = self._service.revision
        self.base = self._service.base
        self.models = (*self._service.models, *([model] if model else []))
        self._key = key
        self._first_byte_ms = first_byte_ms
        self._event_ms = event_ms
        self._twist = behaviour or CLEAN
        self._seed = seed
        self._clock = clock
        self._lock = threading.RLock()
        self._requests = self._responses = self._minted = 0
        self._memory: Dict = {}
        self._of_thread = threading.local()

    def respond(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        """The reply to one request; `path` may carry a query. Never raises for anything a client can send."""
        ctx = self._context(method, path, headers, body)
        refusal = self._judge(ctx)
        reply = self._refuse(ctx, refusal) if refusal else self._serve(ctx)
        reply = through(self._twist.reply, ctx, reply).complete()
        # The response to HEAD has the headers of GET and no body; with one, the next request is not understood.
        bare = method == "HEAD" and reply.ending != "unread"
        return Reply(reply.status, reply.reason, reply.headers, []) if bare else reply

    def client_closed(self) -> None:
        """Notes that a client closed a response in mid-stream: `closed` in the memory of the requests after it."""
        with self._lock:
            self._memory["closed"] = True

    def use_connection(self, memory: Dict) -> None:
        """The requests that this thread passes on from now belong to the connection with this memory."""
        self._of_thread.connection = memory

    def _context(self, method: str, path: str, headers: Sequence[Header], body: bytes) -> Context:
        with self._lock:
            self._requests += 1
            number = self._requests
        return Context(
            method, path, tuple(headers), body, self._key, self.revision, self._clock(), number,
            new_id=self._new_id, memory=self._memory, lock=self._lock,
            connection=getattr(self._of_thread, "connection", {}),
        )  # fmt: skip

    def _new_id(self, prefix: str) -> str:
        with self._lock:
            self._minted += 1
            text = f"{self._seed}/{self._minted}"
        return prefix + hashlib.sha256(text.encode()).hexdigest()[:32]

    def _judge(self, ctx: Context) -> Refusal | None:
        ctx.body, unreadable = parse(ctx.raw)
        ctx.stream = ctx.body.get("stream") is True
        # The key is checked first: without it nothing about paths, methods or bodies is disclosed.
        if refusal := through(self._twist.auth, ctx, authenticate(ctx.headers, self._key, self._service.ways)):
            return refusal
        if ctx.path.partition("?")[0] != self._service.path:
            return refusals.not_found(ctx.path.partition("?")[0])
        if ctx.method != "POST":
            return refusals.wrong_method("POST")
        if ctx.sent("content-encoding") not in (None, "identity"):
            unreadable = refusals.encoded()
        refusal = unreadable or validate(ctx.body, self._service, self.models)
        return through(self._twist.validate, ctx, refusal)

    def _refuse(self, ctx: Context, refusal: Refusal) -> Reply:
        text = to_json(self._service.envelope(refusal.members))
        headers = [*self._headers(ctx), ("Content-Type", "application/json"), *refusal.headers]
        # Observed on the service: the status is unchanged, the body begins like an event.
        chunk = (f"data:{text}" if ctx.stream else text).encode()
        return Reply(refusal.status, phrase(refusal.status), headers, [(self._first_byte_ms, chunk)])

    def _serve(self, ctx: Context) -> Reply:
        with self._lock:
            ctx.responses = self._responses
            self._responses += 1
        ctx.served = True
        parsed = through(self._twist.parsed, ctx, reading.read(ctx.body, self._service.unthinking))
        ident = ctx.new_id("resp_")
        drafted = through(self._twist.draft, ctx, model.draft(parsed, ctx.new_id))
        items, cut = tokens.truncate(drafted, parsed.cap)
        plan = through(self._twist.plan, ctx, Plan(tuple(items), tokens.usage(items, parsed.input_tokens), cut))
        if ctx.stream:
            return self._stream(ctx, ident, parsed, plan)
        text = to_json(self._response(ctx, "plain", ident, parsed, plan))
        headers = [*self._headers(ctx), ("Content-Type", "application/json")]
        return Reply(200, HTTPStatus.OK.phrase, headers, [(self._first_byte_ms, text.encode())])

    def _stream(self, ctx: Context, ident: str, parsed: ParsedRequest, plan: Plan) -> Reply:
        built = events.build(
            self._response(ctx, "created", ident, parsed, None),
            self._response(ctx, "in_progress", ident, parsed, None),
            self._response(ctx, "terminal", ident, parsed, plan),
            plan,
        )
        built = through(self._twist.events, ctx, built)
        numbered = through(self._twist.numbered, ctx, events.number(built))
        frames = (through(self._twist.frame, ctx, events.frame(event)) for event in numbered)
        chunks = through(self._twist.chunks, ctx, [events.to_bytes(frame) for frame in frames])
        headers = [
            *self._headers(ctx),
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
        ]
        timed = list(zip(self._waits(), chunks, strict=False))
        return Reply(200, HTTPStatus.OK.phrase, headers, timed, "chunked")

    def _response(self, ctx: Context, stage: Stage, ident: str, parsed: ParsedRequest, plan: Plan | None) -> Dict:
        ctx.stage = stage
        return through(self._twist.response, ctx, render.response(ident, int(ctx.now), parsed, plan))

    def _headers(self, ctx: Context) -> list[Header]:
        return [("Date", formatdate(ctx.now, usegmt=True))]

    def _waits(self) -> Iterator[float]:
        yield self._first_byte_ms
        while True:
            yield self._event_ms
