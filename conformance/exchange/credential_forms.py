"""The encodings in which a credential may occur, and its replacement.

Each form of a credential is replaced by the same form of its filler: of equal length, each character of the same kind,
the same at every place. So JSON stays valid, types and lengths stay, and equal values stay equal: a redacted exchange
has the same verdicts as the original.
"""

from __future__ import annotations

import base64
import re
import secrets
import string
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import accumulate
from typing import Literal

from conformance.contract.schemas import schema_dir
from conformance.exchange import entropy

#: A credential of fewer characters cannot be distinguished from a word: it is neither searched nor replaced.
PART = 8

#: The credentials that are made at random to be refused: six characters of one count (eight in a large body), or its
#: last four alone.
RANDOM_PREFIX = "sk-wrong"
RANDOM_PART, RANDOM_PART_IN_LARGE, RANDOM_END = 6, 8, 4

#: Characters of an anchor: the substring that is searched before a form is compared.
ANCHOR = 4

#: A cookie with fewer bits, or characters, may occur in a response by chance.
_COOKIE_BITS, _COOKIE = 54.0, 20

#: Letters and digits that replace others, one after another. No digit is 0, which may not begin a JSON number.
_LETTERS, _NUMBERS = b"redacted", b"123456789"

#: Values of headers and frames that are no part of a schema.
_USUAL = "application/json; charset=utf-8 text/event-stream no-cache keep-alive chunked"

Kind = Literal["raw", "hex", "base64"]

#: How many characters of a form encode how many bytes.
_SCALE: Mapping[Kind, tuple[int, int]] = {"raw": (1, 1), "hex": (2, 1), "base64": (4, 3)}

#: Of base64 after no, one or two other bytes: how many characters those share with the credential.
_CUTS = (0, 2, 3)

_FOR_URLS = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True)
class Cookie:
    """A secret that is not searched in parts and whose echo is no finding: its digits are times and counters."""

    value: str


Secret = str | Cookie


class Known(tuple[Secret, ...]):
    """A tuple of thousands of credentials whose hash is computed once."""

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def known(secrets: Sequence[Secret], request_body: bytes = b"") -> tuple[Secret, ...]:
    """The credentials as a tuple, without those that occur in the request body ``request_body``."""
    if isinstance(secrets, Known):
        return secrets
    return tuple(
        one
        for one in secrets
        if not request_body or _value(one) not in request_body or entropy.is_distinctive(_value(one).decode("latin-1"))
    )


