"""Driver of openai-agents: a Runner with OpenAIResponsesModel. Modes: plain, stream."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import jobs

try:
    from agents import Agent, FunctionTool, OpenAIResponsesModel, Runner, set_tracing_disabled
    from openai import AsyncOpenAI
except ImportError:
    jobs.missing("openai-agents")


_LOOP = asyncio.new_event_loop()


def do(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    """One turn of an agent with the tools of the request."""
    _LOOP.run_until_complete(_turn(job, seen))


async def _turn(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    request = job["request"]
    client = _client().with_options(base_url=job["base_url"])
    agent = Agent(
        name="agent",
        instructions=request.get("instructions"),
        model=OpenAIResponsesModel(model=request["model"], openai_client=client),
        tools=[_tool(one) for one in request.get("tools") or [] if one.get("type") == "function"],
        tool_use_behavior="stop_on_first_tool",
    )
    if job["mode"] == "stream":
        result = Runner.run_streamed(agent, request["input"], max_turns=1)
        async for event in result.stream_events():
            data: Any = getattr(event, "data", None)
            if getattr(data, "type", "") == "response.output_text.delta":
                seen["shown"] = (seen["shown"] or "") + data.delta
    else:
        result = await Runner.run(agent, request["input"], max_turns=1)
    response = result.raw_responses[0]
    jobs.read_output(response.output, seen)
    jobs.read_usage(response.usage, seen)


@cache
def _client() -> Any:
    """One client for all jobs, because its creation is slow."""
    return AsyncOpenAI(base_url="http://127.0.0.1:9/v1", api_key=jobs.key(), max_retries=0, timeout=60)


def _tool(one: dict[str, Any]) -> Any:
    async def invoke(context: Any, arguments: str) -> str:
        return "done"

    return FunctionTool(
        name=one["name"],
        description=one.get("description") or "",
        params_json_schema=one.get("parameters") or {"type": "object", "properties": {}},
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )


if __name__ == "__main__":
    set_tracing_disabled(True)
    jobs.serve("openai-agents", "openai-agents", do)
