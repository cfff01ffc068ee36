"""Output items that are items of the request: what a server repeats of its input it did not generate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.decode.events import objects, text
from conformance.decode.response import Received

#: The members by which an item is recognised.
IDS = ("id", "call_id")


def input_ids(sent: Mapping[str, Any]) -> frozenset[str]:
    """The ids and call ids of the items of a request."""
    return frozenset(item[name] for item in objects(sent.get("input")) for name in IDS if text(item.get(name)))


def is_of_input(item: Mapping[str, Any], received: Received) -> bool:
    """Whether an output item has an id or call id that its request contains."""
    known = input_ids(received.sent)
    return any(isinstance(item.get(name), str) and item[name] in known for name in IDS)
