"""Parses a request body into a `ParsedRequest`.

Nothing is refused here, as validation precedes it. A fault may let an invalid body pass, so each member is checked
and ignored if it is invalid.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from . import tokens
from .shapes import Dict, ParsedRequest, Tool, Turn, to_json

OUTPUTS = ("function_call_output", "custom_tool_call_output")
# The tokens of an empty prompt, and the tokens of each turn in addition to its text.
TEMPLATE_TOKENS = 8
TURN_TOKENS = 4


def read(body: Dict, unthinking: Collection[str | None] = ("none",)) -> ParsedRequest:
    """The request as the pretend model sees it; with the efforts `unthinking` it does not think."""
    instructions = _text(body.get("instructions"))
    given = body.get("input")
    declared = declared_tools(body)
    tools = tuple(callables(declared))
    return ParsedRequest(
        model=_text(body.get("model")),
        instructions=instructions,
        turns=tuple(_turns(given)),
        thinking=_inside(body.get("reasoning"), "effort") not in unthinking,
        cap=_cap(body.get("max_output_tokens")),
        tools=tools,
        json_object=_inside(_inside(body.get("text"), "format"), "type") == "json_object",
        input_tokens=TEMPLATE_TOKENS
        + tokens.count(instructions)
        + _cost(given)
        + (tokens.count(to_json(declared)) if tools else 0),
    )


def declared_tools(body: Dict) -> list[object]:
    """The tools of the request and those of its additional_tools items."""
    given, items = body.get("tools"), body.get("input")
    found = [*given] if isinstance(given, list) else []
    for item in items if isinstance(items, list) else []:
        more = _inside(item, "tools") if _inside(item, "type") == "additional_tools" else None
        found += more if isinstance(more, list) else []
    return found


def callables(tools: object, namespace: str | None = None) -> Iterator[Tool]:
    """The functions and custom tools declared, those inside namespaces included."""
    for tool in tools if isinstance(tools, list) else []:
        kind, name = _inside(tool, "type"), _text(_inside(tool, "name"))
        if kind == "namespace":
            yield from callables(_inside(tool, "tools"), name)
        elif kind in ("function", "custom") and name:
            parameters = _inside(tool, "parameters")
            yield Tool(str(kind), name, parameters if isinstance(parameters, dict) else {}, namespace)


def text_of(content: object) -> str:
    """The text of a string or of the text parts of a list."""
    if isinstance(content, list):
        return "\n".join(part for part in (_text(_inside(one, "text")) for one in content) if part)
    return _text(content)


def _cost(given: object) -> int:
    """The tokens of `input`: those of its texts, not of its JSON."""
    if not isinstance(given, list):
        return TURN_TOKENS + tokens.count(_text(given))
    return sum(TURN_TOKENS + tokens.count(_words(one)) for one in given)


def _words(item: object) -> str:
    """All strings of an input item: texts, calls, tool outputs, and the names of media."""
    content = _inside(item, "content")
    strings = [text_of(content), text_of(_inside(item, "output"))]
    strings += [_text(_inside(item, name)) for name in ("name", "arguments", "input")]
    parts = content if isinstance(content, list) else []
    strings += [_text(_inside(part, "encrypted_content")) for part in parts]
    media = [part for part in parts if _inside(part, "text") is None and _inside(part, "encrypted_content") is None]
    return "".join(strings) + (to_json(media) if media else "")


def _turns(given: object) -> Iterator[Turn]:
    if isinstance(given, str):
        yield Turn("user", given)
    for one in given if isinstance(given, list) else []:
        kind = _inside(one, "type")
        if kind in OUTPUTS:
            yield Turn("output", text_of(_inside(one, "output")))
        elif kind in ("function_call", "custom_tool_call"):
            yield Turn("call", _text(_inside(one, "name")))
        elif kind == "agent_message":
            yield Turn("agent", text_of(_inside(one, "content")))
        elif kind in (None, "message"):
            yield Turn(_text(_inside(one, "role")), text_of(_inside(one, "content")))


def _cap(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _inside(value: object, member: str) -> object:
    return value.get(member) if isinstance(value, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
