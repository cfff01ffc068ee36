"""JSON texts from a server: read within limits, the members that stand twice noted, the rest as the standard library
reads it.

Beyond RFC 8259 nothing is accepted but NaN and Infinity, and those only on request. Its section 9 lets a reader set
limits: what is deeper than :data:`DEEPEST` or holds more than :data:`MOST` is refused, and an integer of thousands of
digits is read as a number without end.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

#: Levels of arrays and objects; readers in use (serde_json) take no more.
DEEPEST = 128

#: Arrays and objects in one text, their opening brackets counted (those within strings too).
MOST = 100_000

#: Members whose value comes again and again in one stream.
_SAME = frozenset({"type", "item_id", "id"})


def load(text: str | bytes) -> Any:
    """The value of a JSON text, NaN and Infinity included; ``ValueError`` says why there is none."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    return _read(text, _LOOSE, _LOOSE_WIDE)


class Reader:
    """Reads many texts of one kind: what they share, such as the names of members, is kept once.

    :attr:`twice` are the names that stood twice in one object of the text read last.
    """

    def __init__(self) -> None:
        self.twice: tuple[str, ...] = ()
        self._shared: dict[str, str] = {}
        hook = self._object
        self._strict = json.JSONDecoder(object_pairs_hook=hook, parse_constant=_refuse)
        self._wide = json.JSONDecoder(object_pairs_hook=hook, parse_constant=_refuse, parse_int=_integer)

    def load(self, text: str) -> Any:
        """The value of a JSON text; ``ValueError`` says why there is none."""
        self.twice = ()
        return _read(text, self._strict, self._wide)

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


def _read(text: str, decoder: json.JSONDecoder, wide: json.JSONDecoder) -> Any:
    opened = text.count("[") + text.count("{")
    if opened > MOST:
        raise ValueError(f"more than {MOST} brackets")
    try:
        try:
            value = decoder.decode(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # More digits than Python takes, or a constant, which is refused again.
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
