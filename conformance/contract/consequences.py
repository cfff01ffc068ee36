"""Which rules fail, or cannot be evaluated, because another is violated: the rows of ``consequences.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Consequence:
    """A violation of one of ``rules`` is a consequence where one of ``follow`` is violated; both are globs of rule ids.

    The two must concern the same responses; with ``anywhere`` any response of the run, with ``overlap`` at least one
    in common (a pair of which one is wrong). ``members``: only where one of these members is wrong. ``alike``: only
    findings with the same message. ``same_member``: only findings about a member in which the cause has one too.
    ``same_value``: only findings with the same actual value. ``word``: only findings whose message contains it.
    """

    rules: tuple[str, ...]
    follow: tuple[str, ...]
    why: str
    anywhere: bool = False
    members: tuple[str, ...] = ()
    overlap: bool = False
    alike: bool = False
    same_member: bool = False
    same_value: bool = False
    word: str = ""

    @property
    def compares(self) -> bool:
        """Whether it needs a finding to compare with that of the cause."""
        return self.alike or self.same_member or self.same_value or bool(self.word)

    def concerns(self, rule: str) -> bool:
        """Whether a violation of this rule can be a consequence by this row."""
        return _matches_any(rule, self.rules)


@dataclass(frozen=True)
class Independent:
    """A finding of one of ``rules`` whose actual value matches the glob ``value`` is no consequence of a violation of
    one of ``of``, whatever the rows of :class:`Consequence` state; all are globs."""

    rules: tuple[str, ...]
    of: tuple[str, ...]
    value: str
    why: str


@dataclass(frozen=True)
class Across:
    """Of a proxy, one defect that both sides show, and the rules of an endpoint once more: a violation of one of
    ``rules`` of the one part is a consequence of one of ``follow`` of the other, if a finding of the cause matches
    ``says`` and all findings of the consequence match ``where``.

    All are globs: ``rules`` and ``follow`` over rule ids, the others over ``@scenario: message``. ``same_probe``: only
    if both are violated by the same response, to a probe of both sides.
    """

    rules: tuple[str, ...]
    follow: tuple[str, ...]
    says: str
    where: str
    why: str
    same_probe: bool = False

    def ties(self, rule: str, findings: Sequence[str], cause: str, known: Sequence[str], same_probe: bool) -> bool:
        """Whether a violation of ``rule`` with these findings is a consequence of one of ``cause`` with ``known``."""
        return (
            (same_probe or not self.same_probe)
            and _matches_any(rule, self.rules)
            and _matches_any(cause, self.follow)
            and all(fnmatchcase(each, self.where) for each in findings)
            and any(fnmatchcase(each, self.says) for each in known)
        )


@dataclass(frozen=True)
class Blocked:
    """An inconclusive case of one of ``rules`` is a consequence where a rule of ``follow`` is violated.

    One of the obstacles ``by`` (see :mod:`conformance.results.obstacles`) must be in the same response as the
    violation, or with ``anywhere`` in any. All three are globs, ``rules`` and ``follow`` over rule ids; ``{type}``
    matches the same string in both. ``members``: only where one of these members, or the complete document, is wrong.
    ``reasons``: only a case whose reason contains one of these strings; such a row is preferred to those without.
    """

    rules: tuple[str, ...]
    follow: tuple[str, ...]
    by: tuple[str, ...]
    why: str
    anywhere: bool = False
    members: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def names(self, reason: str) -> bool:
        """Whether the row is about cases with this reason, and with no other."""
        return any(words in reason for words in self.reasons)

    def ties(self, rule: str, cause: str, by: str) -> bool:
        """Whether a case of ``rule`` with this obstacle is a consequence of a violation of ``cause``."""
        return _matches_any(by, self.by) and any(
            fnmatchcase(cause, glob.replace("{type}", word))
            for word in (_matched_type(rule, pattern) for pattern in self.rules)
            if word is not None
            for glob in self.follow
        )


def _matched_type(rule: str, pattern: str) -> str | None:
    """The part of a rule id that matches ``{type}``: empty if the pattern has none, None if the id does not match."""
    before, mark, after = pattern.partition("{type}")
    if not mark:
        return "" if fnmatchcase(rule, pattern) else None
    fits = rule.startswith(before) and rule.endswith(after) and len(rule) > len(before) + len(after)
    return rule[len(before) : len(rule) - len(after)] if fits else None


@cache
def blocked() -> tuple[Blocked, ...]:
    """Every row about inconclusive cases, in the order of the file."""
    return tuple(
        Blocked(
            tuple(row["rules"]),
            tuple(row["follow"]),
            tuple(row["by"]),
            row["why"],
            row.get("anywhere", False),
            tuple(row.get("members", ())),
            tuple(row.get("reasons", ())),
        )
        for row in _tables()["blocked"]
    )


@cache
def blocking(rule: str, cause: str, by: str) -> tuple[Blocked, ...]:
    """The rows by which an inconclusive case of ``rule`` with this obstacle is a consequence of ``cause``."""
    return tuple(row for row in blocked() if row.ties(rule, cause, by))


@cache
def _independent(rule: str, cause: str) -> tuple[str, ...]:
    rows = [Independent(tuple(row["rules"]), tuple(row["of"]), row["value"], row["why"])
            for row in _tables()["independent"]]  # fmt: skip
    return tuple(row.value for row in rows if _matches_any(rule, row.rules) and _matches_any(cause, row.of))


def independent(rule: str, cause: str, values: Iterable[object]) -> bool:
    """Whether a violation of ``rule`` with these actual values is no consequence of one of ``cause``."""
    globs = _independent(rule, cause)
    return bool(globs) and all(any(fnmatchcase(str(value), glob) for glob in globs) for value in values)


@cache
def across() -> tuple[Across, ...]:
    """Every row about the two parts of a run of a proxy, in the order of the file."""
    return tuple(
        Across(tuple(row["rules"]), tuple(row["follow"]), row.get("says", "*"), row.get("where", "*"), row["why"],
               row.get("same_probe", False))
        for row in _tables()["across"]
    )  # fmt: skip


@cache
def consequences() -> tuple[Consequence, ...]:
    """Every row about findings, in the order of the file: rules of HTTP and framing first."""
    return tuple(_consequence(row) for row in _tables()["consequence"])


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = tomllib.loads(
        Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    )
    return tables


def _consequence(row: dict[str, Any]) -> Consequence:
    members = tuple(row.get("members", ()))
    flags = {name: row.get(name, False) for name in ("anywhere", "overlap", "alike", "same_member", "same_value")}
    word = row.get("word", "")
    return Consequence(tuple(row["rules"]), tuple(row["follow"]), row["why"], members=members, word=word, **flags)


@cache
def follows(rule: str, cause: str) -> tuple[Consequence, ...]:
    """The rows by which a violation of ``rule`` is a consequence of one of ``cause``."""
    return () if rule == cause else tuple(row for row in _rows_about(rule) if _matches_any(cause, row.follow))


@cache
def _rows_about(rule: str) -> tuple[Consequence, ...]:
    return tuple(row for row in consequences() if row.concerns(rule))


def _matches_any(rule: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(rule, glob) for glob in globs)
