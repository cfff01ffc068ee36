"""What each client needs of an endpoint: the reasons behind ``breaks``, the rows of ``needs.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from conformance.contract.rules import requirement


@dataclass(frozen=True)
class Need:
    """``says`` completes the sentence that begins with the client's name; ``version`` is what was tried; ``rules`` are
    globs over the rules that it needs. ``finding``: a regular expression over the message of a finding at which the
    client stops by construction, and ``unshown`` why no trial can show that; both are empty for other needs."""

    client: str
    version: str
    says: str
    rules: tuple[str, ...]
    finding: str = ""
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


@cache
def certain(rule: str, message: str) -> tuple[Need, ...]:
    """The needs by which such a finding stops a client without a trial."""
    found = (need for need in needs() if need.finding and re.search(need.finding, message))
    return tuple(need for need in found if any(fnmatchcase(rule, glob) for glob in need.rules))


def _row(rule: str) -> str:
    try:
        return requirement(rule).id
    except KeyError:  # Of a run that another version made.
        return rule
