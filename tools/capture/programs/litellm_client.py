"""The conversation by LiteLLM as a client: ``responses`` with an OpenAI-compatible base."""

from importlib import metadata

import litellm
from shared import CITY_TOOL, MODEL, QUESTION, REPLY, URL, say

litellm.telemetry = False
options = {"model": f"openai/{MODEL}", "api_base": URL, "tools": [CITY_TOOL], "num_retries": 0, "max_retries": 0}
given = [{"role": "user", "content": QUESTION}]
response = litellm.responses(input=given, **options)
given += [item if isinstance(item, dict) else item.model_dump() for item in response.output]
given += [
    {"type": "function_call_output", "call_id": item["call_id"], "output": REPLY}
    for item in given
    if item.get("type") == "function_call"
]
litellm.responses(input=given, **options)
say(metadata.version("litellm"))
