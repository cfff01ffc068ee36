"""The record of an exchange: one request and every byte received, with its time of arrival.

Evaluation is a pure function of a frozen :class:`Exchange`. Of its JSON form an unknown :data:`FORMAT` is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from conformance.exchange.codings import CODINGS as CODINGS  # Read from here by those who read bodies.
from conformance.exchange.codings import Decoding, is_text

FORMAT = 1

#: The most bytes a compressed body may unfold to; beyond it the record counts as oversize (a gzip bomb).
DECODED_LIMIT = 16_000_000

#: The most codings that are undone, one over another.
_LAYERS = 4

Ended = Literal["clean", "cut", "reset", "time-out", "oversize", "invalid", "unreachable", "not-sent"]
"""How an exchange ended.

``clean``: complete by the framing of HTTP. ``cut``: the peer closed the connection before the announced end. ``reset``:
the connection was reset. ``time-out``: a time limit of the suite passed. ``oversize``: a size limit of the suite was
exceeded. ``invalid``: not HTTP. ``unreachable``: no connection. ``not-sent``: no request was sent; ``detail`` is why.
"""

#: The ends caused by limits of the suite: what is missing from such a body is no evidence about the server.
OUR_LIMITS = ("time-out", "oversize")
OF_THE_ACCOUNT = frozenset({402, 421, 429})  # No balance, moderation, too many: whatever the form of the request.

#: Prefixes of ``detail``, also in recordings: a response did not continue; a connection stayed open after its end.
NO_BYTE, STILL_OPEN = "no byte for ", "still open "

#: Bytes of memory of a chunk without its data.
_CHUNK = 150

#: From this many bytes on, a body that is not ASCII is stored in base64: in a Python string with one character beyond
#: the basic plane, every character takes four bytes of memory.
_LARGE = 1_000_000

#: Prefix of ``detail`` if a limit prevented the request or the recording does not have it, now and in earlier versions.
WITHHELD, _WITHHELD_BEFORE = "not sent: ", "not asked: "

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """The request as sent, with the credentials in ``headers`` replaced by their variable, ``${NAME}``."""

    method: str
    url: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as one read returned them, ``at`` milliseconds after the request was sent."""

    at: float
    data: bytes


