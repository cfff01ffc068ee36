"""The entropy of a credential: the bits of each of its characters, and which parts do not occur by chance.

The model: a text that is independent of the credential contains a given part of ``b`` bits at one of ``n`` offsets with
a probability of at most ``n * 2**-b``. That bound is valid only for random characters, so what occurs for other reasons
counts 0 bits: words, separators, characters that continue a sequence (``0123``, ``a1b2c3``, ``abab``), and all but five
digits of a number, as clocks and counters determine the rest. Case is ignored.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from itertools import accumulate

#: The most probable chance hit that still counts as an echo, for one credential in one body: the credential of a user,
#: and one that was made at random to be refused (its refusals are short, and there are about 15 in a run).
CHANCE, CHANCE_OF_RANDOM = 1e-9, 1e-6

#: Bits of a part that is replaced in stored data. Fewer than for an echo: replacing too much changes no verdict.
REPLACED = 28.0

#: The same in a body of more than :data:`LARGE` bytes, where each anchor costs milliseconds: the bits of an echo, but
#: at most this share of all bits of the credential.
REPLACED_IN_LARGE, SHARE = 49.0, 0.6
LARGE = 1_000_000

#: Bits that distinguish a complete credential from a placeholder such as ``local-key``; here a letter of a word counts
#: two and a separator one.
COMPLETE_BITS = 20.0

#: Bits of a letter or digit that may be any.
FULL = math.log2(36)

_TOKEN = re.compile(r"[A-Za-z0-9]+")
_SEGMENT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SAYABLE = re.compile(r"(?!.*[^aeiouy]{4}).*[aeiouy]")

#: The first part of a JSON Web Token is its header, which is equal in millions of tokens.
_JWT_HEAD = re.compile(r"eyJ[\w-]+\.(?=[\w-]+\.)")

_SEPARATORS = frozenset("-_./: ")

_HEX = frozenset("0123456789abcdef")

#: Letters follow digits, as in hexadecimal.
_RANKS = {letter: int(letter, 36) for letter in string.ascii_letters + string.digits}

#: The most letters of a word in one case; the least digits of a number.
_LONGEST_WORD, _NUMBER = 16, 6

#: Digits of a number that count in full (the last five of a clock), and the bits of each further one.
_DIGITS, _FURTHER = 5, 0.5

#: Of a character that continues a row: the row might have ended.
_ROW = 0.5

_ROWS = 4


def costs(secret: str, word: float = 0.0) -> list[float]:
    """The bits of each character; ``word``: of a letter in a word (and of two separators)."""
    bits = [word / 2 if letter in _SEPARATORS else 3.0 for letter in secret]
    digits = 0
    for token in _TOKEN.finditer(secret):
        full, begin, token_text = _alphabet(token[0].lower()), token.start(), token[0]
        for segment in _SEGMENT.finditer(token_text):
            start, end = begin + segment.start(), begin + segment.end()
            size = end - start
            if segment[0].isdigit():
                count = size if size == len(token_text) or size >= _NUMBER else 0
                fully = min(max(_DIGITS - digits, 0), count) if count else size
                bits[start:end] = [full] * fully + [_FURTHER] * (size - fully)
                digits += count
            else:
                bits[start:end] = [word if _is_word(segment[0].lower(), size == len(token_text), full) else full] * size
    for place in _continued(secret):
        bits[place] = min(bits[place], _ROW)
    if head := _JWT_HEAD.match(secret):
        bits[: head.end()] = [0.0] * head.end()
    return bits


def _alphabet(token: str) -> float:
    if token.isdigit():
        return math.log2(10)
    return 4.0 if _HEX.issuperset(token) else FULL


def _is_word(segment: str, alone: bool, full: float) -> bool:
    least = 1 if alone else 6 if full == 4.0 else 4
    return least <= len(segment) <= _LONGEST_WORD and (alone or _SAYABLE.match(segment) is not None)


def _continued(secret: str) -> set[int]:
    """The offsets of characters that repeat, or increment or decrement, the character one to four places before."""
    # What is no letter or digit is far from all.
    ranks = [_RANKS.get(letter, -1000 * place - 1000) for place, letter in enumerate(secret)]
    found: set[int] = set()
    for lag in range(1, _ROWS + 1):
        steps = [after - before for before, after in zip(ranks, ranks[lag:], strict=False)]
        for place, step in enumerate(steps):
            if (
                -1 <= step <= 1
                and place
                and (steps[place - 1] == step or (place >= lag and steps[place - lag] == step))
            ):
                found.add(place + lag)
    return found


def replaced(total: float, large: bool) -> float:
    """The bits of a part that is replaced, of a credential that has so many in all."""
    return min(REPLACED_IN_LARGE, max(REPLACED, SHARE * total)) if large else REPLACED


def shortest_parts(bits: Sequence[float], least: float) -> list[tuple[int, int]]:
    """The shortest parts (start, end) with this many bits; every other part with that many contains one of them."""
    sums = [0.0, *accumulate(bits)]
    found: list[tuple[int, int]] = []
    end = 0
    for start in range(len(bits)):
        while end < len(bits) and sums[end] - sums[start] < least:
            end += 1
        if sums[end] - sums[start] < least:
            break
        if bits[start]:
            found.append((start, end))
    return found


def is_distinctive(secret: str) -> bool:
    """Whether the credential can be distinguished from a word, so that it does not occur in text by chance."""
    return not secret.isalpha() and sum(costs(secret, word=2.0)) >= COMPLETE_BITS


def is_significant(bits: float, size: int, chance: float = CHANCE) -> bool:
    """Whether the probability that a part of ``bits`` bits occurs by chance in a text of ``size`` bytes is below the
    threshold."""
    return size <= chance * math.exp2(bits)
