"""What can be evaluated at a target: its scenarios, and the cases of all checks."""

from __future__ import annotations

import importlib
import pkgutil

from conformance.scenarios import scenarios
from conformance.schemas import Schemas
from conformance.target import Target
from conformance.verdict import CHECKS, Case, World, cases

#: The package of the checks; named only, as each of its modules imports what stands above this one.
_CHECKS = "conformance.checks"


def load_checks() -> None:
    """Import every module of checks, so that all are registered."""
    package = importlib.import_module(_CHECKS)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{_CHECKS}.{module.name}")


def world_of(target: Target, clients: tuple[str, ...] = ()) -> World:
    """The scenarios and schemas of a target's revision, with the clients that are to be judged."""
    schemas = Schemas(target.revision)
    return World(scenarios(schemas, target.nonce), schemas, target, clients)


def all_cases(world: World) -> list[Case]:
    """Every case of every registered check."""
    return [case for check in CHECKS for case in cases(check, world)]
