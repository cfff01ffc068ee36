"""Faults in sums: differences between deltas, done events, parts, items and the final output."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import (
    change,
    cut,
    drop,
    drop_one,
    events,
    is_a,
    items_in,
    parts_in,
    places,
    put,
    response,
    streamed_items,
    twice,
)
from ..hooks import Behaviour, Context, Hook, fault
from ..shapes import Dict, Plan

TEXT, REASONING, CALL = "output_text.delta", "reasoning_text.delta", "function_call_arguments.delta"
RULES = {TEXT: "sum.text-deltas", REASONING: "sum.reasoning-deltas", CALL: "sum.arguments-deltas"}
WORDS = {TEXT: "text", REASONING: "reasoning", CALL: "arguments"}
PART, ITEM, FINAL, EMPTY = "sum.part", "sum.item", "sum.final-output", "sum.starts-empty"


def deltas(how: Callable[[str], str], name: str = TEXT) -> Hook[list[Dict]]:
    return events(change("delta", how), name)


def swapped(name: str) -> Hook[list[Dict]]:
    """Swaps the texts of the first two deltas."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        at = places(stream, name)
        if len(at) > 1:
            one, two = stream[at[0]], stream[at[1]]
            one["delta"], two["delta"] = two["delta"], one["delta"]
        return stream

    return hook


def cumulative(name: str) -> Hook[list[Dict]]:
    """Sends the accumulated text in each delta."""

    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        sofar: dict[str, str] = {}
        for event in stream:
            if is_a(event, name):
                sofar[event["item_id"]] = sofar.get(event["item_id"], "") + event["delta"]
                event["delta"] = sofar[event["item_id"]]
        return stream

    return hook


def per_kind(name: str) -> list[Behaviour]:
    """The faults of deltas, for one type of text."""
    rule, word = RULES[name], WORDS[name]
    return [
        fault(f"sum.first-{word}-delta-lost", f"Omits the first delta of {word}.", rule,
              events=drop_one(name)),
        fault(f"sum.last-{word}-delta-lost", f"Omits the last delta of {word}.", rule,
              events=drop_one(name, -1)),
        fault(f"sum.first-{word}-delta-twice", f"Sends the first delta of {word} twice.", rule,
              events=twice(name, once=True)),
        fault(f"sum.{word}-deltas-swapped", f"Sends the second delta of {word} before the first.", rule,
              events=swapped(name)),
        fault(f"sum.{word}-deltas-cumulative", f"Sends the accumulated {word} in each delta.", rule,
              events=cumulative(name)),
    ]  # fmt: skip


def mangled(text: str) -> str:
    """A text whose bytes were decoded separately: two U+FFFD for a split character."""
    return "".join(char if char.isascii() else "\ufffd\ufffd" for char in text)


def mangle_all(value: Any) -> Any:
    """Changes every string of an event in the same way, so that all sums still agree."""
    if isinstance(value, str):
        return mangled(value)
    if isinstance(value, list):
        return [mangle_all(one) for one in value]
    if isinstance(value, dict):
        return {name: mangle_all(one) for name, one in value.items()}
    return value


def reasoning_mangled(_: Context, stream: list[Dict]) -> list[Dict]:
    return [mangle_all(event) for event in stream]


def early_text(_: Context, stream: list[Dict]) -> list[Dict]:
    """Adds the first delta to the part in content_part.added."""
    for at in places(stream, "content_part.added"):
        if is_a(stream[at + 1], TEXT, REASONING):
            stream[at]["part"]["text"] = stream[at + 1]["delta"]
    return stream


def early_arguments(_: Context, stream: list[Dict]) -> list[Dict]:
    for at in places(stream, "output_item.added"):
        if is_a(stream[at + 1], CALL):
            stream[at]["item"]["arguments"] = stream[at + 1]["delta"]
    return stream


def arguments_not_reset(_: Context, stream: list[Dict]) -> list[Dict]:
    """Puts the arguments of the calls before it in front of those of a later call, except in the deltas."""
    before = ""
    for event in stream:
        if is_a(event, "function_call_arguments.done"):
            event["arguments"] = before = before + event["arguments"]
        elif is_a(event, "output_item.done") and event["item"]["type"] == "function_call":
            event["item"]["arguments"] = before
        elif is_a(event, "completed"):
            calls = [item for item in event["response"]["output"] if item["type"] == "function_call"]
            for place in range(len(calls) - 1, 0, -1):
                calls[place]["arguments"] = "".join(call["arguments"] for call in calls[: place + 1])
    return stream


