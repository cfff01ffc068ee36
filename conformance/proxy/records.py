"""The records of both sides: what the client exchanged with the proxy, and what the proxy exchanged with the upstream.

All times are milliseconds on one clock, which starts with the run. Records are frozen; ``from_json`` is the inverse of
``to_json``. A file of records has :data:`FORMAT`; another format is refused.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.config.target import Misconfigured
from conformance.exchange.codings import CODINGS, ends_within, wrong_coding
from conformance.exchange.exchange import DECODED_LIMIT, Chunk, Headers, codings_in, content_coding, decode
from conformance.exchange.redaction import Secret, redact_body, redact_response

FORMAT = 1

#: Characters of a key from which on an occurrence in a text is no chance.
_SHORT = 8

#: The file of the records in a run folder.
FILE = "proxy.json"

#: How a side ended, for both sides. ``clean``: complete by the framing of HTTP. ``cut``: closed before the announced
#: end. ``reset``: the connection was reset. ``time-out``: the suite stopped waiting. ``closed``: closed on purpose by
#: the side of the suite. ``left``: closed by the proxy before the upstream had sent all. ``invalid``: not HTTP.
#: ``unreachable``: no connection.
ENDS = ("clean", "cut", "reset", "time-out", "closed", "left", "invalid", "unreachable")


@dataclass(frozen=True)
class Leg:
    """One request and its response on one side.

    ``began`` is when the request was sent (client side) or received (upstream side), ``ended_at`` when the response
    ended. ``notes`` of an upstream leg: ``matched`` (the canary of the request was in it), ``held`` (the number of the
    first part that the client had not received within the wait), ``key`` (``own``, ``client``, ``none`` or ``other``),
    ``after`` (what a proxy can have left unread on the connection before, in words).
    Credentials are redacted in what is stored: ``echoes`` are the places that contained one, by its name.
    """

    began: float
    method: str
    target: str
    headers: Headers
    body: bytes
    status: int | None = None
    reply_headers: Headers = ()
    chunks: tuple[Chunk, ...] = ()
    ended: str = "clean"
    ended_at: float = 0.0
    detail: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    echoes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def reply(self) -> bytes:
        """The body of the response, with the content coding decoded."""
        return b"".join(chunk.data for chunk in decode(self.chunks, content_coding(self.reply_headers)))

    @cached_property
    def wrong_coding(self) -> str:
        """The content coding of the header that the body of the response is not in; empty without one."""
        data = b"".join(chunk.data for chunk in self.chunks)
        return wrong_coding(codings_in(content_coding(self.reply_headers)), data, DECODED_LIMIT)

    @cached_property
    def cut_coding(self) -> str:
        """The content coding of the response that its body ends within; empty without one."""
        coding = content_coding(self.reply_headers).strip().lower()
        cut = coding in CODINGS and ends_within(coding, (chunk.data for chunk in self.chunks), DECODED_LIMIT)
        return coding if cut else ""

    @cached_property
    def json(self) -> Any:
        """The body of the request as JSON; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def requests_stream(self) -> bool:
        """Whether the request has ``stream: true``."""
        return isinstance(self.json, dict) and self.json.get("stream") is True

    @property
    def ok(self) -> bool:
        """Whether the status is a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    def header(self, name: str, reply: bool = False) -> str | None:
        """The first header of that name in any case, of the request or of the response; None without one."""
        wanted = name.lower()
        pairs = self.reply_headers if reply else self.headers
        return next((value for key, value in pairs if key.lower() == wanted), None)


@dataclass(frozen=True)
class Pair:
    """A request of the client, and the requests of the proxy that it caused, in the order received.

    ``canary`` is the unique word in the user's input.
    """

    canary: str
    client: Leg
    upstream: tuple[Leg, ...]

    @property
    def has_own_results(self) -> bool:
        """Whether the proxy sent the calls of a response back to the upstream, with results of its own."""
        known = [f"call_{self.canary}".encode() in leg.body for leg in self.upstream]
        return any(known[1:]) and not known[0]


@dataclass(frozen=True)
class Record:
    """The record of a probe. ``about`` are the facts that the rules need, such as the status of a failure."""

    probe: str
    about: Mapping[str, Any]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Recording:
    """All records of a run. ``settings`` are the dialect, the endpoint, the model, the upstream's address, and the
    limits in seconds: ``wait`` and ``silence``; ``started_at`` is the start of the clock in unix seconds."""

    settings: Mapping[str, Any]
    records: tuple[Record, ...]


def to_json(recording: Recording) -> dict[str, Any]:
    """The JSON form: bytes as a string if they are UTF-8, otherwise in base64."""
    return {
        "format": FORMAT,
        "settings": dict(recording.settings),
        "probes": [
            {
                "probe": one.probe,
                "about": dict(one.about),
                "pairs": [
                    {
                        "canary": pair.canary,
                        "client": _leg_to_json(pair.client),
                        "upstream": [_leg_to_json(leg) for leg in pair.upstream],
                    }
                    for pair in one.pairs
                ],
            }
            for one in recording.records
        ],
    }


def to_text(recording: Recording) -> str:
    """The text of a file of records."""
    return json.dumps(to_json(recording), ensure_ascii=False)


def read(file: Path) -> Recording:
    """The recording in a file. Raises :class:`Misconfigured` for a file that cannot be read or is none."""
    try:
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Misconfigured(f"{file} {error}") from None


def from_json(document: Mapping[str, Any]) -> Recording:
    """The recording of a JSON form. ``ValueError`` for an unknown format or a missing member."""
    if document.get("format") != FORMAT:
        raise ValueError(f"has format {document.get('format')!r}, expected {FORMAT}")
    try:
        records = tuple(
            Record(
                one["probe"],
                one["about"],
                tuple(
                    Pair(pair["canary"], _leg(pair["client"]), tuple(map(_leg, pair["upstream"])))
                    for pair in one["pairs"]
                ),
            )
            for one in document["probes"]
        )
        return Recording(document["settings"], records)
    except (KeyError, TypeError) as error:
        raise ValueError(f"is not a recording of both sides: {error}") from None


def _leg_to_json(leg: Leg) -> dict[str, Any]:
    return {
        "began": round(leg.began, 3),
        "method": leg.method,
        "target": leg.target,
        "headers": [list(pair) for pair in leg.headers],
        "body": _text(leg.body),
        "status": leg.status,
        "reply_headers": [list(pair) for pair in leg.reply_headers],
        "chunks": [[round(chunk.at, 3), _text(chunk.data)] for chunk in leg.chunks],
        "ended": leg.ended,
        "ended_at": round(leg.ended_at, 3),
        "detail": leg.detail,
        "notes": dict(leg.notes),
        "echoes": dict(leg.echoes),
    }


def _leg(value: Mapping[str, Any]) -> Leg:
    return Leg(
        value["began"], value["method"], value["target"], _pairs(value["headers"]), _bytes(value["body"]),
        value["status"], _pairs(value["reply_headers"]),
        tuple(Chunk(at, _bytes(data)) for at, data in value["chunks"]),
        value["ended"], value["ended_at"], value["detail"], value["notes"], value["echoes"],
    )  # fmt: skip


def _pairs(value: Sequence[Sequence[str]]) -> Headers:
    return tuple((name, text) for name, text in value)


def _text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _bytes(value: str | Mapping[str, str]) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value["base64"])


def with_echoes(pair: Pair, secrets: Mapping[str, str]) -> Pair:
    """The pair with ``echoes`` of each leg set: the places that contain a key, so that the rules about credentials need
    none. ``secrets`` are the keys by name (``client``, ``upstream``)."""

    def marked(leg: Leg) -> Leg:
        return replace(leg, echoes={name: place for name, key in secrets.items() if (place := _place(leg, key))})

    return replace(pair, client=marked(pair.client), upstream=tuple(map(marked, pair.upstream)))


def redacted(recording: Recording, secrets: Mapping[str, str]) -> Recording:
    """The recording without credentials, as it may be stored."""

    def clean(pair: Pair) -> Pair:
        legs = tuple(_redacted(leg, secrets) for leg in pair.upstream)
        return replace(pair, client=_redacted(pair.client, secrets), upstream=legs)

    records = tuple(replace(one, pairs=tuple(map(clean, one.pairs))) for one in recording.records)
    return replace(recording, records=records)


def _redacted(leg: Leg, secrets: Mapping[str, str]) -> Leg:
    keys: list[Secret] = [part for key in secrets.values() if key for part in (key, _recognisable(key))]
    headers = tuple((name, _without(value, secrets)) for name, value in leg.headers)
    body = redact_body(leg.body, keys)
    reply_headers, chunks, _ = redact_response(leg.reply_headers, leg.chunks, keys)
    detail = _without(leg.detail, secrets)
    return replace(leg, headers=headers, body=body, reply_headers=reply_headers, chunks=chunks, detail=detail)


def _place(leg: Leg, key: str) -> str:
    """Where the leg contains the key: ``request header NAME``, ``request body``, ``header NAME`` or ``body``; several
    are separated by commas, none is empty."""
    if len(key) < _SHORT:  # A short key can occur in any text: only a header that consists of it counts.
        return ", ".join(f"request header {name.lower()}" for name, value in leg.headers if value.split()[-1:] == [key])
    sought = _recognisable(key)
    found = [f"request header {name.lower()}" for name, value in leg.headers if sought in value]
    found += ["request target"] * (sought in leg.target) + ["request body"] * (sought.encode() in leg.body)
    found += [f"header {name.lower()}" for name, value in leg.reply_headers if sought in value]
    return ", ".join(found + ["body"] * (sought.encode() in leg.reply))


def _recognisable(key: str) -> str:
    """The beginning of a key that reveals it: a message that masks it leaves less."""
    return key[: max(_SHORT, len(key) * 3 // 4)]


def _without(text: str, secrets: Mapping[str, str]) -> str:
    for name, key in secrets.items():
        if key:
            for part in (key, _recognisable(key)):
                text = text.replace(part, f"${{{name.upper()}_KEY}}")
    return text
