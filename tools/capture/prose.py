"""Replaces the client's texts in captured requests with other words; pure functions.

The prose of a client must not be distributed. What a server may depend on stays: members, names, types, lengths in
characters and in bytes, line breaks, markup, punctuation, and the kind of each character (letter of a case and a
script, or digit).

A text is any string of more than a few words. Values that a tool or a JSON Schema enumerates are no texts; a string
that is a JSON document is searched for texts itself. Within a text these stay:

- this project's own texts: the questions, the texts of its programs, and those that the built-in endpoint generated,
- names that the request declares, if they contain an underscore or are in backticks,
- the names of elements that begin a line, such as ``<environment_context>``,
- UUIDs, zeros and single letters.

The replacement of a word depends on its line and its position in it; that of a word in a tag depends on the word only,
so that start tag and end tag match. So equal captures write equal files, and a new version of a client changes only the
lines that the client changed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tools.capture.scrub import UUID

#: A string with at most this many words (separated by whitespace) and letters outside ASCII is not a text.
FEW, FEW_LETTERS = 3, 12

#: Members whose strings are structure, whatever their number of words.
_STRUCTURE = frozenset({"const", "definition", "enum", "name", "pattern", "required"})

_PIECE = re.compile(rf"(?P<uuid>{UUID.pattern})|(?P<tag></?[A-Za-z][^<>\n]*>)|(?:(?!{UUID.pattern})\w)+")
_ELEMENT = re.compile(r"^[ \t]*</?([A-Za-z][\w-]*)", re.MULTILINE)
_IN_TAG = re.compile(r"[\w-]+")
_RUN = re.compile(r"[A-Za-z]+|[^\W_]")
_LITERAL = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?')

#: A Lark grammar that accepts any text.
_ANYTHING = r"start: /(.|\n)+/"

#: Neutral words: none is an instruction, so that a model still follows the question.
_OWN = re.findall(
    "[a-z]+",
    """
a of to in on at by as it is or so we up
the and for one two our all day sun sky sea bay oak elm low new
with from into over near lake moon tree leaf wind rain snow hill bird fish boat road calm warm blue
river stone cloud light water green above under every plain field grass maple shore quiet early
garden forest yellow silver meadow winter summer autumn harbor bridge candle copper gentle across behind
evening morning weather village between lantern blossom cottage feather orchard through outside
mountain sunlight calendar together northern umbrella notebook sandwich driftwood daylight
afternoon raspberry waterfall furniture beautiful different butterfly sometimes
strawberry watercolor blackberry lighthouse springtime everywhere
countryside marketplace comfortable temperature cauliflower
thunderstorm refrigerator neighborhood northeastern
""",
)
_WORDS = {size: [word for word in _OWN if len(word) == size] for size in map(len, _OWN)}
_LONGEST = max(_WORDS)

_Change = Callable[[str], str]


@dataclass(frozen=True)
class Ours:
    """This project's own texts.

    A line that is part of one of ``sent`` is kept, also in a text of the client. Of ``generated`` only complete texts
    are, as the built-in endpoint quotes its input.
    """

    sent: Sequence[str] = ()
    generated: Sequence[str] = ()


def reworded(bodies: Sequence[dict[str, Any]], ours: Ours) -> list[dict[str, Any]]:
    """The bodies with each text of the client replaced."""
    names = {name for body in bodies for name in _names(body)}
    return [_mapped(body, lambda text: _text(text, names, ours), _grammar) for body in bodies]


def client_texts(bodies: Sequence[dict[str, Any]], ours: Ours) -> list[str]:
    """The texts that ``reworded`` replaces, without this project's own texts in them."""
    found: list[str] = []

    def noted(text: str) -> str:
        block = ""
        for part, own in _parts(text, ours):
            if own:
                found.append(block)
            block = "" if own else block + part
        found.append(block)
        return text

    for body in bodies:
        _mapped(body, noted, noted)
    return [text for text in found if text]


