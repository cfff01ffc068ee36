"""Texts and lists of words in a message: the first difference of two texts, marked."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

#: Characters shown around the first difference.
_AROUND = 24

_SEPARATORS = re.compile("[\u2028\u2029\x85\x0b\x0c\x1c-\x1e]")


def first_difference(want: str, got: str) -> int:
    """The index of the first character that differs."""
    pairs = zip(want, got, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(want), len(got)))


def marked(text: str, at: int) -> str:
    """The text around a character, with that character in ``[ ]``; escapes as in JSON."""
    before, here, after = text[max(0, at - _AROUND) : at], text[at : at + 1], text[at + 1 : at + 1 + _AROUND]
    start = "..." if at > _AROUND else ""
    end = "..." if at + 1 + _AROUND < len(text) else ""
    before = _complete_words(before[::-1])[::-1] if start and not text[at - _AROUND - 1].isspace() else before
    after = _complete_words(after) if end and not text[at + 1 + _AROUND].isspace() else after
    return f'"{start}{_escaped(before)}[{_escaped(here) or "end"}]{_escaped(after)}{end}"'


def _complete_words(text: str) -> str:
    """The text without the last word, which is cut, if enough is left of it."""
    left = text.rstrip().rpartition(" ")[0]
    return left if len(left) >= _AROUND // 2 else text


def lost_separator(want: str, got: str) -> str:
    """The first separator of lines that JSON allows in a string, in the one part of a text that is missing in the
    other, such as ``U+2028``; empty without one. Readers that end a line there lose the event."""
    start = first_difference(want, got)
    end = first_difference(want[start:][::-1], got[start:][::-1])
    if not got or start + end < len(got):
        return ""
    found = _SEPARATORS.search(want[start : len(want) - end])
    return f"U+{ord(found[0]):04X}" if found else ""


def _escaped(text: str) -> str:
    shown = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in shown)


def text_differs(
    where: str,
    want: str,
    got: str,
    sender: str = "the client sent",
    taker: str = "the upstream received",
    parts: Sequence[str] = (),
) -> str:
    """The sentence about two texts that differ; ``parts`` are those of the first one, if it has several."""
    if encoding := changed_encoding(parts or [want], got):
        return f"the encoding is changed to {encoding}: {where}: {sender} {marked(want, 0)}, {taker} {marked(got, 0)}"
    if not got:
        return f"{where}: {sender} {len(want)} characters, {taker} none: {marked(want, 0)}"
    at = first_difference(want, got)
    lost = f"; the part that is missing contains {found}" if (found := lost_separator(want, got)) else ""
    return f"{where}: first difference at character {at}: {sender} {marked(want, at)}, {taker} {marked(got, at)}{lost}"


def changed_encoding(parts: Sequence[str], got: str) -> str:
    """How a text, or the texts of content parts, were encoded again, in words; empty if they were not."""
    want = "".join(parts)
    if not got or got == want:
        return ""
    if _value(json.loads, got) == want:
        return "a JSON string"
    python = _value(ast.literal_eval, got)
    if python == want:
        return "a Python string"
    if not want:
        return ""
    if _texts_of(_value(json.loads, got)) == want:
        return "the JSON of its content parts"
    if _texts_of(python) == want:
        return "the Python text of its content parts"
    given = _value(json.loads, want)
    is_same = isinstance(python, dict | list) and python == given
    return "the Python text of its JSON value" if is_same and _value(json.loads, got) is None else ""


def _value(read: Callable[[str], Any], text: str) -> Any:
    """The value of a text; None if it cannot be read."""
    with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return read(text)
    return None


def _texts_of(value: Any) -> str:
    """The texts of a list of content parts; empty for another value."""
    parts = value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else []
    return "".join(str(one.get("text", "")) for one in parts)


def same_json(want: str, got: str) -> bool:
    """Whether two arguments are equal, as text or as JSON: a proxy can write JSON again, and send an object in place of
    none."""
    if want == got or (want, got) == ("", "{}"):
        return True
    try:
        return bool(json.loads(want) == json.loads(got))
    except ValueError:
        return False


def listed(words: Sequence[str]) -> str:
    """The words in a row, an empty one in quotes."""
    return ", ".join(word or "''" for word in words) or "none"


def is_part(words: Sequence[str], of: Iterable[str]) -> bool:
    """Whether the other words become these if some are left out."""
    rest = iter(of)
    return all(word in rest for word in words)
