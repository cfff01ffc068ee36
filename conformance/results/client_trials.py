"""The kinds of finding that affect clients, derived from trials (``conformance/contract/client_evidence.json``).

A trial replays responses with one fault of the built-in endpoint to one client; the checks determine the kinds of
finding in these responses. A kind of finding, plain or streamed, affects a client if the client failed in every trial
whose responses contained it: one such response that the client accepts shows that the finding alone has no effect.
If a trial contains several kinds of one rule that no other trial separates, only all of them together affect the
client. A kind without a trial affects no client.
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

#: Rules whose findings compare several responses: the effect of one response on a client is no evidence about them.
COMPARING_RULES = ("effort.values-alike",)

STOPS = "stops"

#: The clients with trials; effects on other clients are unknown.
TESTED_CLIENTS = frozenset(one.breaks for one in TABLE)

#: Parts of a message that differ between servers and locations, and their replacements: error texts of the server and
#: of Python, and locations. The name of an undocumented type and the class of a status are kept.
_VARIABLE_PARTS = (
    (re.compile(r"(received HTTP \d{3}).*", re.DOTALL), r"\1"),
    (re.compile(r"(the stream ends in [\w.]+):.*", re.DOTALL), r"\1"),
    (re.compile(r"(are not JSON):.*", re.DOTALL), r"\1"),
    (re.compile(r" ?\((?:[^()]|\([^()]*\))*\)"), ""),
    (re.compile(r"\btype '([\w.-]{1,60})'"), r"type \1"),
    (re.compile(r"\b0x[0-9a-f]{2}\b"), "#"),
)  # fmt: skip

_STATUS = re.compile(r"\bHTTP ([1-5])\d\d\b")
_STATUS_CLASSES = {"1": "information", "2": "success", "3": "redirect", "4": "refusal", "5": "failure"}


#: Areas whose messages do not contain the member: there the pointer is part of the kind.
_POINTER_AREAS = ("identity",)


def finding_kind(rule: str, message: str, pointer: str = "") -> str:
    """The kind of a finding: its message without what differs from place to place and from server to server."""
    for pattern, by in _VARIABLE_PARTS:
        message = pattern.sub(by, message)
    message_pattern = without_numbers(_STATUS.sub(lambda found: f"HTTP {_STATUS_CLASSES[found[1]]}", message))
    return (
        f"{message_pattern} at {without_numbers(pointer)}"
        if rule.partition(".")[0] in _POINTER_AREAS
        else message_pattern
    )


@dataclass(frozen=True)
class Effect:
    """The effect of a kind of finding on a client; ``client`` is its short name in the catalogue's ``breaks``.

    ``does`` is "stops" or "ends with other text" (or reasoning, or tool calls). ``detail`` is the raised exception, or
    why the effect is certain without a trial; may be empty. ``trial`` is the fault of the trial; empty without one.
    """

    client: str
    version: str
    does: str
    detail: str = ""
    trial: str = ""

    def __str__(self) -> str:
        """A sentence with the client's name, version, effect and detail."""
        name = f"{CLIENTS.get(self.client, self.client)} {self.version}".rstrip()
        return f"{name} {self.does}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class Trial:
    """The result of replaying the plain or the streamed responses with one fault to one client; if several modes of
    the client were run, the worst.

    ``own`` are the kinds of finding of the rules of ``row``, each with its rule; ``causes`` are the root causes among
    the findings of all rules, ``found`` all of them with the consequences.
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
        """Whether the client's result was the same as with the conformant response."""
        return self.outcome in COPES


def trials(known: Mapping[str, Any]) -> Iterator[Trial]:
    """The trials of an evidence file, except those whose responses have no finding of their row in this version."""
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
    """For each client, the mode and outcome of a failed run, or else of any run."""
    worst: dict[str, tuple[str, str]] = {}
    for mode, outcome in outcomes.items():
        one = client_of(mode)
        tested = mode.endswith("-stream") if one.streams is None else one.streams
        if tested == streams and worst.get(one.breaks, ("", ""))[1] in COPES:
            worst[one.breaks] = (mode, outcome)
    return worst


@dataclass(frozen=True)
class EffectRow:
    """What affects a client: kinds of finding of one rule that must all be there, and the effect.

    ``follows``: they have it as consequences of another violation too. It is False if in one trial they were
    consequences and the client coped.
    """

    kinds: frozenset[str]
    effect: Effect
    follows: bool


