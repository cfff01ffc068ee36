"""An endpoint that responds in the dialect of a recorded one.

A recorded request gets the recorded response: a refusal with the same bytes, any other one with new ids and the time of
today. To a request that was not recorded the built-in endpoint responds, in the dialect of the recording.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

from conformance.decode.events import mapping, objects
from conformance.decode.response import CannotEvaluate, Received
from conformance.emulator import Endpoint, Reply
from conformance.exchange.exchange import Chunk, Exchange
from conformance.wire.dialect import Dialect, id_like
from conformance.wire.playback import Playback
from conformance.wire.playback import reply as replayed
from conformance.wire.replay import Recording

#: Headers of a recorded response that belong to its message, or to the time at which it was sent.
_OF_MESSAGE = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "date", "content-type"}
)

#: What differs in names that a run draws at random, such as that of an unknown parameter.
_NONCE = re.compile(rb"(?<![0-9a-f])[0-9a-f]{8}(?![0-9a-f])")


#: What may be an id in a body.
_STRING = re.compile(r"(?<=\")[^\"\\]+(?=\")")

#: What distinguishes refusals of the built-in endpoint: status, code and type.
_Refusal = tuple[int, str, str]


class Imitation:
    """An endpoint for the emulator's server; ``key`` is the valid key."""

    def __init__(self, recording: Recording, key: str) -> None:
        exchanges = sorted(recording.exchanges.values(), key=lambda one: one.sent_at)
        head = recording.head
        self._dialect = Dialect(exchanges)
        self._known = _Recorded(recording, key)
        self._endpoint = Endpoint(
            key=key, revision=head["revision"], model=head["target"]["model"], seed=secrets.token_hex(8)
        )  # fmt: skip
        self._refusals: dict[_Refusal, tuple[int, dict[str, Any]]] = {}
        self._learn_refusals(exchanges, key)
        self._mutex = threading.Lock()
        self._served = 0
        #: The recorded id in whose place each new one was sent: a conversation returns it.
        self._recorded_ids: dict[str, str] = {}

    def respond(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        """The response to a request."""
        recorded = self._known.find(method, path, headers, self._as_recorded(body))
        if recorded is not None and recorded.status is not None:
            return replayed(self._renewed(recorded))
        made = self._endpoint.respond(method, path, headers, body)
        return self._translated(made, _object(body))

    def _as_recorded(self, body: bytes) -> bytes:
        """The body with recorded ids in place of new ones."""
        text = body.decode("utf-8", "surrogateescape")
        with self._mutex:
            known = _STRING.sub(lambda found: self._recorded_id(found[0]), text)
        return known.encode("utf-8", "surrogateescape")

    def _recorded_id(self, value: str) -> str:
        """The recorded id for a new one, to which the client may have appended a suffix; any other value as it is."""
        if value in self._recorded_ids:
            return self._recorded_ids[value]
        own, separator, suffix = value.rpartition("_")
        return f"{self._recorded_ids[own]}{separator}{suffix}" if own in self._recorded_ids else value

    def _learn_refusals(self, exchanges: Sequence[Exchange], key: str) -> None:
        """Keep, for each kind of refusal by the built-in endpoint, the status and error of the recorded endpoint for
        such a request."""
        keys = {"a valid key": [("api-key", key)], "an invalid credential": [("api-key", f"{key}-x")]}
        for one in exchanges:
            if not one.refused:
                continue
            headers = [("Content-Type", "application/json"), *keys.get(self._known.kind(one), [])]
            made = self._endpoint.respond(one.request.method, _path(one.request.url), headers, one.request.body)
            recorded, own = _error(one.body), _error(made.body)
            if made.status >= 400 and recorded and own:
                self._refusals.setdefault(_kind(made.status, own), (one.status or 400, recorded))

    def _renewed(self, exchange: Exchange) -> Exchange:
        """The recorded exchange with new ids and the time of today; a refusal as it was recorded."""
        if not exchange.ok:
            return exchange
        with self._mutex:
            self._served += 1
            seed = f"{self._served}/{secrets.token_hex(4)}"
        changes: dict[str, str] = {one: id_like(one, f"{seed}/{one}") for one in _ids(exchange)}
        created = _created(exchange)
        if created:
            changes[f"{created}"] = f"{int(time.time())}"
        if not changes:
            return exchange
        with self._mutex:
            self._recorded_ids |= {new: old for old, new in changes.items() if not new.isdecimal()}
        pattern = re.compile(b"|".join(re.escape(one.encode()) for one in sorted(changes, key=len, reverse=True)))

        def new(found: re.Match[bytes]) -> bytes:
            return changes[found[0].decode()].encode()

        # An id may be split over chunks; the new one has the same length.
        kept = tuple(pair for pair in exchange.headers if pair[0].lower() != "content-encoding")
        return replace(exchange, headers=kept, chunks=_recut(exchange, pattern.sub(new, exchange.body)))

    def _translated(self, made: Reply, sent: dict[str, Any]) -> Reply:
        """A response of the built-in endpoint in the dialect."""
        kind = made.header("content-type") or ""
        if made.status >= 400:
            return self._refused(made)
        if kind.startswith("text/event-stream"):
            return self._with_headers(replace(made, chunks=self._dialect.stream(made.chunks, sent)), "stream")
        try:
            response = json.loads(made.body)
        except ValueError:
            return made
        text = json.dumps(self._dialect.response(response, "plain", sent), ensure_ascii=False).encode()
        written = made.without("content-length").saying(self._dialect.with_ids(text))
        return self._with_headers(written, "plain").complete()

    def _refused(self, made: Reply) -> Reply:
        own = _error(made.body)
        if not own:
            return made
        status, recorded = self._refusals.get(_kind(made.status, own), (made.status, {}))
        error = self._dialect.error(own)
        error.update({name: recorded[name] for name in ("code", "type") if name in recorded})
        prefix = self._dialect.error_prefix if made.body.startswith(b"data:") else b""
        written = prefix + json.dumps({"error": error}, ensure_ascii=False).encode()
        return self._with_headers(made.coded(status).without("content-length").saying(written), "refusal").complete()

    def _with_headers(self, made: Reply, kind: str) -> Reply:
        for name, value in self._dialect.headers.get(kind, ()):
            if name.lower() == "content-type":
                made = made.having("Content-Type", value)
            elif name.lower() not in _OF_MESSAGE:
                made = made.having(name, value)
        return made


class _Recorded:
    """The recorded exchange of a request, also where names that were drawn at random differ."""

    def __init__(self, recording: Recording, key: str) -> None:
        self._playback = Playback(recording, key)
        self._masked: dict[tuple[str, bytes, str], Exchange] = {}
        for one in recording.exchanges.values():
            if one.ended != "not-sent" and _NONCE.search(one.request.body):
                kind = self.kind(one)
                self._masked[one.request.method, _NONCE.sub(b"*", one.request.body), kind] = one

    def kind(self, exchange: Exchange) -> str:
        """The kind of the credential of a recorded request."""
        return self._playback.kind_of_recorded(exchange)

    def find(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Exchange | None:
        """The exchange; None if there is none."""
        found = self._playback.find(method, path, headers, body)
        if found is None and _NONCE.search(body):
            kind = self._playback.kind_of(headers)
            found = self._masked.get((method, _NONCE.sub(b"*", body), kind))
        return found


def _recut(exchange: Exchange, body: bytes) -> tuple[Chunk, ...]:
    """The body in chunks of the sizes and times of those of the exchange."""
    ends = list(accumulate(len(chunk.data) for chunk in exchange.decoded))
    starts = [0, *ends[:-1]]
    return tuple(
        Chunk(chunk.at, body[start:end]) for chunk, start, end in zip(exchange.decoded, starts, ends, strict=True)
    )


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; empty if it is none."""
    try:
        return mapping(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _path(url: str) -> str:
    return urlsplit(url).path


def _error(body: bytes) -> dict[str, Any]:
    """The error of a refusal, with or without ``data:``; empty if it is none."""
    try:
        return mapping(mapping(json.loads(body.strip().removeprefix(b"data:"))).get("error"))
    except (ValueError, RecursionError):
        return {}


def _kind(status: int, error: dict[str, Any]) -> _Refusal:
    return status, str(error.get("code")), str(error.get("type"))


def _ids(exchange: Exchange) -> set[str]:
    """The ids in a response: its own, and those of its items and calls."""
    try:
        response = Received(exchange, exchange.scenario).response
    except CannotEvaluate:
        return set()
    values: list[Any] = [response.get("id")]
    for item in objects(response.get("output")):
        values += [item.get("id"), item.get("call_id")]
    return {one for one in values if isinstance(one, str) and len(one) > 5}


def _created(exchange: Exchange) -> int | None:
    try:
        value = Received(exchange, exchange.scenario).response.get("created_at")
    except CannotEvaluate:
        return None
    return int(value) if isinstance(value, int | float) and 10**9 <= value < 10**10 else None
