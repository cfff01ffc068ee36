"""The conversation by openai-python: streamed, the output returned unchanged, then the tool's output."""

from importlib import metadata

from openai import OpenAI
from shared import CITY_TOOL, MODEL, QUESTION, REPLY, URL, say

client = OpenAI(base_url=URL, max_retries=0)
given = [{"role": "user", "content": QUESTION}]
with client.responses.stream(model=MODEL, input=given, tools=[CITY_TOOL]) as stream:
    response = stream.get_final_response()
given += response.output
given += [
    {"type": "function_call_output", "call_id": item.call_id, "output": REPLY}
    for item in response.output
    if item.type == "function_call"
]
with client.responses.stream(model=MODEL, input=given, tools=[CITY_TOOL]) as stream:
    stream.get_final_response()
say(metadata.version("openai"))
