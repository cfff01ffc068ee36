"""Functions that make hooks, with which faults and variants are written.

An `Edit` changes a dictionary in place; its return value is ignored, so that `dict.pop` and `dict.update` can be used.
Event names are written without their `response.` prefix.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .hooks import Context, Hook, Stage
from .shapes import Dict, Item, Plan

Edit = Callable[[Dict], object]
Test = Callable[[Dict], object]

TERMINALS = ("completed", "incomplete")
DELTAS = (
    "output_text.delta",
    "reasoning_text.delta",
    "function_call_arguments.delta",
    "custom_tool_call_input.delta",
)


# --- edits ----------------------------------------------------------------------------------------


def put(**members: Any) -> Edit:
    """Sets members, at their position if they exist."""
    return lambda one: one.update(copy.deepcopy(members))


def cut(*names: str) -> Edit:
    """Removes members."""
    return lambda one: [one.pop(name, None) for name in names]


def change(name: str, how: Callable[[Any], Any]) -> Edit:
    """Replaces a member by a function of its value, if it is present."""
    return lambda one: one.update({name: how(one[name])}) if name in one else None


def first(name: str, edit: Edit) -> Edit:
    """Applies an edit to the first element of a list member, if it has one."""
    return lambda one: edit(one[name][0]) if one.get(name) else None


# --- rendered responses ---------------------------------------------------------------------------


def response(edit: Edit, *stages: Stage) -> Hook[Dict]:
    """Edits the Response objects of these stages; of every stage when none is named."""

    def hook(ctx: Context, one: Dict) -> Dict:
        if not stages or ctx.stage in stages:
            edit(one)
        return one

    return hook


def final(edit: Edit) -> Hook[Dict]:
    """Edits the finished response, plain and streamed."""
    return response(edit, "plain", "terminal")


def snapshot(edit: Edit) -> Hook[Dict]:
    """Edits the response inside created and in_progress."""
    return response(edit, "created", "in_progress")


def items_in(edit: Edit, *kinds: str) -> Edit:
    """Lifts an edit of an item to an edit of a response's `output`."""

    def lifted(one: Dict) -> None:
        for item in one.get("output") or ():
            if not kinds or item.get("type") in kinds:
                edit(item)

    return lifted


def parts_in(edit: Edit) -> Edit:
    """Lifts an edit of a content part to an edit of an item."""
    return lambda item: [edit(part) for part in item.get("content") or ()]


# --- events ---------------------------------------------------------------------------------------


def is_a(event: Dict, *names: str) -> bool:
    """Whether the event is of one of these types."""
    return str(event.get("type", "")).removeprefix("response.") in names


def events(edit: Edit, *names: str) -> Hook[list[Dict]]:
    """Edits all events of these types; every event when none is named."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for event in stream:
            if not names or is_a(event, *names):
                edit(event)
        return stream

    return hook


def streamed_items(edit: Edit, *names: str, kinds: Iterable[str] = ()) -> Hook[list[Dict]]:
    """Edits the item inside output_item.added and .done, or inside those named, of some kinds or of all."""
    wanted = tuple(kinds)

    def lifted(event: Dict) -> None:
        if not wanted or event["item"].get("type") in wanted:
            edit(event["item"])

    return events(lifted, *(names or ("output_item.added", "output_item.done")))


def everywhere(edit: Edit, *kinds: str) -> dict[str, Any]:
    """The two hooks that together edit an item wherever it shows: plain, in events and at the end."""
    return {"response": final(items_in(edit, *kinds)), "events": streamed_items(edit, kinds=kinds)}


def drop(*names: str, test: Test = bool) -> Hook[list[Dict]]:
    """Leaves out the events of these types that pass the test."""
    return lambda _, stream: [event for event in stream if not (is_a(event, *names) and test(event))]


def drop_one(name: str, at: int = 0) -> Hook[list[Dict]]:
    """Leaves out the event of this type at this place among its like."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        places = [place for place, event in enumerate(stream) if is_a(event, name)]
        if places:
            del stream[places[at]]
        return stream

    return hook


def twice(*names: str, once: bool = False) -> Hook[list[Dict]]:
    """Sends the events of these types twice in a row; with `once` only the first of them."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        sent: list[Dict] = []
        seen = False
        for event in stream:
            sent.append(event)
            if is_a(event, *names) and not (once and seen):
                seen = True
                sent.append(copy.deepcopy(event))
        return sent

    return hook


def late(name: str, *behind: str) -> Hook[list[Dict]]:
    """Delays each event of a type until the next event of one of the others is sent."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        sent: list[Dict] = []
        held: list[Dict] = []
        for event in stream:
            if is_a(event, name):
                held.append(event)
                continue
            if held and is_a(event, *TERMINALS):
                sent, held = sent + held, []
            sent.append(event)
            if held and is_a(event, *behind):
                sent, held = sent + held, []
        return sent

    return hook


def before_end(make: Callable[[list[Dict]], list[Dict]]) -> Hook[list[Dict]]:
    """Adds events, made from the stream, before its terminal event."""
    return lambda _, stream: [*stream[:-1], *make(stream), *stream[-1:]]


def places(stream: list[Dict], *names: str) -> list[int]:
    """The indexes of the events of these types."""
    return [place for place, event in enumerate(stream) if is_a(event, *names)]


# --- plans ----------------------------------------------------------------------------------------


def draft(how: Callable[[Item], Item], *kinds: str) -> Hook[list[Item]]:
    """Replaces each item of these kinds before max_output_tokens applies, so that all sums stay correct."""
    return lambda _, items: [how(one) if one.kind in kinds else one for one in items]


def texts_changed(how: Callable[[str], str], *kinds: str) -> Hook[list[Item]]:
    """Replaces the texts of items of these kinds before the cap applies."""
    return draft(lambda one: replace(one, texts=tuple(how(text) for text in one.texts)), *kinds)


def bill(**counts: Callable[[Plan], int]) -> Hook[Plan]:
    """Replaces token counts of the plan by functions of it."""
    return lambda _, plan: replace(
        plan, usage=replace(plan.usage, **{name: count(plan) for name, count in counts.items()})
    )