def _names(value: Any) -> Iterator[str]:
    """Every word that is a key or a complete string."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _names(inner)
    elif isinstance(value, str) and re.fullmatch(r"\w+", value):
        yield value


def _mapped(value: Any, change: _Change, grammar: _Change) -> Any:
    """A value with ``change`` applied to each text, and ``grammar`` to each grammar of Lark."""
    if isinstance(value, dict):
        kept = {
            name: inner if name in _STRUCTURE and _is_strings(inner) else _mapped(inner, change, grammar)
            for name, inner in value.items()
        }
        if value.get("syntax") == "lark" and isinstance(value.get("definition"), str):
            kept["definition"] = grammar(value["definition"])
        return kept
    if isinstance(value, list):
        return [_mapped(inner, change, grammar) for inner in value]
    if not isinstance(value, str) or not _is_text(value):
        return value
    return _in_literals(value, change) if _is_document(value) else change(value)


def _is_strings(value: Any) -> bool:
    """Whether the value is a string or a list: a schema may also have a property called ``name``."""
    return isinstance(value, str | list)


def _is_text(value: str) -> bool:
    foreign = sum(not char.isascii() and char.isalpha() for char in value)
    return len(value.split()) > FEW or foreign > FEW_LETTERS


def _is_document(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _in_literals(document: str, change: _Change) -> str:
    """A JSON document with ``change`` applied to the texts in it, in its original formatting."""

    def literal(match: re.Match[str]) -> str:
        value = json.loads(match[1])
        new = value if match[2] else _mapped(value, change, change)
        return match[0] if new == value else json.dumps(new, ensure_ascii=match[0].isascii())

    return _LITERAL.sub(literal, document)


def _parts(text: str, ours: Ours) -> Iterator[tuple[str, bool]]:
    """The parts of a text, each with whether it is this project's own; joined they are the text."""
    if text in ours.generated:
        yield text, True
        return
    splits = "|".join(["\n", *(re.escape(one) for one in ours.sent if "\n" not in one and _is_text(one))])
    for part in re.split(f"({splits})", text):
        yield part, bool(re.search(r"\w", part)) and any(part.strip() in one for one in ours.sent)


def _text(text: str, names: set[str], ours: Ours) -> str:
    elements = set(_ELEMENT.findall(text))
    return "".join(part if own else _part(part, names, elements) for part, own in _parts(text, ours))


def _part(part: str, names: set[str], elements: set[str]) -> str:
    def in_tag(match: re.Match[str]) -> str:
        kept = match[0] in elements or UUID.fullmatch(match[0])
        return match[0] if kept else _replaced(match[0], match[0])

    def piece(match: re.Match[str]) -> str:
        found, (start, end) = match[0], match.span()
        if match["uuid"]:
            return found
        if match["tag"]:
            return _IN_TAG.sub(in_tag, found)
        if found in names and ("_" in found or part[start - 1 : start] == part[end : end + 1] == "`"):
            return found
        return _replaced(found, f"{part}\0{start}")

    return _PIECE.sub(piece, part)


def _grammar(definition: str) -> str:
    """A replacement grammar of the same length: the client's is prose too, and with other words it would be invalid."""
    room = len(definition) - len(_ANYTHING)
    if room < 0:
        return definition
    comment = "\n// " + " ".join("x" * (size % 7 + 2) for size in range(room))
    return _ANYTHING + (_replaced(comment[:room], definition) if room > 4 else "\n" * room)


def _replaced(found: str, seed: str) -> str:
    """A string with each run of letters and each digit replaced by one of the same kind."""

    def run(match: re.Match[str]) -> str:
        old, key = match[0], f"{seed}\0{match.start()}"
        if old == "0" or re.fullmatch("[A-Za-z]", old):
            return old
        if old.isascii() and old.isalpha():
            letters = zip(_word(old.lower(), key), old, strict=True)
            return "".join(new.upper() if was.isupper() else new for new, was in letters)
        return _picked([one for one in ("123456789" if old.isascii() else _like(old)) if one != old] or [old], key)

    return _RUN.sub(run, found)


def _word(old: str, key: str) -> str:
    """Another word of the same length; several words joined if none is that long."""
    if len(old) > _LONGEST:
        return _word(old[:7], key) + _word(old[7:], f"{key}\0")
    return _picked([word for word in _WORDS[len(old)] if word != old] or [old], key)


def _like(char: str) -> list[str]:
    """Characters near this one in Unicode, of the same category and of as many bytes."""
    first, kind, size = ord(char) & ~0x1F, unicodedata.category(char), len(char.encode())
    near = map(chr, range(first, first + 32))
    return [one for one in near if unicodedata.category(one) == kind and len(one.encode()) == size]


def _picked(options: Sequence[str], key: str) -> str:
    return options[int.from_bytes(sha256(key.encode()).digest()[:8]) % len(options)]
