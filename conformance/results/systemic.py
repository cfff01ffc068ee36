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
#: A server may fail on a kind of invalid value, which a dozen of the more than 100 invalid requests have. Few of them
#: are streaming: two whose refusals are sent in a stream with HTTP 200 show what the server does with each.
ONE, FEW, MANY = 1, 6, 40

#: How the scenarios about credentials begin: the rules about them are more specific.
_CREDENTIALS = "auth."

#: How a stream that reports an error ends, in a message: its failure event, with the server's words.
STREAM_END = re.compile(r"the stream ends in (.*)$", re.DOTALL)

#: The rule that explains errors in each later response, whatever the request is.
_GONE = "error.endpoint-survives"

#: The kinds: the rule that names the defect, how its finding begins, how the scenarios end, and the requests that may
#: meet it.
_KINDS = (
    ("error.real-status", re.compile(r"an error (?:body )?with HTTP 2\d\d"), ".stream", ONE),
    ("error.real-status", re.compile(r"an error (?:body )?with HTTP 2\d\d"), "", FEW),
    ("error.real-status", re.compile(r"invalid request: received HTTP 5\d\d"), "", MANY),
)


def systemic(broken: Sequence[CaseRecord]) -> dict[str, str]:
    """Of each violated case that follows from such a defect the id of the case that names it, the first of ``broken``
    of its rule."""
    gone = any(one.requirement == _GONE for one in broken)
    above: dict[str, str] = {}
    for rule, words, end, most in _KINDS:
        if gone and not end:
            continue
        naming = [one for one in broken if one.requirement == rule and _all(words, one) and _all_end(end, one)]
        met = set[str]().union(*(one.found_in for one in naming))
        if sum(not name.startswith(_CREDENTIALS) for name in met) <= most:
            continue
        root = naming[0].id
        met |= _with_the_same_end(naming, broken)
        above |= {one.id: root for one in broken if one.id != root and one.found_in <= met}
    return above


def _with_the_same_end(naming: Sequence[CaseRecord], broken: Sequence[CaseRecord]) -> set[str]:
    """The scenarios of other streams that end in the same error: the server may refuse these requests."""
    ends = {end for one in naming for end in _ends(one)}
    return set[str]().union(*(one.found_in for one in broken if ends and _ends(one) and _ends(one) <= ends))


def _ends(line: CaseRecord) -> set[str]:
    return {end[1] for one in line.findings if (end := STREAM_END.search(one.message))}


def _all_end(end: str, line: CaseRecord) -> bool:
    return all(scenario.endswith(end) for scenario in line.found_in)


def _all(words: re.Pattern[str], line: CaseRecord) -> bool:
    return bool(line.findings) and all(words.match(one.message) for one in line.findings)
