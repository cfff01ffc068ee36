"""Bytes to frames, by the event-stream grammar of the WHATWG HTML standard (section 9.2.6, "Interpreting an event
stream"). Nothing is judged here; what a reader would ignore is ignored, what it would discard is kept aside.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from conformance.wire.exchange import Chunk

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Frame:
    """One dispatched event.

    ``index`` counts from 0; ``event`` is the last ``event:`` line (empty without one), ``data`` the data lines joined
    by line feeds. ``start`` and ``end`` are byte offsets in the body, ``at`` the arrival of the last byte in
    milliseconds.
    """

    index: int
    event: str
    data: str
    start: int
    end: int
    at: float


@dataclass(frozen=True)
class Frames:
    """The frames of a body, and the text of a last event that no blank line ended (empty when there is none)."""

    frames: tuple[Frame, ...]
    undispatched: str


def parse(chunks: Sequence[Chunk]) -> Frames:
    """The frames of these bytes; how they were cut into chunks changes nothing but ``at``."""
    body = b"".join(chunk.data for chunk in chunks)
    ends = list(accumulate(len(chunk.data) for chunk in chunks))
    frames: list[Frame] = []
    event, start = "", None
    data: list[str] = []
    for line, line_start, line_end, ended in _lines(body):
        if not line:
            if ended and data:
                chunk = chunks[min(bisect_left(ends, line_end), len(chunks) - 1)]
                begin = line_start if start is None else start
                frames.append(Frame(len(frames), event, "\n".join(data), begin, line_end, chunk.at))
            if ended:
                event, data, start = "", [], None
            continue
        start = line_start if start is None else start
        name, value = _field(line)
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
    return Frames(tuple(frames), "\n".join(data))


def _lines(body: bytes) -> Iterator[tuple[str, int, int, bool]]:
    """Each line's text, its first byte, the byte after its end, and whether a line end closed it.

    Only CR, LF and CRLF end a line: U+2028 and its like are ordinary characters of a value.
    """
    at = len(_BOM) if body.startswith(_BOM) else 0
    while at < len(body):
        match = _LINE.match(body, at)
        assert match is not None  # The pattern matches anything.
        yield match[1].decode("utf-8", "replace"), at, match.end(), bool(match[2])
        at = match.end()


def _field(line: str) -> tuple[str, str]:
    """Name and value of a line; a comment has an empty name."""
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")
