"""The deltas of a stream in both dialects: words that occur once, and a stream that is divided into them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from conformance.proxy.script import Objects

#: Deltas of the probes whose deltas wait.
PARTS = 6

#: What opens a tag, JSON or code elsewhere.
MARKS = "a < b { c [ d ` e "


def words(canary: str, count: int = PARTS) -> list[str]:
    """Words that occur once each, each with a space after it, so that a proxy can pass on words."""
    return [f"{canary}n{at} " for at in range(count)]


def enclosed(parts: Sequence[str]) -> list[str]:
    """The parts as those of the arguments of a call."""
    return ['{"zone":"', *parts, '"}']


def divide(objects: Objects, kind: str, dialect: str, parts: Sequence[str]) -> Objects:
    """The stream with these deltas of one kind, instead of those that it has."""
    made: Objects = []
    done = False
    for one in objects:
        if _delta(one, kind, dialect) is None:
            made.append(one)
        elif not done:
            done = True
            made += [_with_delta(one, kind, dialect, part) for part in parts]
    return made


_CHAT_MEMBER = {"text": "content", "reasoning": "reasoning_content"}
_TYPES = {
    "text": "response.output_text.delta",
    "reasoning": "response.reasoning_text.delta",
    "arguments": "response.function_call_arguments.delta",
}


def _delta(one: dict[str, Any], kind: str, dialect: str) -> str | None:
    if dialect == "responses":
        return str(one["delta"]) if one["type"] == _TYPES[kind] else None
    delta = one["choices"][0]["delta"] if one["choices"] else {}
    if kind == "arguments":
        calls = delta.get("tool_calls")
        return str(calls[0]["function"]["arguments"]) if calls and "id" not in calls[0] else None
    return delta.get(_CHAT_MEMBER[kind]) or None


def _with_delta(one: dict[str, Any], kind: str, dialect: str, part: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(one))
    if dialect == "responses":
        made["delta"] = part
    elif kind == "arguments":
        made["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] = part
    else:
        made["choices"][0]["delta"][_CHAT_MEMBER[kind]] = part
    return made
