"""Causes first: which broken case only follows from another, so that one defect is told once.

Two things tie a case to its cause. ``consequences.toml`` says which rules cannot hold where another is broken. And the
same fact, found by several rules in the same words, is told by one of them. A fail is never put under a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from conformance.consequences import follows
from conformance.requirements import catalogue, requirement
from conformance.verdict import FAIL, WARNING, without_numbers

#: Of two areas that find the same, the first tells it: what is asked for before what is answered, wholes before parts.
_AREAS = (
    "auth", "http", "sse", "request", "effort", "tools", "format", "turns", "unsupported", "undocumented", "error",
    "response", "item", "event", "sequence", "usage", "truncation", "lifecycle", "identity", "sum", "parallel",
)  # fmt: skip

#: A schema's message names the event or item and the whole path; the same member is the same fact anywhere.
_MEMBER = re.compile(r"^(?:[\w.]+: )?(?:/\S*)?(/\w+ (?:is|has) )")

_BROKE = re.compile(r"(?:a bad request is )?answered with HTTP 5|HTTP 5\d\d in each")
_SERVED = re.compile(r"(?:answered|served) with HTTP 2")
_REFUSED = re.compile(r"answered with HTTP 4(?!01|03)")

Line = Mapping[str, Any]


def fold(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The case lines, each with ``cause``: the id of the broken case that explains it, empty if none does."""
    told = list(lines)
    broken = sorted((one for one in told if one["verdict"] in (FAIL, WARNING)), key=_rank)
    first: dict[str, Line] = {}
    first_at: dict[tuple[str, str], Line] = {}
    for one in broken:
        first.setdefault(one["requirement"], one)
        for name in _scenarios(one):
            first_at.setdefault((one["requirement"], name), one)
    above = {one["id"]: cause for one in broken if (cause := _explaining(one, first, first_at))}
    _same_words([one for one in broken if one["id"] not in above], above)
    return [{**one, "cause": _root(one["id"], above)} for one in told]


def _rank(one: Line) -> tuple[bool, bool, bool, int, int, str]:
    """Sorts what is to tell a fact before what repeats it."""
    row, area = requirement(one["requirement"]), one["area"]
    message = one["findings"][0]["message"] if one["findings"] else ""
    named = one["requirement"].partition(".")[2].removesuffix("-accepted") in message
    # What was sent is the cause of a refusal, not the key.
    aside = area == "auth" and _REFUSED.match(message) is not None
    place = _AREAS.index(area) if area in _AREAS else len(_AREAS)
    return one["verdict"] != FAIL, aside, not named, place, _places()[row.id], one["id"]


@cache
def _places() -> dict[str, int]:
    return {name: place for place, name in enumerate(catalogue())}


def _explaining(one: Line, first: Mapping[str, Line], first_at: Mapping[tuple[str, str], Line]) -> str:
    """The id of a broken case that is a cause of this one, empty if there is none."""
    here = sorted(_scenarios(one))
    for rule in first:
        row = follows(one["requirement"], rule)
        if row is None:
            continue
        others = [first[rule]] if row.anywhere else [first_at[rule, name] for name in here if (rule, name) in first_at]
        for other in others:
            if other["verdict"] in (FAIL, one["verdict"]):
                return str(other["id"])
    return ""


def _scenarios(one: Line) -> set[str]:
    return {name for finding in one["findings"] for name in (finding["scenario"], *finding["also"])}


def _same_words(roots: list[Line], above: dict[str, str]) -> None:
    """Put a case all of whose findings were told before under the one that told the first of them."""
    first: dict[str, str] = {}
    for one in roots:
        words = [_gist(finding["message"]) for finding in one["findings"]]
        if any(_SERVED.match(finding["message"]) for finding in one["findings"]):
            continue  # Of two wrong requests that are served each is a defect of its own.
        if words and all(word in first for word in words):
            above[one["id"]] = first[words[0]]
        for word in words:
            first.setdefault(word, one["id"])


def _gist(message: str) -> str:
    """What a message says wherever it was found; of a server that broke only that it did."""
    return "broke" if _BROKE.match(message) else _MEMBER.sub(r"\1", without_numbers(message))


def _root(case: str, above: Mapping[str, str]) -> str:
    """The cause of the cause: what stands at the top, empty for what stands for itself."""
    top = case
    while top in above:
        top = above[top]
    return top if top != case else ""
