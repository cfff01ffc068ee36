"""Sends one request and records the exchange.

Nothing is evaluated here, and no behavior of the peer raises: every request results in an :class:`Exchange`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Container, Iterator
from dataclasses import replace

import httpx

from conformance.config.request_headers import filled
from conformance.config.target import Target
from conformance.contract.revisions import DEFAULT, Contract, Way
from conformance.exchange.exchange import Attempt, Ended, Exchange, Headers, Request, content_coding
from conformance.exchange.not_sent import withheld
from conformance.exchange.planned import AFTER_CLOSED, BACK_OFF, CLOSED, ON_KEPT, OutgoingRequest
from conformance.exchange.redaction import random_credential, redact, redact_response
from conformance.version import __version__
from conformance.wire.deadlines import PartialResponse
from conformance.wire.lag import LAG
from conformance.wire.limits import RateLimiter
from conformance.wire.receive import Receiver
from conformance.wire.retry import attempt_of, is_temporary, wait_after
from conformance.wire.transport import open_client

#: Seconds added to the time-outs of httpx, so that the limits of this package, with better reasons, pass first.
_BEHIND = 5.0

#: A scheme that no contract here has.
_OTHER_SCHEME = "Basic"

_AS_SHELL = {
    "": "$KEY",
    "wrong": "sk-wrong",
    "last-character": "${KEY%?}_",
    "prefix": "${KEY%?}",
    "suffix": "${KEY}0",
    "case": '$(printf %s "$KEY" | tr a-zA-Z A-Za-z)',
    "empty": "",
}

_BASE_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("User-Agent", f"mimo-responses-conformance/{__version__}"),
)


_CHUNKED = ("Transfer-Encoding", "chunked")


def wrong_keys(key: str) -> dict[str, str]:
    """Credentials that must be refused, by name; those of ``almost`` differ from the key in one place only."""
    last = "a" if key[-1] != "a" else "b"
    return {
        "wrong": random_credential(),
        "last-character": key[:-1] + last,
        "prefix": key[:-1] or key + "-",
        "suffix": key + "0",
        "case": key.swapcase() if key.swapcase() != key else key + "A",
        "empty": "",
    }


def credentials(auth: str, key: str, contract: Contract = DEFAULT) -> Headers:
    """The auth headers of a variant such as ``bearer`` or ``api-key:wrong`` or ``api-key+bearer:wrong``.

    Each part is ``<way>[:<credential>]``, several joined by ``+``; ``none`` sends no credential, and an empty one the
    key in the contract's usual way.
    """
    if auth == "none":
        return ()
    known = {"right": key, **(wrong_keys(key) if ":" in auth else {})}
    written = {name: pair for way in contract.authentication for name, pair in _written(way).items()}
    headers: list[tuple[str, str]] = []
    for part in (auth or contract.way.name).split("+"):
        name, _, credential = part.partition(":")
        header, scheme = written[name]
        value = known[credential or "right"]
        # An empty credential leaves the scheme alone, without a space behind it.
        headers.append((header, f"{scheme} {value}".strip() if scheme else value))
    return tuple(headers)


def _written(way: Way) -> dict[str, tuple[str, str]]:
    """The header and the scheme by the name of the way, and of each other form of it."""
    if not way.scheme:
        return {way.name: (way.header, ""), way.name.upper(): (way.header.upper(), "")}
    return {
        way.name: (way.header, way.scheme),
        "lower-header": (way.header.lower(), way.scheme),
        "upper-header": (way.header.upper(), way.scheme),
        "lower-scheme": (way.header, way.scheme.lower()),
        "other-scheme": (way.header, _OTHER_SCHEME),
        "no-scheme": (way.header, ""),
    }


class Client:
    """Sends requests to one target, each over a new connection, except those that are planned on that of an earlier
    one; thread-safe.

    On a reused connection, what remains of one request or response is read as part of the next one. A request that is
    not served there is sent again on a new connection, and what it received before is one of its attempts. So are a
    stream that is closed before a request (``closes``), and what that request receives directly after it if it fails.
    """

    def __init__(self, target: Target, key: str, limiter: RateLimiter | None = None) -> None:
        self._target = target
        self._key = key
        self._headers, self._header_secrets = filled(target.headers)
        self._gate = limiter or RateLimiter()
        self._unfolding = threading.Lock()
        LAG.start()
        silence = max(target.first_byte_timeout, target.read_timeout) + _BEHIND
        self._timeout = httpx.Timeout(silence, connect=target.connect_timeout, pool=None)
        self._http = open_client(target.endpoint, self._timeout)
        self._receiver = Receiver(target, self._http, self._gate)
        self._kept: dict[str, Receiver] = {}

    def close(self) -> None:
        """Give the connections back."""
        for receiver in (self._receiver, *self._kept.values()):
            receiver.close()

    def stop(self) -> None:
        """Send no further request: threads that wait to send receive :class:`conformance.wire.limits.Stopped`."""
        self._gate.stop()

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        """Send when the rate limit allows, and retry after a temporary error (at most ``outgoing.tries`` attempts).

        If a limit prevents an attempt, the result is the attempt before it, or an exchange that was not sent.
        """
        attempts: list[Attempt] = []
        exchange: Exchange | None = None
        kept = self._kept.pop(outgoing.on, None)
        if outgoing.closes and not self._gate.enter(outgoing.most):
            stream = self._once(replace(outgoing, body=outgoing.closes), (), closes=True)
            self._gate.leave(outgoing.most, stream)
            # A server notices the end of the connection when it sends the next events.
            attempts.append(replace(attempt_of(stream, BACK_OFF[0]), detail=CLOSED + stream.detail))
            self._gate.sleep(BACK_OFF[0])
        while True:
            refused = self._gate.enter(outgoing.most)
            if refused:
                request = Request(outgoing.method, self._target.url + outgoing.suffix, (), outgoing.body)
                return exchange or withheld(outgoing.key, outgoing.scenario, outgoing.sample, request, refused)
            exchange = self._once(outgoing, tuple(attempts), kept)
            self._gate.leave(outgoing.most, exchange)
            if kept:
                kept.close()
                reused, kept = kept.reused, None
                understood = exchange.ok or (outgoing.may_be_refused and exchange.refused)
                if reused and not understood and exchange.ended in ("clean", "invalid") and not is_temporary(exchange):
                    attempts.append(replace(attempt_of(exchange, 0.0), detail=ON_KEPT + exchange.detail))
                    continue
            if len(attempts) == 1 and outgoing.closes and not exchange.ok and exchange.ended != "unreachable":
                wait = wait_after(exchange, 0)
                attempts.append(replace(attempt_of(exchange, wait), detail=AFTER_CLOSED + exchange.detail))
                self._gate.sleep(wait)
                continue
            busy, last = exchange.status == 429, len(attempts) + 1 >= outgoing.tries
            if not is_temporary(exchange) or (last and not busy):
                return exchange
            wait = wait_after(exchange, len(attempts))
            # A 429 concerns every worker, so all pause, even after the last attempt.
            if not self._gate.pause(wait, everybody=busy) or last:
                return exchange
            attempts.append(attempt_of(exchange, wait))
            self._gate.sleep(wait)

    def _receive(
        self,
        outgoing: OutgoingRequest,
        request: httpx.Request,
        partial: PartialResponse,
        kept: Receiver | None,
        closes: bool,
    ) -> tuple[Ended, str]:
        """Receive the response, on the kept connection if there is one; keep that of a request that ``keeps`` it."""
        started = time.monotonic()
        if not outgoing.keeps:
            return (kept or self._receiver).receive(request, partial, started, closes)
        http = open_client(self._target.endpoint, self._timeout, keeps=1)
        receiver = Receiver(self._target, http, self._gate, keeps=True)
        ended, detail = receiver.receive(request, partial, started)
        if ended == "clean":
            self._kept[outgoing.key] = receiver
        else:
            receiver.close()
        return ended, detail

    def _once(
        self,
        outgoing: OutgoingRequest,
        attempts: tuple[Attempt, ...],
        kept: Receiver | None = None,
        closes: bool = False,
    ) -> Exchange:
        auth = credentials(outgoing.auth, self._key, self._target.contract)
        sent = tuple(value.partition(" ")[2] or value for _, value in auth)
        own = {name.lower() for name, _ in outgoing.headers}
        headers = [pair for pair in _BASE_HEADERS if pair[0].lower() not in own]
        if outgoing.body and "content-type" not in own:
            headers.append(("Content-Type", "application/json"))
        headers += [pair for pair in outgoing.headers if pair[1]]
        url = self._target.url + outgoing.suffix
        content = _content(outgoing)
        request = self._http.build_request(
            outgoing.method, url, headers=[*headers, *_without(own, self._headers), *auth], content=content
        )
        # httpx adds default headers; one that the scenario omits on purpose is removed again.
        for name, value in outgoing.headers:
            if not value:
                request.headers.pop(name, None)
        sent_at, started = time.time(), time.monotonic()
        partial = PartialResponse()
        ended, detail = self._receive(outgoing, request, partial, kept, closes)
        elapsed, lag = (time.monotonic() - started) * 1000, LAG.worst(started)
        secret = [self._key, *sent, *self._header_secrets]
        # Decoding several bodies at a time would multiply the peak memory.
        with self._unfolding if content_coding(partial.headers) else contextlib.nullcontext():
            if over := self._receiver.decoded_too_large(partial):
                ended, detail = "oversize", over
            kept_headers, chunks, leaks = redact_response(partial.headers, partial.chunks, secret, outgoing.body)
        return Exchange(
            key=outgoing.key,
            scenario=outgoing.scenario,
            sample=outgoing.sample,
            request=Request(
                outgoing.method,
                url,
                (*headers, *_without(own, self._target.headers), *_described(auth, outgoing.auth, self._target)),
                outgoing.body,
            ),
            status=partial.status,
            headers=kept_headers,
            chunks=chunks,
            ended=ended,
            detail=redact(detail.encode(), secret, outgoing.body).decode(errors="replace"),
            sent_at=sent_at,
            elapsed=elapsed,
            leaks=leaks,
            attempts=attempts,
            lag_ms=lag,
            connection=outgoing.on if kept and kept.reused else "",
        )


def _content(outgoing: OutgoingRequest) -> bytes | Iterator[bytes] | None:
    """The body: bytes, or three chunks if the headers announce chunked encoding; None for a method without a body."""
    if outgoing.method not in ("POST", "PUT"):
        return None
    if _CHUNKED not in outgoing.headers:
        return outgoing.body
    size = len(outgoing.body) // 3 + 1
    return (outgoing.body[start : start + size] for start in range(0, len(outgoing.body), size))


def _without(names: Container[str], headers: Headers) -> Headers:
    """The headers without those of these names, in lower case."""
    return tuple(pair for pair in headers if pair[0].lower() not in names)


def _described(auth: Headers, variant: str, target: Target) -> Headers:
    """The auth headers as recorded: the key replaced by a reference to its environment variable."""
    described: list[tuple[str, str]] = []
    named = [one.scheme for one in target.contract.authentication if one.scheme]
    schemes = (*named, *(one.lower() for one in named), _OTHER_SCHEME)
    for (name, value), way in zip(auth, variant.split("+"), strict=False):
        scheme = next((word + " " for word in schemes if value.startswith(word)), "")
        described.append((name, scheme + _AS_SHELL[way.partition(":")[2]].replace("KEY", target.api_key_env)))
    return tuple(described)