@dataclass(frozen=True, eq=False)
class Form:
    """One way to write a credential: ``text`` in lower case.

    ``bits`` are those of the credential's bytes. In base64 the credential begins ``shift`` bytes after a group of
    three, and the form is without the ``cut`` first characters, which depend on the bytes before. ``parts`` are the
    shortest runs (start, end) that are replaced. ``complete``: the complete form is an echo (never without ``bits``).
    """

    text: bytes
    value: bytes
    kind: Kind
    bits: tuple[float, ...]
    parts: Sequence[tuple[int, int]]
    complete: bool
    random: bool = False
    shift: int = 0
    cut: int = 0
    for_urls: bool = False

    @cached_property
    def filler(self) -> bytes:
        """The same form of the filler."""
        return _written(filler(self.value), self.kind, self.shift, self.cut, self.for_urls)

    @cached_property
    def anchors(self) -> Sequence[int]:
        """The offsets of the fewest anchors of which every part contains one, in order."""
        found: list[int] = []
        for start, end in self.parts:
            if not found or start > found[-1]:
                found.append(end - ANCHOR)
        return found

    def anchor_in(self, start: int) -> int:
        """The first anchor at or after a place; -1 if there is none."""
        number = bisect_left(self.anchors, start)
        return self.anchors[number] if number < len(self.anchors) else -1

    def contains_part(self, start: int, end: int) -> bool:
        """Whether this run contains one of the parts."""
        first = bisect_left(self.parts, start, key=lambda part: part[0])
        return first < len(self.parts) and self.parts[first][1] <= end

    def is_echo(self, start: int, end: int, size: int) -> bool:
        """Whether this run does not occur by chance in a text of ``size`` bytes."""
        if not self.bits or (self.complete and end - start == len(self.text)):
            return self.complete
        many, few = _SCALE[self.kind]
        first = -(-(start + self.cut) * few // many) - self.shift
        last = (end + self.cut) * few // many - self.shift
        bits = self._sums[max(last, 0)] - self._sums[max(first, 0)] if last > first else 0.0
        return entropy.is_significant(bits, size, entropy.CHANCE_OF_RANDOM if self.random else entropy.CHANCE)

    @cached_property
    def _sums(self) -> list[float]:
        return [0.0, *accumulate(self.bits)]


@dataclass(frozen=True)
class Index:
    """What is looked for: the forms by anchor, the ends of random credentials, and the characters of escapes. Of
    ``ends`` each is a random credential and its form."""

    anchors: Mapping[bytes, Sequence[tuple[Form, int]]]
    ends: tuple[tuple[bytes, Form], ...]
    letters: frozenset[int]

    @cached_property
    def escapes(self) -> re.Pattern[bytes]:
        r"""The escapes of one character of a credential: ``\\u0041`` or ``\\x41`` (with more backslashes for JSON
        within JSON), ``%41``, ``&#x41;``, and an escaped quote, slash or backslash if a credential contains one."""
        hexed = b"(?i:" + b"|".join(b"%02x" % byte for byte in sorted(self.letters | _uppers(self.letters))) + b")"
        # From the first backslash of a row and never back, as a row may have millions.
        ways = [rb"(?<!\\)\\++(?:u00|x)" + hexed, b"%(?:25)*" + hexed, b"&#[xX]0*+" + hexed + b";"]
        ways += [rb"(?<!\\)\\++" + re.escape(bytes([byte])) for byte in b'"/' if byte in self.letters]
        ways += [rb"(?<!\\)\\\\++"] if 0x5C in self.letters else []
        return re.compile(b"|".join(ways))


def _uppers(letters: frozenset[int]) -> frozenset[int]:
    return frozenset(bytes([byte]).upper()[0] for byte in letters)


@lru_cache(maxsize=16)
def index(credentials: tuple[Secret, ...], large: bool) -> Index:
    """Where to look for these credentials; ``large``: in a text of more than :data:`odds.LARGE` bytes."""
    anchors: dict[bytes, list[tuple[Form, int]]] = {}
    ends: list[tuple[bytes, Form]] = []
    for secret in dict.fromkeys(credentials):
        value = _value(secret)
        if isinstance(secret, str) and secret.startswith(RANDOM_PREFIX) and len(secret) > len(RANDOM_PREFIX) + PART:
            ends.append((value, forms(secret, large)[0]))
        for form in forms(secret, large):
            for place in form.anchors:
                anchors.setdefault(form.text[place : place + ANCHOR], []).append((form, place))
    return Index(anchors, tuple(ends), frozenset(byte for one in credentials for byte in _value(one).lower()))


@lru_cache(maxsize=8192)
def forms(secret: Secret, large: bool = False) -> tuple[Form, ...]:
    """The forms of a credential, none if it is too short or public: plain, in hexadecimal, and in base64, alone or
    within more bytes."""
    value = _value(secret)
    text = value.decode("latin-1")
    if isinstance(secret, Cookie):
        if len(text) < _COOKIE or not (_is_strong(text[:_COOKIE]) or _is_strong(text)):
            return ()
        return tuple(_forms(value, (), [(0, len(text))], False, False))
    if len(text) < PART or _is_public(text):
        return ()
    random = text.startswith(RANDOM_PREFIX)
    bits, parts = _parts(text, random, large)
    return tuple(_forms(value, tuple(bits), parts, entropy.is_distinctive(text), random))


def _is_strong(cookie: str) -> bool:
    return sum(entropy.costs(cookie)) >= _COOKIE_BITS


def _parts(text: str, random: bool, large: bool) -> tuple[list[float], list[tuple[int, int]]]:
    """The bits of each byte, and the shortest parts that are replaced; the complete credential if there are none."""
    complete = (0, len(text))
    if random:
        first, size = len(RANDOM_PREFIX), RANDOM_PART_IN_LARGE if large else RANDOM_PART
        bits = [0.0] * first + [entropy.FULL] * (len(text) - first)
        return bits, [(start, start + size) for start in range(first, len(text) - size + 1)] or [complete]
    bits = entropy.costs(text)
    return bits, entropy.shortest_parts(bits, entropy.replaced(sum(bits), large)) or [complete]


def _forms(
    value: bytes, bits: tuple[float, ...], parts: Sequence[tuple[int, int]], complete: bool, random: bool
) -> Iterator[Form]:
    yield Form(value.lower(), value, "raw", bits, parts, complete, random)
    yield Form(value.hex().encode(), value, "hex", bits, _scaled(parts, "hex"), complete, random)
    for shift, cut in enumerate(_CUTS):
        text = _written(value, "base64", shift, cut)
        places = _scaled(parts, "base64", shift, cut, len(text))
        yield Form(text.lower(), value, "base64", bits, places, complete, random, shift, cut)
        if b"+" in text or b"/" in text:
            text = _written(value, "base64", shift, cut, True)
            yield Form(text.lower(), value, "base64", bits, places, complete, random, shift, cut, True)


def _written(value: bytes, kind: Kind, shift: int = 0, cut: int = 0, for_urls: bool = False) -> bytes:
    if kind == "raw":
        return value
    if kind == "hex":
        return value.hex().encode()
    text = base64.b64encode(b"\0" * shift + value)[cut : (len(value) + shift) * 8 // 6]
    return text.translate(_FOR_URLS) if for_urls else text


def _scaled(
    parts: Sequence[tuple[int, int]], kind: Kind, shift: int = 0, cut: int = 0, size: int = sys.maxsize
) -> list[tuple[int, int]]:
    """The parts of a credential in a form of it."""
    many, few = _SCALE[kind]
    return [
        (max((start + shift) * many // few - cut, 0), min(-(-(end + shift) * many // few) - cut, size))
        for start, end in parts
    ]


def random_credential() -> str:
    """A random invalid credential. Its end is no word, number or group of hexadecimal digits, so that four characters
    of it do not occur in a response by chance."""
    letters = [letter for letter in string.ascii_letters if letter not in string.hexdigits]
    first = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))
    kinds = (str.isupper, str.isdigit, str.islower, str.isupper)
    end = [secrets.choice([one for one in (*letters, *string.digits) if kind(one)]) for kind in kinds]
    return RANDOM_PREFIX + first + "".join(end)


def filler(value: bytes) -> bytes:
    """The replacement of a credential: letters for letters of the same case, digits for digits, other characters as
    they are.

    Two letters are special. A letter after a backslash stays, as not every letter is an escape. An ``e`` between digits
    becomes a digit: it may be part of a number, where no other letter is allowed.
    """
    out, letters, digits = bytearray(value), 0, 0
    kept = {place for one in re.finditer(rb"\\(?:u[0-9A-Fa-f]{0,4}|.)", value) for place in range(*one.span())}
    for place, byte in enumerate(value):
        before, after = value[max(place - 1, 0) : place], value[place + 1 : place + 2]
        exponent = byte in b"eE" and before.isdigit()
        if place in kept or (exponent and after in (b"+", b"-")):
            continue
        if bytes([byte]).isdigit() or (exponent and after.isdigit()):
            out[place] = _NUMBERS[digits % len(_NUMBERS)]
            digits += 1
        elif bytes([byte]).isalpha():
            letter = _LETTERS[letters % len(_LETTERS)]
            out[place] = letter - 32 if bytes([byte]).isupper() else letter
            letters += 1
    return bytes(out)


def _value(secret: Secret) -> bytes:
    text = secret.value if isinstance(secret, Cookie) else secret
    return text.encode("utf-8", "surrogatepass")


def _is_public(text: str) -> bool:
    """Whether a credential is a word of the contract, which every response contains."""
    return text in _vocabulary()


@cache
def _vocabulary() -> str:
    return "\n".join([_USUAL, *(file.read_text(encoding="utf-8") for file in sorted(schema_dir().rglob("*.json")))])
