"""The cases of a target: every registered check over the scenarios it applies to."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from conformance.config.target import Target
from conformance.contract.schemas import Schemas
from conformance.judge.verdict import CHECKS, Case, cases
from conformance.scenarios import scenarios
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario

#: The package of the checks; named only, as each of its modules imports what stands above this one.
_CHECKS = "conformance.checks"


def load_checks() -> None:
    """Import every module of checks, so that all are registered."""
    package = importlib.import_module(_CHECKS)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{_CHECKS}.{module.name}")


def context_of(target: Target, clients: tuple[str, ...] = (), explored: Sequence[Scenario] = ()) -> Context:
    """The scenarios and schemas of a target's revision, with the clients to evaluate; ``explored`` are the random
    requests."""
    schemas = Schemas(target.contract)
    return Context(scenarios(schemas, target.nonce, explored), schemas, target, clients)


def all_cases(context: Context) -> list[Case]:
    """Every case of every registered check."""
    return [case for check in CHECKS for case in cases(check, context)]