@dataclass(frozen=True)
class Attempt:
    """An attempt that was retried: the status of its response (None without one), how it ended, and the wait after it
    in seconds. ``headers``, ``chunks``, ``detail`` and ``leaks`` are as in :class:`Exchange`; empty in recordings that
    do not contain them."""

    status: int | None
    ended: Ended
    waited: float
    headers: Headers = ()
    chunks: tuple[Chunk, ...] = ()
    detail: str = ""
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exchange:
    """One request and its response as recorded.

    ``sent_at`` is unix seconds, ``elapsed`` milliseconds. ``leaks``: the places of the response that contained part of
    the credential (the bytes are redacted before they are stored). ``detail``: the reason of the end, from the
    transport or a limit. ``lag_ms``: the largest scheduling delay of the reading process during the response, in
    milliseconds; None if not measured. ``connection``: the key of the exchange whose connection was used; empty for a
    new connection.
    """

    key: str
    scenario: str
    sample: int
    request: Request
    status: int | None
    headers: Headers
    chunks: tuple[Chunk, ...]
    ended: Ended
    detail: str
    sent_at: float
    elapsed: float
    leaks: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = field(default=())
    lag_ms: float | None = None
    connection: str = ""

    def header(self, name: str) -> str | None:
        """The first header of that name in any case, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, lower case; empty if there is none."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def decoded(self) -> tuple[Chunk, ...]:
        """The chunks with any content coding (RFC 9110 8.4) undone, each with the arrival time of its bytes."""
        return decode(self.chunks, content_coding(self.headers))

    @cached_property
    def body(self) -> bytes:
        """The complete body, with the content coding decoded."""
        return b"".join(chunk.data for chunk in self.decoded)

    @cached_property
    def undecoded(self) -> str:
        """The unsupported content coding that is still applied to the body; empty without one, and for text."""
        left = next((name for name in reversed(codings_in(content_coding(self.headers))) if name not in CODINGS), "")
        return left if left and not is_text(self.body) else ""

    @property
    def refused(self) -> bool:
        """Whether the status is a 4xx other than those that do not depend on the request."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in OF_THE_ACCOUNT

    @property
    def ok(self) -> bool:
        """Whether the status is a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def ended_by_us(self) -> bool:
        """Whether a limit of the suite ended it, before the server did."""
        return self.ended in OUR_LIMITS

    @property
    def retried(self) -> tuple[Exchange, ...]:
        """The recorded responses after which the request was retried, each as an exchange."""
        return tuple(
            replace(
                self, status=one.status, headers=one.headers, chunks=one.chunks, ended=one.ended, detail=one.detail,
                leaks=one.leaks, attempts=(), lag_ms=None,
            )
            for one in self.attempts
            if one.status is not None and (one.headers or one.chunks)
        )  # fmt: skip

    @property
    def estimated_bytes(self) -> int:
        """The estimated bytes of memory."""
        bodies = (self.chunks, *(one.chunks for one in self.attempts))
        return sum(len(chunk.data) + _CHUNK for chunks in bodies for chunk in chunks) + len(self.request.body)

    def discard_decoded(self) -> None:
        """Discard what was derived from the chunks; it is derived again when needed."""
        for name in ("decoded", "body"):
            self.__dict__.pop(name, None)

    @property
    def withheld(self) -> bool:
        """Whether it was not sent because of a limit of the suite, or is not in the recording."""
        return self.ended == "not-sent" and self.detail.startswith((WITHHELD, _WITHHELD_BEFORE))


def content_coding(headers: Headers) -> str:
    """The value of Content-Encoding, several headers as one list; empty without any."""
    return ", ".join(value for name, value in headers if name.lower() == "content-encoding")


def codings_in(coding: str) -> list[str]:
    """The codings that a Content-Encoding names, in the order they were applied, in lower case."""
    return [name for one in coding.split(",") if (name := one.strip().lower()) not in ("", "identity")]


def decode(chunks: tuple[Chunk, ...], coding: str) -> tuple[Chunk, ...]:
    """The chunks with the codings of a Content-Encoding undone, as :func:`unfold` does it."""
    return unfold(chunks, coding)[0]


def unfold(chunks: tuple[Chunk, ...], coding: str) -> tuple[tuple[Chunk, ...], bool]:
    """The chunks with the codings of a Content-Encoding decoded (from the last to the first), each with its time, and
    whether they are complete: False beyond :data:`DECODED_LIMIT`.

    Only :data:`CODINGS` are supported; bytes that cannot be decoded stay as received.
    """
    complete = True
    for name in reversed(codings_in(coding)[-_LAYERS:]):
        if name not in CODINGS:
            break  # Codings below an unsupported one cannot be decoded either.
        engine = Decoding(name)
        undone = tuple(_undone(chunks, engine, DECODED_LIMIT))
        complete = complete and len(undone) == len(chunks)
        chunks = undone
        if engine.failed:
            break
    return chunks, complete


def _undone(chunks: tuple[Chunk, ...], engine: Decoding, room: int) -> Iterator[Chunk]:
    """The chunks decoded, up to the one for which there is no room."""
    for chunk in chunks:
        out = engine.feed(chunk.data, room)
        if len(out) > room:
            return
        room -= len(out)
        yield Chunk(chunk.at, out)


def to_json(exchange: Exchange) -> dict[str, Any]:
    """The JSON form: bytes as a string if they are UTF-8, otherwise in base64, so that every byte is preserved."""
    return {
        "format": FORMAT,
        "key": exchange.key,
        "scenario": exchange.scenario,
        "sample": exchange.sample,
        "request": {
            "method": exchange.request.method,
            "url": exchange.request.url,
            "headers": [list(pair) for pair in exchange.request.headers],
            "body": _text(exchange.request.body),
        },
        "status": exchange.status,
        "headers": [list(pair) for pair in exchange.headers],
        "chunks": _chunks_to_json(exchange.chunks),
        "ended": exchange.ended,
        "detail": exchange.detail,
        "sent_at": exchange.sent_at,
        "elapsed": round(exchange.elapsed, 3),
        "leaks": list(exchange.leaks),
        "attempts": [_attempt_to_json(one) for one in exchange.attempts],
        **({} if exchange.lag_ms is None else {"lag_ms": round(exchange.lag_ms, 3)}),
        **({"connection": exchange.connection} if exchange.connection else {}),
    }


def _attempt_to_json(attempt: Attempt) -> list[Any]:
    """Status, end and wait; then the response, which earlier recordings do not contain."""
    response = {
        "headers": [list(pair) for pair in attempt.headers],
        "chunks": _chunks_to_json(attempt.chunks),
        "detail": attempt.detail,
        "leaks": list(attempt.leaks),
    }
    return [attempt.status, attempt.ended, attempt.waited, *([response] if any(response.values()) else [])]


def _attempt_from_json(
    status: int | None, ended: Ended, waited: float, response: Mapping[str, Any] | None = None
) -> Attempt:
    if response is None:
        return Attempt(status, ended, waited)
    headers, chunks = _pairs(response["headers"]), _chunks_from_json(response["chunks"])
    return Attempt(status, ended, waited, headers, chunks, response["detail"], tuple(response["leaks"]))


def _chunks_to_json(chunks: tuple[Chunk, ...]) -> list[list[Any]]:
    large = sum(len(chunk.data) for chunk in chunks) > _LARGE
    return [[round(chunk.at, 3), _text(chunk.data, ascii_only=large)] for chunk in chunks]


def _chunks_from_json(chunks: list[list[Any]]) -> tuple[Chunk, ...]:
    return tuple(Chunk(at, _bytes(data)) for at, data in chunks)


def from_json(document: Mapping[str, Any]) -> Exchange:
    """The exchange of a JSON form; ``ValueError`` names a format this version cannot read."""
    if document.get("format") != FORMAT:
        raise ValueError(f"recording has format {document.get('format')!r}; this version reads {FORMAT}")
    request = document["request"]
    return Exchange(
        key=document["key"],
        scenario=document["scenario"],
        sample=document["sample"],
        request=Request(request["method"], request["url"], _pairs(request["headers"]), _bytes(request["body"])),
        status=document["status"],
        headers=_pairs(document["headers"]),
        chunks=_chunks_from_json(document["chunks"]),
        ended=document["ended"],
        detail=document["detail"],
        sent_at=document["sent_at"],
        elapsed=document["elapsed"],
        leaks=tuple(document["leaks"]),
        attempts=tuple(_attempt_from_json(*one) for one in document["attempts"]),
        lag_ms=document.get("lag_ms"),
        connection=document.get("connection", ""),
    )


def _pairs(pairs: list[list[str]]) -> Headers:
    return tuple((name, value) for name, value in pairs)


def _text(data: bytes, ascii_only: bool = False) -> str | dict[str, str]:
    """A string if the bytes are UTF-8, or with ``ascii_only`` if they are ASCII; otherwise base64."""
    try:
        return data.decode("ascii" if ascii_only else "utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _bytes(text: str | Mapping[str, str]) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else base64.b64decode(text["base64"])
