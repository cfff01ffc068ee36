"""Legal variants of objects: additional members, other output items, other truncation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import DELTAS, change, cut, drop, everywhere, final, is_a, parts_in, put, response, texts_changed
from ..hooks import Context, Hook, variant
from ..shapes import Dict, Item, Plan
from ..tokens import usage

EXTRA = "Aligned with OpenAI, whose objects grow; unknown members are to be ignored (doc 2026-06-24)."
ECHO = "OpenAI's Response object has these members (openai, Response)."
OUTPUT = "output is an array of items, of any number and order that makes sense (openai, OutputItem)."
DELTA = "The documentation does not define the length of a delta."
CUT = "Only the reason of a truncated response is documented, not its last item (doc 2026-10)."
TEXTS = "A text may contain any character of Unicode (RFC 8259 8.1)."

SUMMARY = ("part.added", "text.delta", "text.done", "part.done")

EXTRA_MEMBERS: Dict = {"x_vendor": {"trace": "9f2c", "list": [1, None, "a"]}, "request_id": None}


def grow(value: Any) -> Any:
    """Adds members to every object, at every depth."""
    if isinstance(value, list):
        return [grow(one) for one in value]
    if isinstance(value, dict):
        return {**{name: grow(one) for name, one in value.items()}, **EXTRA_MEMBERS}
    return value


def no_input_counted(ctx: Context, one: Dict) -> Dict:
    """Counts no input tokens for a request whose texts are all empty."""
    if one.get("usage") and not any(ctx.body.get(name) for name in ("input", "instructions", "tools")):
        one["usage"].update(input_tokens=0, total_tokens=one["usage"]["output_tokens"])
    return one


def grown_events(_: Context, stream: list[Dict]) -> list[Dict]:
    """Adds members to an event, except to its response, which has a hook of its own."""
    return [
        {name: value if name == "response" else grow(value) for name, value in event.items()} | EXTRA_MEMBERS
        for event in stream
    ]  # fmt: skip


def echo(ctx: Context, one: Dict) -> Dict:
    """The parameters that OpenAI echoes; with reasoning, temperature and top_p have their fixed values."""
    body = ctx.body
    requested = body.get("reasoning") or {}
    thinking = requested.get("effort") != "none"
    return {
        **one,
        "background": False,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": requested.get("effort"), "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0 if thinking or body.get("temperature") is None else body["temperature"],
        "text": {"format": {"type": "text"}, **(body.get("text") or {})},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_logprobs": 0,
        "top_p": 0.95 if thinking or body.get("top_p") is None else body["top_p"],
        "truncation": "disabled",
        "user": None,
    }


def completed_at(ctx: Context, one: Dict) -> Dict:
    done = ctx.stage in ("plain", "terminal")
    return {**one, "completed_at": int(ctx.now) if done else None}


def secret_reasoning(item: Dict) -> None:
    item.update(summary=[], encrypted_content="gAAAAB" + hashlib.sha256(item["id"].encode()).hexdigest())


def on_deltas(**members: Any) -> Hook[list[Dict]]:
    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for event in stream:
            if is_a(event, *DELTAS):
                event.update(members)
        return stream

    return hook


def logprobs(_: Context, stream: list[Dict]) -> list[Dict]:
    for event in stream:
        if is_a(event, "output_text.delta", "output_text.done"):
            event["logprobs"] = []
        if event.get("part", {}).get("type") == "output_text":
            event["part"]["logprobs"] = []
    return stream


def in_parts(one: Item) -> Item:
    """The same text in several parts."""
    text = "".join(one.texts)
    third = -(-len(text) // 3)
    return replace(one, texts=tuple(text[at : at + third] for at in range(0, len(text), third)))


def messages(how: Callable[[Context, Item], list[Item]], kind: str) -> Hook[list[Item]]:
    """Replaces each item of a kind by several."""

    def hook(ctx: Context, items: list[Item]) -> list[Item]:
        return [new for one in items for new in (how(ctx, one) if one.kind == kind else [one])]

    return hook


def two_messages(ctx: Context, one: Item) -> list[Item]:
    return [one, replace(one, id=ctx.new_id("msg_"), texts=("That is all I have to say.",))]


def two_calls(ctx: Context, one: Item) -> list[Item]:
    return [one, replace(one, id=ctx.new_id("fc_"), call_id=ctx.new_id("call_"))]


def preamble(ctx: Context, items: list[Item]) -> list[Item]:
    """Adds a message before the first call."""
    at = next((place for place, one in enumerate(items) if one.is_call), None)
    if at is None:
        return items
    return [*items[:at], Item("message", ctx.new_id("msg_"), ("Let me look that up.",)), *items[at:]]


def by_item(stream: list[Dict]) -> list[list[Dict]]:
    groups: dict[int, list[Dict]] = {}
    for event in stream[2:-1]:
        groups.setdefault(event["output_index"], []).append(event)
    return list(groups.values())


def nested(_: Context, stream: list[Dict]) -> list[Dict]:
    """Opens all items in order and closes the last one first."""
    groups = by_item(stream)
    opened = [group[0] for group in groups]
    rest = [event for group in groups[::-1] for event in group[1:]]
    return [*stream[:2], *opened, *rest, stream[-1]]


def interleaved(_: Context, stream: list[Dict]) -> list[Dict]:
    """Interleaves the events of the items."""
    groups = by_item(stream)
    longest = max(map(len, groups), default=0)
    turns = [group[at] for at in range(longest) for group in groups if at < len(group)]
    return [*stream[:2], *turns, stream[-1]]


def one_delta(_: Context, stream: list[Dict]) -> list[Dict]:
    kept: list[Dict] = []
    for event in stream:
        if kept and is_a(event, *DELTAS) and kept[-1]["type"] == event["type"]:
            kept[-1]["delta"] += event["delta"]
        else:
            kept.append(event)
    return kept


def delta_each(_: Context, stream: list[Dict]) -> list[Dict]:
    return [
        single
        for event in stream
        for single in (
            [{**event, "delta": char} for char in event["delta"]] if is_a(event, *DELTAS) else [event])
    ]  # fmt: skip


def when_cut(how: Callable[[Plan], Plan]) -> Hook[Plan]:
    return lambda _, plan: how(plan) if plan.cut else plan


def declared_complete(test: Callable[[Item], bool]) -> Hook[Plan]:
    return when_cut(lambda plan: replace(plan, items=tuple(
        replace(one, status="completed") if test(one) else one for one in plan.items)))  # fmt: skip


def rebilled(plan: Plan, items: tuple[Item, ...]) -> Plan:
    return replace(plan, items=items, usage=usage(items, plan.usage.input))


def without_cut_call(plan: Plan) -> Plan:
    complete = tuple(one for one in plan.items if not (one.is_call and one.status == "incomplete"))
    return rebilled(plan, complete) if complete else plan


def only_reasoning(plan: Plan) -> Plan:
    """Uses all of max_output_tokens for reasoning."""
    reasoning_items = tuple(one for one in plan.items if one.kind == "reasoning")
    if not reasoning_items:
        return plan
    more = "I am still weighing how to put it. " * (1 + plan.usage.output // 8)
    text = (reasoning_items[0].texts[0] + " " + more)[: plan.usage.output * 4]
    return rebilled(plan, (replace(reasoning_items[0], texts=(text,), status="incomplete"),))


def cached(_: Context, plan: Plan) -> Plan:
    return replace(plan, usage=replace(plan.usage, cached=plan.usage.input // 2))


def more_counts(one: Dict) -> None:
    one["usage"]["input_tokens_details"].update(audio_tokens=0, text_tokens=one["usage"]["input_tokens"])
    one["usage"]["output_tokens_details"].update(accepted_prediction_tokens=0)
    one["usage"]["cost"] = 0.0012


def uuid_ids(ctx: Context, items: list[Item]) -> list[Item]:
    return [replace(one, id=ctx.new_id(""), call_id=one.call_id and ctx.new_id("")) for one in items]


def summarised(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends a summary after each reasoning text, with OpenAI's events."""
    kept: list[Dict] = []
    for event in stream:
        kept.append(event)
        if is_a(event, "reasoning_text.done"):
            place = {"item_id": event["item_id"], "output_index": event["output_index"], "summary_index": 0}
            part = {"type": "summary_text", "text": "In short."}
            begun, delta, ended, done = ({"type": f"response.reasoning_summary_{name}", **place} for name in SUMMARY)
            kept += [begun | {"part": {**part, "text": ""}}, delta | {"delta": "In short."}]
            kept += [ended | {"text": "In short."}, done | {"part": part}]
    return kept


