"""Removes data of the machine and of the time from captured requests; pure functions.

Each value is replaced by a placeholder of the same format, equal values of a client's requests by the same one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: A UUID, alone or after an underscore.
UUID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f-])")

#: Values between fixed words: pattern, placeholder.
_FIXED = (
    (re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b"), "2026-01-01"),
    (re.compile(r"\b1[789]\d{11}\b"), "1767225600000"),
    (re.compile(r"(?<=<timezone>)[^<]*"), "Etc/UTC"),
    (re.compile(r"(?<=<shell>)[^<]*"), "bash"),
    (re.compile(r'(?<="sandbox":")[^"]*'), "seccomp"),
    (re.compile(r"(?<=Chunk ID: )[0-9a-f]+"), "000000"),
    (re.compile(r"\bses_[0-9A-Za-z]{20,}"), "ses_00000000000000000000000000"),
    (re.compile(r"(?<=Wall time: )[\d.]+"), "0.0000"),
)

_MILLISECONDS = range(1_700_000_000_000, 2_000_000_000_000)


class Leak(Exception):
    """Data of this machine remains in the output; the message contains it."""


def scrubbed(bodies: Sequence[dict[str, Any]], places: Mapping[str, str]) -> list[dict[str, Any]]:
    """The bodies with data of this machine replaced; ``places``: paths and their placeholders, the longest first."""
    seen: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        return seen.setdefault(match[0], f"00000000-0000-4000-8000-{len(seen) + 1:012d}")

    def clean(text: str) -> str:
        for path, placeholder in sorted(places.items(), key=lambda one: -len(one[0])):
            text = text.replace(path, placeholder)
        for pattern, fixed in _FIXED:
            text = pattern.sub(fixed, text)
        return UUID.sub(named, text)

    return [_walked({name: value for name, value in body.items() if name != "model"}, clean) for body in bodies]


def _walked(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        names = sorted(value) if "x-codex-installation-id" in value else value  # A map without an order of its own.
        return {name: _walked(value[name], clean) for name in names}
    if isinstance(value, list):
        return [_walked(inner, clean) for inner in value]
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and int(value) in _MILLISECONDS:
        return _MILLISECONDS.start
    return value


def must_not_hold(text: str, secrets: Sequence[str]) -> None:
    """Raise ``Leak`` if a text contains one of these; short ones, which every text contains, are ignored."""
    for secret in secrets:
        if len(secret) > 4 and secret in text:
            raise Leak(f"the captured requests still contain {secret!r}")
