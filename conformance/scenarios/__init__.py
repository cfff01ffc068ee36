"""The named requests of a run, by topic. :func:`scenarios` returns those of a revision in the order they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.contract.revisions import Contract
from conformance.contract.schemas import Schemas
from conformance.scenarios import (
    auth,
    clients,
    derived,
    effort,
    histories,
    http,
    inputs,
    malformed,
    ordinary,
    rich_tools,
    tools,
    turns,
    undocumented,
)
from conformance.scenarios.scenario import Scenario
from conformance.scenarios.templates import fill


def scenarios(schemas: Schemas, nonce: str, explored: Sequence[Scenario] = ()) -> dict[str, Scenario]:
    """Every scenario of the revision by name, the random ones behind all except the last; ``nonce`` makes the names and
    codewords no server can know."""
    contract = schemas.contract
    every = [
        *ordinary.scenarios(contract, nonce),
        *effort.scenarios(schemas),
        *tools.scenarios(schemas),
        *rich_tools.scenarios(),
        *turns.scenarios(contract),
        *histories.scenarios(),
        *inputs.scenarios(contract),
        *derived.accepted(schemas),
        *http.scenarios(contract),
        *auth.scenarios(contract),
        *malformed.scenarios(nonce),
        *derived.violations(schemas),
        *undocumented.scenarios(schemas, nonce),
        *clients.scenarios(schemas),
        *explored,
        *ordinary.last(),
    ]
    named = {one.name: _filled(one, contract) for one in every}
    if len(named) != len(every):
        raise ValueError("two scenarios share a name")
    return named


def _filled(one: Scenario, contract: Contract) -> Scenario:
    """The scenario with what its contract decides."""
    return replace(one, body=fill(one.body, contract), raw=fill(one.raw, contract), auth=one.auth or contract.way.name)
