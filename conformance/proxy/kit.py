"""What a probe uses: sends requests as the client, with the script of the upstream, and records both sides."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.emulator.shapes import Item, Plan, Usage
from conformance.exchange.codings import GZIP, Decoding
from conformance.exchange.exchange import DECODED_LIMIT, Headers
from conformance.proxy import client
from conformance.proxy.delivery import Expected
from conformance.proxy.item_ids import with_own_ids
from conformance.proxy.patience import HUNG, IDLE, hangs
from conformance.proxy.records import Leg, Pair, with_echoes
from conformance.proxy.script import Script
from conformance.proxy.upstream import CANARY, Upstream

#: Seconds for the upstream's side to end after the client's.
_GRACE = 1.0

#: The counters that the upstream reports: each differs from all others, so that a mistake shows.
INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, CACHED_TOKENS = 137, 59, 23, 64

#: Digits that a proxy can replace as those of a telephone or an account.
_PHONE = re.compile(r"\d{6}")

_DELTA = re.compile(rb'"delta"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class Settings:
    """The settings of a run. ``model`` is what the client names, ``upstream_model`` what the upstream should receive;
    ``passes_key``: the proxy passes the client's key through. ``wait``: the longest time in seconds for what a proxy
    should do at once; ``silence``: the silence of the upstream that it must bridge; ``limit``: the longest time for one
    response. ``system_text`` and ``effort`` as in :class:`conformance.proxy.profile.Profile`. ``headers`` are further
    headers of each request, and ``header_secrets`` what is secret in them. ``as_message``: an input that is a string is
    sent as a message, as the proxy serves no string."""

    endpoint: str
    dialect: str
    model: str
    client_key: str
    upstream_key: str
    upstream_model: str = ""
    passes_key: bool = False
    wait: float = 5.0
    silence: float = 6.0
    limit: float = 30.0
    system_text: str = ""
    effort: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = ()
    header_secrets: tuple[str, ...] = ()
    as_message: bool = False

    @property
    def secrets(self) -> dict[str, str]:
        """The keys by the name of their side."""
        return {"client": self.client_key, "upstream": self.upstream_key}

    @property
    def redacted(self) -> dict[str, str]:
        """What is stored nowhere, by name."""
        return self.secrets | {f"header_{number}": value for number, value in enumerate(self.header_secrets, 1)}

    def to_json(self) -> dict[str, Any]:
        """The settings without the keys."""
        return {
            "endpoint": self.endpoint, "dialect": self.dialect, "model": self.model,
            "upstream_model": self.upstream_model or self.model, "passes_key": self.passes_key,
            "wait": self.wait, "silence": self.silence, "system_text": self.system_text, "effort": dict(self.effort),
        }  # fmt: skip


class Follower:
    """Follows what a client receives while it is received."""

    def __init__(self, received: bytearray) -> None:
        self._received = received
        self._size, self._body, self._text = 0, b"", ""

    def has(self, text: str) -> bool:
        """Whether the client has received this text, in one delta or over several."""
        received = bytes(self._received)
        if len(received) != self._size:
            self._size, self._body = len(received), _unpacked(received)
            self._text = "".join(_unescaped(found) for found in _DELTA.findall(self._body))
        return text in self._text or text.encode() in self._body


def _unpacked(body: bytes) -> bytes:
    """What a client has of a body so far, if it may be compressed by gzip."""
    return Decoding("gzip").feed(body, DECODED_LIMIT) if body.startswith(GZIP) else body


def _unescaped(text: bytes) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return ""


def with_text(text: str) -> Callable[[bytes], bool]:
    """Whether a body has this text, for :attr:`ProbeRequest.close_when`."""
    return lambda received: Follower(bytearray(received)).has(text)


@dataclass
class ProbeRequest:
    """One request of a probe; ``body`` is complete except for the model. ``close_when`` and ``headers`` as in
    :class:`conformance.proxy.client.Call`; ``closes_early``: the client closes when the upstream has received the
    request; ``grace``: seconds for the upstream's side to end; ``idle``: the longest silence at first, in waits;
    ``connection``: it is sent on this one, after others; ``chunked``: without the length of its body."""

    canary: str
    body: Mapping[str, Any]
    script: Script
    headers: Mapping[str, str] = field(default_factory=dict)
    close_when: Callable[[bytes], bool] | None = None
    closes_early: bool = False
    limit: float = 0.0
    grace: float = _GRACE
    idle: float = IDLE
    key: str | None = None
    connection: client.Connection | None = None
    chunked: bool = False


class Kit:
    """Sends the requests of probes; ``pairs`` are those since the last :meth:`take`. ``together`` is the number of
    probes that are sent at the same time: a proxy can serve one after the other."""

    def __init__(self, settings: Settings, upstream: Upstream, clock: Callable[[], float], together: int = 1) -> None:
        self.settings, self._upstream, self._clock, self.together = settings, upstream, clock, together
        self.pairs: list[Pair] = []
        self.secrets = settings.secrets
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()

    @property
    def dialect(self) -> str:
        """The dialect of the upstream."""
        return self.settings.dialect

    def new_canary(self) -> str:
        """A word that occurs in no other request."""
        while _PHONE.search(made := f"kite{secrets.token_hex(5)}"):
            pass  # Guardrails can take a run of digits for a number of a person.
        return made

    def send(self, probe_request: ProbeRequest) -> Pair:
        """Send one request and record both sides."""
        return self.record(self.exchange(probe_request))

    def record(self, pair: Pair) -> Pair:
        """Record both sides of a request."""
        with self._lock:
            self.pairs.append(pair)
        return pair

    def send_together(self, probe_requests: Sequence[ProbeRequest]) -> None:
        """Send several requests at the same time."""
        threads = [
            threading.Thread(target=self.send, args=(probe_request,), daemon=True) for probe_request in probe_requests
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def exchange(self, probe_request: ProbeRequest) -> Pair:
        """Send one request, and return both sides."""
        settings, number = self.settings, self._number(probe_request.canary)
        made = with_own_ids(self._body(probe_request), f"{probe_request.canary} {number}")
        body = json.dumps({"model": settings.model, **made}, ensure_ascii=False).encode()
        key = settings.client_key if probe_request.key is None else probe_request.key
        headers = dict(settings.headers) | ({"Authorization": f"Bearer {key}"} if key else {})
        known = frozenset(found.decode() for found in CANARY.findall(body)) - {probe_request.canary}
        received = bytearray()
        expected = Expected(probe_request.canary, probe_request.script, Follower(received).has, known, number)
        close_at = expected.arrived if probe_request.closes_early else None
        patience = self._upstream.patience
        limit = (probe_request.limit or patience.limit(settings.limit)) * self.together
        hung = hangs(patience, probe_request.idle, received, self._upstream.is_busy)
        call = client.Call(
            body, {**headers, **probe_request.headers}, limit, probe_request.close_when, close_at, hung,
            probe_request.chunked, received,
        )  # fmt: skip
        self._upstream.expect(expected)
        leg = client.send(settings.endpoint, call, self._clock, probe_request.connection)
        if leg.ended == "closed":
            expected.gone.set()
        if not probe_request.limit or leg.detail == HUNG:
            patience.note(leg)
        legs = self._upstream.finish(expected, probe_request.grace)
        return with_echoes(Pair(probe_request.canary, leg, legs), self.secrets)

    def _number(self, canary: str) -> int:
        """The number of requests with this canary before."""
        with self._lock:
            self._sent[canary] += 1
            return self._sent[canary] - 1

    def _body(self, probe_request: ProbeRequest) -> Mapping[str, Any]:
        body = probe_request.body
        if not self.settings.as_message or not isinstance(text := body.get("input"), str):
            return body
        return {**body, "input": [{"role": "user", "content": text}]}

    def take(self) -> tuple[Pair, ...]:
        """The pairs recorded since the last call, in the order in which they were sent."""
        with self._lock:
            taken, self.pairs = self.pairs, []
        return tuple(sorted(taken, key=lambda pair: pair.client.began))


class Clock:
    """The clock of a run: milliseconds since its start."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        #: Unix seconds of the start.
        self.started_at = time.time()

    def __call__(self) -> float:
        """The milliseconds since the start."""
        return (time.monotonic() - self._start) * 1000


def plan(
    canary: str,
    text: str | None = None,
    reasoning: str = "",
    calls: Sequence[tuple[str, str]] = (),
    cut: bool = False,
) -> Plan:
    """A response of the upstream: reasoning, text and calls (name, arguments), each if it is not empty. Without a
    text and calls, the text is a sentence with the canary."""
    items: list[Item] = []
    if reasoning:
        items.append(Item("reasoning", f"rs_{canary}", (reasoning,)))
    if text is None and not calls:
        text = f"{canary} is a kite over the harbour."
    if text:
        items.append(Item("message", f"msg_{canary}", (text,), "incomplete" if cut and not calls else "completed"))
    for at, (name, arguments) in enumerate(calls):
        status = "incomplete" if cut and at == len(calls) - 1 else "completed"
        items.append(Item("function_call", f"fc_{canary}{at}", (arguments,), status, name, f"call_{canary}{at}"))
    used = Usage(INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS if reasoning else 0, CACHED_TOKENS)
    return Plan(tuple(items), used, cut)


def response_text(leg: Leg) -> str:
    """The body of a response as text, for messages."""
    return leg.reply.decode("utf-8", "replace")
