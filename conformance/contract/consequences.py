"""Which rules cannot hold, or cannot be judged, where another is broken: the rows of ``consequences.toml``."""

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


@dataclass(frozen=True)
class Blocked:
    """Where a rule of ``follow`` is broken, a case of one of ``rules`` that could not be judged follows from it: where
    one of the obstacles ``by`` (see :mod:`conformance.results.obstacles`) is in the same response, or with ``anywhere``
    in any. All three are globs, ``rules`` and ``follow`` over rule ids; ``{type}`` stands for the same word in both."""

    rules: tuple[str, ...]
    follow: tuple[str, ...]
    by: tuple[str, ...]
    why: str
    anywhere: bool = False

    def ties(self, rule: str, cause: str, by: str) -> bool:
        """Whether a case of ``rule`` with this obstacle follows from a breach of ``cause``."""
        return _any(by, self.by) and any(
            fnmatchcase(cause, glob.replace("{type}", word))
            for word in (_word(rule, pattern) for pattern in self.rules)
            if word is not None
            for glob in self.follow
        )


def _word(rule: str, pattern: str) -> str | None:
    """What ``{type}`` of a pattern stands for in a rule's id; empty if it holds none, None if it does not match."""
    before, mark, after = pattern.partition("{type}")
    if not mark:
        return "" if fnmatchcase(rule, pattern) else None
    fits = rule.startswith(before) and rule.endswith(after) and len(rule) > len(before) + len(after)
    return rule[len(before) : len(rule) - len(after)] if fits else None


@cache
def blocked() -> tuple[Blocked, ...]:
    """Every row about cases that could not be judged, in the order of the file."""
    return tuple(
        Blocked(tuple(row["rules"]), tuple(row["follow"]), tuple(row["by"]), row["why"], row.get("anywhere", False))
        for row in _tables()["blocked"]
    )


@cache
def blocking(rule: str, cause: str, by: str) -> tuple[Blocked, ...]:
    """The rows by which a case of ``rule`` that could not be judged for an obstacle follows from ``cause``."""
    return tuple(row for row in blocked() if row.ties(rule, cause, by))


@cache
def consequences() -> tuple[Consequence, ...]:
    """Every row, in the order of the file: the outermost causes first."""
    return tuple(_consequence(row) for row in _tables()["consequence"])


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = tomllib.loads(
        Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    )
    return tables


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
