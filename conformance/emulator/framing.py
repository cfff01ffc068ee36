"""The framing of request bodies in HTTP/1.1, for each server of the suite."""

from __future__ import annotations

import re
from email.message import Message
from io import BufferedIOBase

#: The most bytes of a line with the size of a chunk, and of a trailer.
_SIZE_LINE, _TRAILER = 1000, 65536

#: A size as RFC 9110 8.6 and RFC 9112 7.1 allow it. `int` also accepts a sign, a prefix, underscores and other digits;
#: to read a negative size would take all that follows, until the client disconnects.
_LENGTH = re.compile(r"[0-9]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r?\n")


def read_body(headers: Message, stream: BufferedIOBase, most: int | None = None) -> bytes:
    """The body of a request, up to about ``most`` bytes. Raises ValueError if its framing is invalid, or if it ends
    before its announced end."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return read_chunks(stream, most)
    length = headers.get("Content-Length", "0").strip()
    if not _LENGTH.fullmatch(length):
        raise ValueError(f"the Content-Length is {length[:40]!r}, expected a number of bytes")
    size = int(length) if most is None else min(int(length), most)
    body = stream.read(size)
    if len(body) < size:
        raise ValueError(f"the body ends after {len(body)} bytes, expected {size}")
    return body


def read_chunks(stream: BufferedIOBase, most: int | None = None) -> bytes:
    """A chunked body, up to about ``most`` bytes. Raises ValueError if a size is invalid, or a chunk longer than its
    size."""
    parts: list[bytes] = []
    left = most
    while size := _chunk_size(stream):
        parts.append(stream.read(size if left is None else min(size, left)))
        if left is not None and (left := left - len(parts[-1])) <= 0:
            return b"".join(parts)  # The rest stays unread.
        if stream.readline(_SIZE_LINE).strip():
            raise ValueError("a chunk is longer than its size")
    while stream.readline(_TRAILER).strip():
        pass
    return b"".join(parts)


def _chunk_size(stream: BufferedIOBase) -> int:
    line = stream.readline(_SIZE_LINE)
    found = _CHUNK_SIZE.fullmatch(line)
    if not found:
        raise ValueError(f"a chunk begins with {line[:40]!r}, expected its size")
    return int(found[1], 16)
