"""The responses of the translators' upstream: pure functions from a chat-completions request to a reply.

Deterministic. It calls the tools that a question names, reasons if the request enables it, stops at the token limit
with ``finish_reason`` ``length``, counts its tokens, and refuses values outside MiMo's ranges. It knows the suite's
questions; the reply to any other question is one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MODEL = "mimo-v2.6-pro"

Json = dict[str, Any]

_ROLES = ("system", "developer", "user", "assistant", "tool")
_RANGES = {"temperature": (0, 1.5), "top_p": (0.01, 1), "max_tokens": (1, 131072), "max_completion_tokens": (1, 131072)}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

#: Characters a token.
_LETTERS = 4

#: Values of tool parameters, by type.
_VALUES = {"string": "Bern", "integer": 2, "number": 0.5, "boolean": True}

#: Tokens of a call in addition to its arguments.
_CALL = 4

_REASONING = "Let me think about what is asked. It is simple enough."
_WEATHER = "It is sunny there, with 18 degrees."
_SENTENCE = "The sea is wide and blue."
_PRIMES = "There are nine of them."


class Refused(Exception):
    """A request that is refused: the status and the message of the error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """A reply in tokens: reasoning, text, calls (name and tokens of the arguments), ``finish_reason``, usage."""

    reasoning_texts: list[str]
    text: list[str]
    calls: list[tuple[str, list[str]]]
    finish: str
    usage: Json


def reply(body: Json) -> Reply:
    """The reply to a request that :func:`check` accepted."""
    messages = body["messages"]
    cap = body.get("max_completion_tokens") or body.get("max_tokens") or 131072
    reasoning_texts, room = _cut(_tokens(_REASONING) if _thinks(body) else [], cap)
    wanted = _calls(messages, body.get("tools") or [])
    tokens_of_text = [] if wanted else _tokens(_reply(messages))
    text, room = _cut(tokens_of_text, room)
    calls: list[tuple[str, list[str]]] = []
    complete = text == tokens_of_text and room >= 0
    for name, arguments in wanted:
        tokens = _tokens(json.dumps(arguments, ensure_ascii=False))
        if room <= _CALL:
            complete = False
            break
        kept, room = _cut(tokens, room - _CALL)
        calls.append((name, kept))
        complete = complete and kept == tokens
    finish = ("tool_calls" if calls else "stop") if complete else "length"
    return Reply(reasoning_texts, text, calls, finish, _usage(body, cap - room, len(reasoning_texts)))


