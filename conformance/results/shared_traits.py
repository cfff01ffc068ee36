"""What all requests that are refused in the same words have in common, and no served request of the run has.

A case is about one thing, but its request has others: a server that refuses ``strict: false`` refuses the scenario
about long names, whose tool has it. The other requests of the run decide it: what a served request has too is not what
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from conformance.decode.response import Received
from conformance.exchange.exchange import Exchange
from conformance.judge.common import error_detail
from conformance.judge.normalise import without_numbers
from conformance.judge.request_traits import STREAMS, TOOLS, measures, traits
from conformance.judge.verdict import FAIL, WARNING
from conformance.results.causes import readability_key
from conformance.results.records import CaseRecord
from conformance.results.separate_traits import Requests, separated

#: A finding about a status: nothing else is a matter of the request alone.
_STATUS = re.compile(r"HTTP [45]\d\d")

#: Fewer served requests have too little in common with the refused ones to show anything.
_SERVED = 20

#: More traits than these decide nothing; so many are shown.
_MOST = 2

#: Traits with which a server may refuse what it serves without them, the first that decide it.
_COMPANIONS = (frozenset({STREAMS}), frozenset({TOOLS}), frozenset({STREAMS, TOOLS}))

#: Measures of which each request has another one by chance: a little more than those served shows nothing.
_CHANCE = ("bytes", "characters in the name of a tool")

#: Words of a trait that also occur in messages about something else.
_COMMON = frozenset({
    "a", "an", "and", "array", "as", "assistant", "at", "begins", "behind", "beside", "call", "character", "content",
    "empty", "false", "function", "in", "input", "integer", "is", "item", "least", "list", "message", "more", "name",
    "no", "not", "null", "number", "object", "of", "one", "or", "output", "parameter", "parameters", "part", "parts",
    "right", "role", "same", "served", "several", "stream", "string", "system", "text", "than", "that", "the", "tool",
    "tools", "true", "two", "type", "up", "user", "value", "with", "without",
})  # fmt: skip

#: What messages call some traits, where they do not use a word of them.
_ALSO = {
    "a tool name that begins with a digit or underscore": r"\bname\b.*\b(start|begin|letter)",
    "two tools with the same name": "duplicate|unique",
    "a tool description that is not ASCII": r"\b(ascii|codec|encod|latin|unicode)",
    "several system or developer messages": "system message",
    "a message without type beside items with a type": "^$",
}

#: Gives the recorded exchange of a key.
Read = Callable[[str], Exchange | None]


@dataclass(frozen=True)
class _Sent:
    exchange: Exchange
    traits: frozenset[str]
    measures: Mapping[str, int]


def with_traits(cases: Sequence[CaseRecord], keys: Collection[str], read: Read) -> list[CaseRecord]:
    """The cases; the first finding of each root cause about a refused request states what is refused. ``read`` gives a
    recorded exchange by its key, ``keys`` are those of the run."""
    if not any(map(_is_about_status, cases)):
        return list(cases)
    run = [_Sent(one, traits(one.request), measures(one.request)) for one in map(read, keys) if one and one.status]
    of = {one.exchange.key: one for one in run}
    served = [one for one in run if one.exchange.ok]
    if len(served) < _SERVED:
        return list(cases)
    cases, explained = _separated(cases, of, served)
    return _one_for_each(
        [_with_trait(case, of, served, explained.get(case.id)) if _is_about_status(case) else case for case in cases]
    )


def _separated(
    cases: Sequence[CaseRecord], of: Mapping[str, _Sent], served: Sequence[_Sent]
) -> tuple[list[CaseRecord], dict[str, frozenset[str]]]:
    """The cases; those whose requests fail in the same general words for several reasons have several root causes. And
    for each of these the scenarios that it explains."""
    found, explained = list(cases), dict[str, frozenset[str]]()
    for root in filter(_is_about_status, cases):
        if (sent := of.get(root.findings[0].exchange)) is None or sent.exchange.ok:
            continue
        message, equal = _server_message(sent.exchange), _failed_equally(sent, of)
        if len(equal) < _MOST or _have_one_reason(equal, served):
            continue
        failed = {one.exchange.scenario: one.traits for one in equal}
        requests = Requests(
            failed, [one.traits for one in served], _shortest, partial(mentions, message), partial(_all_paired, served)
        )
        found, more = separated(found, root, requests)
        explained |= more
    return found, explained


def _have_one_reason(refused: Sequence[_Sent], served: Sequence[_Sent]) -> bool:
    """Whether one trait, or a measure, explains all of the requests."""
    common = frozenset[str].intersection(*(one.traits for one in refused))
    alone = common.difference(*(one.traits for one in served))
    return bool(alone) or any(_paired(common, served, one) for one in _COMPANIONS) or any(_beyond(refused, served))


def _failed_equally(sent: _Sent, of: Mapping[str, _Sent]) -> list[_Sent]:
    """The requests that were refused with the status and the words of this one."""
    status, words = sent.exchange.status, _words(sent.exchange)
    return [one for one in of.values() if one.exchange.status == status and _words(one.exchange) == words]


def _one_for_each(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases; of root causes whose requests are refused for the same trait, in other words, the simplest is that of
    the others: the words may quote the request."""
    simplest: dict[tuple[str, str], CaseRecord] = {}
    named = [one for one in cases if not one.cause and one.findings and one.findings[0].trait]
    for one in sorted(named, key=readability_key):
        simplest.setdefault((one.verdict, one.findings[0].trait), one)
    causes = {one.id: simplest[one.verdict, one.findings[0].trait].id for one in named}
    return [replace(one, cause=cause) if (cause := causes.get(one.id, one.id)) != one.id else one for one in cases]


