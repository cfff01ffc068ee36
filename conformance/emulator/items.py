"""Validation of the two arrays of a request: input items and tools."""

from __future__ import annotations

import re
from typing import Any

from .refusals import Refused, bad_parameter, of, unsupported
from .shapes import Dict

ROLES = ("user", "assistant", "system", "developer")
ITEMS = ("message", "function_call", "function_call_output", "reasoning")
ITEMS_OCTOBER = ("agent_message", "additional_tools", "custom_tool_call", "custom_tool_call_output")
# Items of OpenAI's API that change nothing in a service without stored state: ignored.
IGNORED = ("configuration_update", "compaction_trigger")
# The member of a content part that must be there, as a string.
PARTS = {
    "input_text": "text",
    "output_text": "text",
    "input_image": "image_url",
    "input_audio": "audio_url",
    "input_video": "video_url",
}
MEDIA = ("input_image", "input_audio", "input_video")
SEEING_MODELS = ("mimo-v2.6-flash", "mimo-v2.6-pro", "mimo-v2.6-pro-ultraspeed", "mimo-v2.5")
# The required strings of an item; an empty call_id could not be matched.
NEEDED = {
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id",),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id",),
    "agent_message": ("author", "recipient"),
}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_input(given: Any, revision: str, model: str) -> None:
    """Raises Refused for the first violation in `input`; media that a text model does not support are a 404."""
    if isinstance(given, str):
        return
    if not isinstance(given, list):
        raise bad_parameter("input", "must be a string or an array")
    for index, item in enumerate(given):
        _check_item(item, f"input[{index}]", revision)
    if model not in SEEING_MODELS and any(_kinds_of_media(item) for item in given):
        raise Refused(of(404, "No endpoints found that support this modality", "input", "not_found"))


def check_tools(tools: Any, revision: str, where: str = "tools") -> None:
    """Raises Refused for the first violation in `tools` (None: absent)."""
    for index, tool in enumerate(tools or ()):
        _check_tool(tool, f"{where}[{index}]", revision)


def _check_item(item: Any, where: str, revision: str) -> None:
    if not isinstance(item, dict):
        raise bad_parameter(where, "must be an object")
    kind = item.get("type", "message" if "role" in item else None)
    if kind in IGNORED:
        return
    if kind not in ITEMS and not (revision == "2026-10" and kind in ITEMS_OCTOBER):
        raise bad_parameter(f"{where}.type", "is not a known item type")
    for name in NEEDED.get(kind, ()):
        # Some clients send an output without the id of its call; its text is still read.
        if kind == "function_call_output" and name not in item:
            continue
        if not isinstance(item.get(name), str) or (name == "call_id" and not item[name]):
            raise bad_parameter(f"{where}.{name}", "must be a string")
    if kind == "message":
        if item.get("role") not in ROLES:
            raise bad_parameter(f"{where}.role", f"must be one of {', '.join(ROLES)}")
        _check_content(item.get("content"), f"{where}.content")
    elif kind in ("function_call_output", "custom_tool_call_output"):
        _check_content(item.get("output"), f"{where}.output")
    elif kind == "reasoning":
        _check_reasoning(item, where)
    elif kind == "agent_message":
        _check_agent_message(item, where)
    elif kind == "additional_tools":
        if item.get("role") != "developer":
            raise bad_parameter(f"{where}.role", "must be developer")
        if not isinstance(item.get("tools"), list):
            raise bad_parameter(f"{where}.tools", "must be an array")
        check_tools(item["tools"], revision, f"{where}.tools")


def _check_agent_message(item: Dict, where: str) -> None:
    content = item.get("content")
    if not isinstance(content, list):
        raise bad_parameter(f"{where}.content", "must be an array")
    for index, part in enumerate(content):
        if isinstance(part, dict) and part.get("type") == "encrypted_content":
            if not isinstance(part.get("encrypted_content"), str):
                raise bad_parameter(f"{where}.content[{index}].encrypted_content", "must be a string")
        else:
            _check_content([part], f"{where}.content")
    agent = item.get("agent")
    if agent is not None and not (isinstance(agent, dict) and isinstance(agent.get("agent_name"), str)):
        raise bad_parameter(f"{where}.agent", "must be an object with agent_name")


