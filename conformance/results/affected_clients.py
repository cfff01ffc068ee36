"""Which clients the findings of a case affect: those that a trial showed, and no others.

Requests and keys cannot be tried as responses can. There a need (``needs.toml``) with ``finding`` says which finding
stops the client by construction, and why no trial shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract.client_evidence import MODES
from conformance.contract.needs import certain
from conformance.contract.rules import CLIENT, CLIENTS, requirement
from conformance.judge.verdict import Case, Finding, Result
from conformance.results.client_trials import STOPS, Effect, kind, known_rows
from conformance.results.records import CaseRecord, FindingRecord


@dataclass(frozen=True)
class Found:
    """A finding as far as it tells who is affected: ``modes`` are those it was found in (True: streamed), ``client``
    is the one that its request or case is about, empty if none."""

    message: str
    pointer: str
    modes: frozenset[bool]
    client: str = ""


def affected(rule: str, found: Sequence[Found], follows: bool = False) -> tuple[Mapping[str, Effect], ...]:
    """By finding of a case the clients that it affects, in the catalogue's order; ``follows``: the case is a
    consequence of another defect."""
    kinds = [kind(rule, one.message, one.pointer) for one in found]
    effects = [_certain(rule, one) for one in found]
    for streams in MODES:
        here = [streams in one.modes for one in found]
        all_kinds = {one for one, holds in zip(kinds, here, strict=True) if holds}
        rows = [
            one for one in known_rows().get((rule, streams), ()) if one.kinds <= all_kinds and one.follows >= follows
        ]
        for row in rows:
            for place, one in enumerate(found):
                if here[place] and kinds[place] in row.kinds and one.client in ("", row.effect.client):
                    effects[place].setdefault(row.effect.client, row.effect)
    return tuple({name: one[name] for name in CLIENTS if name in one} for one in effects)


def _certain(rule: str, one: Found) -> dict[str, Effect]:
    """What needs no trial: the client was run itself, or its request or key was refused. Codex only streams."""
    if rule.partition(".")[0] == CLIENT:
        ran = () if one.message.endswith(" usage") else requirement(rule).breaks
        return {name: _observed(name, one) for name in ran}
    return {
        need.client: Effect(need.client, need.version, STOPS, f"{need.says} (not tried: {need.unshown})")
        for need in certain(rule, one.message)
        if one.client in ("", need.client) and (need.client != "codex" or True in one.modes)
    }


def _observed(client: str, one: Found) -> Effect:
    """What a client of the client lane did: the message begins with its name and mode."""
    said = one.message.partition(" ")[2]
    if said.startswith("raised "):
        return Effect(client, "", STOPS, said.removeprefix("raised "))
    return Effect(client, "", said.replace("ended with", "ends with").replace("showed", "shows"))


def of_result(result: Result) -> tuple[Mapping[str, Effect], ...]:
    """By finding of a result the clients that it affects."""
    return affected(result.case.rule, [_found(result.case, one) for one in result.findings])


def _found(case: Case, one: Finding) -> Found:
    scenarios = case.context.scenarios
    modes = frozenset(scenarios[name].streaming for name in (one.scenario, *one.also) if name in scenarios)
    about = scenarios[one.scenario].about if one.scenario in scenarios else {}
    return Found(one.message, one.pointer, modes, case.about.get("client") or about.get("client", ""))


def settled(lines: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The cases, of which the consequences name only clients that they affect as consequences too."""
    return [_settled(one) if one.is_consequence and one.breaks else one for one in lines]


def _settled(line: CaseRecord) -> CaseRecord:
    if any(one.clients is None for one in line.findings):
        return line  # Of an earlier version.
    effects = of_line(line, follows=True)
    clients = [
        {name: does for name, does in (one.clients or {}).items() if name in known}
        for one, known in zip(line.findings, effects, strict=True)
    ]
    return _with_clients(line, clients)


def _with_clients(line: CaseRecord, clients: Sequence[Mapping[str, str]]) -> CaseRecord:
    """The case with these clients of each of its findings."""
    found = (replace(one, clients=known) for one, known in zip(line.findings, clients, strict=True))
    return replace(line, findings=tuple(found), breaks=tuple(names(clients)))


def of_line(line: CaseRecord, follows: bool = False) -> tuple[Mapping[str, Effect], ...]:
    """By finding of a case line the clients that it affects. The line does not say which scenarios stream: their names
    do, and that a finding stands at an event."""
    found = [Found(one.message, one.pointer, _modes(one)) for one in line.findings]
    return affected(line.requirement, found, follows)


def _modes(finding: FindingRecord) -> frozenset[bool]:
    streams = finding.event is not None
    return frozenset(streams or name.endswith(".stream") for name in finding.scenarios)


def effect_of(rule: str, finding: FindingRecord, client: str) -> Effect | None:
    """What the finding of a case line does to a client, streamed or else plain; None if this version does not know."""
    one = Found(finding.message, finding.pointer, frozenset((True, False)), client)
    rows = (row for streams in (True, False) for row in known_rows().get((rule, streams), ()))
    here = kind(rule, one.message, one.pointer)
    shown = (row.effect for row in rows if row.effect.client == client and here in row.kinds)
    return next(shown, None) or _certain(rule, one).get(client)


def sentences(line: CaseRecord) -> list[str]:
    """What its findings do to each client that the case line names, a sentence each."""
    return [_sentence(line, name) for name in line.breaks] if line.findings else []


def _sentence(line: CaseRecord, client: str) -> str:
    for one in line.findings:
        if does := (one.clients or {}).get(client):
            known = effect_of(line.requirement, one, client)
            return str(known if known and known.does == does else Effect(client, "", does))
    return CLIENTS.get(client, client)  # Of a run that another version made.


def upgraded(line: CaseRecord) -> CaseRecord:
    """The case of an earlier version, which named every client of the rule, with what trials show today."""
    if not line.findings or all(one.clients is not None for one in line.findings):
        return line
    try:
        effects = of_line(line, line.is_consequence)
    except KeyError:  # A rule that this version does not have.
        return line
    return _with_clients(line, [{name: effect.does for name, effect in known.items()} for known in effects])


def names(effects: Iterable[Mapping[str, Any]]) -> list[str]:
    """The clients that any of the findings affects, in the catalogue's order."""
    hit = {name for one in effects for name in one}
    return [name for name in CLIENTS if name in hit]
