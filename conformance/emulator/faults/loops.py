"""Faults that only long conversations and agent loops show: several rounds of calls, tool outputs in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from ..hooks import Context, fault
from ..request_hooks import crash, input_items, refuse
from ..shapes import Dict, Item
from .clients import has_item


def has_output(test: Callable[[str], bool]) -> Callable[[Dict], bool]:
    """Whether a tool output is a string that passes the test."""
    return has_item(lambda one: isinstance(result := one.get("output"), str) and test(result))


def calls_and_outputs(body: Dict) -> tuple[list[str], list[str]]:
    """The call_ids of the calls, and those of the tool outputs."""
    items = [one for one in input_items(body) if isinstance(one.get("call_id"), str)]
    calls = [one["call_id"] for one in items if one.get("type") == "function_call"]
    return calls, [one["call_id"] for one in items if one.get("type") == "function_call_output"]


def out_of_order(body: Dict) -> bool:
    calls, outputs = calls_and_outputs(body)
    return sorted(calls) == sorted(outputs) and calls != outputs


def kinds(body: Dict) -> list[object]:
    return [one.get("type") for one in input_items(body)]


def second_round(body: Dict) -> bool:
    return any(pair == ("function_call_output", "function_call") for pair in pairwise(kinds(body)))


def late_developer(body: Dict) -> bool:
    roles = [one.get("role") for one in input_items(body)]
    return "developer" in roles and "user" in roles[: roles.index("developer")]


def two_users(body: Dict) -> bool:
    roles = [one.get("role") for one in input_items(body)]
    return any(pair == ("user", "user") for pair in pairwise(roles))


def called_again(ctx: Context, items: list[Item]) -> list[Item]:
    """Repeats the last returned call before the output that follows its tool output."""
    calls = [one for one in input_items(ctx.body) if one.get("type") == "function_call" and one.get("id")]
    if not calls:
        return items
    call = calls[-1]
    again = Item("function_call", call["id"], (call["arguments"],), "completed", call["name"], call["call_id"])
    return [again, *items]


FAULTS = [
    fault("tools.output-read-as-json", "Responds with HTTP 500 to a tool output that is a JSON object in a string.",
          "tools.output-accepted", validate=crash(has_output(lambda text: text.startswith("{")))),
    fault("tools.output-must-be-ascii",
          "Responds with HTTP 500 to a tool output with characters outside ASCII.", "tools.output-accepted",
          validate=crash(has_output(lambda text: not text.isascii()))),
    fault("tools.outputs-in-order-only", "Refuses tool outputs in another order than their calls.",
          "turns.history-accepted", validate=refuse(out_of_order, "input")),
    fault("tools.one-round-only", "Responds with HTTP 500 to a second round of calls and outputs.",
          "tools.output-parts-accepted", validate=crash(second_round)),
    fault("request.more-than-six-items-refused", "Refuses more than six input items.", "request.reasoning-returned",
          validate=refuse(lambda body: len(input_items(body)) > 6, "input")),
    fault("request.long-history-refused", "Refuses more than five input items.", "turns.history-accepted",
          validate=refuse(lambda body: len(input_items(body)) > 5, "input")),
    fault("tools.no-thinking-with-tools", "Sends no reasoning if tools are declared.", "effort.high-thinks",
          parsed=lambda ctx, parsed: replace(parsed, thinking=False) if parsed.tools else parsed),
    fault("tools.call-repeated-after-output", "Repeats the call before the text after a tool output.",
          "tools.call-ids-unique-in-run", draft=called_again),
    fault("tools.call-sent-twice", "Sends each call twice.", "tools.call-ids-distinct",
          draft=lambda _, items: [one for each in items for one in [each] * (1 + (each.kind == "function_call"))]),
    fault("request.users-must-alternate", "Refuses two user messages in a row.", "request.input-output-message",
          validate=refuse(two_users, "input")),
    fault("request.late-developer-refused", "Refuses a developer message behind one of the user.",
          "request.input-roles", validate=refuse(late_developer, "input")),
    fault("turns.last-reasoning-is-500", "Responds with HTTP 500 to a conversation that ends in a reasoning item.",
          "turns.unusual-history", validate=crash(lambda body: kinds(body)[-1:] == ["reasoning"])),
]  # fmt: skip
