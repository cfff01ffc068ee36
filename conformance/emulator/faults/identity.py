"""Faults in identity: ids, names and times that change within a stream, and shared ids."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise

from ..event_edits import DELTAS, change, events, items_in, put, response, streamed_items
from ..hooks import Context, fault
from ..shapes import Dict, Item

ITEM, BELONGS = "identity.item-id", "identity.index-belongs-to-item"
DONES = (
    "output_text.done",
    "reasoning_text.done",
    "function_call_arguments.done",
    "custom_tool_call_input.done",
)
CALLS = ("function_call", "custom_tool_call")


def other(ident: str) -> str:
    """Another id of the same format, always the same one for the same id."""
    prefix, _, _ = ident.rpartition("_")
    return f"{prefix}_{hashlib.sha256(ident.encode()).hexdigest()[:32]}"


def one_id(_: Context, items: list[Item]) -> list[Item]:
    return [replace(one, id=items[0].id) for one in items]


def response_id(_: Context, stream: list[Dict]) -> list[Dict]:
    """Gives the first item the id of the response, everywhere."""
    of_response, first = stream[-1]["response"]["id"], stream[2]["item"]["id"]
    for event in stream:
        if event.get("item_id") == first:
            event["item_id"] = of_response
        if event.get("item", {}).get("id") == first:
            event["item"]["id"] = of_response
    for item in stream[-1]["response"]["output"]:
        item["id"] = of_response if item["id"] == first else item["id"]
    return stream


def by_first_call(_: Context, stream: list[Dict]) -> list[Dict]:
    """Names the first call in the events of the arguments of all."""
    named = [event for event in stream if event["type"].startswith("response.function_call_arguments.")]
    for event in named:
        event["item_id"] = named[0]["item_id"]
    return stream


def by_next_item(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends the item id of the next item in deltas, before that item is added."""
    ids = [event["item"]["id"] for event in stream if event["type"] == "response.output_item.added"]
    following = dict(pairwise(ids))
    for event in stream:
        if event["type"].endswith(".delta"):
            event["item_id"] = following.get(event["item_id"], event["item_id"])
    return stream


def per_event(_: Context, stream: list[Dict]) -> list[Dict]:
    """Generates a new id for every event of an item."""
    for place, event in enumerate(stream):
        if "item_id" in event:
            event["item_id"] = other(f"{event['item_id']}_{place}")
    return stream