def early_content(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends the complete item in output_item.added."""
    done = {event["output_index"]: event["item"] for event in stream if is_a(event, "output_item.done")}
    for at in places(stream, "output_item.added"):
        item = copy.deepcopy(done[stream[at]["output_index"]])
        stream[at]["item"] = {**item, "status": "in_progress"}
    return stream


def complete_calls(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Sends complete items in output_item.added of a stream with calls, and no deltas of the calls."""
    return drop(CALL)(ctx, early_content(ctx, stream)) if any(is_a(event, CALL) for event in stream) else stream


def message_only(one: Dict) -> None:
    one["output"] = [item for item in one["output"] if item["type"] != "reasoning"]


def extra_item(one: Dict) -> None:
    again = copy.deepcopy(one["output"][-1])
    one["output"].append({**again, "id": again["id"][:-4] + "0000"})


def unthinking_plain(ctx: Context, plan: Plan) -> Plan:
    if ctx.stream:
        return plan
    shown = tuple(one for one in plan.items if one.kind != "reasoning")
    return replace(plan, items=shown)


def split_plain(ctx: Context, plan: Plan) -> Plan:
    """Sends two messages in plain responses, one in streams."""
    if ctx.stream or plan.items[-1].kind != "message":
        return plan
    last = plan.items[-1]
    text = "".join(last.texts)
    halves = (text[: len(text) // 2], text[len(text) // 2 :])
    return replace(plan, items=(
        *plan.items[:-1], replace(last, texts=halves[:1]),
        replace(last, id=ctx.new_id("msg_"), texts=halves[1:])))  # fmt: skip


def at_end(edit: Callable[[Dict], object]) -> Hook[Dict]:
    return response(edit, "terminal")


def shorter(text: str) -> str:
    return text[:-1]


def empty_message(ctx: Context, document: Dict) -> Dict:
    """Puts a message without content before the calls of a plain response."""
    if ctx.stage != "plain" or not any(item["type"] == "function_call" for item in document["output"]):
        return document
    empty = {"id": ctx.new_id("msg_"), "type": "message", "role": "assistant", "status": "completed", "content": []}
    return {**document, "output": [empty, *document["output"]]}


FAULTS = [
    *(fault for name in RULES for fault in per_kind(name)),
    fault("sum.blanks-lost-in-deltas", "Strips whitespace from deltas.", RULES[TEXT], events=deltas(str.strip)),
    fault("sum.newlines-lost-in-deltas", "Omits line breaks in deltas.", RULES[TEXT],
          events=deltas(lambda text: text.replace("\n", ""))),
    fault("sum.quotes-lost-in-arguments", "Omits escapes in deltas of arguments.", RULES[CALL],
          events=deltas(lambda text: text.replace('"', "'"), CALL)),
    fault("sum.text-done-shorter", "Omits the last character in output_text.done.", RULES[TEXT],
          events=events(change("text", shorter), "output_text.done")),
    fault("sum.text-done-empty", "Sends an empty text in output_text.done.", RULES[TEXT],
          events=events(put(text=""), "output_text.done")),
    fault("sum.reasoning-done-empty", "Sends an empty text in reasoning_text.done.", RULES[REASONING],
          events=events(put(text=""), "reasoning_text.done")),
    fault("sum.arguments-done-empty", "Sends empty arguments in function_call_arguments.done.", RULES[CALL],
          events=events(put(arguments=""), "function_call_arguments.done")),
    fault("sum.arguments-done-shorter", "Omits the last character in function_call_arguments.done.", RULES[CALL],
          events=events(change("arguments", shorter), "function_call_arguments.done")),
    fault("sum.part-done-empty", "Sends an empty text in content_part.done.", PART,
          events=events(lambda event: event["part"].update(text=""), "content_part.done")),
    fault("sum.part-done-shorter", "Omits the last character in content_part.done.", PART,
          events=events(lambda event: change("text", shorter)(event["part"]), "content_part.done")),
    fault("sum.later-call-keeps-earlier-arguments",
          "Repeats the arguments of the calls before it in those of a later call, except in the deltas.", RULES[CALL],
          events=arguments_not_reset),
    fault("sum.item-done-without-content", "Sends an empty content array in output_item.done.", ITEM,
          events=streamed_items(lambda item: item.update(content=[]) if "content" in item else None,
                                "output_item.done")),
    fault("sum.item-done-shorter", "Omits the last character in output_item.done.", ITEM,
          events=streamed_items(parts_in(change("text", shorter)), "output_item.done")),
    fault("sum.item-done-without-arguments", "Sends empty arguments in output_item.done.", ITEM,
          events=streamed_items(put(arguments=""), "output_item.done", kinds=("function_call",))),
    fault("sum.item-done-with-part-added", "Sends an additional part in output_item.done.", ITEM,
          events=streamed_items(lambda item: item["content"].append({**item["content"][0], "text": "Bye"}),
                                "output_item.done", kinds=("message",))),
    fault("sum.output-empty-at-end", "Sends an empty final output.", FINAL,
          response=at_end(put(output=[]))),
    fault("sum.output-reversed-at-end", "Sends the final output in reverse order.", FINAL,
          response=at_end(change("output", lambda items: items[::-1]))),
    fault("sum.output-without-thoughts-at-end", "Omits reasoning items in the final output.", FINAL,
          response=at_end(message_only)),
    fault("sum.output-with-one-more-at-end", "Sends an additional item in the final output.", FINAL,
          response=at_end(extra_item)),
    fault("sum.text-shorter-at-end", "Omits the last character of texts in the final output.", FINAL,
          response=at_end(items_in(parts_in(change("text", shorter)), "message"))),
    fault("sum.thoughts-shorter-at-end", "Omits the last character of reasoning in the final output.", FINAL,
          response=at_end(items_in(parts_in(change("text", shorter)), "reasoning"))),
    fault("sum.arguments-differ-at-end", "Adds spaces to arguments in the final output.", FINAL,
          response=at_end(items_in(change("arguments", lambda text: text.replace(":", ": ")),
                                   "function_call"))),
    fault("sum.arguments-empty-at-end", "Sends empty arguments in the final output.", FINAL,
          response=at_end(items_in(put(arguments=""), "function_call"))),
    fault("sum.content-empty-at-end", "Sends empty messages in the final output.", FINAL,
          response=at_end(items_in(put(content=[]), "message"))),
    fault("sum.split-characters-mangled", "Decodes the bytes of a split character separately.",
          "sum.no-replacement-characters", events=reasoning_mangled),
    fault("sum.split-characters-mangled-in-deltas", "Sends U+FFFD for split characters in deltas only.",
          "sum.no-replacement-characters", RULES[TEXT], events=deltas(mangled)),
    fault("sum.part-added-with-text", "Sends text in content_part.added.", EMPTY, events=early_text),
    fault("sum.item-added-with-arguments", "Sends the start of the arguments in output_item.added.", EMPTY,
          events=early_arguments),
    fault("sum.item-added-whole", "Sends complete items in output_item.added.", EMPTY, events=early_content),
    fault("sum.calls-added-whole", "Sends complete calls in output_item.added, and no deltas of them.", RULES[CALL],
          events=complete_calls),
    fault("sum.plain-without-thoughts", "Sends reasoning items only in streams.", "sum.plain-same-shape",
          plan=unthinking_plain),
    fault("sum.plain-in-two-messages", "Sends two messages instead of one in plain responses.", "sum.plain-same-shape",
          plan=split_plain),
    fault("sum.plain-with-empty-message", "Sends an empty message before a call in plain responses.",
          "sum.plain-same-kinds", response=empty_message),
    fault("sum.stream-without-output-text", "Omits output_text in streams.", "sum.plain-same-shape",
          response=response(cut("output_text"), "created", "in_progress", "terminal")),
    fault("sum.stream-without-error", "Omits error in streams.", "sum.plain-same-shape",
          response=response(cut("error"), "created", "in_progress", "terminal")),
    fault("sum.stream-without-metadata", "Omits metadata in streams.", "sum.plain-same-shape",
          response=response(cut("metadata"), "created", "in_progress", "terminal")),
    fault("sum.plain-with-one-member-more",
          "Sends system_fingerprint in plain responses only.", "sum.plain-same-shape",
          response=response(put(system_fingerprint="fp_1"), "plain")),
]  # fmt: skip
