"""Blanks credentials out of what came back, and says where they were."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from conformance.wire.exchange import Chunk, Headers, content_coding, decode

#: A run of this many characters of the key, a digit among them, counts as part of it: shorter runs, and words such
#: as ``api-key-``, stand in honest answers too. A key shorter than this cannot be told from a word.
PART = 8

#: So many characters count even without a digit.
WORD = 12

#: The same for the random credentials that must be refused: of those even six characters cannot stand there by chance.
RANDOM_PART = 6
RANDOM_PREFIX = "sk-wrong"

#: And of their end four: the part that is shown most often.
RANDOM_END = 4

_BLANK = ord("*")

#: The deltas of a stream: a credential may be dealt out over many of them, and stands whole where they are joined.
_DELTA = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"')

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Form:
    """A way a credential may be written: ``width`` bytes stand for one character of it; ``random``: see above."""

    text: bytes
    width: int = 1
    random: bool = False

    @property
    def part(self) -> int:
        """The shortest run that counts, in bytes."""
        return min(RANDOM_PART, len(self.text)) if self.random else PART * self.width

    def counts(self, run: bytes) -> bool:
        """Whether a run of this form is long enough to be told from chance."""
        if self.random or self.width > 1 or len(run) >= WORD or run == self.text:
            return True
        return any(chr(byte).isdigit() for byte in run)

    def anchors(self) -> Iterator[tuple[int, bytes]]:
        """Bits of the form, with their places, of which every run that counts holds at least one whole."""
        size = self.part // 2
        first = len(RANDOM_PREFIX) if self.text.startswith(RANDOM_PREFIX.encode()) and self.random else 0
        for place in range(first, len(self.text) - size + 1, self.part - size + 1):
            yield place, self.text[place : place + size]


def forms(secret: str) -> list[Form]:
    """The ways a credential may be written: as it is, base64 (alone or within more), percent-encoded, JSON-escaped
    and hex; of each what is usual, and every character escaped."""
    raw, quoted = secret.encode(), json.dumps(secret)[1:-1]
    texts = [raw, quoted.encode(), quoted.replace("/", "\\/").encode()]
    for shift in range(3):
        # What comes before or after shares a digit of base64 with the credential; those digits are left out.
        written = base64.b64encode(b"\0" * shift + raw)
        whole = written[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6]
        texts += [whole, whole.translate(bytes.maketrans(b"+/", b"-_"))]
    percent, pairs = quote(secret, safe=""), [f"{byte:02x}" for byte in raw]
    texts += [percent.encode(), re.sub("%..", lambda found: found[0].lower(), percent).encode()]
    texts += ["".join(pairs).encode(), "".join(pairs).upper().encode()]
    random = secret.startswith(RANDOM_PREFIX)
    found = {text: Form(text, random=random and text == raw) for text in texts}
    if random:
        found[raw[-RANDOM_END:]] = Form(raw[-RANDOM_END:], random=True)
    for before in ("%", "\\u00", "\\x", "&#x"):
        after = ";" if before == "&#x" else ""
        for every in (pairs, [pair.upper() for pair in pairs]):
            text = "".join(before + pair + after for pair in every).encode()
            found[text] = Form(text, len(before) + 2 + len(after))
    return [form for form in found.values() if len(form.text) >= form.part]


@lru_cache(maxsize=64)
def _anchors(secret: str) -> tuple[tuple[bytes, int, Form], ...]:
    return tuple((bit, place, form) for form in forms(secret) for place, bit in form.anchors())


def blank(data: bytes, secrets: Sequence[str]) -> bytes:
    """The same number of bytes with every part of a credential as ``*``."""
    out: bytearray | None = None
    for secret in _longest(secrets):
        for bit, place, form in _anchors(secret):
            at = data.find(bit)
            while at >= 0:
                start, end = _run(data, at, form.text, place, len(bit))
                if end - start >= form.part and form.counts(data[start:end]):
                    out = out or bytearray(data)
                    out[start:end] = bytes([_BLANK]) * (end - start)
                at = data.find(bit, at + 1)
    return data if out is None else bytes(out)


def _longest(secrets: Iterable[str]) -> list[str]:
    """The credentials without those that are part of another."""
    every = set(secrets)
    return [one for one in every if not any(one in other and one != other for other in every)]


def _run(data: bytes, at: int, text: bytes, place: int, size: int) -> tuple[int, int]:
    """The longest run of the form around a bit of it that was found."""
    start, end = at, at + size
    while place > 0 and start > 0 and data[start - 1] == text[place - 1]:
        start, place = start - 1, place - 1
    place += end - start
    while place < len(text) and end < len(data) and data[end] == text[place]:
        end, place = end + 1, place + 1
    return start, end


def blank_body(body: bytes, secrets: Sequence[str]) -> bytes:
    """The body without the credentials, whole or dealt out over the deltas of a stream."""
    body = blank(body, secrets)
    deltas = list(_DELTA.finditer(body))
    joined = b"".join(found[1] for found in deltas)
    clean = blank(joined, secrets)
    if clean == joined:
        return body
    out, at = bytearray(body), 0
    for found in deltas:
        size = len(found[1])
        out[found.start(1) : found.end(1)] = clean[at : at + size]
        at += size
    return bytes(out)


def blank_answer(
    headers: Headers, chunks: tuple[Chunk, ...], secrets: Sequence[str]
) -> tuple[Headers, tuple[Chunk, ...], tuple[str, ...]]:
    """Headers and chunks without the credentials, and the places where they stood.

    The body is blanked as a whole, so that a credential split over chunks is found; lengths and chunk boundaries
    stay. A compressed body that holds one is kept uncompressed, as there is no way to blank it in place.
    """
    leaks: list[str] = []
    clean: list[tuple[str, str]] = []
    for pair in headers:
        name, value = (blank(text.encode("latin-1", "replace"), secrets).decode("latin-1") for text in pair)
        if (name, value) != pair:
            leaks.append(f"header {name.lower()}")
        clean.append((name, value))
    sent = b"".join(chunk.data for chunk in chunks)
    coding = content_coding(headers) or ("gzip" if sent.startswith(_GZIP) else "")
    plain = decode(chunks, coding)
    body = b"".join(chunk.data for chunk in plain) if coding else sent
    blanked_body = blank_body(body, secrets)
    if blanked_body != body:
        at = next(index for index, (old, new) in enumerate(zip(body, blanked_body, strict=True)) if old != new)
        leaks.append(f"body, byte {at}")
        if body != sent:
            clean = [pair for pair in clean if pair[0].lower() != "content-encoding"]
        chunks = tuple(_recut(plain, blanked_body))
    return tuple(clean), chunks, tuple(leaks)


def _recut(chunks: Iterable[Chunk], body: bytes) -> Iterator[Chunk]:
    """The body in chunks of the same sizes and times."""
    start = 0
    for chunk in chunks:
        end = start + len(chunk.data)
        yield Chunk(chunk.at, body[start:end])
        start = end
