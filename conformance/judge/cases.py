"""The cases of a target: every registered check over the scenarios it applies to."""

from __future__ import annotations

from conformance.config.target import Target
from conformance.contract.schemas import Schemas
from conformance.judge.verdict import CHECKS, Case, cases
from conformance.scenarios import scenarios
from conformance.scenarios.context import World


def world_of(target: Target, clients: tuple[str, ...] = ()) -> World:
    """The scenarios and schemas of a target's revision, with the clients that are to be judged."""
    schemas = Schemas(target.contract)
    return World(scenarios(schemas, target.nonce), schemas, target, clients)


def all_cases(world: World) -> list[Case]:
    """Every case of every registered check."""
    return [case for check in CHECKS for case in cases(check, world)]