def _usage(body: Json, used: int, reasoning: int) -> Json:
    users = max(1, len(json.dumps([body["messages"], body.get("tools") or ""])) // _LETTERS)
    return {
        "prompt_tokens": users,
        "completion_tokens": used,
        "total_tokens": users + used,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _tokens(text: str) -> list[str]:
    return re.findall(f".{{1,{_LETTERS}}}", text, re.DOTALL)


def _cut(tokens: list[str], room: int) -> tuple[list[str], int]:
    kept = tokens[:room]
    return kept, room - len(kept)


def _thinks(body: Json) -> bool:
    """Whether the request enables reasoning, by any of the parameters in use for this API."""
    nested, thinking = body.get("reasoning"), body.get("thinking")
    efforts = [body.get("reasoning_effort"), nested.get("effort") if isinstance(nested, dict) else None]
    enabled = isinstance(thinking, dict) and thinking.get("type") == "enabled"
    return enabled or any(effort not in (None, "none") for effort in efforts)


def _calls(messages: list[Json], tools: list[Json]) -> list[tuple[str, Json]]:
    """The calls of the tool that the question names; none after a tool result."""
    if messages[-1]["role"] == "tool":
        return []
    question = _question(messages)
    for function in (tool["function"] for tool in tools):
        if (name := function["name"]) in question:
            return [(name, arguments) for arguments in _arguments(question, function.get("parameters"))]
    return []


#: The arguments of the calls by a word of the question, for a tool with such parameters.
_ARGUMENTS: dict[str, list[Json]] = {
    "Tokyo": [{"city": city, "days": 1, "unit": "celsius"} for city in ("Paris", "Tokyo")],
    "zone": [{"zone": "UTC"}],
    "weather": [{"city": "Zürich", "days": 2, "unit": "celsius"}],
}


def _arguments(question: str, parameters: Any) -> list[Json]:
    schema: Json = parameters if isinstance(parameters, dict) else {}
    for word, made in _ARGUMENTS.items():
        if word in question and made[0].keys() <= schema.get("properties", made[0]).keys():
            return made
    return [_fitting(schema, schema) if schema else {}]


def _fitting(schema: Json, root: Json) -> Any:
    """A value that fits a schema of the suite's tools: an object has its required members, an array few items."""
    if reference := schema.get("$ref"):
        return _fitting(root["$defs"][reference.rpartition("/")[2]], root)
    if choices := schema.get("anyOf"):
        return _fitting(choices[0], root)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _fitting(schema["properties"][name], root) for name in schema.get("required", ())}
    if kind == "array":
        return [_fitting(schema.get("items") or {}, root)] * schema.get("minItems", 1)
    return _VALUES.get(kind)


def _reply(messages: list[Json]) -> str:
    question = _question(messages)
    if messages[-1]["role"] == "tool":
        return _WEATHER
    if found := re.search(r"Repeat exactly: (.*)", question, re.DOTALL):
        return found[1]
    if found := re.search(r"Count from (\d+) to (\d+)", question):
        return ", ".join(map(str, range(int(found[1]), min(int(found[2]), 10_000) + 1)))
    if "JSON" in question:
        return '{"country": "France", "capital": "Paris"}'
    return _PRIMES if "prime" in question else _SENTENCE


def _question(messages: list[Json]) -> str:
    users = [one for one in messages if one["role"] == "user"]
    return _text(users[-1].get("content")) if users else ""


def _text(content: Any) -> str:
    parts = content if isinstance(content, list) else [{"text": content}]
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def check(body: Any) -> Json:
    """The valid body. Raises :class:`Refused` for an invalid one."""
    if not isinstance(body, dict):
        raise Refused(400, "the body is not an object")
    if body.get("model") != MODEL:
        raise Refused(400, f"Unsupported model {body.get('model')}")
    for name, (least, most) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (_number(value) and least <= value <= most):
            raise Refused(400, f"{name} is out of range")
        if value is not None and "tokens" in name and not isinstance(value, int):
            raise Refused(400, f"{name} is not an integer")
    _check_messages(body.get("messages"))
    _check_tools(body.get("tools"))
    return body


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages is required")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise Refused(400, "messages: a role is invalid")
        if not isinstance(message.get("content"), str | list | None):
            raise Refused(400, "messages: a content is invalid")


def _check_tools(tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise Refused(400, "tools is not an array")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(400, "tools: a name is invalid")


def plain(received: Reply, base: Json, call_ids: Iterator[str]) -> Json:
    """The plain response."""
    message: Json = {"role": "assistant", "content": "".join(received.text) or None}
    if received.reasoning_texts:
        message["reasoning_content"] = "".join(received.reasoning_texts)
    if received.calls:
        message["tool_calls"] = [
            {"id": next(call_ids), "type": "function", "function": {"name": name, "arguments": "".join(arguments)}}
            for name, arguments in received.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": received.finish}
    return {**base, "object": "chat.completion", "choices": [choice], "usage": received.usage}


def chunks(received: Reply, base: Json, call_ids: Iterator[str]) -> Iterator[Json]:
    """The same as stream chunks, with the usage in a separate last chunk."""
    base = {**base, "object": "chat.completion.chunk"}
    for delta in _deltas(received, call_ids):
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": received.finish}]}
    yield {**base, "choices": [], "usage": received.usage}


def _deltas(received: Reply, call_ids: Iterator[str]) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    yield from ({"reasoning_content": token} for token in received.reasoning_texts)
    yield from ({"content": token} for token in received.text)
    for at, (name, arguments) in enumerate(received.calls):
        named = {"id": next(call_ids), "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [{"index": at, **named}]}
        yield from ({"tool_calls": [{"index": at, "function": {"arguments": token}}]} for token in arguments)