def _check_content(content: Any, where: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise bad_parameter(where, "must be a string or an array")
    for index, part in enumerate(content):
        at = f"{where}[{index}]"
        if not isinstance(part, dict):
            raise bad_parameter(at, "must be an object")
        kind = part.get("type")
        if not isinstance(kind, str) or kind not in PARTS:
            raise bad_parameter(f"{at}.type", f"must be one of {', '.join(PARTS)}")
        if not isinstance(part.get(PARTS[kind]), str):
            raise bad_parameter(f"{at}.{PARTS[kind]}", "must be a string")
        if kind == "input_video":
            _check_video(part, at)


def _check_video(part: Dict, where: str) -> None:
    rate = part.get("fps", 2)
    number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
    if rate is not None and not (number and 0.1 <= rate <= 10):
        raise bad_parameter(f"{where}.fps", "must be a number between 0.1 and 10")
    if part.get("media_resolution") not in (None, "default", "max"):
        raise bad_parameter(f"{where}.media_resolution", "must be default or max")


def _check_reasoning(item: Dict, where: str) -> None:
    content = item.get("content")
    if content is not None and not isinstance(content, list):
        raise bad_parameter(f"{where}.content", "must be an array")
    for index, part in enumerate(content or ()):
        known = isinstance(part, dict) and part.get("type") == "reasoning_text"
        if not known or not isinstance(part.get("text"), str):
            raise bad_parameter(f"{where}.content[{index}]", "must be a reasoning_text part")


def _check_tool(tool: Any, where: str, revision: str, grouped: bool = False) -> None:
    if not isinstance(tool, dict):
        raise bad_parameter(where, "must be an object")
    kind = tool.get("type")
    if not isinstance(kind, str):
        raise bad_parameter(f"{where}.type", "must be a string")
    if kind != "function" and (
        revision != "2026-10" or kind not in (("custom",) if grouped else ("custom", "namespace"))
    ):
        raise unsupported(f"{where}.type", f"tool type {kind}")
    name = tool.get("name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        raise bad_parameter(f"{where}.name", "must be 1 to 64 of a-z, A-Z, 0-9, _ and -")
    if not isinstance(tool.get("description", ""), (str, type(None))):
        raise bad_parameter(f"{where}.description", "must be a string")
    if kind == "function":
        if not isinstance(tool.get("parameters", {} if grouped else None), dict):
            raise bad_parameter(f"{where}.parameters", "must be an object")
        if not isinstance(tool.get("strict"), (bool, type(None))):
            raise bad_parameter(f"{where}.strict", "must be a boolean")
    if kind == "custom":
        _check_grammar(tool.get("format"), f"{where}.format")
    if kind == "namespace":
        if not isinstance(tool.get("tools"), list):
            raise bad_parameter(f"{where}.tools", "must be an array")
        for index, one in enumerate(tool["tools"]):
            _check_tool(one, f"{where}.tools[{index}]", revision, grouped=True)


def _check_grammar(wanted: Any, where: str) -> None:
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") not in ("text", "grammar"):
        raise bad_parameter(f"{where}.type", "must be text or grammar")
    if wanted["type"] == "grammar":
        if wanted.get("syntax") not in ("lark", "regex"):
            raise bad_parameter(f"{where}.syntax", "must be lark or regex")
        if not isinstance(wanted.get("definition"), str):
            raise bad_parameter(f"{where}.definition", "must be a string")


def _kinds_of_media(item: Dict) -> list[str]:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    return [part["type"] for part in parts if isinstance(part, dict) and part.get("type") in MEDIA]
