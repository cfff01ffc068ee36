"""Faults in reasoning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import cut, draft, drop, everywhere, is_a, parts_in, put, texts_changed
from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import crash, inside, refuse
from ..shapes import EFFORTS, Dict, Item, ParsedRequest, Plan, Refusal

EQUAL, SHAPE, AGREE = "effort.values-alike", "effort.reasoning-item-shape", "effort.tokens-agree"


def effort(body: Dict) -> Any:
    return inside(body, "reasoning", "effort")


def thinks(wanted: bool, test: Callable[[Context], object]) -> Hook[ParsedRequest]:
    """Enables or disables reasoning for requests that pass the test."""
    return lambda ctx, parsed: replace(parsed, thinking=wanted) if test(ctx) else parsed


def requested(*values: str | None) -> Callable[[Context], bool]:
    return lambda ctx: effort(ctx.body) in values


def value_faults(value: str) -> list[Behaviour]:
    """Refused, refused in streams only, and (except none) not acted upon."""
    faults = [
        fault(f"effort.{value}-refused", f"Refuses effort {value}.", f"effort.{value}-accepted",
              validate=refuse(lambda body: effort(body) == value, "reasoning.effort")),
        fault(f"effort.{value}-refused-streaming", f"Refuses effort {value} with stream: true.",
              f"effort.{value}-accepted", validate=refuse(
                  lambda body: body.get("stream") is True and effort(body) == value, "reasoning.effort")),
    ]  # fmt: skip
    if value != "none":
        faults.append(
            fault(f"effort.{value}-does-not-think", f"Sends no reasoning at effort {value}.",
                  EQUAL, f"effort.{value}-thinks", parsed=thinks(False, requested(value)))
        )  # fmt: skip
    return faults


def secret_reasoning(test: Callable[[Context], object]) -> Hook[Plan]:
    """Counts reasoning tokens without showing a reasoning item."""

    def hook(ctx: Context, plan: Plan) -> Plan:
        if not test(ctx):
            return plan
        items = tuple(one for one in plan.items if one.kind != "reasoning")
        billed = replace(plan.usage, reasoning=plan.usage.reasoning or min(7, plan.usage.output))
        return replace(plan, items=items, usage=billed)

    return hook


def reasoning_last(_: Context, items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda one: one.kind == "reasoning")


def uncounted(_: Context, plan: Plan) -> Plan:
    return replace(plan, usage=replace(plan.usage, reasoning=0))


def reasoning(how: Callable[[Dict], object]) -> dict[str, Any]:
    return everywhere(how, "reasoning")


def plain_text(item: Dict) -> None:
    item["content"] = "".join(part["text"] for part in item["content"])


def summary_only(item: Dict) -> None:
    item["summary"] = [{"type": "summary_text", "text": part["text"]} for part in item["content"]]
    item["content"] = []


def no_parts_at(value: str) -> Hook[list[Dict]]:
    def hook(ctx: Context, stream: list[Dict]) -> list[Dict]:
        if effort(ctx.body) != value:
            return stream
        wrap = drop("content_part.added", "content_part.done",
                    test=lambda event: event["part"]["type"] == "reasoning_text")  # fmt: skip
        return wrap(ctx, stream)

    return hook


def split_at(value: str) -> Hook[list[Item]]:
    """Sends reasoning in two items at one effort."""

    def hook(ctx: Context, items: list[Item]) -> list[Item]:
        if effort(ctx.body) != value:
            return items
        return [*(replace(one, id=ctx.new_id("rs_")) for one in items if one.kind == "reasoning"), *items,
                *(replace(one, id=ctx.new_id("msg_")) for one in items if one.kind == "message")]  # fmt: skip

    return hook


def reasoning_in_text(ctx: Context, items: list[Item]) -> list[Item]:
    """Leaves the reasoning in the text of plain responses, as a parser does that only streams go through."""
    reasoning_text = "".join(text for one in items if one.kind == "reasoning" for text in one.texts)
    if ctx.stream or not reasoning_text:
        return items
    tagged = draft(lambda one: replace(one, texts=(f"<think>{reasoning_text}</think>\n{one.texts[0]}",)), "message")
    return [one for one in tagged(ctx, items) if one.kind != "reasoning"]


def unknown_effort(ctx: Context, refusal: Refusal | None) -> Refusal | None:
    about_effort = refusal and "reasoning.effort must be" in str(refusal.members.get("param"))
    return None if about_effort and isinstance(effort(ctx.body), str) else refusal


def renamed_events(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends reasoning as summaries, as OpenAI's models do."""
    for event in stream:
        if is_a(event, "reasoning_text.delta", "reasoning_text.done"):
            event["type"] = event["type"].replace("reasoning_text", "reasoning_summary_text")
            event["summary_index"] = event.pop("content_index")
    return stream


