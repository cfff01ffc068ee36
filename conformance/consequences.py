"""Which rules cannot hold where another is broken: the rows of ``consequences.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Consequence:
    """Where a rule of ``follow`` is broken, the breach of one of ``rules`` follows from it: in the same answers, or
    with ``anywhere`` in any, with ``overlap`` in one of them (a pair of which one is wrong); with ``members`` only
    where one of these is wrong, with ``alike`` only what is found in the same words, with ``same_member`` only what is
    about a member in which the cause found something. Both are globs over rule ids."""

    rules: tuple[str, ...]
    follow: tuple[str, ...]
    why: str
    anywhere: bool = False
    members: tuple[str, ...] = ()
    overlap: bool = False
    alike: bool = False
    same_member: bool = False

    def concerns(self, rule: str) -> bool:
        """Whether a breach of this rule can be a consequence."""
        return _any(rule, self.rules)


@cache
def consequences() -> tuple[Consequence, ...]:
    """Every row, in the order of the file: the outermost causes first."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["consequence"]
    return tuple(_consequence(row) for row in rows)


def _consequence(row: dict[str, Any]) -> Consequence:
    members = tuple(row.get("members", ()))
    flags = {name: row.get(name, False) for name in ("anywhere", "overlap", "alike", "same_member")}
    return Consequence(tuple(row["rules"]), tuple(row["follow"]), row["why"], members=members, **flags)


@cache
def follows(rule: str, cause: str) -> tuple[Consequence, ...]:
    """The rows by which a breach of ``rule`` follows from one of ``cause``."""
    return () if rule == cause else tuple(row for row in _concerning(rule) if _any(cause, row.follow))


@cache
def _concerning(rule: str) -> tuple[Consequence, ...]:
    return tuple(row for row in consequences() if row.concerns(rule))


def _any(rule: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(rule, glob) for glob in globs)
