"""The framing of request bodies in HTTP/1.1, for the servers of the emulator."""

from __future__ import annotations

from email.message import Message
from io import BufferedIOBase

#: The most bytes of a line with the size of a chunk, and of a trailer.
_SIZE_LINE, _TRAILER = 1000, 65536


def read_body(headers: Message, stream: BufferedIOBase, most: int | None = None) -> bytes:
    """The body of a request, up to about ``most`` bytes. Raises ValueError if its framing is invalid."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return read_chunks(stream, most)
    if (size := int(headers.get("Content-Length", 0))) < 0:
        raise ValueError(size)  # To read it would take all that follows, until the client disconnects.
    return stream.read(size if most is None else min(size, most))


def read_chunks(stream: BufferedIOBase, most: int | None = None) -> bytes:
    """A chunked body, up to about ``most`` bytes. Raises ValueError if a size is invalid."""
    parts: list[bytes] = []
    left = most
    while (size := int(stream.readline(_SIZE_LINE).split(b";")[0], 16)) and (left is None or left > 0):
        parts.append(stream.read(size if most is None else min(size, most)))
        left = None if left is None else left - len(parts[-1])
        stream.readline(_SIZE_LINE)
    while stream.readline(_TRAILER).strip():
        pass
    return b"".join(parts)
