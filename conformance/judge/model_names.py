"""The names that a response may have for the requested model."""

from __future__ import annotations

import re

from conformance.contract.revisions import Contract

#: What follows the name of a model in that of its dated snapshot (``gpt-4o-mini-2024-07-18``).
_SNAPSHOT = re.compile(r"-20\d\d-?\d\d-?\d\d")


def is_the_model(requested: str, named: str, contract: Contract) -> bool:
    """Whether a name is the requested model or its dated snapshot.

    Of a model that the contract does not list it may be a longer name: the contract does not know its aliases, such as
    ``gpt-5.6`` for ``gpt-5.6-sol``.
    """
    rest = named.removeprefix(requested)
    if named == requested or (rest != named and _SNAPSHOT.fullmatch(rest)):
        return True
    return requested not in contract.models and rest != named and rest.startswith("-")
