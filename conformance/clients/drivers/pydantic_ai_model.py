"""Driver of pydantic-ai: OpenAIResponsesModel. Modes: plain (``model_request``), stream (``model_request_stream``)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jobs

try:
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.messages import ModelRequest, TextPart, ThinkingPart, ToolCallPart
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.tools import ToolDefinition
except ImportError:
    jobs.missing("pydantic-ai")


def do(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    """One response of the model."""
    asyncio.run(_do(job, seen))


async def _do(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    request = job["request"]
    provider = OpenAIProvider(base_url=job["base_url"], api_key=jobs.key())
    model = OpenAIResponsesModel(request["model"], provider=provider)
    tools = [
        ToolDefinition(name=one["name"], parameters_json_schema=one.get("parameters") or {"type": "object"})
        for one in request.get("tools") or []
        if one.get("type") == "function"
    ]
    arguments: dict[str, Any] = {"model_request_parameters": ModelRequestParameters(function_tools=tools)}
    messages: list[Any] = [ModelRequest.user_text_prompt("go on")]
    if job["mode"] == "stream":
        async with model_request_stream(model, messages, **arguments) as stream:
            async for _ in stream:
                pass
            response = stream.get()
    else:
        response = await model_request(model, messages, **arguments)
    _read(response, seen)


def _read(response: Any, seen: jobs.DriverResult) -> None:
    parts = response.parts
    seen["text"] = "".join(one.content for one in parts if isinstance(one, TextPart))
    seen["calls"] = [
        {
            "call_id": str(one.tool_call_id).partition("|")[0],
            "name": one.tool_name,
            "arguments": one.args if isinstance(one.args, str) else json.dumps(one.args),
        }
        for one in parts
        if isinstance(one, ToolCallPart)
    ]
    reasoning = [one.content for one in parts if isinstance(one, ThinkingPart) and one.content]
    seen["reasoning"] = "".join(reasoning) or None
    usage = response.usage
    counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    seen["usage"] = (
        {**counts, "total_tokens": usage.input_tokens + usage.output_tokens} if any(counts.values()) else None
    )


if __name__ == "__main__":
    jobs.serve("pydantic-ai", "pydantic-ai-slim", do)
