"""Bytes to frames, by the event-stream grammar of the WHATWG HTML standard (section 9.2.6, "Interpreting an event
stream"). What a parser ignores is ignored; an event at the end that it would discard is in ``undispatched``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conformance.exchange.exchange import Chunk

#: A line end and an empty line after it. Only CR, LF and CRLF end a line: U+2028 and others are part of the value.
_EMPTY_LINE = re.compile(rb"(?:\r\n|\r(?!\n)|\n)(?:\r\n|\r|\n)")
_EMPTY_LINE_OF_LF = re.compile(rb"\n\n")
_AT_TEXT = re.compile(rb"[^\r\n]|\Z")
_BOM = b"\xef\xbb\xbf"

#: The limit of events in one stream: ALWAYS, or one for each BYTES_EACH bytes if that is more. The smallest event of
#: the API has 60 bytes, and a frame takes several hundred bytes of memory.
ALWAYS, BYTES_EACH = 2_000, 48


@dataclass(frozen=True, slots=True)
class Frame:
    """One dispatched event.

    ``index`` counts from 0; ``event`` is the last ``event:`` line (empty without one). ``start`` and ``end`` are byte
    offsets in ``body``, ``at`` the arrival of the last byte in milliseconds.
    """

    index: int
    event: str
    body: bytes = field(repr=False)
    start: int
    end: int
    at: float

    @property
    def data(self) -> str:
        """The data lines joined by line feeds. Parsed at each access: a copy would double the memory of a long
        stream."""
        return "\n".join(_fields(self.body[self.start : self.end])[1])


@dataclass(frozen=True)
class Frames:
    """The frames of a body, and the data of a last event that no blank line ended (empty if there is none).

    ``too_many``: the limit (see :data:`ALWAYS`) if the body contains more frames, ``frames`` is then empty; else 0.
    """

    frames: tuple[Frame, ...]
    undispatched: str
    too_many: int = 0


def parse(chunks: Sequence[Chunk], body: bytes | None = None) -> Frames:
    """The frames of these bytes; the chunks only determine ``at``. ``body``: the chunks joined, if the caller has
    that."""
    body = b"".join(chunk.data for chunk in chunks) if body is None else body
    frames: list[Frame] = []
    names: dict[str, str] = {}
    number, arrived = -1, 0
    rest: list[str] = []
    most = most_frames(body)
    for start, end, ended in _blocks(body):
        event, data = _fields(body[start:end])
        if not ended:
            rest = data
        elif data:
            while arrived < end:
                number += 1
                arrived += len(chunks[number].data)
            # The names are few: equal names share one string.
            event = names.setdefault(event, event) if len(event) < 99 and len(names) < 999 else event
            if len(frames) >= most:
                return Frames((), "", too_many=most)
            frames.append(Frame(len(frames), event, body, start, end, chunks[number].at))
    return Frames(tuple(frames), "\n".join(rest))


def most_frames(body: bytes) -> int:
    """The limit of frames for a body."""
    return max(ALWAYS, len(body) // BYTES_EACH)


def _blocks(body: bytes) -> Iterator[tuple[int, int, bool]]:
    """Start and end offset of each run of non-empty lines, and whether an empty line ends it."""
    pattern = _EMPTY_LINE if b"\r" in body else _EMPTY_LINE_OF_LF
    start = len(_BOM) if body.startswith(_BOM) else 0
    while True:
        if body[start : start + 1] in (b"\r", b"\n"):
            start = _AT_TEXT.search(body, start).start()  # type: ignore[union-attr]  # The end matches, too.
        if start == len(body):
            return
        match = pattern.search(body, start)
        yield start, match.end() if match else len(body), match is not None
        if not match:
            return
        start = match.end()


def _fields(block: bytes) -> tuple[str, list[str]]:
    """The value of the last event line and the values of the data lines; a comment has an empty name."""
    event, data = "", []
    for line in block.splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        elif name == b"event":
            event = value.removeprefix(b" ").decode("utf-8", "replace")
    return event, data
