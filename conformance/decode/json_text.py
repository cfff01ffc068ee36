"""JSON texts from a server: parsed within limits, with duplicate members recorded, otherwise as by :mod:`json`.

Beyond RFC 8259 only NaN and Infinity are accepted, and only by :func:`load`. Its section 9 allows limits: a text deeper
than :data:`DEEPEST` or with more than :data:`MOST` or :data:`MOST_VALUES` is refused before it is parsed, as a value
of two bytes takes up to a hundred bytes of memory. An integer of thousands of digits is read as infinity.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

#: Levels of arrays and objects; parsers in use (serde_json) accept no more.
DEEPEST = 128

#: Arrays and objects in one text, counted by opening brackets (including those within strings).
MOST = 100_000

#: Members and elements in one text, counted by commas, colons and opening brackets (including those within strings).
#: The longest output, 131,072 tokens of digits and commas, has half as many.
MOST_VALUES = 500_000

#: By how much each event raises these two limits for its stream; a delta with log probabilities has fewer.
EACH, EACH_VALUES = 8, 60

#: Members whose value repeats in one stream.
_SAME = frozenset({"type", "item_id", "id"})


class LimitExceeded(ValueError):
    """The text may be JSON, but exceeds a limit, which the message names. ``alone``: it does by itself, not only
    together with the texts before it."""

    def __init__(self, most: int, what: str, alone: bool) -> None:
        super().__init__(f"more than {most:,} {what}, which is the limit of the suite")
        self.alone = alone


def load(text: str | bytes) -> Any:
    """The value of a JSON text, which may contain NaN and Infinity; ``ValueError`` if it is invalid."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    return _read(text, _LOOSE, _LOOSE_WIDE, size(text))


def size(text: str) -> tuple[int, int]:
    """The number of opening brackets of a JSON text, and the number of values it can contain at most."""
    opened = text.count("[") + text.count("{")
    return opened, opened + text.count(",") + text.count(":")


class Reader:
    """Parses the texts of one stream; equal member names share one string. The limits of a text apply to all of them
    together, raised by :data:`EACH` and :data:`EACH_VALUES` for every text.

    :attr:`values`: number of values read. :attr:`twice`: names of duplicate members in the text read last.
    """

    def __init__(self) -> None:
        self.twice: tuple[str, ...] = ()
        self.values = 0
        self._opened = 0
        self._texts = 0
        self._shared: dict[str, str] = {}
        hook = self._object
        self._strict = json.JSONDecoder(object_pairs_hook=hook, parse_constant=_refuse)
        self._wide = json.JSONDecoder(object_pairs_hook=hook, parse_constant=_refuse, parse_int=_integer)

    def load(self, text: str) -> Any:
        """The value of a JSON text; ``ValueError`` if it is invalid."""
        self.twice = ()
        opened, values = size(text)
        spare = self._texts * EACH - self._opened, self._texts * EACH_VALUES - self.values
        value = _read(text, self._strict, self._wide, (opened, values), (min(spare[0], 0), min(spare[1], 0)))
        self._texts += 1
        self._opened += opened
        self.values += values
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        share = self._shared.setdefault
        made = {
            share(name, name): share(value, value) if name in _SAME and type(value) is str else value
            for name, value in pairs
        }
        if len(made) < len(pairs):
            times = Counter(name for name, _ in pairs)
            self.twice += tuple(name for name, count in times.items() if count > 1)
        return made


def _read(
    text: str,
    decoder: json.JSONDecoder,
    wide: json.JSONDecoder,
    sizes: tuple[int, int],
    spare: tuple[int, int] = (0, 0),
) -> Any:
    """``sizes`` is the :func:`size` of the text; ``spare`` is 0, or negative if earlier texts used more."""
    opened, values = sizes
    if opened > MOST + spare[0]:
        raise LimitExceeded(MOST, "brackets", opened > MOST)
    if values > MOST_VALUES + spare[1]:
        raise LimitExceeded(MOST_VALUES, "values", values > MOST_VALUES)
    try:
        try:
            value = decoder.decode(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # More digits than Python accepts, or a constant, which is refused again.
            value = wide.decode(text)
    except RecursionError:
        raise ValueError(f"arrays and objects more than {DEEPEST} deep") from None
    if opened > DEEPEST and _deep(value):
        raise ValueError(f"arrays and objects more than {DEEPEST} deep")
    return value


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [one for holder in level if isinstance(holder, dict | list) for one in _within(holder)]
        if not level:
            return False
    return True


def _within(holder: dict[str, Any] | list[Any]) -> list[Any]:
    inner = holder.values() if isinstance(holder, dict) else holder
    return [one for one in inner if isinstance(one, dict | list)]


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_LOOSE, _LOOSE_WIDE = json.JSONDecoder(), json.JSONDecoder(parse_int=_integer)
