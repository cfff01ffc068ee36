"""Conversations: history written by the client, and the output of a response returned unchanged."""

from __future__ import annotations

from conformance.decode.response import Received
from conformance.scenarios.effort import QUESTION
from conformance.scenarios.ordinary import CORE, HISTORY, SHORT, both
from conformance.scenarios.scenario import Body, Scenario

_ARRAY = frozenset({"input-array"})


def scenarios() -> list[Scenario]:
    """The conversations."""
    history = Scenario(
        "turns.history",
        "a conversation of three turns",
        HISTORY,
        tags=CORE | {"turns", "form"},
        about={"form": "input-roles"},
        claims=_ARRAY,
    )
    returned = Scenario(
        "turns.output-returned",
        "the turn after text, with its output unchanged",
        SHORT,
        after="text",
        follow=_continue,
        tags=CORE | {"turns", "returned"},
        claims=_ARRAY,
    )
    thinking = Scenario(
        "turns.reasoning-returned",
        "the turn after effort.high, its reasoning item included",
        {**QUESTION, "reasoning": {"effort": "high"}},
        after="effort.high",
        follow=_continue,
        tags=CORE | {"turns", "returned", "reasoning-returned"},
        claims=_ARRAY | {"reasoning"},
    )
    return [*both(history), *both(returned), thinking]


def _continue(body: Body, received: Received) -> Body | None:
    if not received.output:
        return None
    question = {"role": "user", "content": received.sent.get("input")}
    return {
        **body,
        "input": [question, *received.output, {"role": "user", "content": "Say the same in other words."}],
    }
