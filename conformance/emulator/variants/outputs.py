"""Legal variants of what the model writes, whatever the request is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ..arguments import fit
from ..hooks import Context, Hook, variant
from ..shapes import Dict, Item, Plan, to_json

WORDING = "What a model writes is up to it, whatever the request is."


def each(kind: str, how: Callable[[str], str]) -> Hook[list[Item]]:
    """Changes the texts of the items of one kind."""

    def hook(_: Context, items: list[Item]) -> list[Item]:
        return [replace(one, texts=tuple(map(how, one.texts))) if one.kind == kind else one for one in items]

    return hook


def of_one_city(arguments: str) -> str:
    """The arguments with the same city in each call."""
    given = json.loads(arguments)
    return json.dumps({**given, "city": "Paris"}, separators=(",", ":")) if "city" in given else arguments


def longer(text: str) -> str:
    """With so many words more that the cap of a short text ends it."""
    return text if text.startswith("{") else text + " and so on" * 68


def complete_call(ctx: Context, plan: Plan) -> Plan:
    """Completes a call that max_output_tokens truncates, with as many tokens: a model may need fewer for it."""
    last = plan.items[-1] if plan.items else None
    if not plan.cut or last is None or last.kind != "function_call" or last.namespace:
        return plan
    parameters: Dict = next(
        (tool.get("parameters") or {} for tool in ctx.body["tools"] if tool.get("name") == last.name), {}
    )
    text = to_json(fit(parameters, iter(())))
    return replace(plan, items=(*plan.items[:-1], replace(last, texts=(text,), status="completed")), cut=False)


VARIANTS = [
    variant("behaviour.one-text-for-all", WORDING, draft=each("message", lambda _: '{"word": "Hello"}')),
    variant("behaviour.long-texts", WORDING, draft=each("message", longer)),
    variant("behaviour.one-city-for-all", WORDING, draft=each("function_call", of_one_city)),
    variant(
        "behaviour.call-fills-the-cap",
        "A call may end at its last permitted token (doc 2026-10, max_output_tokens).",
        plan=complete_call,
    ),
]