def _is_about_status(case: CaseRecord) -> bool:
    root = case.verdict in (FAIL, WARNING) and not case.cause and case.area != "auth"
    return root and bool(case.findings) and _STATUS.search(case.findings[0].message) is not None


def _with_trait(
    case: CaseRecord, of: Mapping[str, _Sent], served: Sequence[_Sent], explained: Collection[str] | None
) -> CaseRecord:
    first, *others = case.findings
    sent = of.get(first.exchange)
    if sent is None or sent.exchange.ok or not _words(sent.exchange):
        return case
    equal = _failed_equally(sent, of)
    refused = [one for one in equal if explained is None or one.exchange.scenario in explained]
    found = shared(refused, served, _server_message(sent.exchange))
    return replace(case, findings=(replace(first, trait=found), *others)) if found else case


def _words(exchange: Exchange) -> str:
    return without_numbers(_server_message(exchange))


def _server_message(exchange: Exchange) -> str:
    """The server's message, with ``param``, which may be the reason."""
    return error_detail(Received(exchange, exchange.scenario))


def shared(refused: Sequence[_Sent], served: Sequence[_Sent], message: str) -> str:
    """What the refused requests have in common and no served one has; empty where that is not clear. Of several
    traits those count that the server's message mentions, and two together only then."""
    common = frozenset[str].intersection(*(one.traits for one in refused))
    alone = [*common.difference(*(one.traits for one in served))]
    paired = [_paired(common, served, companions) for companions in _COMPANIONS]
    beyond = [*_beyond(refused, served)]
    mentioned = [[one for one in found if mentions(message, one)] for found in (alone, *paired, beyond)]
    chosen = _shortest(next(filter(None, mentioned), alone) or beyond)
    return " or ".join(chosen) if len(chosen) <= _MOST else ""


def _paired(common: frozenset[str], served: Sequence[_Sent], companions: frozenset[str]) -> list[str]:
    """The traits that are served, but not together with the companions."""
    others = [one.traits for one in served if companions <= one.traits]
    if not others or not companions <= common:
        return []
    return [" and ".join((each, *sorted(companions))) for each in _shortest([*common.difference(*others)])]


def _all_paired(served: Sequence[_Sent], found: frozenset[str]) -> list[str]:
    return [trait for companions in _COMPANIONS for trait in _paired(found, served, companions)]


def _shortest(found: Sequence[str]) -> list[str]:
    """The traits without those that begin with another one, which implies less."""
    return sorted(one for one in found if not any(one != each and one.startswith(each) for each in found))


def _beyond(refused: Sequence[_Sent], served: Sequence[_Sent]) -> Iterator[str]:
    """What the refused requests have more of than any served one."""
    for name in refused[0].measures:
        least, most = min(one.measures[name] for one in refused), max(one.measures[name] for one in served)
        if least > most and (name not in _CHANCE or least > 2 * most):
            much = f"more than {most:,} {name}"
            yield much if least == most + 1 else f"at least {least:,} {name} (served: up to {most:,})"


def says(words: str, trait: str) -> bool:
    """Whether a line of the suite is about a trait already: it has most of its words."""
    own, theirs = _words_of(trait) - _COMMON, _words_of(words)
    return bool(own) and 2 * len(own & theirs) > len(own)


def mentions(message: str, trait: str) -> bool:
    """Whether a server's message is about a trait: it has one of its words that is not common."""
    if pattern := _ALSO.get(trait):
        return re.search(pattern, message, re.IGNORECASE) is not None
    return bool((_words_of(trait) - _COMMON) & _words_of(message))


def _words_of(line: str) -> set[str]:
    words = re.findall(r"\$?\w+", line.replace("_", " ").lower())
    return {*words, *(word.removesuffix("s") for word in words)}
