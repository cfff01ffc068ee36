"""What the faults of ``field_faults.py`` do to a request."""

from __future__ import annotations

import json

from ..shapes import Dict, to_json
from .habit import Context, Failure


def one_user_turn(items: list[Dict]) -> list[Dict]:
    """Of neighbouring messages of the user only the last."""
    pairs = zip(items, [*items[1:], {}], strict=True)
    return [one for one, other in pairs if not one.get("role") == other.get("role") == "user"]


def user_last(items: list[Dict]) -> list[Dict]:
    ends = items[-1:] and (items[-1].get("role") == "tool" or items[-1].get("type") == "function_call_output")
    return [*items, {"role": "user", "content": "Continue."}] if ends else items


def first_of_results(items: list[Dict]) -> list[Dict]:
    return [{**one, "output": one["output"][:1]} if isinstance(one.get("output"), list) else one for one in items]


def images_first(items: list[Dict]) -> list[Dict]:
    for one in items:
        if isinstance(one.get("content"), list):
            one["content"] = sorted(one["content"], key=lambda part: "image" not in str(part.get("type")))
    return items


def _again(text: str) -> str:
    """JSON with numbers as floats, written again."""
    try:
        return json.dumps(json.loads(text, parse_int=float), ensure_ascii=False)
    except ValueError:
        return text


def rounded(items: list[Dict]) -> list[Dict]:
    """Arguments of earlier calls whose numbers are floats."""
    for one in items:
        if "arguments" in one:
            one["arguments"] = _again(one["arguments"])
        for call in one.get("tool_calls") or ():
            call["function"]["arguments"] = _again(call["function"]["arguments"])
    return items


def one_call_a_message(items: list[Dict]) -> list[Dict]:
    """Parallel calls in messages of their own, before the results."""
    made = []
    for one in items:
        parallel = one.get("tool_calls") or []
        made += [{**one, "tool_calls": [call]} for call in parallel] if len(parallel) > 1 else [one]
    return made


def system_last(items: list[Dict]) -> list[Dict]:
    return sorted(items, key=lambda one: one.get("role") in ("system", "developer"))


def lists_only(ctx: Context, body: Dict) -> Dict:
    if isinstance(ctx.body.get("input"), str):
        raise Failure(400, "input must be an array")
    return body


def no_instructions(ctx: Context, body: Dict) -> Dict:
    """Without the instructions, if there are tools."""
    if not body.get("tools"):
        return body
    kept = {name: value for name, value in body.items() if name != "instructions"}
    if ctx.dialect == "chat" and ctx.body.get("instructions"):
        kept["messages"] = kept["messages"][1:]
    return kept


def few_tools(ctx: Context, body: Dict) -> Dict:
    return {**body, "tools": body["tools"][:16]} if body.get("tools") else body


def plain_format(ctx: Context, body: Dict) -> Dict:
    left_out = ("response_format", "text") if ctx.stream else ()
    return {name: value for name, value in body.items() if name not in left_out}


def images_as_text(items: list[Dict]) -> list[Dict]:
    """Tool results with images as the JSON of their parts."""
    for one in items:
        name = "output" if "output" in one else "content"
        if (name == "output" or one.get("role") == "tool") and "image_url" in to_json(one[name]):
            one[name] = to_json(one[name])
    return items


def filled(tool: Dict) -> Dict:
    """Without the parameters, if there are none."""
    left_out = () if tool.get("parameters", {}).get("properties") else ("parameters",)
    return {name: value for name, value in tool.items() if name not in left_out}


def known_only(ctx: Context, body: Dict) -> Dict:
    """As a function that does not expect an argument."""
    if "store" in ctx.body:
        raise Failure(500, "unexpected argument 'store'")
    return body


def last_call(items: list[Dict]) -> list[Dict]:
    return [{**one, "tool_calls": one["tool_calls"][-1:]} if one.get("tool_calls") else one for one in items]


def no_calls(items: list[Dict]) -> list[Dict]:
    return [one for one in items if one.get("type") != "function_call" and not one.get("tool_calls")]


def required(ctx: Context, body: Dict) -> Dict:
    return {**body, "tool_choice": "required"} if body.get("tools") else body


def api_key_of_client(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    """Every header of the client that the proxy does not set itself."""
    return {**headers, **({"api-key": ctx.headers["api-key"]} if "api-key" in ctx.headers else {})}


def short_call_ids(items: list[Dict]) -> list[Dict]:
    for one in items:
        for name in ("call_id", "tool_call_id"):
            one |= {name: one[name][:40]} if name in one else {}
        for call in one.get("tool_calls") or ():
            call["id"] = call["id"][:40]
    return items


def without_maps(schema: Dict) -> Dict:
    """A schema without ``additionalProperties`` of its properties."""
    properties = {
        name: {key: value for key, value in one.items() if key != "additionalProperties"}
        for name, one in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def fallback(ctx: Context, data: bytes) -> bytes:
    """Another model for a request that is sent again."""
    again, ctx.body["_again"] = "_again" in ctx.body, True
    return to_json({**json.loads(data), "model": "fallback"}).encode() if again else data
