"""What trials showed: which kinds of finding affect which clients (``conformance/contract/client_evidence.json``).

A trial fed one client what a fault makes of a response, and the checks say which kinds of finding that response holds.
A client is affected by a kind of finding, plain or streamed, if it did not cope in any trial whose responses held it:
one response that holds the finding and that the client takes shows that the finding alone does no harm. Where a trial
holds several kinds of one rule that no other trial tells apart, only all of them together affect the client. A kind
that was never tried affects nobody.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.contract.client_evidence import CAUSES, COPES, FOLLOWS, MODES, evidence
from conformance.contract.clients import CLIENTS as TABLE
from conformance.contract.clients import client as client_of
from conformance.contract.rules import CLIENTS, requirement
from conformance.judge.normalise import without_numbers

#: Rules whose findings compare responses and do not say what is wrong in one: what a client does at it shows nothing.
UNSPECIFIC = ("effort.values-alike",)

STOPS = "stops"

#: The clients that are run in trials; of others nothing is known.
TRIED = frozenset(one.breaks for one in TABLE)

#: What is taken out of a message before its numbers, ids and quoted values: the server's or Python's own words, and
#: the place. The name of an undocumented type and the class of a status stay.
_CUTS = (
    (re.compile(r"(received HTTP \d{3}).*", re.DOTALL), r"\1"),
    (re.compile(r"(the stream ends in [\w.]+):.*", re.DOTALL), r"\1"),
    (re.compile(r"(are not JSON):.*", re.DOTALL), r"\1"),
    (re.compile(r" ?\((?:[^()]|\([^()]*\))*\)"), ""),
    (re.compile(r"\btype '([\w.-]{1,60})'"), r"type \1"),
    (re.compile(r"\b0x[0-9a-f]{2}\b"), "#"),
)  # fmt: skip

_STATUS = re.compile(r"\bHTTP ([1-5])\d\d\b")
_CLASSES = {"1": "information", "2": "success", "3": "redirect", "4": "refusal", "5": "failure"}


#: Areas whose messages do not say which member is wrong: there the pointer is part of the kind.
_POINTED = ("identity",)


def kind(rule: str, message: str, pointer: str = "") -> str:
    """The kind of a finding: its message without what differs from place to place and from server to server."""
    for pattern, by in _CUTS:
        message = pattern.sub(by, message)
    message_pattern = without_numbers(_STATUS.sub(lambda found: f"HTTP {_CLASSES[found[1]]}", message))
    return f"{message_pattern} at {without_numbers(pointer)}" if rule.partition(".")[0] in _POINTED else message_pattern


@dataclass(frozen=True)
class Effect:
    """What a kind of finding does to a client: ``client`` is its name in the catalogue's ``breaks``.

    ``does``: "stops" or "ends with other text" (reasoning, tool calls). ``detail``: what it raised, or why it is sure
    without a trial; may be empty. ``trial``: the fault of the trial, empty where there was none.
    """

    client: str
    version: str
    does: str
    detail: str = ""
    trial: str = ""

    def __str__(self) -> str:
        """One sentence, with version and reason."""
        said = f"{CLIENTS.get(self.client, self.client)} {self.version}".rstrip()
        return f"{said} {self.does}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class Trial:
    """One client fed what one fault makes of the plain or the streamed responses; of its modes, the worst outcome.

    ``own``: kinds of finding, each with its rule, of the row that the trial is about; ``causes``: those of any rule
    that stand for themselves, ``found``: those of any rule, consequences too.
    """

    row: str
    fault: str
    client: str
    mode: str
    streams: bool
    outcome: str
    own: frozenset[tuple[str, str]]
    causes: frozenset[tuple[str, str]]
    found: frozenset[tuple[str, str]]

    @property
    def coped(self) -> bool:
        """Whether the client ended as with the conformant response."""
        return self.outcome in COPES


def trials(known: Mapping[str, Any]) -> Iterator[Trial]:
    """The trials of an evidence file, without those in which nothing of their row is found today."""
    for row, faults in known["rules"].items():
        for fault, outcomes in faults.items():
            for streams, mode in MODES.items():
                parts = known["findings"].get(row, {}).get(fault, {}).get(mode, {})
                causes, follows = (_pairs(parts.get(part, {})) for part in (CAUSES, FOLLOWS))
                own = frozenset(pair for pair in causes if requirement(pair[0]).id == row)
                for name, (client, outcome) in _worst(outcomes, streams).items() if own else ():
                    yield Trial(row, fault, name, client, streams, outcome, own, causes, causes | follows)


def _pairs(kinds: Mapping[str, Iterable[str]]) -> frozenset[tuple[str, str]]:
    return frozenset((rule, one) for rule, several in kinds.items() for one in several)


def _worst(outcomes: Mapping[str, str], streams: bool) -> dict[str, tuple[str, str]]:
    """By client the mode and outcome of the one that did not cope, or else of any."""
    worst: dict[str, tuple[str, str]] = {}
    for mode, outcome in outcomes.items():
        one = client_of(mode)
        fed = mode.endswith("-stream") if one.streams is None else one.streams
        if fed == streams and worst.get(one.breaks, ("", ""))[1] in COPES:
            worst[one.breaks] = (mode, outcome)
    return worst


@dataclass(frozen=True)
class Row:
    """What affects a client: kinds of finding of one rule that must all be there, and the effect.

    ``follows``: it does so too where the findings are consequences of another defect; false if some trial had them as
    consequences and the client coped.
    """

    kinds: frozenset[str]
    effect: Effect
    follows: bool


Index = Mapping[tuple[str, bool], Sequence[Row]]


def index(known: Mapping[str, Any]) -> Index:
    """What affects whom, by rule and by whether the request streams."""
    every = list(trials(known))
    harmless: dict[tuple[str, bool], set[tuple[str, str]]] = defaultdict(set)
    harmless_after: dict[tuple[str, bool], set[tuple[str, str]]] = defaultdict(set)
    for one in every:
        if one.coped:
            harmless[one.client, one.streams] |= one.causes
            harmless_after[one.client, one.streams] |= one.found
    rows: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for one in every:
        # Beside another defect that stands for itself a finding is no better known than a consequence.
        safe = harmless if one.causes == one.own else harmless_after
        left = one.own - safe[one.client, one.streams]
        rules = {rule for rule, _ in left}
        if one.coped or len(rules) != 1 or rules & set(UNSPECIFIC):
            continue  # Of two rules nobody knows which it was.
        follows = not left & harmless_after[one.client, one.streams]
        row = Row(frozenset(found for _, found in left), _effect(one, known["versions"]), follows)
        rows[rules.pop(), one.streams].append(row)
    return {place: tuple(_least(found)) for place, found in rows.items()}


def _effect(trial: Trial, versions: Mapping[str, str]) -> Effect:
    ends = trial.outcome.startswith("other ")
    does = f"ends with {trial.outcome.replace('calls', 'tool calls')}" if ends else STOPS
    detail = "" if ends else trial.outcome.rstrip(": ")
    return Effect(trial.client, versions.get(trial.mode, ""), does, detail, trial.fault)


def _least(rows: Sequence[Row]) -> Iterator[Row]:
    """Each client and kinds once, and without those that affect it together where some of them do so already."""
    seen: set[tuple[str, frozenset[str]]] = set()
    for one in rows:
        fewer = any(other.effect.client == one.effect.client and other.kinds < one.kinds for other in rows)
        if not fewer and (one.effect.client, one.kinds) not in seen:
            seen.add((one.effect.client, one.kinds))
            yield one


@cache
def known_rows() -> Index:
    return index(evidence())


@dataclass(frozen=True)
class Known:
    """A kind of finding that was tried (or several that only together affect a client): whom it affects, and the
    clients that were fed it and coped."""

    rule: str
    streams: bool
    kinds: tuple[str, ...]
    effects: tuple[Effect, ...]
    coped: tuple[str, ...]


def known_of(name: str) -> Iterator[Known]:
    """What trials showed of the kinds of finding of a rule, or of every rule of a row of the catalogue."""
    fed: dict[tuple[str, bool, frozenset[str]], set[str]] = defaultdict(set)
    coped: dict[tuple[str, bool, str], set[str]] = defaultdict(set)
    for one in trials(evidence()):
        for rule, found in one.own if name in (one.row, *(rule for rule, _ in one.own)) else ():
            fed[rule, one.streams, frozenset((found,))].add(one.client)
            if one.coped:
                coped[rule, one.streams, found].add(one.client)
    effects: dict[tuple[str, bool, frozenset[str]], list[Effect]] = defaultdict(list)
    for rule, streams in dict.fromkeys((rule, streams) for rule, streams, _ in fed):
        for row in known_rows().get((rule, streams), ()):
            effects[rule, streams, row.kinds].append(row.effect)
    for place in sorted({*fed, *effects}, key=lambda place: (place[0], place[1], sorted(place[2]))):
        rule, streams, kinds = place
        if name in (rule, requirement(rule).id):
            well = set.intersection(*(coped[rule, streams, one] for one in kinds))
            mine = sorted(effects[place], key=lambda one: list(CLIENTS).index(one.client))
            yield Known(rule, streams, tuple(sorted(kinds)), tuple(mine), tuple(n for n in CLIENTS if n in well))
