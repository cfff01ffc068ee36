"""The clauses of the contract and the rules that check them: the rows of ``clauses.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

SECTIONS = {
    "0": "Revisions",
    "1": "Endpoint and authentication",
    "2": "Request parameters",
    "3": "Input items",
    "4": "Tools",
    "5": "Response object",
    "6": "Stream events",
    "7": "Observed and open",
}


@dataclass(frozen=True)
class Clause:
    """One sentence or table row of the contract.

    ``rules`` are globs over rule ids. ``unjudged`` is the reason why no rule checks the clause, or why its rules are
    evaluated only on a condition; empty otherwise. ``since`` is the revision that introduced it; empty for the first.
    """

    id: str
    says: str
    rules: tuple[str, ...] = ()
    unjudged: str = ""
    since: str = ""

    @property
    def section(self) -> str:
        """The number of the section, a key of :data:`SECTIONS`."""
        return self.id.partition(".")[0]

    def covers(self, rule: str) -> bool:
        """Whether the rule with this id checks the clause."""
        return any(fnmatchcase(rule, glob) for glob in self.rules)


@cache
def clauses() -> tuple[Clause, ...]:
    """Every clause, in the order of the file."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["clause"]
    return tuple(Clause(**{**row, "rules": tuple(row.get("rules", ()))}) for row in rows)
