"""Formatted JSON that keeps the sent numbers, order and duplicate members, with the span of each JSON pointer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.report.columns import counted
from conformance.report.failure import printable

#: Maximum characters of a string, of the formatted text, and of an input that is formatted at all.
_STRING, _TEXT, _INPUT = 1_500, 12_000, 500_000

#: Depths to which values without a wanted pointer are shown; the first that keeps the text short enough is used.
_DEPTHS = (100, 4, 2, 1)


@dataclass(frozen=True)
class Pretty:
    """The formatted text; ``cut`` is true if it was truncated.

    ``spans`` maps each wanted pointer to start, end and whether the pointer exists; if not, the span is that of its
    nearest existing ancestor.
    """

    text: str
    spans: dict[str, tuple[int, int, bool]]
    cut: bool


class _Literal(str):
    """A number or constant, as in the input."""


class _Members(list[tuple[str, Any]]):
    """The members of an object, as in the input."""


def pretty(raw: str, wanted: Collection[str] = ()) -> Pretty | None:
    """The formatted JSON; None if the input is not JSON or too long."""
    if len(raw) > _INPUT:
        return None
    try:
        value = json.loads(
            raw, object_pairs_hook=_Members, parse_int=_Literal, parse_float=_Literal, parse_constant=_Literal
        )
        for depth in _DEPTHS:
            writer = _Writer(depth, wanted)
            writer.value(value, "", 0)
            if writer.length <= _TEXT:
                break
    except (ValueError, RecursionError):
        return None
    text = "".join(writer.parts)
    spans = {pointer: _nearest(writer.spans, pointer) for pointer in wanted}
    spans = {pointer: span for pointer, span in spans.items() if span[1] <= _TEXT}
    return Pretty(text[:_TEXT], spans, writer.cut or len(text) > _TEXT)


def _nearest(spans: dict[str, tuple[int, int]], pointer: str) -> tuple[int, int, bool]:
    above = pointer
    while above not in spans and above:
        above = above.rpartition("/")[0]
    return (*spans.get(above, (0, 0)), above == pointer)


class _Writer:
    def __init__(self, depth: int, wanted: Collection[str]) -> None:
        self.parts: list[str] = []
        self.spans: dict[str, tuple[int, int]] = {}
        self.length = 0
        self.cut = False
        self._depth = depth
        self._ways = {"/".join(way[:end]) for one in wanted for way in [one.split("/")] for end in range(len(way) + 1)}

    def value(self, value: Any, pointer: str, depth: int, begun: int | None = None) -> None:
        """Write a value; ``begun`` is the position of its member's name."""
        start = self.length if begun is None else begun
        if isinstance(value, _Members | list):
            self._container(value, pointer, depth, start)
            return
        self._write(_scalar(value, self))
        self.spans[pointer] = (start, self.length)

    def _container(self, value: Any, pointer: str, depth: int, start: int) -> None:
        opening, closing = "{}" if isinstance(value, _Members) else "[]"
        self._write(opening)
        # The span of an object or array is only its opening bracket.
        self.spans[pointer] = (start, self.length)
        if value and depth >= self._depth and pointer not in self._ways:
            self.cut = True
            self._write(f" … {counted(len(value), 'element')} … {closing}")
            return
        inner = "\n" + "  " * (depth + 1)
        for number, (name, one) in enumerate(_inside(value)):
            self._write("," * (number > 0) + inner)
            begun = self.length
            if isinstance(value, _Members):
                self._write(f"{_quoted(name)}: ")
            self.value(one, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", depth + 1, begun)
        self._write(("\n" + "  " * depth) * bool(value) + closing)

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _Members):
        yield from value
    else:
        yield from ((str(index), one) for index, one in enumerate(value))


def _scalar(value: Any, writer: _Writer) -> str:
    if isinstance(value, _Literal):
        return str(value)
    if not isinstance(value, str):
        return json.dumps(value)
    if len(value) <= _STRING:
        return _quoted(value)
    writer.cut = True
    return f"{_quoted(value[:_STRING])} … ({len(value)} characters)"


def _quoted(text: str) -> str:
    return printable(json.dumps(text, ensure_ascii=False))
