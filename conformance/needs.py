"""What each client needs of an endpoint: the evidence behind ``breaks``, the rows of ``needs.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from conformance.requirements import requirement


@dataclass(frozen=True)
class Need:
    """``says`` completes the sentence that begins with the client's name; ``version`` is what was tried; ``rules`` are
    globs over the rules that it needs. ``unshown``: why the trials of the client lane cannot show it."""

    client: str
    version: str
    says: str
    rules: tuple[str, ...]
    unshown: str = ""


@cache
def needs() -> tuple[Need, ...]:
    """Every need, in the order of the file."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["need"]
    return tuple(Need(**{**row, "rules": tuple(row["rules"])}) for row in rows)


@cache
def need_for(client: str, rule: str) -> Need | None:
    """Why a client breaks where a rule does: the need that names the rule, or its row in the catalogue, most closely;
    None if nothing is known."""
    found = [
        (len(glob), need)
        for need in needs()
        if need.client == client
        for glob in need.rules
        if any(fnmatchcase(name, glob) for name in (rule, _row(rule)))
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _row(rule: str) -> str:
    try:
        return requirement(rule).id
    except KeyError:  # Of a run that another version made.
        return rule
