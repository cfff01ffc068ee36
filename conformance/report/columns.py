"""Lines for a terminal of 80 columns, wrapped and truncated by display width (as terminals show it),
and plural forms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

WIDTH = 80

#: The labels of the values of a finding, by their names in the results.
VALUES = {"want": "expected", "got": "received"}

#: The column in which the text of a labelled line begins.
_INDENT = 12


def columns(text: str) -> int:
    """The display width of a printable text, in columns."""
    return len(text) if text.isascii() and text.isprintable() else sum(map(_columns, text))


@cache
def _columns(letter: str) -> int:
    if letter.isascii() and letter.isprintable():
        return 1
    # Imported only here: its tables take 60 ms at the start of each command, and most output is ASCII.
    from wcwidth import wcwidth

    return max(0, wcwidth(letter))


def fit(text: str, width: int = WIDTH) -> str:
    """The text, truncated with an ellipsis to at most ``width`` columns."""
    if columns(text) <= width:
        return text
    return _head(text, width - 1) + "…"


def labelled(label: str, text: str) -> Iterator[str]:
    """A line ``  label     text``, wrapped and aligned below the text."""
    start = with_label(label, "")
    for line in wrapped(text, WIDTH - _INDENT):
        yield (start + line).rstrip()
        start = " " * _INDENT


def with_label(label: str, text: str) -> str:
    """One line ``  label     text``, not wrapped: a command or a path that must stay copyable."""
    return f"  {label:<{_INDENT - 2}}{text}"


def label_of(line: str) -> str:
    """The label of a line of :func:`labelled`; empty for a continuation line."""
    return line[:_INDENT].strip()


def counted(number: int, noun: str) -> str:
    """The number with its noun in the right form: "1 fault", "1,200 faults"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """The first names, separated by commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def wrapped(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most ``width`` columns, broken at spaces if possible; at least one line."""
    while columns(text) > width:
        head = _head(text, width)
        at = len(head) if text[len(head) : len(head) + 1] == " " else head.rfind(" ")
        # Only a word that fits no line is broken: an id or a path must stay copyable.
        fits = at > 0 and columns(text[at + 1 :].partition(" ")[0]) <= width
        at = at if fits or at > width // 2 else len(head)
        yield text[:at]
        text = text[at:].removeprefix(" ")
    yield text


def _head(text: str, width: int) -> str:
    """The longest prefix of at most ``width`` columns."""
    used = 0
    for at, letter in enumerate(text):
        used += _columns(letter)
        if used > width:
            return text[: max(at, 1)]
    return text
