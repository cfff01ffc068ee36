"""Driver of langchain-openai: ChatOpenAI with the Responses API. Modes: plain (``invoke``), stream (``stream``)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jobs

try:
    from langchain_openai import ChatOpenAI
    from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
except ImportError:
    jobs.missing("langchain-openai")


def do(job: dict[str, Any], seen: jobs.DriverResult) -> None:
    """One message of the model."""
    request = job["request"]
    chat = ChatOpenAI(
        model=request["model"], base_url=job["base_url"], api_key=jobs.key(), use_responses_api=True, max_retries=0,
        timeout=60, output_version="responses/v1", **_http(),
    )  # fmt: skip
    tools = [one for one in request.get("tools") or [] if one.get("type") == "function"]
    bound: Any = chat.bind_tools(tools) if tools else chat
    prompt = request["input"] if isinstance(request["input"], str) else "go on"
    if job["mode"] == "stream":
        message: Any = None
        for chunk in bound.stream(prompt):
            seen["shown"] = (seen["shown"] or "") + _text(chunk)
            message = chunk if message is None else message + chunk
    else:
        message = bound.invoke(prompt)
    _read(message, seen)
    if job["mode"] == "stream":
        seen["reasoning"] = None  # In streams, this client provides only summaries.


@cache
def _http() -> Any:
    """HTTP clients for all jobs, because their creation is slow."""
    return {"http_client": DefaultHttpxClient(), "http_async_client": DefaultAsyncHttpxClient()}


def _read(message: Any, seen: jobs.DriverResult) -> None:
    seen["text"] = _text(message)
    calls = [{**call, "args": json.dumps(call["args"], ensure_ascii=False)} for call in message.tool_calls]
    seen["calls"] = [
        {"call_id": call["id"], "name": call["name"], "arguments": call["args"]}
        for call in [*calls, *message.invalid_tool_calls]
    ]
    blocks = message.content if isinstance(message.content, list) else []
    seen["reasoning"] = "".join(
        part["text"]
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "reasoning"
        for part in block.get("content") or []
    )
    jobs.read_usage(message.usage_metadata, seen)


def _text(message: Any) -> str:
    return str(message.text)


if __name__ == "__main__":
    jobs.serve("langchain-openai", "langchain-openai", do)