EffectsByRule = Mapping[tuple[str, bool], Sequence[EffectRow]]


def effects_by_rule(known: Mapping[str, Any]) -> EffectsByRule:
    """The effects in an evidence file, by rule and mode (True: streamed)."""
    all_trials = list(trials(known))
    accepted: dict[tuple[str, bool], set[tuple[str, str]]] = defaultdict(set)
    accepted_with_consequences: dict[tuple[str, bool], set[tuple[str, str]]] = defaultdict(set)
    for one in all_trials:
        if one.coped:
            accepted[one.client, one.streams] |= one.causes
            accepted_with_consequences[one.client, one.streams] |= one.found
    rows: dict[tuple[str, bool], list[EffectRow]] = defaultdict(list)
    for one in all_trials:
        # If the trial has another root cause, its findings are as uncertain as consequences.
        without_effect = accepted if one.causes == one.own else accepted_with_consequences
        remaining = one.own - without_effect[one.client, one.streams]
        rules = {rule for rule, _ in remaining}
        if one.coped or len(rules) != 1 or rules & set(COMPARING_RULES):
            continue  # With two rules, which one had the effect is unknown.
        follows = not remaining & accepted_with_consequences[one.client, one.streams]
        row = EffectRow(frozenset(found for _, found in remaining), _effect(one, known["versions"]), follows)
        rows[rules.pop(), one.streams].append(row)
    return {place: tuple(_minimal(found)) for place, found in rows.items()}


def _effect(trial: Trial, versions: Mapping[str, str]) -> Effect:
    ends = trial.outcome.startswith("other ")
    does = f"ends with {trial.outcome.replace('calls', 'tool calls')}" if ends else STOPS
    detail = "" if ends else trial.outcome.rstrip(": ")
    return Effect(trial.client, versions.get(trial.mode, ""), does, detail, trial.fault)


def _minimal(rows: Sequence[EffectRow]) -> Iterator[EffectRow]:
    """The rows without duplicates, and without those for which a subset of the kinds already affects the client."""
    seen: set[tuple[str, frozenset[str]]] = set()
    for one in rows:
        has_smaller = any(other.effect.client == one.effect.client and other.kinds < one.kinds for other in rows)
        if not has_smaller and (one.effect.client, one.kinds) not in seen:
            seen.add((one.effect.client, one.kinds))
            yield one


@cache
def effect_rows() -> EffectsByRule:
    """The effects in the evidence file of this version."""
    return effects_by_rule(evidence())


@dataclass(frozen=True)
class KindEvidence:
    """The evidence about a kind of finding, or about several that only together affect a client: the effects, and the
    clients that coped with it."""

    rule: str
    streams: bool
    kinds: tuple[str, ...]
    effects: tuple[Effect, ...]
    coped: tuple[str, ...]


def kind_evidence(name: str) -> Iterator[KindEvidence]:
    """The evidence about the kinds of finding of a rule, or of all rules of a row of the catalogue."""
    tested: dict[tuple[str, bool, frozenset[str]], set[str]] = defaultdict(set)
    coped: dict[tuple[str, bool, str], set[str]] = defaultdict(set)
    for one in trials(evidence()):
        for rule, found in one.own if name in (one.row, *(rule for rule, _ in one.own)) else ():
            tested[rule, one.streams, frozenset((found,))].add(one.client)
            if one.coped:
                coped[rule, one.streams, found].add(one.client)
    effects: dict[tuple[str, bool, frozenset[str]], list[Effect]] = defaultdict(list)
    for rule, streams in dict.fromkeys((rule, streams) for rule, streams, _ in tested):
        for row in effect_rows().get((rule, streams), ()):
            effects[rule, streams, row.kinds].append(row.effect)
    for place in sorted({*tested, *effects}, key=lambda place: (place[0], place[1], sorted(place[2]))):
        rule, streams, kinds = place
        if name in (rule, requirement(rule).id):
            clients_that_coped = set.intersection(*(coped[rule, streams, one] for one in kinds))
            sorted_effects = sorted(effects[place], key=lambda one: list(CLIENTS).index(one.client))
            yield KindEvidence(
                rule,
                streams,
                tuple(sorted(kinds)),
                tuple(sorted_effects),
                tuple(n for n in CLIENTS if n in clients_that_coped),
            )
