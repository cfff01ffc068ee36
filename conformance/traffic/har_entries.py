"""The entries of a HAR file, read one after another: parsed at once, a file takes several times its size."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TextIO

from conformance.traffic.har_file import entries_of, refused, to_integer

#: The most characters before the entries, and after them.
_HEAD, _TAIL = 1_000_000, 1_000_000

#: Characters that are read at a time.
_READ = 1_000_000

#: Files up to this size in bytes are parsed at once.
_SMALL = 4_000_000

#: The beginning of the entries. In JSON, a quotation mark after a comma or a brace begins a name or a value.
_ENTRIES = re.compile(r'[{,]\s*"entries"\s*:\s*\[')

_BETWEEN = re.compile(r"[\s,]*")


class _Unusual(Exception):
    """The file is not a HAR of the usual form; it is parsed at once, which gives the message."""


class HarEntries:
    """The entries of a HAR file, which can be iterated over several times. Raises :class:`conformance.Misconfigured` if
    the file is no HAR file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: list[Any] | None = None
        try:
            large = path.stat().st_size > _SMALL
        except OSError:
            large = False
        if not large:
            self._entries = entries_of(path)
            return
        try:
            for _ in self._streamed():
                pass
        except (_Unusual, ValueError, RecursionError, OSError):
            self._entries = entries_of(path)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries) if self._entries is not None else self._streamed()

    def _streamed(self) -> Iterator[Any]:
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            head = file.read(_HEAD)
            begin = _ENTRIES.search(head)
            if begin is None:
                raise _Unusual
            rest: str = yield from _values(file, head[begin.end() :])
            tail = rest + file.read(_TAIL)
        outline = json.loads(f"{head[: begin.end()]}{tail}")
        if outline["log"]["entries"]:
            raise _Unusual


def _values(file: TextIO, text: str) -> Generator[Any, None, str]:
    """The values of an array whose beginning was read; returns the text from its closing bracket on."""
    decoder = json.JSONDecoder(parse_constant=refused, parse_int=to_integer)
    at, more = 0, True
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # It matches everywhere.
        if text[at : at + 1] == "]":
            return text[at:]
        try:
            if at >= len(text):
                raise ValueError("at the end of what was read")
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            if not more:
                raise
            # Twice as much each time, so that a large entry is not parsed over and over.
            part = file.read(max(_READ, len(text) - at))
            text, at, more = text[at:] + part, 0, bool(part)
            continue
        yield value
        at = end
