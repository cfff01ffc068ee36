"""What revision 2026-10 adds: custom tools, namespaces, additional_tools and agent messages.

Custom tools and namespaces may be refused: the live service was observed to serve custom tools in the mode of Codex
only. The other items are documented without such a restriction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.scenarios.ordinary import NO_REASONING, both
from conformance.scenarios.scenario import Body, Need, Scenario
from conformance.scenarios.templates import Cap
from conformance.scenarios.tools import CALLS, WEATHER, with_tools

Items = list[dict[str, Any]]

CUSTOM: dict[str, Any] = {
    "type": "custom",
    "name": "run_query",
    "description": "Run a query given as free text.",
}

NAMESPACE: dict[str, Any] = {
    "type": "namespace",
    "name": "weather",
    "description": "Tools about the weather.",
    "tools": [WEATHER],
}

#: A namespace whose functions have only the required members, or null.
CLOCK_NAMESPACE: dict[str, Any] = {
    "type": "namespace",
    "name": "clock",
    "description": "Tools about the time.",
    "tools": [{"type": "function", "name": "get_time"}, {"type": "function", "name": "get_zone", "description": None}],
}

#: Custom tools with each format.
FORMATS: Items = [
    {"type": "custom", "name": "free_text", "format": {"type": "text"}},
    {"type": "custom", "name": "color", "format": {"type": "grammar", "syntax": "regex", "definition": "red|green"}},
    {
        "type": "custom",
        "name": "sum",
        "format": {
            "type": "grammar",
            "syntax": "lark",
            "definition": 'start: NUMBER "+" NUMBER\n%import common.NUMBER',
        },
    },
]

CALLS_CUSTOM = Need("the model calls the custom tool", lambda received: bool(received.items("custom_tool_call")))

_QUESTION = "Use get_weather to find out the weather in Paris for 1 day in celsius."


def scenarios(schemas: Schemas) -> list[Scenario]:
    """The scenarios of the revisions that have custom tools; none for others."""
    if "custom_tool_call" not in schemas.item_types:
        return []
    claims = frozenset({"tools", "custom-tools"})
    custom = Scenario(
        "tools.custom",
        "a question for a custom tool and a tool in a namespace",
        with_tools(
            "Use run_query to list all users. Then use get_weather to find out the weather in Paris.",
            CUSTOM,
            *FORMATS,
            NAMESPACE,
            CLOCK_NAMESPACE,
        ),
        expect="either",  # Observed: the live service refuses custom tools from clients it does not know.
        need=CALLS_CUSTOM,
        tries=2,
        tags=frozenset({"custom"}),
        claims=claims,
    )
    space = Scenario(
        "tools.namespace",
        "a question for a tool in a namespace",
        with_tools("Use get_weather to find out the weather in Paris.", NAMESPACE, CLOCK_NAMESPACE),
        expect="either",
        need=CALLS,
        tries=2,
        tags=frozenset({"custom"}),
        claims=claims,
        within=custom.name,
    )
    output = replace(
        custom,
        name="tools.custom-output",
        description="the turn after tools.custom: the call, its output as a string, and both again with parts",
        expect="answer",
        need=None,
        tries=1,
        after=custom.name,
        follow=_returned,
        tags=frozenset({"custom-follow-up"}),
        claims=claims | {"input-array"},
    )
    return [*both(custom), space, output, *_items(claims)]


def _items(claims: frozenset[str]) -> list[Scenario]:
    """A call of a function that only an additional_tools item declares, behind an agent message and a call with a
    namespace; each item is sent alone if this is not served."""
    kinds: dict[str, tuple[str, str, Items]] = {
        "turns.agent-message": (
            "a message between agents, in plain and encrypted parts",
            "an agent_message",
            [
                {
                    "type": "agent_message",
                    "id": "amsg_1r",
                    "author": "planner",
                    "recipient": "worker",
                    "content": [
                        {"type": "input_text", "text": "The next step is the weather."},
                        {"type": "encrypted_content", "encrypted_content": "Only for one city."},
                    ],
                    "agent": {"agent_name": "planner"},
                }
            ],
        ),
        "turns.namespaced-call": (
            "a call with a namespace and its output",
            "a function_call with a namespace",
            [
                {
                    "type": "function_call",
                    "id": "fc_1r",
                    "call_id": "call_1r",
                    "name": "get_weather",
                    "namespace": "weather",
                    "arguments": '{"city": "Bern", "days": 1, "unit": "celsius"}',
                    "status": "completed",
                },
                {"type": "function_call_output", "call_id": "call_1r", "output": "18", "status": "completed"},
            ],
        ),
    }
    tools = [{**WEATHER, "description": None, "strict": False}]
    declared: Items = [{"type": "additional_tools", "role": "developer", "id": None, "tools": tools}]
    question: Items = [{"role": "user", "content": _QUESTION}]
    added = Scenario(
        "tools.additional",
        "a call of a function that only an additional_tools item declares, behind the other items of the revision",
        {
            **NO_REASONING,
            "max_output_tokens": Cap.CALL,
            "input": [*declared, *(item for _, _, items in kinds.values() for item in items), *question],
            "stream": True,
        },
        need=CALLS,
        tries=2,
        about={"item": "additional_tools"},
        tags=frozenset({"added-item", "call"}),
        claims=claims | {"input-array", "streaming"},
    )
    alone = [
        replace(
            added,
            name=name,
            description=description,
            body={**added.body, "input": [*items, *question], "max_output_tokens": Cap.TEXT},
            need=None,
            tries=1,
            about={"item": item},
            tags=frozenset({"added-item"}),
            within=added.name,
        )
        for name, (description, item, items) in kinds.items()
    ]
    return [added, *alone]


def _returned(body: Body, received: Received) -> Body | None:
    """The conversation so far, the items of the response, and an output for each custom call; then the same calls
    again, their outputs as parts."""
    calls = [item for _, item in received.items("custom_tool_call")]
    if not calls:
        return None
    others = [item for _, item in received.items("function_call")]
    first = [{"type": "custom_tool_call_output", "call_id": call.get("call_id"), "output": "3 rows"} for call in calls]
    first += [{"type": "function_call_output", "call_id": call.get("call_id"), "output": "18"} for call in others]
    wanted = ("type", "call_id", "name", "input")
    again = [{**{name: call[name] for name in wanted if name in call}, "call_id": f"again_{at}"}
             for at, call in enumerate(calls)]  # fmt: skip
    parts = [{"type": "input_text", "text": "4 rows"}]
    second = [{"type": "custom_tool_call_output", "call_id": one["call_id"], "output": parts} for one in again]
    return {**body, "input": [*body["input"], *received.output, *first, *again, *second]}
