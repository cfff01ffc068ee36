"""The levels: named sets of rules, of which a server can state that it passes one (``levels.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conformance.contract.rules import requirement

#: The levels, the narrowest first: each with the sets of rules that it consists of.
PARTS: Mapping[str, tuple[str, ...]] = {
    "core": ("core",),
    "tools": ("core", "tools"),
    "reasoning": ("core", "reasoning"),
    "full": ("core", "tools", "reasoning", "full"),
}

#: Words in a rule with a placeholder that is filled in, and the set to which it belongs.
_WORDS = (("tools", re.compile(r"tool|function")), ("reasoning", re.compile(r"reasoning|effort")))


@dataclass(frozen=True)
class Levels:
    """The sets of one version of the suite: ``rows`` maps the id of each row of the catalogue to its set."""

    suite: str
    rows: Mapping[str, str]

    def part_of(self, rule: str) -> str:
        """The set of a rule; empty if it is in none. Raises KeyError if the catalogue has no such rule."""
        row = requirement(rule).id
        own = self.rows.get(row, "")
        words = (name for name, pattern in _WORDS if row != rule and pattern.search(rule))
        return next(words, own) if own else ""


@cache
def versions() -> tuple[Levels, ...]:
    """The sets of each version of the suite, the oldest first."""
    tables = tomllib.loads(Path(__file__).with_name("levels.toml").read_text(encoding="utf-8"))["version"]
    return tuple(
        Levels(table["suite"], {row: name for name in PARTS["full"] for row in table[name]}) for table in tables
    )


def levels_of(suite: str) -> Levels:
    """The sets by which a run of that version of the suite is evaluated: those of the newest version that is not newer,
    else the oldest."""
    known = [one for one in versions() if _version(one.suite) <= _version(suite)]
    return known[-1] if known else versions()[0]


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:3]))
