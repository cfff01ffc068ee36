"""One defect that many requests meet: what is wrong with each of their responses follows from it.

A server that sends every refusal with 200 violates the rule of each refused request; each of these rules is right,
and none of them names the defect. Where more requests meet the same than usually do, it is the cause of all that was
found in their responses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from conformance.results.records import CaseRecord

#: Requests that may receive an error with the status of a success, or a 5xx, and still each have a cause of its own.
#: A server may fail on a kind of invalid value, which a dozen of the more than 100 invalid requests have.
FEW, MANY = 6, 40

#: The rule that explains errors in each later response, whatever the request is.
_GONE = "error.endpoint-survives"

#: The kinds: the rule that names the defect, how its finding begins, and the requests that may meet it.
_KINDS = (
    ("error.real-status", re.compile(r"an error (?:body )?with HTTP 2\d\d"), FEW),
    ("error.real-status", re.compile(r"invalid request: received HTTP 5\d\d"), MANY),
)


def systemic(broken: Sequence[CaseRecord]) -> dict[str, str]:
    """Of each violated case that follows from such a defect the id of the case that names it, the first of ``broken``
    of its rule."""
    if any(one.requirement == _GONE for one in broken):
        return {}
    above: dict[str, str] = {}
    for rule, words, most in _KINDS:
        naming = [one for one in broken if one.requirement == rule and _all(words, one)]
        met = set[str]().union(*(one.found_in for one in naming))
        if len(met) <= most:
            continue
        root = naming[0].id
        above |= {one.id: root for one in broken if one.id != root and one.found_in <= met}
    return above


def _all(words: re.Pattern[str], line: CaseRecord) -> bool:
    return bool(line.findings) and all(words.match(one.message) for one in line.findings)
