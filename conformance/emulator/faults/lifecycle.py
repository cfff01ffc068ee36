"""Faults in the order of events: the response's, the items' and the parts'."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from ..event_edits import (
    DELTAS,
    TERMINALS,
    change,
    cut,
    drop,
    drop_one,
    events,
    is_a,
    late,
    places,
    put,
    response,
    snapshot,
    streamed_items,
    twice,
)
from ..hooks import Behaviour, Context, Hook, fault
from ..shapes import Dict, Frame, to_json

SNAPSHOTS, OPENED = "lifecycle.snapshots", "lifecycle.item-opened-before-use"
CLOSED_ONCE, AFTER = "lifecycle.item-closed-once", "lifecycle.nothing-after-item-closed"
PART_OPEN, PART_ONCE = "lifecycle.part-opened-before-use", "lifecycle.part-closed-once"
ONE_END, AGREES, DENSE = (
    "lifecycle.one-terminal-last",
    "lifecycle.terminal-agrees-with-status",
    "lifecycle.indexes-dense",
)
PARTS = (
    "content_part.added",
    "content_part.done",
    "output_text.delta",
    "output_text.done",
    "reasoning_text.delta",
    "reasoning_text.done",
)
DONES = (
    "output_text.done",
    "reasoning_text.done",
    "function_call_arguments.done",
    "custom_tool_call_input.done",
)


def items_done_first(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends output_item.done of each item before the done event of its text or arguments."""
    for at in places(stream, "output_item.done"):
        index, done = stream[at]["output_index"], stream.pop(at)
        own = (place for place in places(stream, *DONES) if stream[place]["output_index"] == index)
        stream.insert(next(own, at), done)
    return stream


def swap(_: Context, stream: list[Dict]) -> list[Dict]:
    return [stream[1], stream[0], *stream[2:]]


def move(source: int, target: int) -> Hook[list[Dict]]:
    """Moves an event from one index to another."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        stream.insert(target, stream.pop(source))
        return stream

    return hook


def repeat(source: int, target: int) -> Hook[list[Dict]]:
    return lambda _, stream: [*stream[:target], copy.deepcopy(stream[source]), *stream[target:]]


def last_before(name: str, behind: str) -> Hook[list[Dict]]:
    """Moves the last event of a type behind the next one of another."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for place in places(stream, name)[-1:]:
            nexts = [at for at in places(stream, behind) if at > place]
            if nexts:
                stream.insert(nexts[0], stream.pop(place))
        return stream

    return hook


def first_late(name: str, *behind: str) -> Hook[list[Dict]]:
    """Moves the first event of a type behind the first one of others."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for place in places(stream, name)[:1]:
            nexts = [at for at in places(stream, *behind) if at > place]
            if nexts:
                stream.insert(nexts[0], stream.pop(place))
        return stream

    return hook


def ending(make: Callable[[Dict], list[Dict]]) -> Hook[list[Dict]]:
    """Replaces the terminal event."""
    return lambda _, stream: [*stream[:-1], *make(stream[-1])]


def as_error_body(_: Context, frame: Frame) -> Frame:
    """Sends an error body in place of the terminal event, as gateways do when they lose the server behind them."""
    body = {"error": {"message": "stream closed", "code": "500"}}
    return replace(frame, lines=("event: error", f"data: {to_json(body)}")) if is_a(frame.event, *TERMINALS) else frame


def named(event: Dict, name: str) -> Dict:
    return {**copy.deepcopy(event), "type": f"response.{name}"}


def halfway(_: Context, stream: list[Dict]) -> list[Dict]:
    return stream[: len(stream) // 2]


def full_snapshot(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends the finished items in the first event."""
    stream[0]["response"]["output"] = copy.deepcopy(stream[-1]["response"]["output"])
    return stream


def contents(by: int) -> Callable[[Dict], object]:
    return change("content_index", lambda at: at + by)


