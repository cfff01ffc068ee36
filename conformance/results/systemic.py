"""One defect that many requests meet: what is wrong with each of their responses follows from it.

A server that answers every refusal with 200 violates the rule of each refused request; each of these rules is right,
and none of them names the defect. Where more than :data:`FEW` requests meet the same, it is the cause of all that was
found in their responses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from conformance.results.records import CaseRecord

#: Requests that may meet a defect of the kind and still each have its own cause.
FEW = 6

#: The kinds: the rule that names the defect, and how its finding begins.
_KINDS = (("error.real-status", re.compile(r"an error (?:body )?with HTTP 2\d\d")),)


def systemic(broken: Sequence[CaseRecord]) -> dict[str, str]:
    """Of each violated case that follows from such a defect the id of the case that names it, the first of ``broken``
    of its rule."""
    above: dict[str, str] = {}
    for rule, words in _KINDS:
        naming = [one for one in broken if one.requirement == rule and _all(words, one)]
        met = set[str]().union(*(one.found_in for one in naming))
        if len(met) <= FEW:
            continue
        root = naming[0].id
        above |= {one.id: root for one in broken if one.id != root and one.found_in <= met}
    return above


def _all(words: re.Pattern[str], line: CaseRecord) -> bool:
    return bool(line.findings) and all(words.match(one.message) for one in line.findings)
