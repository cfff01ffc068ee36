"""Faults in the order of events: the response's, the items' and the parts'."""

from __future__ import annotations

import copy
from collections.abc import Callable

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
from ..shapes import Dict

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


def swap(_: Context, stream: list[Dict]) -> list[Dict]:
    return [stream[1], stream[0], *stream[2:]]


def move(source: int, target: int) -> Hook[list[Dict]]:
    """Takes the event out at one place and puts it in at another."""

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


def named(event: Dict, name: str) -> Dict:
    return {**copy.deepcopy(event), "type": f"response.{name}"}


def halfway(_: Context, stream: list[Dict]) -> list[Dict]:
    return stream[: len(stream) // 2]


def full_snapshot(_: Context, stream: list[Dict]) -> list[Dict]:
    """Shows the finished items in the first event already."""
    stream[0]["response"]["output"] = copy.deepcopy(stream[-1]["response"]["output"])
    return stream


def contents(by: int) -> Callable[[Dict], object]:
    return change("content_index", lambda at: at + by)


def outputs(how: Callable[[int], int]) -> Hook[list[Dict]]:
    return events(change("output_index", how))


def last_unclosed(*names: str) -> Hook[list[Dict]]:
    """Leaves out the last event of each of these types."""

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
    fault("lifecycle.no-created", "Begins with in_progress.", "lifecycle.created-first",
          "event.seen.response.created", events=drop("created")),
    fault("lifecycle.created-second", "Sends in_progress before created.", "lifecycle.created-first",
          "lifecycle.in-progress-second", events=swap),
    fault("lifecycle.item-before-created", "Opens an item before the response.", "lifecycle.created-first",
          events=move(2, 0)),
    fault("lifecycle.no-in-progress", "Never says that the response is in progress.",
          "lifecycle.in-progress-second", "event.seen.response.in_progress", events=drop("in_progress")),
    fault("lifecycle.in-progress-late", "Says in_progress after the first item is open.",
          "lifecycle.in-progress-second", events=move(1, 2)),
    fault("lifecycle.created-twice", "Creates the response twice.", "lifecycle.each-once",
          events=repeat(0, 2)),
    fault("lifecycle.in-progress-twice", "Says in_progress twice.", "lifecycle.each-once",
          events=repeat(1, 2)),
    fault("lifecycle.in-progress-again", "Says in_progress again in the middle.", "lifecycle.each-once",
          events=repeat(1, 5)),
    fault("lifecycle.no-terminal", "Ends without a terminal event.", ONE_END, events=drop(*TERMINALS)),
    fault("lifecycle.ends-halfway", "Ends properly, but halfway.", ONE_END, events=halfway),
    fault("lifecycle.terminal-twice", "Sends the terminal event twice.", ONE_END, events=twice(*TERMINALS)),
    fault("lifecycle.both-terminals", "Ends incomplete and then completed.", ONE_END,
          events=ending(lambda last: [named(last, "incomplete"), named(last, "completed")])),
    fault("lifecycle.terminal-too-early", "Sends the terminal event before the last item is done.", ONE_END,
          events=move(-1, -2)),
    fault("lifecycle.ends-with-done", "Ends with an event of the old name done.", ONE_END,
          events=ending(lambda last: [named(last, "done")])),
    fault("lifecycle.completed-in-progress", "Says in_progress inside the terminal event.", AGREES,
          response=response(put(status="in_progress"), "terminal")),
    fault("lifecycle.completed-says-incomplete", "Says incomplete inside completed.", AGREES,
          events=renamed_status("incomplete", "completed")),
    fault("lifecycle.incomplete-says-completed", "Says completed inside incomplete.", AGREES,
          events=renamed_status("completed", "incomplete")),
    fault("lifecycle.event-says-incomplete", "Ends a completed stream with the event incomplete.", AGREES,
          events=events(put(type="response.incomplete"), "completed")),
    snapshot_fault("snapshot-says-completed", "Says completed in the snapshots.", put(status="completed")),
    snapshot_fault("snapshot-says-queued", "Says queued in the snapshots.", put(status="queued")),
    snapshot_fault("snapshot-output-null", "Gives null for output in the snapshots.", put(output=None)),
    snapshot_fault("snapshot-without-output", "Leaves output out of the snapshots.", cut("output")),
    snapshot_fault("snapshot-without-model", "Leaves the model out of the snapshots.", cut("model")),
    snapshot_fault("snapshot-without-created-at", "Leaves created_at out of the snapshots.",
                   cut("created_at")),
    snapshot_fault("snapshot-without-id", "Leaves the id out of the snapshots.", cut("id")),
    snapshot_fault("snapshot-is-bare", "Gives nothing but the id in the snapshots.",
                   lambda one: [one.pop(name) for name in list(one) if name != "id"]),
    fault("lifecycle.snapshot-with-output", "Shows finished items in created.", SNAPSHOTS,
          events=full_snapshot),
    fault("lifecycle.items-never-opened", "Never announces items.", OPENED,
          "event.seen.response.output_item.added", events=drop("output_item.added")),
    fault("lifecycle.second-item-never-opened", "Announces only the first item.", OPENED,
          events=drop("output_item.added", test=lambda event: event["output_index"] > 0)),
    fault("lifecycle.item-opened-late", "Announces items after their first delta.", OPENED,
          events=late("output_item.added", *DELTAS)),
    fault("lifecycle.item-opened-after-part", "Announces items after their first part.", OPENED,
          events=late("output_item.added", "content_part.added")),
    fault("lifecycle.item-closed-twice", "Closes items twice.", CLOSED_ONCE,
          events=twice("output_item.done")),
    fault("lifecycle.item-opened-twice", "Announces items twice.", OPENED, events=twice("output_item.added")),
    fault("lifecycle.delta-after-item", "Sends the last delta after its item is closed.", AFTER,
          "lifecycle.deltas-before-done", events=last_before("output_text.delta", "output_item.done")),
    fault("lifecycle.arguments-done-after-item", "Ends arguments after their item is closed.", AFTER,
          events=last_before("function_call_arguments.done", "output_item.done")),
    fault("lifecycle.part-opened-late", "Announces a part after its first delta.", PART_OPEN,
          events=first_late("content_part.added", "output_text.delta", "reasoning_text.delta")),
    fault("lifecycle.text-parts-never-opened", "Never announces parts of text.", PART_OPEN,
          events=drop("content_part.added", test=lambda event: event["part"]["type"] == "output_text")),
    fault("lifecycle.no-part-events", "Sends no events for parts of text.", PART_OPEN,
          "event.seen.response.content_part.done",
          events=drop("content_part.added", "content_part.done",
                      test=lambda event: event["part"]["type"] == "output_text")),
    fault("lifecycle.part-closed-twice", "Closes parts twice.", PART_ONCE, events=twice("content_part.done")),
    fault("lifecycle.part-opened-twice", "Announces parts twice.", PART_OPEN,
          events=twice("content_part.added")),
    fault("lifecycle.text-done-after-part", "Ends texts after their parts.",
          "lifecycle.text-done-before-part-done", events=late("output_text.done", "content_part.done")),
    fault("lifecycle.part-done-after-item", "Closes parts after their items.",
          "lifecycle.part-done-before-item-done", AFTER,
          events=late("content_part.done", "output_item.done")),
    fault("lifecycle.delta-after-text-done", "Sends the last delta after the text is done.",
          "lifecycle.deltas-before-done", events=last_before("output_text.delta", "output_text.done")),
    fault("lifecycle.delta-after-arguments-done", "Sends the last delta after the arguments are done.",
          "lifecycle.deltas-before-done",
          events=last_before("function_call_arguments.delta", "function_call_arguments.done")),
    fault("lifecycle.delta-after-reasoning-done", "Sends the last delta after the thoughts are done.",
          "lifecycle.deltas-before-done", events=last_before("reasoning_text.delta", "reasoning_text.done")),
    *(fault(f"lifecycle.no-{name.partition('.')[0].replace('_', '-')}-done", f"Never sends {name}.",
            "lifecycle.done-present", f"event.seen.response.{name}", events=drop(name)) for name in DONES),
    fault("lifecycle.text-done-twice", "Ends texts twice.", "lifecycle.done-present",
          events=twice("output_text.done")),
    fault("lifecycle.last-item-left-open", "Never closes the last item.", "lifecycle.all-closed-at-terminal",
          events=last_unclosed("output_item.done")),
    fault("lifecycle.last-part-left-open", "Never closes the last part.", "lifecycle.all-closed-at-terminal",
          events=last_unclosed("content_part.done")),
    fault("lifecycle.first-item-left-open", "Never closes the first of several items.",
          "lifecycle.all-closed-at-terminal", events=lambda ctx, stream: (
              drop_one("output_item.done")(ctx, stream)
              if len(places(stream, "output_item.done")) > 1 else stream)),
    fault("lifecycle.output-index-always-zero", "Gives every item the index 0.", DENSE,
          "identity.index-belongs-to-item", events=outputs(lambda _: 0)),
    fault("lifecycle.output-index-from-one", "Counts items from 1.", DENSE,
          events=outputs(lambda at: at + 1)),
    fault("lifecycle.output-index-in-twos", "Counts items in twos.", DENSE,
          events=outputs(lambda at: at * 2)),
    fault("lifecycle.content-index-from-one", "Counts parts from 1.", DENSE, events=events(contents(1)),
          evidence="vllm-project/vllm#45742"),
    fault("lifecycle.content-index-is-output-index", "Counts parts across items.", DENSE, events=events(
        lambda event: event.update(content_index=event["output_index"]), *PARTS)),
    fault("lifecycle.added-says-completed", "Announces items as completed.",
          "lifecycle.added-status-in-progress",
          events=streamed_items(put(status="completed"), "output_item.added")),
    fault("lifecycle.added-without-status", "Announces items without a status.",
          "lifecycle.added-status-in-progress", events=streamed_items(cut("status"), "output_item.added")),
    fault("lifecycle.done-says-in-progress", "Closes items in progress.", "lifecycle.done-status-final",
          events=streamed_items(put(status="in_progress"), "output_item.done")),
    fault("lifecycle.done-without-status", "Closes items without a status.", "lifecycle.done-status-final",
          events=streamed_items(cut("status"), "output_item.done")),
    fault("lifecycle.ends-with-error", "Ends a good answer with an error event.", ONE_END, events=ending(
        lambda _: [{"type": "error", "code": "500", "message": "stream closed", "param": None}])),
    fault("lifecycle.delta-before-items", "Sends a delta before any item.", OPENED, events=lambda _, stream: (
        [stream[0], stream[1], *[copy.deepcopy(event) for event in stream if is_a(event, *DELTAS)][:1],
         *stream[2:]])),
]  # fmt: skip