FAULTS = [
    *(fault for value in EFFORTS["2026-10"] for fault in value_faults(value)),
    fault("effort.never-thinks", "Never sends reasoning.",
          *(f"effort.{value}-thinks" for value in EFFORTS["2026-10"] if value != "none"),
          parsed=thinks(False, lambda _: True)),
    fault("effort.never-thinks-streaming", "Sends no reasoning with stream: true.", "effort.plain-equals-stream",
          parsed=thinks(False, lambda ctx: ctx.stream)),
    fault("effort.low-never-thinks-streaming", "Sends no reasoning at effort low with stream: true.",
          "effort.plain-equals-stream", parsed=thinks(False, lambda ctx: ctx.stream and effort(ctx.body) == "low")),
    fault("effort.none-thinks", "Sends reasoning at effort none.", "effort.none-does-not-think",
          parsed=thinks(True, requested("none"))),
    fault("effort.none-thinks-streaming", "Sends reasoning at effort none with stream: true.",
          "effort.none-does-not-think", "effort.plain-equals-stream",
          parsed=thinks(True, lambda ctx: ctx.stream and effort(ctx.body) == "none")),
    fault("effort.none-bills-thoughts", "Counts reasoning tokens at effort none.", "effort.none-does-not-think",
          plan=secret_reasoning(requested("none"))),
    fault("effort.low-hides-thoughts", "Sends no reasoning at effort low, but counts reasoning tokens.", EQUAL,
          plan=secret_reasoning(requested("low"))),
    fault("effort.high-without-part-events", "Omits the part events of reasoning at effort high.", EQUAL,
          events=no_parts_at("high")),
    fault("effort.medium-in-two-items", "Sends two reasoning items and two messages at effort medium.", EQUAL,
          draft=split_at("medium")),
    fault("effort.reasoning-after-answer", "Sends the reasoning item after the message.",
          "effort.reasoning-precedes-answer", draft=reasoning_last),
    fault("effort.reasoning-is-a-string", "Sends the content of a reasoning item as a string instead of parts.", SHAPE,
          **reasoning(plain_text)),
    fault("effort.reasoning-is-null", "Sends null as the content of a reasoning item.", SHAPE,
          **reasoning(put(content=None))),
    fault("effort.reasoning-is-empty", "Sends a reasoning item with an empty content array.", SHAPE,
          draft=draft(lambda one: replace(one, texts=()), "reasoning")),
    fault("effort.reasoning-text-is-empty", "Sends reasoning parts without text, but counts reasoning tokens.", SHAPE,
          draft=texts_changed(lambda _: "", "reasoning")),
    fault("effort.reasoning-without-content", "Sends a reasoning item without content.", SHAPE,
          **reasoning(cut("content"))),
    fault("effort.reasoning-in-output-text-parts", "Sends reasoning parts of type output_text.", SHAPE,
          **reasoning(parts_in(put(type="output_text", annotations=[])))),
    fault("effort.reasoning-in-text-parts", "Sends reasoning parts of type text.", SHAPE,
          **reasoning(parts_in(put(type="text")))),
    fault("effort.reasoning-in-summary-only", "Sends reasoning only as a summary.", SHAPE,
          **reasoning(summary_only)),
    fault("effort.reasoning-streamed-as-summary", "Streams reasoning in reasoning_summary events.",
          "event.seen.response.reasoning_text.delta", "event.seen.response.reasoning_text.done",
          "event.documented-types-only", events=renamed_events),
    fault("effort.reasoning-not-counted", "Sends reasoning, but counts 0 reasoning tokens.", AGREE, plan=uncounted),
    fault("effort.reasoning-counted-but-hidden", "Omits reasoning at effort low, but counts its tokens.", AGREE,
          plan=secret_reasoning(lambda ctx: effort(ctx.body) == "low")),
    fault("effort.think-block-in-text", "Leaves a <think> block in the output text.",
          "effort.no-markup-leak",
          draft=texts_changed(lambda text: f"<think>\nThe user wants an answer.\n</think>\n\n{text}", "message")),
    fault("effort.thoughts-in-plain-text", "Sends reasoning as a <think> block of the text in plain responses.",
          "effort.no-markup-leak", draft=reasoning_in_text),
    fault("effort.closing-tag-in-text", "Leaves a </think> tag in the output text.",
          "effort.no-markup-leak", draft=texts_changed(lambda text: f"</think>\n\n{text}", "message")),
    fault("effort.unknown-value-served", "Accepts any string as an effort.", "effort.unknown-value",
          validate=unknown_effort),
    fault("effort.unknown-value-is-500", "Responds with HTTP 500 to an unknown effort.", "effort.unknown-value",
          validate=crash(lambda body: isinstance(effort(body), str)
                         and effort(body) not in EFFORTS["2026-10"])),
    fault("effort.ignored-with-tools-in-streams", "Never reasons in streams with tools.", "effort.high-thinks",
          parsed=thinks(False, lambda ctx: ctx.stream and bool(ctx.body.get("tools")))),
    fault("effort.ignored-with-instructions", "Never reasons with instructions.", "effort.high-thinks",
          parsed=thinks(False, lambda ctx: "instructions" in ctx.body)),
    fault("effort.default-thinks-only-plain", "Reasons by default only in plain responses.",
          "effort.plain-equals-stream",
          parsed=thinks(False, lambda ctx: ctx.stream and effort(ctx.body) is None)),
    fault("effort.default-thinks-only-streaming", "Reasons by default only in streams.",
          "effort.plain-equals-stream",
          parsed=thinks(False, lambda ctx: not ctx.stream and effort(ctx.body) is None)),
]  # fmt: skip
