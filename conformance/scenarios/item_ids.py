"""The ids of input items: no two items of the suite's requests share one, as no two of a server's responses do."""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.scenarios.scenario import Body, Scenario, same_body


def with_own_ids(scenario: Scenario, body: Body, sample: int) -> Body:
    """The body with another id for each input item that has one, of the same prefix, by the scenario and the number of
    the sample: the same one in every run, so that a recording has the responses to another run.

    A server can store items by id. Requests of recorded clients, and those that return items of a response, keep
    theirs.
    """
    if "captured" in scenario.tags or scenario.follow not in (None, same_body):
        return body
    items = body.get("input")
    if not isinstance(items, list) or not any(isinstance(item, dict) and "id" in item for item in items):
        return body
    return {**body, "input": [_with_id(item, f"{scenario.name} {sample} {at}") for at, item in enumerate(items)]}


def _with_id(item: Any, seed: str) -> Any:
    if not isinstance(item, dict) or not isinstance(name := item.get("id"), str):
        return item
    prefix, mark, _ = name.partition("_")
    return {**item, "id": f"{prefix}_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"} if mark else item
