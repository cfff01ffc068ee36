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
    return broken(name, f"without-{slug(member)}", f"Leaves {member} out of", cut(member))


def inner(name: str, edit: Callable[[Dict], object]) -> Callable[[Dict], object]:
    return lambda event: edit(event[name])


def unseen(name: str) -> Behaviour:
    return fault(f"event.{slug(name)}-never-sent", f"Never sends {name}.", f"event.seen.response.{name}",
                 events=drop(name))  # fmt: skip


def typeless(*names: str) -> Hook[Frame]:
    """Leaves `type` out of the JSON of some events while the event line still names it."""

    def hook(_: Context, frame: Frame) -> Frame:
        if names and not is_a(frame.event, *names):
            return frame
        bare = {name: value for name, value in frame.event.items() if name != "type"}
        text = f"data: {to_json(bare)}"
        return replace(frame, lines=tuple(text if line[:5] == "data:" else line for line in frame.lines))

    return hook


def extra(at: int, event: Dict) -> Hook[list[Dict]]:
    """Puts one more event into the stream."""
    return lambda _, stream: [*stream[:at], dict(event), *stream[at:]]


def number(how: Callable[[int, Dict], Any], *names: str) -> Hook[list[Dict]]:
    """Rewrites sequence numbers by a function of number and event."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for event in stream:
            if not names or is_a(event, *names):
                event["sequence_number"] = how(event["sequence_number"], event)
        return stream

    return hook


def unnumbered(*names: str) -> Hook[list[Dict]]:
    return events(cut("sequence_number"), *names)


def per_item(_: Context, stream: list[Dict]) -> list[Dict]:
    """Starts counting again with every item."""
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
    *(broken(name, "without-response", "Leaves the response out of", cut("response")) for name in LIFE),
    *(broken(name, "response-without-object", "Leaves object out of the response in",
             inner("response", cut("object"))) for name in LIFE),
    *(unseen(name) for name in TYPES),
    broken("output_text.delta", "as-an-object", "Gives the delta as an object in", change(
        "delta", lambda text: {"text": text})),
    broken("output_text.delta", "as-null", "Gives null for the delta in", put(delta=None)),
    broken("output_text.delta", "index-as-text", "Writes content_index as text in", put(content_index="0")),
    broken("output_text.done", "as-parts", "Gives parts for the text in", change(
        "text", lambda text: [{"type": "output_text", "text": text}])),
    broken("reasoning_text.delta", "as-an-object", "Gives the delta as an object in", change(
        "delta", lambda text: {"text": text})),
    broken("function_call_arguments.done", "as-an-object", "Gives the arguments as an object in", put(
        arguments={"value": 1})),
    broken("function_call_arguments.delta", "as-a-list", "Gives the delta as a list in", change(
        "delta", lambda text: [text])),
    broken("output_item.added", "index-as-text", "Writes output_index as text in", change(
        "output_index", str)),
    broken("output_item.added", "index-null", "Gives null for output_index in", put(output_index=None)),
    broken("output_item.added", "item-without-id", "Leaves the item's id out of", inner("item", cut("id"))),
    broken("output_item.added", "item-without-content", "Leaves the content list out of the message in",
           lambda event: event["item"].pop("content", None)),
    broken("output_item.done", "item-null", "Gives null for the item in", put(item=None)),
    broken("content_part.added", "part-without-type", "Leaves the part's type out of",
           inner("part", cut("type"))),
    broken("content_part.added", "part-null", "Gives null for the part in", put(part=None)),
    broken("content_part.done", "part-is-text", "Gives the bare text for the part in", change(
        "part", lambda part: part["text"])),
    fault("event.type-missing", "Names events on the event line only.", *(schema(name) for name in TYPES),
          frame=typeless()),
    fault("event.type-missing-in-deltas", "Names deltas on the event line only.",
          schema("output_text.delta"), frame=typeless("output_text.delta")),
    fault("event.type-renamed", "Calls deltas of text by another name.",
          "event.seen.response.output_text.delta", "event.documented-types-only",
          events=events(put(type="response.text.delta"), "output_text.delta")),
    fault("event.undocumented-type", "Sends an event nobody documented.", "event.documented-types-only",
          events=extra(2, {"type": "response.heartbeat"})),
    fault("event.queued-type", "Sends response.queued between created and the items.",
          "event.documented-types-only", events=before_end(lambda _: [{"type": "response.queued"}])),
    fault("sequence.missing", "Numbers no event.", PRESENT, numbered=unnumbered(),
          evidence="BerriAI/litellm#28899"),
    fault("sequence.missing-in-deltas", "Does not number deltas of text.", PRESENT,
          numbered=unnumbered("output_text.delta")),
    fault("sequence.missing-at-end", "Does not number the terminal event.", PRESENT,
          numbered=unnumbered("completed", "incomplete")),
    fault("sequence.null", "Gives null for numbers.", PRESENT, numbered=number(lambda *_: None)),
    fault("sequence.strings", "Writes numbers as text.", PRESENT, numbered=number(lambda at, _: str(at))),
    fault("sequence.always-zero", "Numbers every event 0.", NEXT, numbered=number(lambda *_: 0)),
    fault("sequence.starts-anew-with-items", "Starts counting again with each item.", NEXT,
          numbered=per_item),
    fault("sequence.starts-anew-at-end", "Starts counting again with the terminal event.", NEXT,
          numbered=number(lambda *_: 0, "completed", "incomplete")),
    fault("sequence.pairs", "Gives two events each number.", NEXT, numbered=number(lambda at, _: at // 2)),
    fault("sequence.leaves-gaps", "Counts in twos.", NEXT, numbered=number(lambda at, _: at * 2)),
    fault("sequence.one-gap", "Leaves out one number.", NEXT,
          numbered=number(lambda at, _: at + (at > 4))),
    fault("sequence.counts-down", "Counts downwards.", NEXT, numbered=number(lambda at, _: 9999 - at)),
    fault("sequence.two-swapped", "Swaps two numbers.", NEXT, numbered=swapped),
    fault("sequence.fractions", "Counts in steps of a half.", NEXT, numbered=number(lambda at, _: at / 2)),
]  # fmt: skip
