"""Escape untrusted text for Markdown: it creates no link, mention, HTML or line break."""

from __future__ import annotations

import re

from conformance.report.failure import printable


def code(text: str, width: int = 200) -> str:
    """The text as a code span on one line, truncated to ``width`` characters."""
    text = printable(text[:width]) + ("..." if len(text) > width else "")
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


#: Characters with a meaning in Markdown. An underscore inside a word and a colon before a space have none.
_MARKS = re.compile(r"[\\`*{}\[\]<>#|~&@!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//|[A-Za-z0-9_+-]+:)")


def cell(text: str) -> str:
    """The escaped text of a table cell; a vertical bar is escaped too, because it ends the cell even in a code span."""
    return _MARKS.sub(r"\\\g<0>", printable(text))


def block(text: str, language: str = "") -> str:
    """The text as a fenced code block, with a fence longer than any run of backticks in the text."""
    lines = [printable(line) for line in text.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])
