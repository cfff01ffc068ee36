"""Faults in single events: their members, their presence and their numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import before_end, change, cut, drop, events, is_a, put
from ..events import LIFE, MEMBERS, TYPES
from ..hooks import Behaviour, Context, Hook, fault
from ..shapes import Dict, Frame, to_json


def slug(name: str) -> str:
    return name.replace("_", "-").replace(".", "-")


def schema(name: str) -> str:
    return f"event.response.{name}.schema"


def broken(name: str, word: str, says: str, edit: Callable[[Dict], object]) -> Behaviour:
    return fault(f"event.{slug(name)}-{word}", f"{says} {name}.", schema(name), events=events(edit, name))


def without(name: str, member: str) -> Behaviour:
    return broken(name, f"without-{slug(member)}", f"Omits {member} in", cut(member))


def inner(name: str, edit: Callable[[Dict], object]) -> Callable[[Dict], object]:
    return lambda event: edit(event[name])


def unseen(name: str) -> Behaviour:
    return fault(f"event.{slug(name)}-never-sent", f"Never sends {name}.", f"event.seen.response.{name}",
                 events=drop(name))  # fmt: skip


def typeless(*names: str) -> Hook[Frame]:
    """Omits `type` in the JSON of some events; the event field stays."""

    def hook(_: Context, frame: Frame) -> Frame:
        if names and not is_a(frame.event, *names):
            return frame
        bare = {name: value for name, value in frame.event.items() if name != "type"}
        text = f"data: {to_json(bare)}"
        return replace(frame, lines=tuple(text if line[:5] == "data:" else line for line in frame.lines))

    return hook


def extra(at: int, event: Dict) -> Hook[list[Dict]]:
    """Adds an event to the stream."""
    return lambda _, stream: [*stream[:at], dict(event), *stream[at:]]


def number(how: Callable[[int, Dict], Any], *names: str) -> Hook[list[Dict]]:
    """Rewrites sequence numbers by a function of number and event."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for event in stream:
            if "sequence_number" in event and (not names or is_a(event, *names)):  # Another fault may leave it out.
                event["sequence_number"] = how(event["sequence_number"], event)
        return stream

    return hook


def unnumbered(*names: str) -> Hook[list[Dict]]:
    return events(cut("sequence_number"), *names)


def per_item(_: Context, stream: list[Dict]) -> list[Dict]:
    """Restarts sequence_number with every item."""
    count = 0
    for event in stream:
        count = 0 if is_a(event, "output_item.added") else count
        event["sequence_number"] = count
        count += 1
    return stream


def swapped(_: Context, stream: list[Dict]) -> list[Dict]:
    stream[2]["sequence_number"], stream[3]["sequence_number"] = 3, 2
    return stream


PRESENT, NEXT = "sequence.present", "sequence.contiguous"

FAULTS = [
    *(without(name, member) for name, members in MEMBERS.items() for member in members),
    *(broken(name, "without-response", "Omits the response in", cut("response")) for name in LIFE),
    *(broken(name, "response-without-object", "Omits object of the response in",
             inner("response", cut("object"))) for name in LIFE),
    *(unseen(name) for name in TYPES),
    broken("output_text.delta", "as-an-object", "Sends an object as the delta in", change(
        "delta", lambda text: {"text": text})),
    broken("output_text.delta", "as-null", "Sends null as the delta in", put(delta=None)),
    broken("output_text.delta", "index-as-text", "Sends content_index as a string in", put(content_index="0")),
    broken("output_text.done", "as-parts", "Sends parts instead of the text in", change(
        "text", lambda text: [{"type": "output_text", "text": text}])),
    broken("reasoning_text.delta", "as-an-object", "Sends an object as the delta in", change(
        "delta", lambda text: {"text": text})),
    broken("function_call_arguments.done", "as-an-object", "Sends an object as the arguments in", put(
        arguments={"value": 1})),
    broken("function_call_arguments.delta", "as-a-list", "Sends an array as the delta in", change(
        "delta", lambda text: [text])),
    broken("output_item.added", "index-as-text", "Sends output_index as a string in", change(
        "output_index", str)),
    broken("output_item.added", "index-null", "Sends null as output_index in", put(output_index=None)),
    broken("output_item.added", "item-without-id", "Omits the id of the item in", inner("item", cut("id"))),
    broken("output_item.added", "item-without-type", "Omits the type of the item in", inner("item", cut("type"))),
    broken("output_item.added", "item-without-content", "Omits the content of the message in",
           lambda event: event["item"].pop("content", None)),
    broken("output_item.done", "item-null", "Sends null as the item in", put(item=None)),
    broken("content_part.added", "part-without-type", "Omits the type of the part in",
           inner("part", cut("type"))),
    broken("content_part.added", "part-null", "Sends null as the part in", put(part=None)),
    broken("content_part.done", "part-is-text", "Sends the text instead of the part in", change(
        "part", lambda part: part["text"])),
    fault("event.type-missing", "Sends the type of events in the event field only.", *(schema(name) for name in TYPES),
          frame=typeless()),
    fault("event.type-missing-in-deltas", "Sends the type of deltas in the event field only.",
          schema("output_text.delta"), frame=typeless("output_text.delta")),
    fault("event.type-renamed", "Sends text deltas under another type.",
          "event.seen.response.output_text.delta", "event.documented-types-only",
          events=events(put(type="response.text.delta"), "output_text.delta")),
    fault("event.undocumented-type", "Sends an undocumented event.", "event.documented-types-only",
          events=extra(2, {"type": "response.heartbeat"})),
    fault("event.queued-type", "Sends response.queued between created and the items.",
          "event.documented-types-only", events=before_end(lambda _: [{"type": "response.queued"}])),
    fault("sequence.missing", "Sends no sequence_number.", PRESENT, numbered=unnumbered(),
          evidence="BerriAI/litellm#28899"),
    fault("sequence.missing-in-deltas", "Omits the sequence_number of text deltas.", PRESENT,
          numbered=unnumbered("output_text.delta")),
    fault("sequence.missing-at-end", "Omits the sequence_number of the terminal event.", PRESENT,
          numbered=unnumbered("completed", "incomplete")),
    fault("sequence.null", "Sends null as sequence_number.", PRESENT, numbered=number(lambda *_: None)),
    fault("sequence.strings", "Sends sequence_number as a string.", PRESENT, numbered=number(lambda at, _: str(at))),
    fault("sequence.always-zero", "Sends sequence_number 0 in every event.", NEXT, numbered=number(lambda *_: 0)),
    fault("sequence.starts-anew-with-items", "Restarts sequence_number with each item.", NEXT,
          numbered=per_item),
    fault("sequence.starts-anew-at-end", "Restarts sequence_number with the terminal event.", NEXT,
          numbered=number(lambda *_: 0, "completed", "incomplete")),
    fault("sequence.pairs", "Sends each sequence_number twice.", NEXT, numbered=number(lambda at, _: at // 2)),
    fault("sequence.leaves-gaps", "Increments sequence_number by 2.", NEXT, numbered=number(lambda at, _: at * 2)),
    fault("sequence.one-gap", "Skips one sequence_number.", NEXT,
          numbered=number(lambda at, _: at + (at > 4))),
    fault("sequence.counts-down", "Decrements sequence_number.", NEXT, numbered=number(lambda at, _: 9999 - at)),
    fault("sequence.two-swapped", "Swaps two sequence numbers.", NEXT, numbered=swapped),
    fault("sequence.fractions", "Increments sequence_number by 0.5.", NEXT, numbered=number(lambda at, _: at / 2)),
]  # fmt: skip
