"""The cases of a target: every registered check over the scenarios it applies to."""

from __future__ import annotations

from conformance.config.target import Target
from conformance.contract.schemas import Schemas
from conformance.judge.verdict import CHECKS, Case, cases
from conformance.scenarios import scenarios
from conformance.scenarios.context import Context


def context_of(target: Target, clients: tuple[str, ...] = ()) -> Context:
    """The scenarios and schemas of a target's revision, with the clients that are to be evaluated."""
    schemas = Schemas(target.revision)
    return Context(scenarios(schemas, target.nonce), schemas, target, clients)


def all_cases(context: Context) -> list[Case]:
    """Every case of every registered check."""
    return [case for check in CHECKS for case in cases(check, context)]
