"""Blanks credentials out of what came back, and says where they were."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from conformance.wire.exchange import Chunk, Headers, content_coding, decode

#: A run of this many characters of the key, a digit among them, counts as part of it: shorter runs, and words such
#: as ``api-key-``, stand in honest answers too. A key shorter than this cannot be told from a word.
PART = 8

#: The same for the random credentials that must be refused: of those even six characters cannot stand there by chance.
RANDOM_PART = 6
RANDOM_PREFIX = "sk-wrong"

_BLANK = ord("*")


def forms(secret: str) -> list[bytes]:
    """The ways a credential may be written: as it is, base64, percent-encoded, JSON-escaped, hex."""
    raw = secret.encode()
    every = {
        raw,
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        raw.hex().encode(),
    }
    return [form for form in every if form]


def blank(data: bytes, secrets: Sequence[str]) -> bytes:
    """The same number of bytes with every part of a credential as ``*``."""
    out = bytearray(data)
    for secret in secrets:
        for form in forms(secret):
            # Hex digits are too few to tell six of them from chance.
            random = secret.startswith(RANDOM_PREFIX) and form == secret.encode()
            for part in _parts(form, random):
                at = data.find(part)
                while at >= 0:
                    out[at : at + len(part)] = bytes([_BLANK]) * len(part)
                    at = data.find(part, at + 1)
    return bytes(out)


def _parts(form: bytes, random: bool) -> Iterator[bytes]:
    size = RANDOM_PART if random else PART
    if len(form) >= PART:
        yield form
    for start in range(len(RANDOM_PREFIX) if random else 0, len(form) - size + 1):
        part = form[start : start + size]
        if random or any(chr(byte).isdigit() for byte in part):
            yield part


def blank_answer(
    headers: Headers, chunks: tuple[Chunk, ...], secrets: Sequence[str]
) -> tuple[Headers, tuple[Chunk, ...], tuple[str, ...]]:
    """Headers and chunks without the credentials, and the places where they stood.

    The body is blanked as a whole, so that a credential split over chunks is found; lengths and chunk boundaries
    stay. A compressed body that holds one is kept uncompressed, as there is no way to blank it in place.
    """
    leaks: list[str] = []
    clean: list[tuple[str, str]] = []
    for name, value in headers:
        blanked = blank(value.encode("latin-1", "replace"), secrets).decode("latin-1")
        if blanked != value:
            leaks.append(f"header {name.lower()}")
        clean.append((name, blanked))
    plain = decode(chunks, content_coding(headers))
    body = b"".join(chunk.data for chunk in plain)
    blanked_body = blank(body, secrets)
    if blanked_body != body:
        at = next(index for index, (old, new) in enumerate(zip(body, blanked_body, strict=True)) if old != new)
        leaks.append(f"body, byte {at}")
        if body != b"".join(chunk.data for chunk in chunks):
            clean = [pair for pair in clean if pair[0].lower() != "content-encoding"]
        chunks, start = (), 0
        for chunk in plain:
            end = start + len(chunk.data)
            chunks = (*chunks, Chunk(chunk.at, blanked_body[start:end]))
            start = end
    return tuple(clean), chunks, tuple(leaks)
