"""One defect that many requests meet: what is wrong with each of their responses follows from it.

A server that sends every refusal with 200 violates the rule of each refused request; each of these rules is right,
and none of them names the defect. Where more requests meet the same than usually do, it is the cause of all that was
found in their responses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from conformance.judge.findings import MAY_BE_REFUSED
from conformance.judge.verdict import FAIL, WARNING
from conformance.results.causes import readability_key
from conformance.results.records import CaseRecord

#: Requests that may receive an error with the status of a success, or a 5xx, and still each have a cause of its own.
#: A server may fail on a kind of invalid value, which a dozen of the more than 100 invalid requests have. Few of them
#: are streaming: two whose refusals are sent in a stream with HTTP 200 show what the server does with each.
NONE, ONE, FEW, MANY = 0, 1, 6, 40

#: How the scenarios about credentials begin: the rules about them are more specific.
_CREDENTIALS = "auth."

#: How a stream that reports an error ends, in a message: its failure event, with the server's words.
STREAM_END = re.compile(r"the stream ends in (.*)$", re.DOTALL)

#: The words of an error that is the body of a response with the status of a success, or a failed Response.
_BODY = re.compile(
    r"(?:an error (?:body )?with HTTP 2\d\d|the final status (?:of the response )?is 'failed'): (.*)$", re.DOTALL
)

#: The event in which a stream ends, before the server's words: a Response that has failed states them without one.
_EVENT = re.compile(r"(?:error|response\.\w+)(?: with status 'failed')?: ")

#: A request that is refused, with the server's words; the name of a parameter is no part of a message.
_REFUSAL, _NAME = re.compile(r"received HTTP [45]\d\d: (.{8,})$", re.DOTALL), re.compile(r"[\w.\[\]-]+$")

#: The rule that explains errors in each later response, whatever the request is.
_GONE = "error.endpoint-survives"

#: The rule about the status of an invalid request with and without ``stream``.
_SAME_STATUS = "error.streaming-same-status"

#: The rule about items of clients that the contract does not document: served or refused.
_UNUSUAL = "turns.unusual-history"

#: The rule about the type of events, and its words for an error in place of an event.
_TYPED, _ERROR_EVENT = "event.has-type", "(it is an error"

#: The rule about what an error shows of the server, and a message about a 5xx.
_INTERNALS, _FAILS = "error.no-internals", re.compile(r"\bHTTP 5\d\d")

#: The kinds: the rule that names the defect, how its finding begins, how the scenarios that meet it end, and how many
#: requests may meet it.
_KINDS = (
    ("error.real-status", re.compile(r"an error (?:body )?with HTTP 2\d\d"), ".stream", ONE),
    ("error.real-status", re.compile(r"an error (?:body )?with HTTP 2\d\d"), "", FEW),
    (_SAME_STATUS, re.compile(r"HTTP [45]\d\d for the plain request, HTTP 2\d\d with"), ".stream", ONE),
    (_SAME_STATUS, re.compile(r"HTTP 4\d\d for the plain request, HTTP 5\d\d with"), ".stream", ONE),
    ("error.real-status", re.compile(r"invalid request: received HTTP 5\d\d"), "", MANY),
    ("lifecycle.created-first", re.compile(r"\d+ events? of another stream"), ".stream", NONE),
)

#: A 5xx in place of a refusal, and of how many rules about invalid requests it is one defect: then the rule about the
#: status names it, not that about the request that is the first by chance.
_BROKEN = re.compile(r"(?:invalid request: )?received HTTP (5\d\d)")
_RULES_OF_ONE_DEFECT = 4


def systemic(broken: Sequence[CaseRecord]) -> dict[str, str]:
    """Of each violated case that follows from such a defect the id of the case that names it, the first of ``broken``
    of its rule."""
    gone = any(one.requirement == _GONE for one in broken)
    above: dict[str, str] = {}
    known: set[str] = set()
    for rule, words, end, most in _KINDS:
        if gone and not end:
            continue
        naming = [one for one in broken if one.requirement == rule and _all(words, one) and _ends_so(end, one)]
        met = {name for one in naming for name in one.found_in if name.endswith(end)}
        if sum(not name.startswith(_CREDENTIALS) for name in met) <= most or met <= known:
            continue
        root = naming[0].id
        met |= _with_the_same_end(naming, broken)
        known |= met
        above |= {
            one.id: root for one in broken if one.id != root and (one.found_in <= met or _may_meet(one, words, end))
        }
    return above


def _may_meet(line: CaseRecord, words: re.Pattern[str], end: str) -> bool:
    """Whether a case is about a request that may be refused, whose refusal shows the same: the rules that name the
    defect are not evaluated for it."""
    if end:
        return line.requirement == _TYPED and all(_ERROR_EVENT in one.message for one in line.findings)
    crashes = "HTTP 5" in words.pattern
    return line.requirement == _UNUSUAL and all(("HTTP 5" in one.message) == crashes for one in line.findings)


def with_their_status(broken: Sequence[CaseRecord], causes: Mapping[str, str]) -> dict[str, str]:
    """The causes, where a root about one of many invalid requests that end in the same 5xx is replaced by the simplest
    case of the rule about the status."""
    of = {one.id: one for one in broken}
    groups: dict[str, list[CaseRecord]] = {}
    for one in broken:
        groups.setdefault(root_of(one.id, causes), []).append(one)
    found = dict(causes)
    for root, group in groups.items():
        statuses = _statuses(of[root]) if root in of and _is_about_an_invalid_request(of[root]) else set()
        equal = [one for one in group if statuses and _statuses(one) == statuses]
        naming = [one for one in equal if one.requirement == "error.real-status"]
        if naming and len({one.requirement for one in equal if one.area == "request"}) >= _RULES_OF_ONE_DEFECT:
            first = min(naming, key=readability_key).id
            found.pop(first, None)
            found[root] = first
    return found


def _is_about_an_invalid_request(line: CaseRecord) -> bool:
    return line.area == "request" and all(finding.want != 200 for finding in line.findings)


def _statuses(line: CaseRecord) -> set[str]:
    """The 5xx that the findings of a case state; empty if one of them states none."""
    found = [_BROKEN.match(one.message) for one in line.findings]
    return {one[1] for one in found if one} if all(found) else set()


def with_the_same_exception(broken: Sequence[CaseRecord], causes: Mapping[str, str]) -> dict[str, str]:
    """The causes of warnings about the exception that a 5xx shows, if a failure states that 5xx in the same words: it
    is the same error, met by a request with more in it."""
    failed = [
        one for one in broken if one.verdict == FAIL and any(_FAILS.search(each.message) for each in one.findings)
    ]
    found = {}
    for one in broken:
        if one.requirement != _INTERNALS or one.verdict != WARNING or one.id in causes:
            continue
        shown = {str(finding.got) for finding in one.findings}
        same = (each for each in failed if all(any(words in its.message for its in each.findings) for words in shown))
        if cause := next(same, None):
            found[one.id] = cause.id
    return found


def with_the_same_refusal(broken: Sequence[CaseRecord], causes: Mapping[str, str]) -> dict[str, str]:
    """The causes of streams that end in an error whose words a documented request without a stream is refused with."""
    failed = [one for one in broken if one.verdict == FAIL and all(each.want == 200 for each in one.findings)]
    refused = {one.id: refusals for one in failed if (refusals := _refusals(one))}
    found: dict[str, str] = {}
    for one in broken:
        ends = [STREAM_END.search(each.message) for each in one.findings]
        root = root_of(one.id, causes)  # Other streams of the rule end in the same error.
        if root in found or not ends or not all(ends) or root.partition("@")[0] != one.requirement:
            continue
        words = [end[1] for end in ends if end]
        same = (
            each for each, refusals in refused.items() if all(any(_says(end, its) for its in refusals) for end in words)
        )
        if cause := next((each for each in same if root_of(each, causes) != root), None):
            found[root] = cause
    return found


def _refusals(line: CaseRecord) -> list[str]:
    """The server's words of the refusals that the findings of a case state."""
    return [refusals[1] for one in line.findings if (refusals := _REFUSAL.match(one.message))]


