"""Faults that show only with several streams at a time: one contains what belongs to another.

The ids are its own, except where a fault is about them: what was mixed up shows only in what each request contains.
"""

from __future__ import annotations

import copy
from dataclasses import replace

from ..event_edits import is_a
from ..hooks import Context, fault
from ..shapes import Dict, Item, Plan
from .talk import MIXED, neighbour


def own_ids(ctx: Context, items: list[Item]) -> list[Item]:
    """The items of another stream with new ids."""
    return [
        replace(one, id=ctx.new_id("item_"), call_id=ctx.new_id("call_") if one.call_id else "") for one in items
    ]  # fmt: skip


def foreign_contents(ctx: Context, items: list[Item]) -> list[Item]:
    """Sends the output of a concurrent stream."""
    found = neighbour(ctx, "contents", items) if ctx.stream else items
    return items if found is items else own_ids(ctx, found)


def foreign_calls(ctx: Context, items: list[Item]) -> list[Item]:
    """Sends the calls of a concurrent stream with calls."""
    own = [one for one in items if one.is_call]
    found = neighbour(ctx, "calls", own) if ctx.stream and own else own
    return items if found is own else [*(one for one in items if not one.is_call), *own_ids(ctx, found)]


def foreign_usage(ctx: Context, plan: Plan) -> Plan:
    return replace(plan, usage=neighbour(ctx, "usage", plan.usage)) if ctx.stream else plan


def foreign_text(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Adds the text of a concurrent stream in a delta of its own."""
    own = [event for event in stream if is_a(event, "output_text.delta")]
    if not own:
        return stream
    text = "".join(event["delta"] for event in own)
    found = neighbour(ctx, "text", text)
    place = stream.index(own[-1]) + 1
    added = [{**own[-1], "delta": found}] if found != text else []
    return [*stream[:place], *added, *stream[place:]]


def foreign_id(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Sends the id of a concurrent response in response.in_progress."""
    found = neighbour(ctx, "id", stream[0]["response"]["id"])
    return [stream[0], {**stream[1], "response": {**stream[1]["response"], "id": found}}, *stream[2:]]


def foreign_opening(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Begins with the first two events of a concurrent stream."""
    own = copy.deepcopy(stream[:2])
    found = neighbour(ctx, "opening", own)
    return stream if found is own else [*copy.deepcopy(found), *stream]


def foreign_end(ctx: Context, stream: list[Dict]) -> list[Dict]:
    """Ends with the terminal event of a concurrent stream that no client closed."""
    found = neighbour(ctx, "end", copy.deepcopy(stream[-1]))
    return stream if ctx.memory.get("closed") else [*stream[:-1], found]


FAULTS = [
    fault("parallel.contents-mix", "Sends the output of a concurrent stream with ids of its own.", MIXED,
          draft=foreign_contents),
    fault("parallel.calls-mix", "Sends the calls of a concurrent stream with ids of its own.", MIXED,
          draft=foreign_calls),
    fault("parallel.usage-mix", "Sends the usage of a concurrent stream.", MIXED, plan=foreign_usage),
    fault("parallel.text-in-own-delta", "Adds the text of a concurrent stream in a delta of its own.", MIXED,
          events=foreign_text),
    fault("parallel.response-ids-mix", "Sends the id of a concurrent response in response.in_progress.",
          "identity.response-id", events=foreign_id),
    fault("parallel.terminal-of-another", "Ends with the terminal event of a concurrent stream and its number.", MIXED,
          numbered=foreign_end),
    fault("parallel.openings-mix", "Begins with the first two events of a concurrent stream.", "lifecycle.each-once",
          events=foreign_opening),
]  # fmt: skip
