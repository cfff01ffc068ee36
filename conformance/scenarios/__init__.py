"""The named requests of a run, by topic. :func:`scenarios` returns those of a revision in the order they are sent."""

from __future__ import annotations

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


def scenarios(schemas: Schemas, nonce: str) -> dict[str, Scenario]:
    """Every scenario of the revision by name; ``nonce`` makes the names and codewords no server can know."""
    every = [
        *ordinary.scenarios(nonce),
        *effort.scenarios(schemas),
        *tools.scenarios(schemas),
        *rich_tools.scenarios(),
        *turns.scenarios(),
        *histories.scenarios(),
        *inputs.scenarios(),
        *derived.accepted(schemas),
        *http.scenarios(),
        *auth.scenarios(),
        *malformed.scenarios(nonce),
        *derived.violations(schemas),
        *undocumented.scenarios(schemas, nonce),
        *clients.scenarios(schemas),
        *ordinary.last(),
    ]
    named = {scenario.name: scenario for scenario in every}
    if len(named) != len(every):
        raise ValueError("two scenarios share a name")
    return named