def _says(end: str, refusal: str) -> bool:
    """Whether the end of a stream contains all parts of a refusal: its message and its parameter, also shortened."""
    return all(part in end for part in re.split(r" / | \.\.\. ", refusal) if not _NAME.match(part))


def root_of(case: str, causes: Mapping[str, str]) -> str:
    """The last cause in the chain of causes; the case itself if it has no cause, or if the chain is a cycle."""
    root, seen = case, {case}
    while root in causes:
        root = causes[root]
        if root in seen:
            return case
        seen.add(root)
    return root


def _with_the_same_end(naming: Sequence[CaseRecord], broken: Sequence[CaseRecord]) -> set[str]:
    """The scenarios of other responses that end in the same error, or are it: the server may refuse these requests.
    Other refusals that are such an error without a stream are a kind of their own."""
    ends = {end for one in naming for end in _ends(one, bodies=True)}
    found = _refused_in_streams(broken) if naming[0].requirement == _SAME_STATUS else set()
    for one in broken:
        own = _ends(one, bodies=one.requirement != naming[0].requirement)
        if own and own <= ends:
            found |= one.found_in
    return found


def _refused_in_streams(broken: Sequence[CaseRecord]) -> set[str]:
    """The scenarios of requests that may be refused, whose streams end in a failure: their refusal has no status."""
    found: set[str] = set()
    for one in broken:
        if all(each.want == MAY_BE_REFUSED and STREAM_END.search(each.message) for each in one.findings):
            found |= one.found_in
    return found


def _ends(line: CaseRecord, bodies: bool) -> set[str]:
    found = (STREAM_END.search(one.message) or (bodies and _BODY.match(one.message)) for one in line.findings)
    return {_EVENT.sub("", end[1], count=1) if _EVENT.match(end[1]) else end[1] for end in found if end}


def _ends_so(end: str, line: CaseRecord) -> bool:
    """Whether a case is about scenarios that end so; one that compares two responses is about one of them."""
    found = line.found_in
    return all(name.endswith(end) or f"{name}{end}" in found for name in found)


def _all(words: re.Pattern[str], line: CaseRecord) -> bool:
    return bool(line.findings) and all(words.match(one.message) for one in line.findings)
