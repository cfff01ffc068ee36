"""Faults when max_output_tokens truncates the response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..event_edits import final, put
from ..hooks import Behaviour, Context, Hook, fault
from ..request_hooks import served
from ..shapes import Dict, Item, ParsedRequest, Plan
from ..tokens import count, truncate, usage

RULE, WITHIN, NEEDLESS = "truncation.incomplete", "truncation.usage-within-cap", "truncation.cap-not-needed"


def when_cut(name: str, says: str, *rules: str, **members: Any) -> Behaviour:
    """Changes members of a truncated response."""

    def edit(one: Dict) -> None:
        if one["status"] == "incomplete":
            put(**members)(one)

    return fault(f"truncation.{name}", says, *rules, response=final(edit))


def capped(ctx: Context) -> bool:
    return ctx.body.get("max_output_tokens") is not None


def uncapped(_: Context, parsed: ParsedRequest) -> ParsedRequest:
    return replace(parsed, cap=None)


def complete(_: Context, plan: Plan) -> Plan:
    """Truncates the response, but reports it as completed."""
    items = tuple(replace(one, status="completed") for one in plan.items)
    return replace(plan, cut=False, items=items)


def only_visible(ctx: Context, plan: Plan) -> Plan:
    """Applies max_output_tokens to the output text only: with reasoning, output_tokens exceeds it."""
    cap = ctx.body.get("max_output_tokens")
    if not isinstance(cap, int) or not plan.cut:
        return plan
    reasoning = Item("reasoning", ctx.new_id("rs_"), ("Let me think about what was asked. " * (1 + cap // 8),))
    shown = [one for one in plan.items if one.kind != "reasoning"]
    items, _ = truncate(shown, cap)
    return replace(plan, items=(reasoning, *items), usage=usage([reasoning, *items], plan.usage.input))


def overshot(tokens: int) -> Hook[Plan]:
    def hook(_: Context, plan: Plan) -> Plan:
        more = replace(plan.usage, output=plan.usage.output + tokens)
        return replace(plan, usage=more) if plan.cut else plan

    return hook


def needless(test: Callable[[Context], object]) -> Hook[Plan]:
    return lambda ctx, plan: replace(plan, cut=True) if test(ctx) else plan


def event_named(wrong: str, right: str) -> Hook[list[Dict]]:
    def hook(_: Context, stream: list[Dict]) -> list[Dict]:
        for event in stream:
            if event["type"] == right:
                event["type"] = wrong
        return stream

    return hook


def roomy(ctx: Context) -> bool:
    """Whether max_output_tokens is far above any output of the model."""
    cap = ctx.body.get("max_output_tokens")
    return isinstance(cap, int) and cap >= 1000 + count(ctx.raw.decode("utf-8", "replace"))


FAULTS = [
    fault("truncation.reported-completed",
          "Sends status completed and no reason for a truncated response.", RULE, plan=complete),
    when_cut("status-completed", "Sends status completed with the reason for a truncated response.", RULE,
             "response.completed-is-clean", "lifecycle.terminal-agrees-with-status", status="completed"),
    when_cut("status-failed",
             "Sends status failed for a truncated response.", RULE, "lifecycle.terminal-agrees-with-status",
             status="failed"),
    when_cut("reason-is-length", "Sends the reason length, as in chat completions.", RULE,
             incomplete_details={"reason": "length"}),
    when_cut("reason-is-max-tokens", "Sends the reason max_tokens.", RULE,
             incomplete_details={"reason": "max_tokens"}),
    when_cut("reason-is-content-filter", "Sends the reason content_filter for a truncated response.", RULE,
             incomplete_details={"reason": "content_filter"}),
    when_cut("reason-is-bare", "Sends a string as incomplete_details.", RULE, "response.schema",
             incomplete_details="max_output_tokens"),
    when_cut("reason-missing", "Sends incomplete_details without a reason.", RULE, incomplete_details={}),
    when_cut("details-null", "Sends no incomplete_details for a truncated response.", RULE, incomplete_details=None),
    when_cut("error-set", "Sends an error for a truncated response.", RULE,
             error={"code": "max_output_tokens", "message": "The answer was cut."}),
    fault("truncation.event-is-completed", "Ends a truncated stream with response.completed.", RULE,
          "lifecycle.terminal-agrees-with-status", "event.seen.response.incomplete",
          events=event_named("response.completed", "response.incomplete")),
    fault("truncation.event-is-failed", "Ends a truncated stream with response.failed.", RULE,
          "lifecycle.terminal-agrees-with-status", "event.seen.response.incomplete",
          events=event_named("response.failed", "response.incomplete")),
    fault("truncation.is-an-error", "Responds with HTTP 500 if max_output_tokens is reached.", RULE,
          reply=served(lambda reply: reply.coded(500).saying({"error": {"message": "cut", "code": "500"}})
                       if b'"max_output_tokens"}' in reply.body else reply)),
    fault("truncation.cap-ignored", "Ignores max_output_tokens.", WITHIN, RULE, parsed=uncapped),
    fault("truncation.cap-overshot", "Sends three tokens more than max_output_tokens.", WITHIN, plan=overshot(3)),
    fault("truncation.cap-overshot-by-one", "Sends one token more than max_output_tokens.", WITHIN, plan=overshot(1)),
    fault("truncation.thoughts-outside-cap", "Does not count reasoning towards max_output_tokens.", WITHIN,
          plan=only_visible),
    fault("truncation.default-cap-of-512", "Applies a cap of 512 tokens without max_output_tokens.", NEEDLESS,
          parsed=lambda ctx, parsed: parsed if capped(ctx) else replace(parsed, cap=512)),
    fault("truncation.cap-always-cuts", "Sends status incomplete for every request with max_output_tokens.", NEEDLESS,
          plan=needless(capped)),
    fault("truncation.roomy-cap-cuts", "Sends status incomplete if max_output_tokens is large.", NEEDLESS,
          plan=needless(roomy)),
]  # fmt: skip
