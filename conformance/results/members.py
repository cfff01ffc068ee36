"""Typed access to the members of a JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class BadRecord(ValueError):
    """A line of a results file is invalid; the message completes a sentence that begins with the file's name."""


class Members:
    """Reads the members of a JSON object; ``kind`` is the kind of its line, for messages. Each method raises
    :class:`BadRecord` for a member with another type."""

    def __init__(self, value: Any, kind: str) -> None:
        if not isinstance(value, Mapping):
            raise BadRecord(f"is not a results file: a line of kind {kind} has {type(value).__name__}, expected object")
        self._value = value
        self._kind = kind

    def string(self, name: str, default: str | None = None) -> str:
        """A string; ``default`` if it is missing. Raises :class:`BadRecord` if it is missing without a default."""
        return str(self._typed(name, str, default))

    def integer(self, name: str) -> int | None:
        """An integer; None if it is missing or null."""
        value = self._value.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self._wrong(name)
        return value

    def number(self, name: str) -> float:
        """A number; 0 if it is missing."""
        value = self._value.get(name, 0)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(name)
        return value

    def required_integer(self, name: str) -> int:
        """A required integer."""
        value = self.integer(name)
        if value is None:
            raise self._missing(name)
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """The strings of an array; empty if it is missing."""
        value = self._typed(name, list, [])
        if not all(isinstance(one, str) for one in value):
            raise self._wrong(name)
        return tuple(value)

    def objects(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The objects of an array; empty if it is missing."""
        value = self._typed(name, list, [])
        if not all(isinstance(one, dict) for one in value):
            raise self._wrong(name)
        return list(value)

    def object(self, name: str) -> Mapping[str, Any]:
        """A required object."""
        value: Mapping[str, Any] = self._typed(name, dict, None)
        return value

    def mapping(self, name: str) -> Mapping[str, Any] | None:
        """An object; None if it is missing or null."""
        return None if self._value.get(name) is None else self.object(name)

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        value = self._value.get(name, default)
        if value is None:
            raise self._missing(name)
        if not isinstance(value, kind):
            raise self._wrong(name)
        return value

    def _missing(self, name: str) -> BadRecord:
        return BadRecord(f"is not a results file: a line of kind {self._kind} has no member {name}")

    def _wrong(self, name: str) -> BadRecord:
        return BadRecord(f"is not a results file: {name} in a line of kind {self._kind} has the wrong type")
