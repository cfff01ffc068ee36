"""Tools: one call, two calls, a call after reasoning, and the follow-up requests with the tools' output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.scenarios.ordinary import CORE, CUT, NO_REASONING, both
from conformance.scenarios.scenario import Body, Need, Scenario
from conformance.scenarios.templates import Cap, Effort

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of the city"},
            "days": {"type": "integer", "minimum": 1, "description": "How many days ahead"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city", "days", "unit"],
        "additionalProperties": False,
    },
    "strict": True,
}

CLOCK: dict[str, Any] = {
    "type": "function",
    "name": "get_time-24h-" + "z" * 51,
    "description": "Get the time in a zone.",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    "strict": False,
}

#: A tool without parameters.
PING: dict[str, Any] = {
    "type": "function",
    "name": "ping",
    "description": "Send a ping.",
    "parameters": {"type": "object", "properties": {}},
}

#: The same with only the required members. One request alone declares it, so that a refusal names what is missing.
_BARE = {name: value for name, value in PING.items() if name != "description"}


def similar(name: str) -> dict[str, Any]:
    """A simple tool that no question calls for, with a name like that of one that is called."""
    parameters = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    return {"type": "function", "name": name, "description": "", "parameters": parameters}


#: Several simple tools: what a server refuses because of the number of tools is not refused for their parameters.
_OTHERS = [similar(f"get_{name}") for name in ("time", "time-24h", "time-24h-z", "zone", "date")]

CALLS = Need("the model calls a tool", lambda received: bool(received.items("function_call")))
REASONS_AND_CALLS = Need(
    "the model reasons and then calls a tool",
    lambda received: bool(received.items("function_call")) and received.has_reasoning,
)
CALLS_TWICE = Need("the model calls two tools at once", lambda received: len(received.items("function_call")) > 1)
_TOOLS = frozenset({"tools"})


def scenarios(schemas: Schemas) -> list[Scenario]:
    """The scenarios with tools."""
    call = Scenario(
        "tools.call",
        "a question that needs a call of the declared tool",
        with_tools("Use get_weather to find out the weather in Zürich for 2 days in celsius.", WEATHER),
        need=CALLS,
        tries=3,
        tags=CORE | {"smoke", "call"},
        about={"cities": "Zürich"},
        claims=_TOOLS,
    )
    two = replace(
        call,
        name="tools.parallel",
        description="a question that needs two calls at once",
        body=with_tools(
            "Call get_weather for Paris and also get_weather for Tokyo, 1 day in celsius, at once.", WEATHER
        ),
        need=CALLS_TWICE,
        tags=CORE | {"call"},
        about={"cities": "Paris Tokyo"},
    )
    thinking = replace(
        call,
        name="tools.thinking",
        description="a call after reasoning",
        body={
            **call.body,
            "tools": [WEATHER, PING],
            "reasoning": {"effort": Effort.USUAL},
            "max_output_tokens": Cap.THINKING,
        },
        need=REASONS_AND_CALLS,
        tags=CORE | {"call", "thinking-call"},
        about={**call.about, "effort": schemas.contract.effort.usual},
        claims=_TOOLS | {"reasoning"},
    )
    long_name = replace(
        call,
        name="tools.long-name",
        description="eight simple tools, one named with 64 characters, one without parameters",
        body=with_tools(f"Use {CLOCK['name']} to find out the time in the zone UTC.", WEATHER, CLOCK, PING, *_OTHERS),
        tags=CORE | {"call", "tools-accepted"},
        about={},
    )
    nothing = replace(
        call,
        name="tools.no-arguments",
        description="a tool without parameters and without description",
        body=with_tools("Use ping once.", _BARE),
        tags=CORE | {"call", "tools-accepted"},
        about={},
    )
    cut = replace(
        call.streamed(),
        name="tools.cut.stream",
        description=f"a call under a cap of {schemas.contract.caps.cut_call} tokens, streaming",
        body={**call.streamed().body, "max_output_tokens": Cap.CUT_CALL},
        need=CUT,
        tags=CORE | {"cut"},
    )
    found = [cut, *both(call), *both(two), *both(thinking), long_name, nothing.streamed()]
    found += both(_follow(call, "tools.output", "the tool's output as a string", _returned(_as_string)))
    parts = _follow(
        call,
        "tools.output-parts",
        "the call as a client writes it, its output as parts, both repeated; no tool declared",
        _second_round(_returned(_as_parts, _written)),
    )
    found.append(replace(parts, body={key: value for key, value in call.body.items() if "tool" not in key}))
    found.append(
        _follow(
            two, "tools.outputs", "the outputs of two calls, in reverse order", _returned(_as_string, weather="18 C")
        )
    )
    found += both(_follow(thinking, "tools.reasoning-returned", "reasoning, call and output", _returned(_as_string)))
    # Clients return a summary, as OpenAI's items have one.
    with_summary = _returned(_as_string, _summarised)
    summary = _follow(thinking, "tools.reasoning-summary", "reasoning with a summary, call and output", with_summary)
    capped = {**summary.body, "max_output_tokens": Cap.CUT}  # Only its input is compared.
    found.append(replace(summary, body=capped, expect="either", tags=frozenset({"unusual"})))
    # Larger requests have strict: false too: only this one has little else.
    loose = {**WEATHER, "strict": False}
    body = {**NO_REASONING, "max_output_tokens": Cap.TEXT, "input": "Say hello.", "tools": [loose]}
    found.append(
        Scenario(
            "tools.unused",
            "a tool that the question does not need",
            body,
            tags=CORE | {"tools-accepted"},
            claims=_TOOLS,
        )
    )
    return found


def turns(scenarios: Mapping[str, Scenario]) -> dict[str, str]:
    """The streaming scenarios whose response contains a call, each with the streaming scenario of the next turn."""
    found = {}
    for one in scenarios.values():
        calls = f"{one.after}.stream"  # It follows the plain counterpart, which has the same request.
        if one.streaming and "follow-up" in one.tags and calls in scenarios:
            found[calls] = one.name
    return found


def with_tools(question: str, *tools: dict[str, Any]) -> Body:
    """A request with a question and tools."""
    return {
        **NO_REASONING,
        "max_output_tokens": Cap.CALL,
        "input": [{"role": "user", "content": question}],
        "tools": list(tools),
        "tool_choice": "auto",
    }


def _follow(first: Scenario, name: str, description: str, follow: Callable[[Body, Received], Body | None]) -> Scenario:
    return replace(
        first,
        name=name,
        description=f"the turn after {first.name}: {description}",
        need=None,
        tries=1,
        after=first.name,
        follow=follow,
        reuses=name in ("tools.output", "tools.outputs"),
        tags=CORE | {"follow-up"} | ({"reasoning-returned"} if "reasoning" in name else set()),
        claims=first.claims | {"input-array"},
    )


def _unchanged(item: dict[str, Any]) -> dict[str, Any]:
    return item


def _written(item: dict[str, Any]) -> dict[str, Any]:
    """A call with only the required members, without id and status."""
    needed = ("type", "call_id", "name", "arguments")
    return {name: item[name] for name in needed if name in item} if item.get("type") == "function_call" else item


def _summarised(item: dict[str, Any]) -> dict[str, Any]:
    """A reasoning item with a long summary."""
    parts = [{"type": "summary_text", "text": "I looked at the question, the tool and its parameters. " * 12}]
    return {**item, "summary": parts} if item.get("type") == "reasoning" else item


def _returned(
    output: Callable[[str], Any],
    item: Callable[[dict[str, Any]], dict[str, Any]] = _unchanged,
    weather: str = "18 °C",
) -> Callable[[Body, Received], Body | None]:
    """The conversation so far, the items of the response, then an output for each of its calls."""

    def follow(body: Body, received: Received) -> Body | None:
        calls = [item for _, item in received.items("function_call")]
        if not calls:
            return None
        outputs = [
            {
                "type": "function_call_output",
                "call_id": call.get("call_id"),
                # The output of a tool may be empty.
                "output": "" if place else output(weather),
            }
            for place, call in enumerate(calls)
        ]
        # Outputs refer to their calls by call_id, so their order is free.
        return {**body, "input": [*body["input"], *map(item, received.output), *reversed(outputs)]}

    return follow


def _second_round(first: Callable[[Body, Received], Body | None]) -> Callable[[Body, Received], Body | None]:
    """A second round of the same calls and outputs, as in an agent loop."""

    def follow(body: Body, received: Received) -> Body | None:
        once = first(body, received)
        if once is None:
            return None
        again = [{**item, "call_id": f"{item['call_id']}_again"} for item in once["input"] if "call_id" in item]
        return {**once, "input": [*once["input"], *again]}

    return follow


def _as_string(weather: str) -> str:
    return f'{{"sky": "sunny", "temperature": "{weather}"}}'


def _as_parts(weather: str) -> list[dict[str, str]]:
    return [{"type": "input_text", "text": f"Sunny, {weather}."}]
