"""No two items that the suite makes share an id, in requests and in responses of the upstream."""

from __future__ import annotations

import json

import pytest
from both_sides import recorded

from conformance.emulator.proxy.habit import CLEAN


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_no_two_items_of_requests_share_an_id(dialect: str) -> None:
    """A proxy can store items by id."""
    probes = ["request.*history", "request.tool-results*", "request.everything*", "request.reasoning-item"]
    sent = [
        item["id"]
        for record in recorded(dialect, CLEAN, probes).records
        for pair in record.pairs
        for item in pair.client.json["input"]
        if "id" in item
    ]
    assert len(sent) > 40
    assert len(set(sent)) == len(sent)


def test_no_two_responses_to_a_repeated_request_share_an_id() -> None:
    (record,) = recorded("responses", CLEAN, ["request.repeated"]).records
    bodies = [json.loads(pair.client.reply) for pair in record.pairs]
    ids = [one for body in bodies for one in (body["id"], *(item["id"] for item in body["output"]))]
    assert len(set(ids)) == len(ids) == 6


def test_an_item_of_a_response_keeps_its_id() -> None:
    (record,) = recorded("responses", CLEAN, ["request.call-round-trip"]).records
    first, second = record.pairs
    returned = {item["id"] for item in json.loads(first.client.reply)["output"]}
    assert returned <= {item.get("id") for item in second.client.json["input"]}
