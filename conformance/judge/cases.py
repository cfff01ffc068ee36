"""The cases of a target: every registered check over the scenarios it applies to."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from conformance.config.target import Target
from conformance.contract.schemas import Schemas
from conformance.judge.verdict import CHECKS, Case, cases
from conformance.scenarios import OWN, scenarios
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario

#: The package of the checks, by name only: each of its modules imports modules of a layer above this one.
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
    own = frozenset(one.name for one in OWN)
    return Context(scenarios(schemas, target.nonce, explored), schemas, target, clients, own)


def all_cases(context: Context) -> list[Case]:
    """Every case of every registered check."""
    return [case for check in CHECKS for case in cases(check, context)]