REASONING_PARTS = drop(
    "content_part.added", "content_part.done", test=lambda event: event["part"]["type"] == "reasoning_text"
)


def large(ctx: Context, response: Dict) -> Dict:
    """The response to the base request, with a member of 100 kB that is not ASCII: reads split its characters."""
    complete = ctx.stage in ("plain", "terminal") and "sea" in str(ctx.body.get("input"))
    return {**response, "x_trace": "é…😀 " * 10_000} if complete else response


VARIANTS = [
    variant("members.event-of-100-kb", EXTRA + " Neither SSE nor JSON limits their size.", response=large),
    variant("members.extra-everywhere", EXTRA, response=lambda _, one: {**grow(one)}, events=grown_events),
    variant("members.openai-echo", ECHO, response=echo),
    variant("members.metadata-is-an-object", ECHO, response=response(put(metadata={}))),
    variant("members.metadata-absent", "metadata is in the documentation's example but in none of its tables.",
          response=response(cut("metadata"))),
    variant("members.summary-and-encrypted-content", "OpenAI's items have both (openai, ReasoningItem).",
          **everywhere(secret_reasoning, "reasoning")),
    variant("members.summary-events", "OpenAI's streams have them (openai, ResponseReasoningSummaryPartAddedEvent).",
          events=summarised),
    variant("members.completed-at", ECHO, response=completed_at),
    variant("members.created-at-with-fraction", "created_at is a number (doc 2026-10, Response object).",
          response=lambda ctx, one: {**one, "created_at": ctx.now // 1 + 0.25}),
    variant("members.obfuscation", "OpenAI pads deltas with it (openai, stream_options).",
          events=on_deltas(obfuscation="x7Qp")),
    variant("members.logprobs", "OpenAI requires it on text events (openai, ResponseTextDeltaEvent).",
          events=logprobs),
    variant("members.cached-details-empty", "The documentation's own example has {} (doc 2026-06-24).",
          response=final(lambda one: one["usage"].update(input_tokens_details={}))),
    variant("members.cached-tokens", "cached_tokens may be present (doc 2026-10).", plan=cached),
    variant("members.no-tokens-of-no-input", "An empty input has no tokens, unless a template adds some.",
          response=no_input_counted),
    variant("members.more-counts", EXTRA, response=final(more_counts)),
    variant("members.ids-without-prefix", "The documentation defines no prefixes.", draft=uuid_ids,
          response=response(lambda one: one.update(id=one["id"].removeprefix("resp_")))),
    variant("shapes.several-parts", OUTPUT, draft=lambda _, items: [
        in_parts(one) if one.kind == "message" else one for one in items]),
    variant("shapes.several-messages", OUTPUT, draft=messages(two_messages, "message")),
    variant("shapes.message-before-call", OUTPUT, draft=preamble),
    variant("shapes.parallel-calls", OUTPUT, draft=messages(two_calls, "function_call")),
    variant("shapes.last-item-done-first",
            "The documentation does not require that items are sent one after the other.", events=nested),
    variant("shapes.items-interleaved", "The documentation does not require that items are sent one after the other.",
          events=interleaved),
    variant("shapes.one-big-delta", DELTA, events=one_delta),
    variant("shapes.delta-for-each-character", DELTA, events=delta_each),
    variant("shapes.thousands-of-deltas", DELTA, draft=texts_changed(
        lambda text: " ".join([text, *("and so on" for _ in range(400))]), "reasoning"), events=delta_each),
    variant("shapes.no-parts-around-thoughts", "OpenAI sends reasoning text without part events in places.",
          events=REASONING_PARTS),
    variant("shapes.numbers-from-one", "The documentation does not define the first sequence_number.",
          numbered=lambda _, stream: [
              {**event, "sequence_number": event["sequence_number"] + 1} for event in stream]),
    variant("shapes.numbers-with-a-point", "JSON has one kind of number: 1.0 is 1 (RFC 8259 6; doc 2026-10: number).",
          numbered=lambda _, stream: [
              {**event, "sequence_number": float(event["sequence_number"])} for event in stream]),
    variant("shapes.line-separators-in-text", f"{TEXTS} Only CR and LF end a line of an event stream.",
          draft=texts_changed(lambda text: f"{text}\u2028\u2029\u0085\x0b\x0c", "message", "reasoning")),
    variant("shapes.line-ends-in-text", TEXTS, draft=texts_changed(lambda text: f"{text}\r\n\n\rend\t", "message")),
    variant("shapes.astral-characters-in-text", TEXTS,
          draft=texts_changed(lambda text: f"{text} 🦉🏽 𐍈 e\u0301 小米 \u200d", "message", "reasoning")),
    variant("shapes.marks-in-text", f"{TEXTS} It may look like an event of the stream.",
          draft=texts_changed(lambda text: f"{text}\n\ndata: [DONE]\n\nevent: x", "message")),
    variant("shapes.nul-in-text", TEXTS, draft=texts_changed(lambda text: f"{text}\x00\x7f", "message")),
    variant("shapes.thoughts-in-parts", "content of a reasoning item is a list (doc 2026-10).",
          draft=lambda _, items: [in_parts(one) if one.kind == "reasoning" else one for one in items]),
    variant("shapes.annotations-given", "annotations is an array of objects (openai, OutputTextContent).",
          **everywhere(parts_in(lambda part: part.update(annotations=[{
              "type": "url_citation", "url": "https://example.com", "title": "Example",
              "start_index": 0, "end_index": 1}])), "message")),
    variant("members.model-snapshot", "A model may be named as its dated snapshot (openai, Response: model).",
            response=response(change("model", lambda name: f"{name}-2026-06-24"))),
    variant("truncation.cut-items-say-completed", CUT, plan=declared_complete(lambda _: True)),
    variant("truncation.cut-call-says-completed", CUT, plan=declared_complete(lambda one: one.is_call)),
    variant("truncation.cut-call-left-out", CUT, plan=when_cut(without_cut_call)),
    variant("truncation.thoughts-use-up-the-cap", "The cap includes reasoning (doc 2026-10).",
          plan=when_cut(only_reasoning)),
    variant("truncation.stops-before-the-cap", CUT, plan=when_cut(
        lambda plan: replace(plan, usage=replace(plan.usage, output=max(
            plan.usage.reasoning, plan.usage.output - 1))))),
]  # fmt: skip
