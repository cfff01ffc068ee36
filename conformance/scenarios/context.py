"""The context from which the cases of a run are selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.config.target import Target
from conformance.contract.revisions import Contract
from conformance.contract.schemas import Schemas
from conformance.scenarios.scenario import Scenario


@dataclass(frozen=True)
class Context:
    """The input of selectors; ``clients``: the clients of ``--clients``, empty without. ``own`` are the names of the
    scenarios of ``--rules``. ``replays_other_version``: the responses are those of a recording of another version of
    the suite, which may have other scenarios."""

    scenarios: Mapping[str, Scenario]
    schemas: Schemas
    target: Target
    clients: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    replays_other_version: bool = False

    @property
    def contract(self) -> Contract:
        """The contract that the target is to fulfil."""
        return self.schemas.contract
