"""One defect that many requests meet: what is wrong with each of their responses follows from it.

A server that answers every refusal with 200 violates the rule of each refused request; each of these rules is right,
and none of them names the defect. Where more than :data:`FEW` requests meet the same, it is the cause of all that was
found in their responses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Line = Mapping[str, Any]

#: Requests that may meet a defect of the kind and still each have its own cause.
FEW = 6

#: The kinds: the rule that names the defect, and how its finding begins.
_KINDS = (("error.real-status", re.compile(r"an error (?:body )?under HTTP 2\d\d")),)


def systemic(broken: Sequence[Line]) -> dict[str, str]:
    """Of each violated case that follows from such a defect the id of the case that names it, the first of ``broken``
    of its rule."""
    above: dict[str, str] = {}
    for rule, words in _KINDS:
        naming = [one for one in broken if one["requirement"] == rule and _all(words, one)]
        met = set().union(*map(found_in, naming)) if naming else set()
        if len(met) <= FEW:
            continue
        root = str(naming[0]["id"])
        above |= {str(one["id"]): root for one in broken if one["id"] != root and found_in(one) <= met}
    return above


def found_in(line: Line) -> set[str]:
    """The scenarios in which a case found something."""
    return {name for one in line["findings"] for name in (one["scenario"], *one["also"])}


def _all(words: re.Pattern[str], line: Line) -> bool:
    return bool(line["findings"]) and all(words.match(one["message"]) for one in line["findings"])
