"""Whether bytes are a JSON text, the beginning of one, or neither (RFC 8259, in UTF-8 as its section 8.1 requires).

A capture may stop before the response does. A prefix of a JSON text may have been completed by the missing bytes;
anything else is invalid whatever follows. :mod:`json` reports the first error only, without that difference.

The scanner is a pushdown automaton: a stack of the arrays and objects that are open, and the tokens that may follow. It
needs no recursion, and each step moves forward, so that its time is linear in the length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

State = Literal["complete", "prefix", "broken"]
"""``complete``: a JSON text. ``prefix``: some continuation makes it one. ``broken``: none does."""

_SPACE = re.compile(r"[ \t\n\r]*")

#: A string from its opening quote, as far as it is valid, without the closing one. Possessive: no backtracking.
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+')
_ESCAPE_CUT = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_CUT = re.compile(r"-\Z|-?(?:0|[1-9][0-9]*)(?:\.|(?:\.[0-9]+)?[eE][+-]?)\Z")

_LITERALS = ("true", "false", "null")


@dataclass(frozen=True)
class Scan:
    """The result: ``offset`` is the byte (in a ``str``: the character) of the first error, or the length of the input;
    ``why`` is what was expected or received there, empty without an error."""

    state: State
    offset: int
    why: str = ""


class _Found(Exception):
    """Ends the scan with its result."""

    def __init__(self, state: State, at: int, why: str = "", in_string: bool = False) -> None:
        super().__init__(why)
        self.scan, self.in_string = Scan(state, at, why), in_string


def scan(data: bytes, deepest: int | None = None) -> Scan:
    """How far these bytes are a JSON text; arrays and objects nested deeper than ``deepest`` count as an error."""
    cut = False
    try:
        text, invalid = data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text, invalid = data[: error.start].decode("utf-8"), error
        cut = error.reason == "unexpected end of data"
    found = _scan(text, deepest)
    if found.scan.state == "broken":
        return Scan("broken", len(text[: found.scan.offset].encode("utf-8")), found.scan.why)
    if invalid is None:
        return Scan(found.scan.state, len(data))
    if cut and found.in_string:  # The last character is incomplete.
        return Scan("prefix", len(data))
    return Scan("broken", invalid.start, f"not UTF-8: {invalid.reason}")


def scan_text(text: str, deepest: int | None = None) -> Scan:
    """The same as :func:`scan`, for a string."""
    return _scan(text, deepest).scan


def _scan(text: str, deepest: int | None) -> _Found:
    try:
        _walk(text, deepest)
    except _Found as found:
        return found
    raise AssertionError("_walk always raises its result")


def _walk(text: str, deepest: int | None) -> None:
    """Read token after token; raises the result."""
    closers: list[str] = []
    at, awaited = 0, "a value"
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # It matches everywhere.
        if at == len(text):
            raise _Found("prefix" if awaited else "complete", at)
        char = text[at]
        if not awaited:
            raise _Found("broken", at, "text after the value")
        if char == awaited[-1] and awaited.endswith((" or }", " or ]")):
            closers.pop()
            at += 1
        elif awaited.startswith("a value"):
            if char in "{[":
                closers.append("}" if char == "{" else "]")
                if deepest is not None and len(closers) > deepest:
                    raise _Found("broken", at, f"arrays and objects more than {deepest} deep")
                at, awaited = at + 1, "a name or }" if char == "{" else "a value or ]"
                continue
            at = _scalar(text, at, awaited)
        elif awaited.startswith("a name") and char == '"':
            at, awaited = _string(text, at), "a colon"
            continue
        elif (char, awaited) == (":", "a colon"):
            at, awaited = at + 1, "a value"
            continue
        elif char == "," and awaited.startswith("a comma"):
            at, awaited = at + 1, "a name" if closers[-1] == "}" else "a value"
            continue
        else:
            raise _Found("broken", at, f"expected {awaited}")
        awaited = f"a comma or {closers[-1]}" if closers else ""


def _scalar(text: str, at: int, awaited: str) -> int:
    """The end of the string, number or literal that begins here."""
    if text[at] == '"':
        return _string(text, at)
    if _NUMBER_CUT.match(text, at):
        raise _Found("prefix", len(text))
    if number := _NUMBER.match(text, at):
        return number.end()
    for word in _LITERALS:
        if text.startswith(word, at):
            return at + len(word)
        if word.startswith(text[at : at + len(word)]):  # The slice is shorter than the word: the text ends in it.
            raise _Found("prefix", len(text))
    raise _Found("broken", at, f"expected {awaited}")


def _string(text: str, at: int) -> int:
    end = _STRING.match(text, at).end()  # type: ignore[union-attr]  # The caller saw the quote.
    if end == len(text):
        raise _Found("prefix", end, in_string=True)
    if text[end] == '"':
        return end + 1
    if text[end] == "\\":
        if _ESCAPE_CUT.match(text, end):
            raise _Found("prefix", len(text))
        raise _Found("broken", end, "not an escape of JSON")
    raise _Found("broken", end, f"the control character U+{ord(text[end]):04X} within a string")
