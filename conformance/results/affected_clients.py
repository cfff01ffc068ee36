"""The clients that the findings of a case affect: those for which a trial (:mod:`client_trials`) shows it.

Trials replay responses to clients; they cannot show the effect of a refused request or key. For these, a need in
``needs.toml`` with ``finding`` states which finding stops the client by construction, and why no trial shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract.client_evidence import MODES
from conformance.contract.needs import certain
from conformance.contract.rules import CLIENT, CLIENTS, requirement
from conformance.judge.verdict import Case, Finding, Result
from conformance.results.client_trials import STOPS, Effect, effect_rows, finding_kind
from conformance.results.records import CaseRecord, FindingRecord


@dataclass(frozen=True)
class LocatedFinding:
    """The parts of a finding that decide which clients it affects.

    ``modes`` are the modes of the responses in which it was found (True: streamed). ``client`` is the client that sent
    the request or to which the response was replayed; empty if there is none.
    """

    message: str
    pointer: str
    modes: frozenset[bool]
    client: str = ""


def affected(rule: str, found: Sequence[LocatedFinding], follows: bool = False) -> tuple[Mapping[str, Effect], ...]:
    """For each finding of a case, the effects by client, in the order of the catalogue. ``follows``: the case is a
    consequence of another violation."""
    if not found:
        return ()  # Most cases have none, and a run without any need not read the trials.
    kinds = [finding_kind(rule, one.message, one.pointer) for one in found]
    effects = [_certain(rule, one) for one in found]
    for streams in MODES:
        here = [streams in one.modes for one in found]
        all_kinds = {one for one, is_here in zip(kinds, here, strict=True) if is_here}
        rows = [
            one for one in effect_rows().get((rule, streams), ()) if one.kinds <= all_kinds and one.follows >= follows
        ]
        for row in rows:
            for place, one in enumerate(found):
                if here[place] and kinds[place] in row.kinds and one.client in ("", row.effect.client):
                    effects[place].setdefault(row.effect.client, row.effect)
    return tuple({name: one[name] for name in CLIENTS if name in one} for one in effects)


def _certain(rule: str, one: LocatedFinding) -> dict[str, Effect]:
    """The effects that need no trial: the client itself was run, or its request or key was refused. Codex only
    streams."""
    if rule.partition(".")[0] == CLIENT:
        ran = () if one.message.endswith(" usage") else requirement(rule).breaks
        return {name: _observed(name, one) for name in ran}
    return {
        need.client: Effect(need.client, need.version, STOPS, f"{need.says} (not tested: {need.unshown})")
        for need in certain(rule, one.message)
        if one.client in ("", need.client) and (need.client != "codex" or True in one.modes)
    }


def _observed(client: str, one: LocatedFinding) -> Effect:
    """The effect on a real client that was run; the message begins with its name and mode."""
    outcome = one.message.partition(" ")[2]
    if outcome.startswith("raised "):
        return Effect(client, "", STOPS, outcome.removeprefix("raised "))
    return Effect(client, "", outcome.replace("ended with", "ends with").replace("showed", "shows"))


def effects_of_result(result: Result) -> tuple[Mapping[str, Effect], ...]:
    """For each finding of a result, the effects by client."""
    return affected(result.case.rule, [_located(result.case, one) for one in result.findings])


def _located(case: Case, one: Finding) -> LocatedFinding:
    scenarios = case.context.scenarios
    modes = frozenset(scenarios[name].streaming for name in (one.scenario, *one.also) if name in scenarios)
    about = scenarios[one.scenario].about if one.scenario in scenarios else {}
    return LocatedFinding(one.message, one.pointer, modes, case.about.get("client") or about.get("client", ""))


def restrict_consequences(lines: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The cases; each consequence keeps only the clients that are affected by its findings as consequences too."""
    return [_restricted(one) if one.is_consequence and one.breaks else one for one in lines]


def _restricted(line: CaseRecord) -> CaseRecord:
    if any(one.clients is None for one in line.findings):
        return line  # From an earlier version of the suite.
    effects = effects_of_record(line, follows=True)
    clients = [
        {name: effect for name, effect in (one.clients or {}).items() if name in known}
        for one, known in zip(line.findings, effects, strict=True)
    ]
    return _with_clients(line, clients)


def _with_clients(line: CaseRecord, clients: Sequence[Mapping[str, str]]) -> CaseRecord:
    """The case with these effects by client for each of its findings."""
    found = (replace(one, clients=known) for one, known in zip(line.findings, clients, strict=True))
    return replace(line, findings=tuple(found), breaks=tuple(client_names(clients)))


def effects_of_record(line: CaseRecord, follows: bool = False) -> tuple[Mapping[str, Effect], ...]:
    """For each finding of a record, the effects by client. Whether a response was streamed is derived from the event
    of the finding and from the scenario's name."""
    found = [LocatedFinding(one.message, one.pointer, _modes(one)) for one in line.findings]
    return affected(line.requirement, found, follows)


def _modes(finding: FindingRecord) -> frozenset[bool]:
    streams = finding.event is not None
    return frozenset(streams or name.endswith(".stream") for name in finding.scenarios)


def effect_of(rule: str, finding: FindingRecord, client: str) -> Effect | None:
    """The effect of a recorded finding on a client, preferably of the streamed response; None if it is unknown in this
    version."""
    one = LocatedFinding(finding.message, finding.pointer, frozenset((True, False)), client)
    rows = (row for streams in (True, False) for row in effect_rows().get((rule, streams), ()))
    here = finding_kind(rule, one.message, one.pointer)
    shown = (row.effect for row in rows if row.effect.client == client and here in row.kinds)
    return next(shown, None) or _certain(rule, one).get(client)


def sentences(line: CaseRecord) -> list[str]:
    """The effect on each affected client of a record, one sentence for each."""
    return [_sentence(line, name) for name in line.breaks] if line.findings else []


def _sentence(line: CaseRecord, client: str) -> str:
    for one in line.findings:
        if does := (one.clients or {}).get(client):
            known = effect_of(line.requirement, one, client)
            return str(known if known and known.does == does else Effect(client, "", does))
    return CLIENTS.get(client, client)  # The run is from another version of the suite.


def with_known_effects(line: CaseRecord) -> CaseRecord:
    """A record of an earlier version of the suite, which listed every client of the rule, with the clients that the
    current trials show as affected."""
    if not line.findings or all(one.clients is not None for one in line.findings):
        return line
    try:
        effects = effects_of_record(line, line.is_consequence)
    except KeyError:  # A rule that does not exist in this version.
        return line
    return _with_clients(line, [{name: effect.does for name, effect in known.items()} for known in effects])


def client_names(effects: Iterable[Mapping[str, Any]]) -> list[str]:
    """The clients that at least one finding affects, in the order of the catalogue."""
    affected_names = {name for one in effects for name in one}
    return [name for name in CLIENTS if name in affected_names]
