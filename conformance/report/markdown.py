"""Text from anywhere as Markdown that stays text: no link, no mention, no HTML, no line of its own."""

from __future__ import annotations

import re

from conformance.report.failure import printable


def code(text: str, width: int = 200) -> str:
    """The text as inline code, on one line."""
    text = printable(text[:width]) + ("..." if len(text) > width else "")
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


#: What may begin or end something; an underscore within a word and a colon before a blank are only themselves.
_MARKS = re.compile(r"[\\`*{}\[\]<>#|~&@!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//|[A-Za-z0-9_+-]+:)")


def cell(text: str) -> str:
    """The text in a table: a bar would end the cell, even in code."""
    return _MARKS.sub(r"\\\g<0>", printable(text))


def block(text: str, language: str = "") -> str:
    """The text in a fence that it cannot close: longer than any run of backticks in it."""
    lines = [printable(line) for line in text.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])
