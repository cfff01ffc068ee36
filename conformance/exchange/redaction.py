"""Replaces credentials in what is stored or shown, and reports where an endpoint echoed one.

Evaluation uses the original, or its redacted form, which has the same verdicts by construction (see
:mod:`conformance.exchange.credential_forms`). The places of echoes are determined on the original and stored with
the exchange.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from conformance.exchange import entropy
from conformance.exchange.body_views import View, deltas, views
from conformance.exchange.codings import GZIP
from conformance.exchange.credential_forms import (
    ANCHOR,
    PART,
    RANDOM_END,
    Cookie,
    Form,
    Index,
    Known,
    Secret,
    index,
    known,
    random_credential,
)
from conformance.exchange.exchange import Chunk, Exchange, Headers, content_coding, decode

__all__ = [
    "PART",
    "Cookie",
    "Known",
    "Secret",
    "echoes",
    "random_credential",
    "redact",
    "redact_body",
    "redact_response",
    "redacted",
]  # fmt: skip

#: From this many anchors on, each offset of a text is looked up once, instead of searching each anchor.
_MANY = 64

#: Content codings that are decoded and encoded again, each with the window bits of zlib.
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True)
class Run:
    """A match of a credential, or part of it, in the text of a view, and the offset of the part in the form; ``sure``:
    it is no chance although it is short."""

    form: Form
    start: int
    end: int
    place: int
    sure: bool = False

    def is_echo(self, size: int) -> bool:
        """Whether it does not occur by chance in a text of ``size`` bytes."""
        return self.sure or self.form.is_echo(self.place, self.place + self.end - self.start, size)


def redact(data: bytes, secrets: Sequence[Secret], request_body: bytes = b"") -> bytes:
    """The bytes, of equal length, with every part of a credential replaced, except words of the request body
    ``request_body``."""
    return _replaced(data, index(known(secrets, request_body), len(data) > entropy.LARGE), ())[0]


def redact_body(body: bytes, secrets: Sequence[Secret], request_body: bytes = b"") -> bytes:
    """The body with the credentials replaced, also if they are split over the deltas of a stream."""
    wanted = index(known(secrets, request_body), len(body) > entropy.LARGE)
    return _replaced(body, wanted, deltas(body) if wanted.anchors else ())[0]


def _replaced(body: bytes, wanted: Index, more: Sequence[View]) -> tuple[bytes, int | None]:
    """The body with the credentials replaced, and the offset of the first echo (None: no echo)."""
    out: bytearray | None = None
    echo: int | None = None
    for view in views(body, wanted, more):
        for run in _runs(view, wanted):
            out = bytearray(body) if out is None else out
            _write(view, run, out)
            at = view.source(run.start)
            if (echo is None or at < echo) and run.is_echo(len(view.text)):
                echo = at
    return body if out is None else bytes(out), echo


def _write(view: View, run: Run, out: bytearray) -> None:
    """Replace a run, each letter in its case, except in base64, where case is significant."""
    before = view.text[run.start : run.end]
    after = run.form.filler[run.place : run.place + len(before)]
    if run.form.kind != "base64":
        if before == before.lower():
            after = after.lower()
        elif before == before.upper():
            after = after.upper()
        else:
            pairs = zip(before, after.lower(), after.upper(), strict=True)
            after = bytes(upper if 0x41 <= byte <= 0x5A else lower for byte, lower, upper in pairs)
    if view.is_body:
        out[run.start : run.end] = after
        return
    for place, byte in enumerate(after, run.start):
        view.put(out, place, byte)


def _runs(view: View, wanted: Index) -> Iterator[Run]:
    """The runs of credentials that are replaced. A body may contain an anchor millions of times; most are skipped
    fast."""
    text = view.lower
    for at, anchor in _hits(text, wanted.anchors):
        for form, place in wanted.anchors[anchor]:
            start, end, first = _longest(text, form.text, at, place)
            # A run is found at each anchor in it, and counts at the first.
            if (
                end - start > ANCHOR
                and form.contains_part(first, first + end - start)
                and form.anchor_in(first) == place
            ):
                yield Run(form, start, end, first)
    for secret, form in wanted.ends:
        yield from _ends(view.text, secret, form)


def _hits(text: bytes, anchors: Collection[bytes]) -> Iterator[tuple[int, bytes]]:
    """The offsets of the anchors; the time does not grow with their number."""
    if len(anchors) > _MANY:
        for at in range(len(text) - ANCHOR + 1):
            if (bit := text[at : at + ANCHOR]) in anchors:
                yield at, bit
        return
    absent = {byte for byte in set(b"".join(anchors)) if byte not in text} if len(text) > entropy.LARGE else set()
    for anchor in anchors:
        at = -1 if absent.intersection(anchor) else text.find(anchor)
        while at >= 0:
            yield at, anchor
            at = text.find(anchor, at + 1)


def _ends(text: bytes, secret: bytes, form: Form) -> Iterator[Run]:
    """The last characters of a random credential, as shown in masked form: at the end of a word, after a mask or
    alone."""
    size = len(secret) - RANDOM_END
    at = text.find(secret[size:])
    while at >= 0:
        start, first, end = at, size, at + RANDOM_END
        while first > 0 and start > 0 and text[start - 1] == secret[first - 1]:
            start, first = start - 1, first - 1
        alone = not text[max(start - 1, 0) : start].isalnum() or text[max(start - 2, 0) : start] in (b"xx", b"XX")
        if alone and not text[end : end + 1].isalnum():
            yield Run(form, start, end, first, sure=True)
        at = text.find(secret[size:], at + 1)


def _longest(text: bytes, form: bytes, at: int, place: int) -> tuple[int, int, int]:
    """The longest run of a form around one of its anchors: start, end, and its offset in the form."""
    start, first = at, place
    while first > 0 and start > 0 and text[start - 1] == form[first - 1]:
        start, first = start - 1, first - 1
    end, last = at + ANCHOR, place + ANCHOR
    while last < len(form) and end < len(text) and text[end] == form[last]:
        end, last = end + 1, last + 1
    return start, end, first


def echoes(headers: Headers, chunks: tuple[Chunk, ...], keys: Sequence[Secret]) -> tuple[str, ...]:
    """The places of a response that contain one of the keys, or a part that does not occur by chance."""
    return redact_response(headers, chunks, keys)[2]


def redact_response(
    headers: Headers, chunks: tuple[Chunk, ...], secrets: Sequence[Secret], request_body: bytes = b""
) -> tuple[Headers, tuple[Chunk, ...], tuple[str, ...]]:
    """Headers and chunks with the credentials replaced, and the places that contained one.

    The chunks are joined, so that a credential split over chunks is found; their lengths stay. A compressed body with a
    credential is compressed again. ``request_body`` is the body of the request: see :func:`redact`.
    """
    leaks: list[str] = []
    clean: list[tuple[str, str]] = []
    wanted = index(known(secrets, request_body), False)
    for pair in headers:
        made = [_replaced(text.encode("utf-8", "surrogatepass"), wanted, ()) for text in pair]
        name, value = (text.decode("utf-8", "surrogatepass") for text, _ in made)
        leaks += [f"header {name.lower()}"] if any(at is not None for _, at in made) else []
        clean.append((name, value))
    sent = b"".join(chunk.data for chunk in chunks)
    coding = content_coding(headers) or ("gzip" if sent.startswith(GZIP) else "")
    plain = decode(chunks, coding)
    body = b"".join(chunk.data for chunk in plain) if coding else sent
    wanted = index(known(secrets, request_body), len(body) > entropy.LARGE)
    clean_body, echo = _replaced(body, wanted, deltas(body) if wanted.anchors else ())
    leaks += [] if echo is None else [f"body, byte {echo}"]
    if clean_body != body:
        kept = tuple(_recut(plain, clean_body))
        chunks = kept if body == sent else _packed(kept, coding)
        if not chunks:  # A coding that cannot be encoded.
            clean, chunks = [pair for pair in clean if pair[0].lower() != "content-encoding"], kept
    return tuple(clean), chunks, tuple(leaks)


def redacted(exchange: Exchange, secrets: Sequence[Secret]) -> Exchange:
    """The exchange as it may be stored; the request's headers and URL are unchanged."""
    headers, chunks, _ = redact_response(exchange.headers, exchange.chunks, secrets)
    request = replace(exchange.request, body=redact_body(exchange.request.body, secrets))
    return replace(exchange, headers=headers, chunks=chunks, request=request)


def _recut(chunks: Iterable[Chunk], body: bytes) -> Iterator[Chunk]:
    """The body in chunks of the same sizes and times."""
    start = 0
    for chunk in chunks:
        end = start + len(chunk.data)
        yield Chunk(chunk.at, body[start:end])
        start = end


def _packed(chunks: tuple[Chunk, ...], coding: str) -> tuple[Chunk, ...]:
    """The chunks encoded with a content coding, each with its own bytes; None if it cannot be encoded."""
    names = [name for one in coding.split(",") if (name := one.strip().lower()) not in ("", "identity")]
    made = chunks
    for name in names:
        if name not in _PACKED:
            return ()
        engine = zlib.compressobj(wbits=_PACKED[name])
        parts = [engine.compress(one.data) + engine.flush(zlib.Z_SYNC_FLUSH) if one.data else b"" for one in made]
        parts[-1:] = [parts[-1] + engine.flush()] if parts else []
        made = tuple(Chunk(one.at, data) for one, data in zip(made, parts, strict=True))
    return made if [one.data for one in decode(made, coding)] == [one.data for one in chunks] else ()
