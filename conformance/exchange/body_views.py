"""The views of a body in which credentials are searched: as received, with escapes decoded, and with the deltas of its
stream joined. A match in a view can be replaced in the body, in its original escaping."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from conformance.exchange.credential_forms import Index

#: The deltas of a stream: a credential may be split over several of them.
_DELTA = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]++|\\.)*+)"')

_HEX, _SEMICOLON = frozenset(b"0123456789abcdefABCDEF"), 0x3B


@dataclass(frozen=True)
class View:
    """A text derived from a body: as received, or joined from pieces of it, or with its escapes decoded.

    ``pieces`` are (place in the joined text, place in the body) of each piece, one without any. ``escapes`` are (place
    in the text, start and end in the joined text).
    """

    text: bytes
    pieces: Sequence[tuple[int, int]] = ((0, 0),)
    escapes: Sequence[tuple[int, int, int]] = field(default=())

    @cached_property
    def lower(self) -> bytes:
        """The text in lower case, which is searched."""
        return self.text.lower()

    @cached_property
    def _marks(self) -> Sequence[int]:
        return [place for place, _, _ in self.escapes]

    @cached_property
    def _joints(self) -> Sequence[int]:
        return [place for place, _ in self.pieces]

    @property
    def is_body(self) -> bool:
        """Whether the text is the body as received."""
        return not self.escapes and len(self.pieces) == 1

    def unescaped(self, wanted: Index) -> View | None:
        """The view with decoded escapes of characters that may be in a credential; None if there are none."""
        if not any(mark in self.text for mark in (b"\\", b"%", b"&#")):
            return None
        escapes, out, after = [], bytearray(), 0
        for found in wanted.escapes.finditer(self.text):
            out += self.text[after : found.start()]
            escapes.append((len(out), *found.span()))
            out.append(_meant(found[0]))
            after = found.end()
        return View(bytes(out + self.text[after:]), self.pieces, escapes) if escapes else None

    def put(self, body: bytearray, place: int, byte: int) -> None:
        """Write a character of the text into the body, escaped as it was."""
        start, end = self._span(place)
        if end - start == 1:
            body[self._source(start)] = byte
        elif byte != self.text[place]:  # It is written as two hexadecimal digits.
            last = end - 2 if body[self._source(end - 1)] == _SEMICOLON else end - 1
            body[self._source(last - 1)], body[self._source(last)] = b"%02x" % byte

    def source(self, place: int) -> int:
        """Where in the body a character of the text begins."""
        return self._source(self._span(place)[0])

    def _span(self, place: int) -> tuple[int, int]:
        """Start and end of a character of the text in the joined text."""
        number = bisect_right(self._marks, place) - 1
        if number < 0:
            return place, place + 1
        at, start, end = self.escapes[number]
        return (start, end) if at == place else (place - at - 1 + end, place - at + end)

    def _source(self, place: int) -> int:
        if len(self.pieces) == 1:
            return place
        joined, at = self.pieces[bisect_right(self._joints, place) - 1]
        return at + place - joined


def _meant(escape: bytes) -> int:
    """The character of an escape sequence."""
    digits = escape.rstrip(b";")[-2:]
    return int(digits, 16) if len(escape) > 2 and _HEX.issuperset(digits) else escape[-1]


def views(body: bytes, wanted: Index, more: Sequence[View]) -> Iterator[View]:
    if not wanted.anchors or not body:
        return
    for view in (View(body), *more):
        yield view
        if (plain := view.unescaped(wanted)) is not None:
            yield plain


def deltas(body: bytes) -> Sequence[View]:
    """The deltas of a stream, joined; None for fewer than two."""
    found = list(_DELTA.finditer(body)) if body.count(b'"delta"') > 1 else []
    pieces, size = [], 0
    for one in found:
        if one[1]:
            pieces.append((size, one.start(1)))
            size += len(one[1])
    return (View(b"".join(one[1] for one in found), pieces),) if len(pieces) > 1 else ()
