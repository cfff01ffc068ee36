"""A request of the Responses API as a Chat Completions request."""

from __future__ import annotations

from typing import Any

from ..shapes import Dict


def request(body: Dict) -> Dict:
    """The Chat Completions request with the same content; what the dialect does not have is left out."""
    made: Dict = {"model": body.get("model"), "messages": messages(body)}
    if tools := [tool(one) for one in _objects(body.get("tools")) if one.get("type") == "function"]:
        made["tools"] = tools
    for name in ("temperature", "top_p", "tool_choice"):
        if body.get(name) is not None:
            made[name] = body[name]
    if body.get("max_output_tokens") is not None:
        made["max_completion_tokens"] = body["max_output_tokens"]
    effort = _object(body.get("reasoning")).get("effort")
    if effort is not None:
        made["reasoning_effort"] = effort
    kind = _object(_object(body.get("text")).get("format")).get("type")
    if kind is not None:
        made["response_format"] = {"type": kind}
    if body.get("stream") is True:
        made.update(stream=True, stream_options={"include_usage": True})
    return made


def tool(one: Dict) -> Dict:
    """A function in the form of the dialect."""
    function = {name: one[name] for name in ("name", "description", "parameters", "strict") if name in one}
    return {"type": "function", "function": function}


def messages(body: Dict) -> list[Dict]:
    """The messages: instructions first, then the input; calls and reasoning belong to a message of the assistant."""
    made: list[Dict] = []
    if body.get("instructions"):
        made.append({"role": "system", "content": body["instructions"]})
    given = body.get("input")
    if isinstance(given, str):
        return [*made, {"role": "user", "content": given}]
    for item in _objects(given):
        _add(made, item)
    return made


def _add(made: list[Dict], item: Dict) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        _add_message(made, item)
    elif kind == "reasoning":
        text = "".join(str(part.get("text", "")) for part in _objects(item.get("content")))
        _assistant(made)["reasoning_content"] = text
    elif kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        _assistant(made).setdefault("tool_calls", []).append(call)
    elif kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else "".join(part.get("text", "") for part in _objects(output))
        parts = [_part(part) for part in _objects(output)]
        content = parts if any(part["type"] == "image_url" for part in parts) else text
        made.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})


def _assistant(made: list[Dict]) -> Dict:
    """The last message, if it is one of the assistant, else a new one."""
    if not made or made[-1]["role"] != "assistant":
        made.append({"role": "assistant", "content": None})
    return made[-1]


def _add_message(made: list[Dict], item: Dict) -> None:
    role, content = item.get("role"), item.get("content")
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else _objects(content)
    if role == "assistant":
        text = "".join(part.get("text", "") for part in parts)
        if made and made[-1]["role"] == "assistant" and made[-1]["content"] is None and "tool_calls" not in made[-1]:
            made[-1]["content"] = text
        else:
            made.append({"role": role, "content": text})
    elif all("text" in part for part in parts) and len(parts) == 1:
        made.append({"role": role, "content": parts[0]["text"]})
    else:
        made.append({"role": role, "content": [_part(part) for part in parts]})


def _part(part: Dict) -> Dict:
    if part.get("type") == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
    return {"type": "text", "text": part.get("text", "")}


def _object(value: Any) -> Dict:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Dict]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