def crossed(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends the output_index of the first item in deltas of the second."""
    for event in stream:
        if event["type"].endswith(".delta") and event["output_index"] == 1:
            event["output_index"] = 0
    return stream


def by_call_id(_: Context, stream: list[Dict]) -> list[Dict]:
    calls = {item["id"]: item["call_id"] for item in stream[-1]["response"]["output"] if "call_id" in item}
    for event in stream:
        if event.get("item_id") in calls:
            event["item_id"] = calls[event["item_id"]]
    return stream


def off_by_one(event: Dict) -> None:
    event["output_index"] += 1


FAULTS = [
    fault("identity.created-has-another-id", "Sends another response id in response.created.",
          "identity.response-id", "lifecycle.snapshots",
          response=response(change("id", other), "created")),
    fault("identity.in-progress-has-another-id", "Sends another response id in response.in_progress.",
          "identity.response-id", "lifecycle.snapshots",
          response=response(change("id", other), "in_progress")),
    fault("identity.terminal-has-another-id", "Sends another response id in the terminal event.",
          "identity.response-id", "lifecycle.snapshots",
          response=response(change("id", other), "terminal")),
    fault("identity.deltas-have-another-item-id", "Sends another item id in deltas than in output_item.added.", ITEM,
          evidence="vllm-project/vllm#23218",
          events=events(change("item_id", other), *DELTAS)),
    fault("identity.dones-have-another-item-id", "Sends another item id in output_text.done.", ITEM,
          events=events(change("item_id", other), *DONES)),
    fault("identity.parts-have-another-item-id", "Sends another item id in content_part events.", ITEM,
          events=events(change("item_id", other), "content_part.added", "content_part.done")),
    fault("identity.item-id-made-up-anew", "Sends a new item id in every event.", ITEM, events=per_event),
    fault("identity.item-done-has-another-id", "Sends another item id in output_item.done.", ITEM,
          events=streamed_items(change("id", other), "output_item.done")),
    fault("identity.item-added-has-another-id", "Sends another item id in output_item.added.", ITEM,
          events=streamed_items(change("id", other), "output_item.added")),
    fault("identity.output-has-another-item-id", "Sends other item ids in the final output.", ITEM,
          response=response(items_in(change("id", other)), "terminal")),
    fault("identity.item-id-empty-in-deltas", "Sends an empty item id in deltas.", ITEM,
          events=events(put(item_id=""), *DELTAS)),
    fault("identity.deltas-have-next-item-id", "Sends the id of the item behind it in the deltas of an item.", ITEM,
          events=by_next_item),
    fault("identity.item-id-is-call-id", "Sends the call_id as item id in events of arguments.", ITEM,
          events=by_call_id),
    fault("identity.arguments-name-the-first-call", "Sends the item id of the first call with the arguments of others.",
          BELONGS, events=by_first_call),
    fault("identity.call-id-changes", "Sends another call_id in output_item.done.", "identity.call-id",
          events=streamed_items(change("call_id", other), "output_item.done", kinds=CALLS)),
    fault("identity.output-has-another-call-id", "Sends other call_ids in the final output.",
          "identity.call-id", evidence="vllm-project/vllm#47916",
          response=response(items_in(change("call_id", other), *CALLS), "terminal")),
    fault("identity.call-id-empty-when-added", "Sends an empty call_id in output_item.added.", "identity.call-id",
          events=streamed_items(put(call_id=""), "output_item.added", kinds=CALLS)),
    fault("identity.name-changes", "Sends another name of a call in output_item.done.", "identity.name",
          events=streamed_items(change("name", str.upper), "output_item.done", kinds=CALLS)),
    fault("identity.name-differs-in-arguments-done", "Sends another name in function_call_arguments.done.",
          "identity.name", events=events(change("name", str.upper), "function_call_arguments.done")),
    fault("identity.name-empty-when-added", "Sends an empty name of a call in output_item.added.", "identity.name",
          events=streamed_items(put(name=""), "output_item.added", kinds=CALLS)),
    fault("identity.name-differs-in-output", "Sends another name of a call in the final output.", "identity.name",
          response=response(items_in(change("name", str.upper), *CALLS), "terminal")),
    fault("identity.model-differs-in-created", "Sends another model in response.created.", "identity.model",
          response=response(put(model="mimo-v2-flash"), "created")),
    fault("identity.model-differs-in-in-progress", "Sends another model in response.in_progress.", "identity.model",
          response=response(put(model="mimo-v2-flash"), "in_progress")),
    fault("identity.model-differs-at-end", "Sends another model in the terminal event.", "identity.model",
          response=response(put(model="mimo-v2-flash"), "terminal")),
    fault("identity.created-at-moves", "Sends the completion time as created_at in the terminal event.",
          "identity.created-at", response=response(change("created_at", lambda at: at + 1), "terminal")),
    fault("identity.created-at-differs-in-in-progress", "Sends another created_at in response.in_progress.",
          "identity.created-at", response=response(change("created_at", lambda at: at - 1), "in_progress")),
    fault("identity.one-item-id-for-all", "Sends the same id for all items of a response.",
          "identity.item-ids-distinct", draft=one_id),
    fault("identity.first-item-has-response-id", "Sends the id of the response as the id of the first item.",
          "identity.item-ids-distinct", events=response_id),
    fault("identity.deltas-point-at-first-item", "Sends the output_index of the first item in deltas of the second.",
          BELONGS, events=crossed),
    fault("identity.deltas-point-one-further", "Sends output_index one too high in deltas.", BELONGS,
          events=events(off_by_one, *DELTAS)),
    fault("identity.dones-point-one-further", "Sends output_index one too high in done events.", BELONGS,
          events=events(off_by_one, *DONES)),
    fault("identity.item-done-points-one-further", "Sends output_index one too high in output_item.done.", BELONGS,
          events=events(off_by_one, "output_item.done")),
]  # fmt: skip
