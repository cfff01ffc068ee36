"""Conversations: history written by the client, and the output of a response returned unchanged."""

from __future__ import annotations

from dataclasses import replace

from conformance.contract.revisions import Contract
from conformance.decode.response import Received
from conformance.scenarios.effort import QUESTION
from conformance.scenarios.ordinary import CORE, HISTORY, SHORT
from conformance.scenarios.scenario import Body, Scenario, same_body
from conformance.scenarios.templates import Effort

_ARRAY = frozenset({"input-array"})


def scenarios(contract: Contract) -> list[Scenario]:
    """The conversations."""
    reasoned = f"effort.{contract.effort.usual}"
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
        reuses=True,
        tags=CORE | {"turns", "returned"},
        claims=_ARRAY,
    )
    thinking = Scenario(
        "turns.reasoning-returned",
        f"the turn after {reasoned}, its reasoning item included",
        {**QUESTION, "reasoning": {"effort": Effort.USUAL}},
        after=reasoned,
        follow=_continue,
        tags=CORE | {"turns", "returned", "reasoning-returned"},
        claims=_ARRAY | {"reasoning"},
    )
    # Behind a stream whose request declares a tool: neither must show in this plain response.
    behind = replace(history, after="tools.no-arguments.stream", follow=same_body, reuses=True)
    return [behind, history.streamed(), returned, returned.streamed(after="text.stream"), thinking]


def _continue(body: Body, received: Received) -> Body | None:
    if not received.output:
        return None
    given = received.sent.get("input")
    question = given if isinstance(given, list) else [{"role": "user", "content": given}]
    return {
        **body,
        "input": [*question, *received.output, {"role": "user", "content": "Say the same in other words."}],
    }
