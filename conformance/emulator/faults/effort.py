"""Faults in thinking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import cut, draft, drop, everywhere, is_a, parts_in, put, said
from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import crash, inside, refuse
from ..shapes import EFFORTS, Dict, Item, ParsedRequest, Plan, Refusal

ALIKE, SHAPE, AGREE = "effort.values-alike", "effort.reasoning-item-shape", "effort.tokens-agree"


def effort(body: Dict) -> Any:
    return inside(body, "reasoning", "effort")


def thinks(wanted: bool, test: Callable[[Context], object]) -> Hook[ParsedRequest]:
    """Overrules thinking for requests that pass the test."""
    return lambda ctx, parsed: replace(parsed, thinking=wanted) if test(ctx) else parsed


def asked(*values: str | None) -> Callable[[Context], bool]:
    return lambda ctx: effort(ctx.body) in values


def value_faults(value: str) -> list[Behaviour]:
    """Refused, refused in streams only, and (except none) not acted upon."""
    faults = [
        fault(f"effort.{value}-refused", f"Refuses effort {value}.", f"effort.{value}-accepted",
              validate=refuse(lambda body: effort(body) == value, "reasoning.effort")),
        fault(f"effort.{value}-refused-streaming", f"Refuses effort {value} when a stream is asked for.",
              f"effort.{value}-accepted", validate=refuse(
                  lambda body: body.get("stream") is True and effort(body) == value, "reasoning.effort")),
    ]  # fmt: skip
    if value != "none":
        faults.append(
            fault(f"effort.{value}-does-not-think", f"Does not think at effort {value}.",
                  ALIKE, parsed=thinks(False, asked(value)))
        )  # fmt: skip
    return faults


def secret_thought(test: Callable[[Context], object]) -> Hook[Plan]:
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
    """At one effort the thoughts come in two items."""

    def hook(ctx: Context, items: list[Item]) -> list[Item]:
        if effort(ctx.body) != value:
            return items
        return [*(replace(one, id=ctx.new_id("rs_")) for one in items if one.kind == "reasoning"), *items,
                *(replace(one, id=ctx.new_id("msg_")) for one in items if one.kind == "message")]  # fmt: skip

    return hook


def unknown_effort(_: Context, refusal: Refusal | None) -> Refusal | None:
    return None if refusal and "reasoning.effort must be" in str(refusal.members.get("param")) else refusal


def renamed_events(_: Context, stream: list[Dict]) -> list[Dict]:
    """Sends thoughts as summaries, as OpenAI's own models do."""
    for event in stream:
        if is_a(event, "reasoning_text.delta", "reasoning_text.done"):
            event["type"] = event["type"].replace("reasoning_text", "reasoning_summary_text")
            event["summary_index"] = event.pop("content_index")
    return stream


FAULTS = [
    *(fault for value in EFFORTS["2026-10"] for fault in value_faults(value)),
    fault("effort.never-thinks", "Never thinks.",
          *(f"effort.{value}-thinks" for value in EFFORTS["2026-10"] if value != "none"),
          parsed=thinks(False, lambda _: True)),
    fault("effort.never-thinks-streaming", "Never thinks when a stream is asked for.", "effort.plain-equals-stream",
          parsed=thinks(False, lambda ctx: ctx.stream)),
    fault("effort.none-thinks", "Thinks at effort none.", "effort.none-does-not-think",
          parsed=thinks(True, asked("none"))),
    fault("effort.none-thinks-streaming", "Thinks at effort none when a stream is asked for.",
          "effort.none-does-not-think", "effort.plain-equals-stream",
          parsed=thinks(True, lambda ctx: ctx.stream and effort(ctx.body) == "none")),
    fault("effort.none-bills-thoughts", "Bills thoughts at effort none.", "effort.none-does-not-think",
          plan=secret_thought(asked("none"))),
    fault("effort.low-hides-thoughts", "Shows no thoughts at effort low, though it bills them.", ALIKE,
          plan=secret_thought(asked("low"))),
    fault("effort.high-without-part-events", "Leaves out the parts around thoughts at effort high.", ALIKE,
          events=no_parts_at("high")),
    fault("effort.medium-in-two-items", "Thinks and answers in two items each at effort medium.", ALIKE,
          draft=split_at("medium")),
    fault("effort.reasoning-after-answer", "Puts the thoughts behind the answer.",
          "effort.reasoning-precedes-answer", draft=reasoning_last),
    fault("effort.reasoning-is-a-string", "Gives thoughts as text instead of parts.", SHAPE,
          **reasoning(plain_text)),
    fault("effort.reasoning-is-null", "Gives null for the thoughts' content.", SHAPE,
          **reasoning(put(content=None))),
    fault("effort.reasoning-is-empty", "Gives a reasoning item with an empty content list.", SHAPE,
          draft=draft(lambda one: replace(one, texts=()), "reasoning")),
    fault("effort.reasoning-text-is-empty", "Gives thoughts of no text though they are billed.", SHAPE,
          draft=said(lambda _: "", "reasoning")),
    fault("effort.reasoning-without-content", "Gives a reasoning item without content.", SHAPE,
          **reasoning(cut("content"))),
    fault("effort.reasoning-in-output-text-parts", "Gives thoughts as parts of type output_text.", SHAPE,
          **reasoning(parts_in(put(type="output_text", annotations=[])))),
    fault("effort.reasoning-in-text-parts", "Gives thoughts as parts of type text.", SHAPE,
          **reasoning(parts_in(put(type="text")))),
    fault("effort.reasoning-in-summary-only", "Gives thoughts only as a summary.", SHAPE,
          **reasoning(summary_only)),
    fault("effort.reasoning-streamed-as-summary", "Streams thoughts under the names of summaries.",
          "event.seen.response.reasoning_text.delta", "event.seen.response.reasoning_text.done",
          "event.documented-types-only", events=renamed_events),
    fault("effort.reasoning-not-counted", "Shows thoughts and counts none.", AGREE, plan=uncounted),
    fault("effort.reasoning-counted-but-hidden", "Hides every third thought it bills.", AGREE,
          plan=secret_thought(lambda ctx: ctx.responses % 3 == 2 and effort(ctx.body) != "none")),
    fault("effort.think-block-in-text", "Leaves the block of thoughts in the visible text.",
          "effort.no-markup-leak",
          draft=said(lambda text: f"<think>\nThe user wants an answer.\n</think>\n\n{text}", "message")),
    fault("effort.closing-tag-in-text", "Leaves the end tag of the thoughts in the visible text.",
          "effort.no-markup-leak", draft=said(lambda text: f"</think>\n\n{text}", "message")),
    fault("effort.unknown-value-served", "Takes any word for an effort.", "effort.unknown-value",
          validate=unknown_effort),
    fault("effort.unknown-value-is-500", "Fails inside on an unknown effort.", "effort.unknown-value",
          validate=crash(lambda body: isinstance(effort(body), str)
                         and effort(body) not in EFFORTS["2026-10"])),
    fault("effort.default-thinks-only-plain", "Thinks by default only when no stream is asked for.",
          "effort.plain-equals-stream",
          parsed=thinks(False, lambda ctx: ctx.stream and effort(ctx.body) is None)),
    fault("effort.default-thinks-only-streaming", "Thinks by default only in streams.",
          "effort.plain-equals-stream",
          parsed=thinks(False, lambda ctx: not ctx.stream and effort(ctx.body) is None)),
]  # fmt: skip
