"""Lines for a terminal of 80 columns: wrapped or cut by what letters take up, not by their number."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

WIDTH = 80

#: Where the text of a labelled line begins.
_INDENT = 10


def columns(text: str) -> int:
    """How many columns a printable text takes up."""
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fit(text: str, width: int = WIDTH) -> str:
    """The text on one line, cut where the line ends."""
    if columns(text) <= width:
        return text
    return _head(text, width - 1) + "…"


def labelled(label: str, text: str) -> Iterator[str]:
    """A line ``  label   text``, gone on below the text where it is too long."""
    begun = f"  {label:<{_INDENT - 2}}"
    for line in wrapped(text, WIDTH - _INDENT):
        yield (begun + line).rstrip()
        begun = " " * _INDENT


def wrapped(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most ``width`` columns, broken at spaces where there are any; one line if it is empty."""
    while columns(text) > width:
        head = _head(text, width)
        at = len(head) if text[len(head) : len(head) + 1] == " " else head.rfind(" ")
        # A word longer than half a line is broken: else a long value would leave holes.
        at = at if at > width // 2 else len(head)
        yield text[:at]
        text = text[at:].removeprefix(" ")
    yield text


def _head(text: str, width: int) -> str:
    """The longest beginning of at most ``width`` columns."""
    taken = 0
    for at, letter in enumerate(text):
        taken += _columns(letter)
        if taken > width:
            return text[: max(at, 1)]
    return text
