"""Shingles of the clients' texts: a digest of each run of eight words, with which a test finds remains of them.

``shingles.txt`` contains the digests, one a line, of every text that ``python -m tools.capture`` ever replaced.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Set
from hashlib import sha256
from pathlib import Path

SIZE = 8
STORED = Path(__file__).with_name("shingles.txt")

#: Letters and digits; an underscore separates.
_WORD = re.compile(r"[^\W_]+")
_ESCAPED = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[bfnrt]|(?=[\"/]))")

#: 48 bits: with 5,000 digests and a million words searched, the probability of a false match is 1 in 50,000.
_BYTES = 6


def shingles(texts: Iterable[str]) -> set[str]:
    """Every run of eight words of the texts, in lower case and separated by single spaces."""
    split = [_WORD.findall(text.lower()) for text in texts]
    return {" ".join(words[at : at + SIZE]) for words in split for at in range(len(words) - SIZE + 1)}


def digest(shingle: str) -> str:
    """A shingle's digest, eight characters of base64."""
    return base64.b64encode(sha256(shingle.encode()).digest()[:_BYTES]).decode()


def unescaped(text: str) -> str:
    """A text without the escapes of JSON and source code at any depth: the n of a line break is not a word."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else " ", text)


def left(text: str, digests: Set[str]) -> list[str]:
    """The shingles of a file's text, with and without its escapes, whose digests are among these."""
    return sorted(one for one in shingles([text, unescaped(text)]) if digest(one) in digests)


def stored() -> set[str]:
    """The digests in the file."""
    return set(STORED.read_text(encoding="utf-8").split()) if STORED.exists() else set()


def store(digests: Set[str]) -> None:
    """Add these digests to the file; digests are never removed."""
    STORED.write_text("".join(f"{one}\n" for one in sorted(stored() | digests)), encoding="utf-8")
