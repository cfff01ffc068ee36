"""The ids of items: no two items that the suite makes share one, in requests and in responses of the upstream.

A proxy can store items by id, as the contract promises that no two are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conformance.emulator.shapes import Plan

#: The end of an id that is replaced when the request is sent. No proxy writes it: ids of responses stay as they are.
OWN = "_of_the_suite"

#: Letters alone: guardrails can take digits for a number of a person.
_LETTERS = str.maketrans("0123456789abcdef", "ghijkmnpqrabcdef")


def with_own_ids(body: Mapping[str, Any], seed: str) -> Mapping[str, Any]:
    """The body of a request with an id of its own for each item that has a placeholder; ``seed`` is unique for the
    request. The ids do not contain the seed, which can be a word that is sought in the texts."""
    if not isinstance(items := body.get("input"), list):
        return body
    return {**body, "input": [_with_id(item, f"{seed} {at}") for at, item in enumerate(items)]}


def _with_id(item: dict[str, Any], seed: str) -> dict[str, Any]:
    name = item.get("id")
    if not isinstance(name, str) or not name.endswith(OWN):
        return item
    made = hashlib.sha256(seed.encode()).hexdigest()[:24].translate(_LETTERS)
    return {**item, "id": f"{name.removesuffix(OWN)}_{made}"}


def renamed(plan: Plan, end: str) -> Plan:
    """The plan of a response with this end of the ids of its items, those of its calls unchanged."""
    return replace(plan, items=tuple(replace(item, id=item.id + end) for item in plan.items))
