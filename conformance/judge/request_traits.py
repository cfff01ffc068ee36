"""What is special about a request, in words: the members it has, the shape of its tools and of its input.

A server that refuses a request looks at one or two of its traits: those that all refused requests have, and no served
one (:mod:`conformance.results.shared_traits`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from conformance.decode.events import mapping, objects, text
from conformance.decode.json_text import load
from conformance.exchange.exchange import Request

#: How a request that streams differs from one that does not, and one that declares tools.
STREAMS, TOOLS = "stream: true", "tools"

#: Members whose values have traits of their own, and the model, which nearly all requests share.
_SEPARATE = ("input", "tools", "instructions", "model", "stream")

#: Longest value of a member that is a trait; of others only that they are there.
_VALUE = 24

_SCHEMA_MEMBERS = ("additionalProperties", "$ref", "enum", "anyOf", "oneOf", "minimum", "items", "default")

_LEADERS = ("system", "developer")


def traits(request: Request) -> frozenset[str]:
    """The traits of a request; none if its body is not a JSON object."""
    return frozenset(_traits(request))


def measures(request: Request) -> Mapping[str, int]:
    """What can be counted in a request, by what is counted."""
    sent = _sent(request)
    tools, items = objects(sent.get("tools")), objects(sent.get("input"))
    types = Counter(_type(item) for item in items)
    return {
        "tools": len(tools),
        "characters in the name of a tool": max((len(text(one.get("name"))) for one in tools), default=0),
        "input items": len(items),
        "tool outputs": types["function_call_output"],
        "reasoning items": types["reasoning"],
        "bytes": len(request.body),
    }


def _sent(request: Request) -> dict[str, Any]:
    try:
        return mapping(load(request.body or b"null"))
    except ValueError:
        return {}


def _traits(request: Request) -> Iterator[str]:
    if not any(name.lower() == "content-type" for name, _ in request.headers):
        yield "no Content-Type"
    sent = _sent(request)
    if not sent:
        return
    yield STREAMS if sent.get("stream") is True else "no stream"
    yield from _members("", {name: value for name, value in sent.items() if name not in _SEPARATE})
    if "instructions" in sent:
        yield "instructions" if sent["instructions"] else "empty instructions"
    if "tools" in sent:
        yield from _of_tools(objects(sent["tools"]))
    yield from _of_input(sent.get("input"))
    yield from _of_text(json.dumps(sent, ensure_ascii=False))


def _members(place: str, given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        yield f"{place}{name}"
        if isinstance(value, dict):
            yield from _members(f"{place}{name}.", value)
        elif not isinstance(value, list) and len(shown := json.dumps(value)) <= _VALUE:
            yield f"{place}{name} {shown}"


def _of_tools(tools: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield TOOLS if tools else "an empty list of tools"
    names = [text(one.get("name")) for one in tools]
    if len(set(names)) < len(names):
        yield "two tools with the same name"
    for tool, name in zip(tools, names, strict=True):
        strict = tool.get("strict")
        yield "a tool without strict" if strict is None else f"strict: {json.dumps(strict)} in a tool"
        described = text(tool.get("description"))
        if not described:
            yield "a tool without description"
        elif not described.isascii():
            yield "a tool description that is not ASCII"
        if name[:1].isdigit() or name.startswith("_"):
            yield "a tool name that begins with a digit or underscore"
        for sign, pattern in (("capitals", "[A-Z]"), ("a hyphen", "-"), ("a digit", "[0-9]")):
            if re.search(pattern, name):
                yield f"{sign} in the name of a tool"
        parameters = mapping(tool.get("parameters"))
        if not parameters.get("properties"):
            yield "a tool without parameters"
        if "required" not in parameters:
            yield "a tool without required"
        for member in set(_in_schema(parameters)):
            yield f"{member} in the parameters of a tool"


def _in_schema(schema: Any) -> Iterator[str]:
    """The members of a schema, and the types it mentions."""
    if isinstance(schema, list):
        for each in schema:
            yield from _in_schema(each)
    for name, value in mapping(schema).items():
        if name in _SCHEMA_MEMBERS:
            yield name
        if name == "type":
            yield "a list of types" if isinstance(value, list) else f"type {value}"
        else:
            yield from _in_schema(value)


def _of_input(given: Any) -> Iterator[str]:
    if not isinstance(given, list):
        yield "input as a string" if given else "empty input"
        if isinstance(given, str) and given and not re.search(r"[\x00-\x7f]", given):
            yield "input without any ASCII character"
        return
    yield "input as a list" if given else "an empty list as input"
    items = objects(given)
    yield from _of_order(items)
    for item in items:
        kind = _type(item)
        yield from _of_message(item) if kind == "message" else _of_item(kind, item)
        if item.get("status") == "incomplete":
            yield f"status incomplete of a {kind}"


def _of_order(items: Sequence[dict[str, Any]]) -> Iterator[str]:
    kinds = [_type(item) for item in items]
    for before, after in pairwise(kinds):
        if before != "message" or after != "message":
            yield f"a {after} right behind a {before}"
    typed = {"type" in item for item in items}
    if len(typed) > 1:
        yield "a message without type beside items with a type"
    roles = [text(item.get("role")) for item in items]
    if sum(role in _LEADERS for role in roles) > 1:
        yield "several system or developer messages"
    if any(role in _LEADERS and "user" in roles[:place] for place, role in enumerate(roles)):
        yield "a system or developer message behind a user message"
    calls = {text(item.get("call_id")) for item in items if _type(item) == "function_call"}
    outputs = {text(item.get("call_id")) for item in items if _type(item) == "function_call_output"}
    if calls - outputs:
        yield "a call without output"
    if outputs - calls:
        yield "an output without its call"


def _of_message(item: dict[str, Any]) -> Iterator[str]:
    role, content = text(item.get("role")), item.get("content")
    yield f"a message of the role {role}"
    yield f"a message of the role {role} with content as {'parts' if isinstance(content, list) else 'a string'}"
    yield "a message with type" if "type" in item else "a message without type"
    if isinstance(content, list):
        yield from (f"a part of type {text(part.get('type'))}" for part in objects(content))
        texts = sum("text" in part for part in objects(content))
        if texts > 1:
            yield f"several texts in a message of the role {role}"
    if content in ("", []):
        yield "a message without content"


def _of_item(kind: str, item: dict[str, Any]) -> Iterator[str]:
    yield f"an item of type {kind}"
    for name in ("id", "status", "summary", "content"):
        if name in item or kind == "reasoning" or name == "id":
            yield f"a {kind} {'with' if name in item else 'without'} {name}"
    output = item.get("output")
    if isinstance(output, list):
        yield "a tool output as parts"
    elif isinstance(output, str):
        yield f"a tool output that is {_kind_of_text(output)}"
    if kind == "function_call" and _kind_of_text(text(item.get("arguments"))) != "a JSON object":
        yield "arguments of a call that are not a JSON object"


def _kind_of_text(value: str) -> str:
    """What a text is, to a server that reads it as JSON."""
    try:
        read = json.loads(value)
    except ValueError:
        return "a text" if value else "empty"
    if isinstance(read, dict | list):
        return "a JSON object" if isinstance(read, dict) else "a JSON array"
    return "a JSON scalar"


def _of_text(sent: str) -> Iterator[str]:
    if not sent.isascii():
        yield "text that is not ASCII"
    if "\\u0000" in sent:
        yield "a NUL character"
    if re.search("[\ud800-\udfff]", sent):
        yield "an unpaired surrogate"


def _type(item: Mapping[str, Any]) -> str:
    return text(item.get("type")) or "message"
