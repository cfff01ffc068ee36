"""The contract's clauses and the rules that judge them: the rows of ``clauses.toml``."""

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
    """One sentence or table row of the contract: ``rules`` are globs over rule ids; ``unjudged`` says why there are
    none; ``since`` names the revision that brought it."""

    id: str
    says: str
    rules: tuple[str, ...] = ()
    unjudged: str = ""
    since: str = ""

    @property
    def section(self) -> str:
        """The number of its section."""
        return self.id.partition(".")[0]

    def covers(self, rule: str) -> bool:
        """Whether a rule is one of those that judge it."""
        return any(fnmatchcase(rule, glob) for glob in self.rules)


@cache
def clauses() -> tuple[Clause, ...]:
    """Every clause, in the order of the file."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["clause"]
    return tuple(Clause(**{**row, "rules": tuple(row.get("rules", ()))}) for row in rows)
