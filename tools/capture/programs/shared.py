"""Shared by the conversations in Python: question, tool, endpoint, and the report of the version."""

import json
import os

URL = os.environ["OPENAI_BASE_URL"]
MODEL = os.environ["CAPTURE_MODEL"]
QUESTION = os.environ["CAPTURE_QUESTION"]
REPLY = "12 degrees, light rain"

CITY_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


def say(version: str) -> None:
    """The client's version, as the last line."""
    print(json.dumps({"version": version}))
