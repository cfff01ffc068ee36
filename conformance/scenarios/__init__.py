"""The named requests of a run, by topic. :func:`scenarios` returns those of a revision in the order they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from conformance.contract.revisions import REVISIONS, Contract
from conformance.contract.schemas import Schemas, schemas_of
from conformance.scenarios import (
    auth,
    clients,
    combinations,
    derived,
    effort,
    histories,
    http,
    inputs,
    malformed,
    ordinary,
    revision_2026_10,
    rich_tools,
    tools,
    turns,
    undocumented,
)
from conformance.scenarios.scenario import TOGETHER, Scenario
from conformance.scenarios.templates import fill

#: Streams of eight kinds that are sent at the same moment, as far as ``concurrency`` allows: a text, reasoning, a call,
#: two calls, one that max_output_tokens truncates, a conversation, JSON, and a long text in parts with instructions.
BURST = frozenset({
    "parallel.2.stream", "effort.high.stream", "tools.call.stream", "tools.parallel.stream", "tools.cut.stream",
    "combination.4.stream", "combination.5.stream", "combination.13.stream",
})  # fmt: skip

#: The scenarios of a project itself (``--rules``), which are sent in any case.
OWN: list[Scenario] = []


def scenarios(schemas: Schemas, nonce: str, explored: Sequence[Scenario] = ()) -> dict[str, Scenario]:
    """Every scenario of the revision by name, the random ones behind all except the last; ``nonce`` makes the names and
    codewords no server can know."""
    contract = schemas.contract
    rows = combinations.scenarios(schemas, nonce)
    every = [
        *ordinary.scenarios(contract, nonce),
        *effort.scenarios(schemas),
        *tools.scenarios(schemas),
        *revision_2026_10.scenarios(schemas),
        *rich_tools.scenarios(),
        *turns.scenarios(contract),
        *histories.scenarios(),
        *inputs.scenarios(contract),
        *http.scenarios(contract),
        *auth.scenarios(contract),
        *malformed.scenarios(nonce),
        *derived.violations(schemas),
        *rows,
        *derived.accepted(schemas),
        *undocumented.scenarios(schemas, nonce),
        *clients.scenarios(schemas),
        *OWN,
        *explored,
        *ordinary.last(),
    ]
    names = {row.name for row in rows}
    # What is within a row can be planned behind it only.
    every = _ordered(every)
    every = sorted((_within(one, rows) for one in every), key=lambda one: (one.last, one.within in names))
    named = {one.name: _filled(one, contract) for one in every}
    if len(named) != len(every):
        raise ValueError("two scenarios share a name")
    return named


@cache
def descriptions() -> dict[str, str]:
    """What each scenario of the newest revision sends, in words, by its name."""
    return {one.name: one.description for one in scenarios(schemas_of(REVISIONS[-1]), "").values()}


def _ordered(every: Sequence[Scenario]) -> list[Scenario]:
    """The scenarios, each combination that follows a refusal right behind it if the contract has that refusal."""
    names = {one.name for one in every}
    every = [one if one.after in (None, *names) else replace(one, after=None, follow=None) for one in every]
    behind = {one.after: one for one in every if one.factors and one.after}
    kept = [one for one in every if one not in behind.values()]
    return [each for one in kept for each in (one, behind.get(one.name)) if each]


def _within(one: Scenario, rows: Sequence[Scenario]) -> Scenario:
    """The scenario within the combination that speaks for it, if there is one."""
    outer = None if one in OWN else combinations.covered_by(rows, one)
    return replace(one, within=outer) if outer else one


def _filled(one: Scenario, contract: Contract) -> Scenario:
    """The scenario with what its contract decides."""
    body, raw, closes = (fill(each, contract) for each in (one.body, one.raw, one.closes))
    tags = one.tags | {TOGETHER} if one.name in BURST else one.tags
    return replace(one, body=body, raw=raw, closes=closes, auth=one.auth or contract.way.name, tags=tags)