def counted_deltas(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends each delta of a reasoning text with the next content_index."""
    index: dict[str, int] = {}
    for event in stream:
        if event["type"] == "response.reasoning_text.delta":
            item = event["item_id"]
            event["content_index"] = index[item] = index.get(item, -1) + 1
    return stream


def outputs(how: Callable[[int], int]) -> Hook[list[Dict]]:
    return events(change("output_index", how))


def last_unclosed(*names: str) -> Hook[list[Dict]]:
    """Omits the last event of each of these types."""

    def hook(ctx: Context, stream: list[Dict]) -> list[Dict]:
        for name in names:
            stream = drop_one(name, -1)(ctx, stream)
        return stream

    return hook


def renamed_status(event_status: str, *names: str) -> Hook[list[Dict]]:
    return events(lambda event: event["response"].update(status=event_status), *names)


def snapshot_fault(name: str, says: str, edit: Callable[[Dict], object], *rules: str) -> Behaviour:
    return fault(f"lifecycle.{name}", says, SNAPSHOTS, *rules, response=snapshot(edit))


FAULTS = [
    fault("lifecycle.no-created",
          "Sends response.in_progress first, without response.created.", "lifecycle.created-first",
          "event.seen.response.created", events=drop("created")),
    fault("lifecycle.created-second", "Sends response.in_progress before response.created.", "lifecycle.created-first",
          "lifecycle.in-progress-second", events=swap),
    fault("lifecycle.item-before-created",
          "Sends output_item.added before response.created.", "lifecycle.created-first",
          events=move(2, 0)),
    fault("lifecycle.no-in-progress", "Never sends response.in_progress.",
          "lifecycle.in-progress-second", "event.seen.response.in_progress", events=drop("in_progress")),
    fault("lifecycle.in-progress-late", "Sends response.in_progress after the first output_item.added.",
          "lifecycle.in-progress-second", events=move(1, 2)),
    fault("lifecycle.created-twice", "Sends response.created twice.", "lifecycle.each-once",
          events=repeat(0, 2)),
    fault("lifecycle.in-progress-twice", "Sends response.in_progress twice.", "lifecycle.each-once",
          events=repeat(1, 2)),
    fault("lifecycle.in-progress-again",
          "Sends response.in_progress again in the middle of the stream.", "lifecycle.each-once",
          events=repeat(1, 5)),
    fault("lifecycle.no-terminal", "Ends the stream without a terminal event.", ONE_END, events=drop(*TERMINALS)),
    fault("lifecycle.ends-halfway", "Ends the stream halfway, with correct framing.", ONE_END, events=halfway),
    fault("lifecycle.terminal-twice", "Sends the terminal event twice.", ONE_END, events=twice(*TERMINALS)),
    fault("lifecycle.both-terminals", "Sends response.incomplete and then response.completed.", ONE_END,
          events=ending(lambda last: [named(last, "incomplete"), named(last, "completed")])),
    fault("lifecycle.terminal-too-early", "Sends the terminal event before the last item is done.", ONE_END,
          events=move(-1, -2)),
    fault("lifecycle.ends-with-done", "Ends the stream with response.done, an earlier name.", ONE_END,
          events=ending(lambda last: [named(last, "done")])),
    fault("lifecycle.completed-in-progress", "Sends status in_progress in the terminal event.", AGREES,
          response=response(put(status="in_progress"), "terminal")),
    fault("lifecycle.completed-says-incomplete", "Sends status incomplete in response.completed.", AGREES,
          events=renamed_status("incomplete", "completed")),
    fault("lifecycle.incomplete-says-completed", "Sends status completed in response.incomplete.", AGREES,
          events=renamed_status("completed", "incomplete")),
    fault("lifecycle.event-says-incomplete", "Ends a completed stream with response.incomplete.", AGREES,
          events=events(put(type="response.incomplete"), "completed")),
    snapshot_fault("snapshot-says-completed",
                   "Sends status completed in response.created and .in_progress.", put(status="completed")),
    snapshot_fault("snapshot-says-queued",
                   "Sends status queued in response.created and .in_progress.", put(status="queued")),
    snapshot_fault("snapshot-output-null",
                   "Sends null as output in response.created and .in_progress.", put(output=None)),
    snapshot_fault("snapshot-without-output", "Omits output in response.created and .in_progress.", cut("output")),
    snapshot_fault("snapshot-without-model", "Omits model in response.created and .in_progress.", cut("model")),
    snapshot_fault("snapshot-without-created-at", "Omits created_at in response.created and .in_progress.",
                   cut("created_at")),
    snapshot_fault("snapshot-without-id", "Omits id in response.created and .in_progress.", cut("id")),
    snapshot_fault("snapshot-is-bare", "Sends only the id in response.created and .in_progress.",
                   lambda one: [one.pop(name) for name in list(one) if name != "id"]),
    fault("lifecycle.snapshot-with-output", "Sends finished items in response.created.", SNAPSHOTS,
          events=full_snapshot),
    fault("lifecycle.items-never-opened", "Never sends output_item.added.", OPENED,
          "event.seen.response.output_item.added", events=drop("output_item.added")),
    fault("lifecycle.second-item-never-opened", "Sends output_item.added only for the first item.", OPENED,
          events=drop("output_item.added", test=lambda event: event["output_index"] > 0)),
    fault("lifecycle.item-opened-late", "Sends output_item.added after the first delta of the item.", OPENED,
          events=late("output_item.added", *DELTAS)),
    fault("lifecycle.item-opened-after-part",
          "Sends output_item.added after the first content_part.added of the item.", OPENED,
          events=late("output_item.added", "content_part.added")),
    fault("lifecycle.item-closed-twice", "Sends output_item.done twice.", CLOSED_ONCE,
          events=twice("output_item.done")),
    fault("lifecycle.item-opened-twice", "Sends output_item.added twice.", OPENED, events=twice("output_item.added")),
    fault("lifecycle.delta-after-item", "Sends the last delta after output_item.done.", AFTER,
          "lifecycle.deltas-before-done", events=last_before("output_text.delta", "output_item.done")),
    fault("lifecycle.arguments-done-after-item", "Sends function_call_arguments.done after output_item.done.", AFTER,
          events=last_before("function_call_arguments.done", "output_item.done")),
    fault("lifecycle.part-opened-late", "Sends content_part.added after the first delta of the part.", PART_OPEN,
          events=first_late("content_part.added", "output_text.delta", "reasoning_text.delta")),
    fault("lifecycle.text-parts-never-opened", "Never sends content_part.added for text.", PART_OPEN,
          events=drop("content_part.added", test=lambda event: event["part"]["type"] == "output_text")),
    fault("lifecycle.no-part-events", "Sends no content_part events for text.", PART_OPEN,
          "event.seen.response.content_part.done",
          events=drop("content_part.added", "content_part.done",
                      test=lambda event: event["part"]["type"] == "output_text")),
    fault("lifecycle.part-closed-twice",
          "Sends content_part.done twice.", PART_ONCE, events=twice("content_part.done")),
    fault("lifecycle.part-opened-twice", "Sends content_part.added twice.", PART_OPEN,
          events=twice("content_part.added")),
    fault("lifecycle.text-done-after-part", "Sends output_text.done after content_part.done.",
          "lifecycle.text-done-before-part-done", events=late("output_text.done", "content_part.done")),
    fault("lifecycle.part-done-after-item", "Sends content_part.done after output_item.done.",
          "lifecycle.part-done-before-item-done", AFTER,
          events=late("content_part.done", "output_item.done")),
    fault("lifecycle.items-done-before-their-texts",
          "Sends output_item.done before the done events of the item's text or arguments.",
          "lifecycle.part-done-before-item-done", events=items_done_first),
    fault("lifecycle.delta-after-text-done", "Sends the last text delta after output_text.done.",
          "lifecycle.deltas-before-done", events=last_before("output_text.delta", "output_text.done")),
    fault("lifecycle.delta-after-arguments-done", "Sends the last arguments delta after function_call_arguments.done.",
          "lifecycle.deltas-before-done",
          events=last_before("function_call_arguments.delta", "function_call_arguments.done")),
    fault("lifecycle.delta-after-reasoning-done", "Sends the last reasoning delta after reasoning_text.done.",
          "lifecycle.deltas-before-done", events=last_before("reasoning_text.delta", "reasoning_text.done")),
    *(fault(f"lifecycle.no-{name.partition('.')[0].replace('_', '-')}-done", f"Never sends {name}.",
            "lifecycle.done-present", f"event.seen.response.{name}", events=drop(name)) for name in DONES),
    fault("lifecycle.text-done-twice", "Sends output_text.done twice.", "lifecycle.done-present",
          events=twice("output_text.done")),
    fault("lifecycle.last-item-left-open",
          "Never sends output_item.done for the last item.", "lifecycle.all-closed-at-terminal",
          events=last_unclosed("output_item.done")),
    fault("lifecycle.last-part-left-open",
          "Never sends content_part.done for the last part.", "lifecycle.all-closed-at-terminal",
          events=last_unclosed("content_part.done")),
    fault("lifecycle.first-item-left-open", "Never sends output_item.done for the first of several items.",
          "lifecycle.all-closed-at-terminal", events=lambda ctx, stream: (
              drop_one("output_item.done")(ctx, stream)
              if len(places(stream, "output_item.done")) > 1 else stream)),
    fault("lifecycle.output-index-always-zero", "Sends output_index 0 for every item.", DENSE,
          "identity.index-belongs-to-item", events=outputs(lambda _: 0)),
    fault("lifecycle.output-index-from-one", "Counts output_index from 1.", DENSE,
          events=outputs(lambda at: at + 1)),
    fault("lifecycle.output-index-in-twos", "Increments output_index by 2.", DENSE,
          events=outputs(lambda at: at * 2)),
    fault("lifecycle.content-index-from-one", "Counts content_index from 1.", DENSE, events=events(contents(1)),
          evidence="vllm-project/vllm#45742"),
    fault("lifecycle.content-index-counts-deltas", "Counts content_index by the deltas of a reasoning text.", DENSE,
          events=counted_deltas, evidence="vllm-project/vllm#35184"),
    fault("lifecycle.content-index-is-output-index", "Counts content_index across items.", DENSE, events=events(
        lambda event: event.update(content_index=event["output_index"]), *PARTS)),
    fault("lifecycle.added-says-completed", "Sends status completed in output_item.added.",
          "lifecycle.added-status-in-progress",
          events=streamed_items(put(status="completed"), "output_item.added")),
    fault("lifecycle.added-without-status", "Omits the status in output_item.added.",
          "lifecycle.added-status-in-progress", events=streamed_items(cut("status"), "output_item.added")),
    fault("lifecycle.done-says-in-progress",
          "Sends status in_progress in output_item.done.", "lifecycle.done-status-final",
          events=streamed_items(put(status="in_progress"), "output_item.done")),
    fault("lifecycle.done-without-status", "Omits the status in output_item.done.", "lifecycle.done-status-final",
          events=streamed_items(cut("status"), "output_item.done")),
    fault("lifecycle.ends-with-error", "Ends a complete response with an error event.", ONE_END, events=ending(
        lambda _: [{"type": "error", "code": "500", "message": "stream closed", "param": None}])),
    fault("lifecycle.ends-with-error-body", "Ends a complete response with an error body as an event.", ONE_END,
          frame=as_error_body),
    fault("lifecycle.delta-before-items", "Sends a delta before any item.", OPENED, events=lambda _, stream: (
        [stream[0], stream[1], *[copy.deepcopy(event) for event in stream if is_a(event, *DELTAS)][:1],
         *stream[2:]])),
]  # fmt: skip
