"""The legal variants of the reference proxy by name: none of them violates a rule."""

from __future__ import annotations

import secrets
from typing import Any

from ..shapes import Dict
from .changes import (
    calls,
    final,
    given,
    messages,
    statuses,
    tools,
)
from .habit import Context, Failure, Habit


def _variant(name: str, says: str, *dialects: str, **hooks: Any) -> Habit:
    return Habit(name, says, (), dialects or ("responses", "chat"), **hooks)


def _developer(ctx: Context, body: Dict) -> Dict:
    for one in body["messages"]:
        one["role"] = "developer" if one["role"] == "system" else one["role"]
    return body


def _joined(ctx: Context, body: Dict) -> Dict:
    """All system texts in one message at the front."""
    system = [one for one in body["messages"] if one["role"] in ("system", "developer")]
    rest = [one for one in body["messages"] if one not in system]
    text = "\n\n".join(str(one["content"]) for one in system)
    return {**body, "messages": [*([{"role": "system", "content": text}] if system else []), *rest]}


def _parts(ctx: Context, body: Dict) -> Dict:
    for one in body["messages"]:
        if isinstance(one["content"], str) and one["role"] in ("user", "system"):
            one["content"] = [{"type": "text", "text": one["content"]}]
    return body


def _joined_results(ctx: Context, body: Dict) -> Dict:
    """Tool results of several parts with a line break between them."""
    outputs = {one["call_id"]: one["output"] for one in ctx.body["input"] if "output" in one}
    for one in body["messages"]:
        parts = outputs.get(one.get("tool_call_id"))
        if isinstance(parts, list) and all("text" in part for part in parts):
            one["content"] = "\n".join(part["text"] for part in parts)
    return body


def _images_after_results(ctx: Context, body: Dict) -> Dict:
    """The images of tool results in a message of the user behind them, as the dialect documents texts alone there."""
    made = []
    for one in body["messages"]:
        parts = one["content"] if one["role"] == "tool" and isinstance(one["content"], list) else []
        images = [part for part in parts if "image_url" in part]
        made.append({**one, "content": "".join(part.get("text", "") for part in parts)} if images else one)
        if images:
            label = {"type": "text", "text": f"The image of {one['tool_call_id']}:"}
            made.append({"role": "user", "content": [label, *images]})
    return {**body, "messages": made}


def _divided(ctx: Context, body: Dict) -> Dict:
    """A message of the user for each part, whose content is a string if the part is a text."""
    divided = []
    for one in body["messages"]:
        parts = one["content"] if one["role"] == "user" and isinstance(one["content"], list) else []
        divided += [{**one, "content": part.get("text") or [part]} for part in parts] or [one]
    return {**body, "messages": divided}


def _max_tokens(ctx: Context, body: Dict) -> Dict:
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    return body


def _thinking(ctx: Context, body: Dict) -> Dict:
    if (effort := body.pop("reasoning_effort", None)) is not None:
        body["thinking"] = {"type": "disabled" if effort == "none" else "enabled"}
    return body


def _input_messages(ctx: Context, body: Dict) -> Dict:
    if isinstance(body["input"], str):
        body["input"] = [{"role": "user", "content": [{"type": "input_text", "text": body["input"]}]}]
    return body


def _pairs(ctx: Context, event: Dict) -> list[Dict]:
    """Joins two deltas into one."""
    kept = ctx.body.setdefault("_kept", [])
    if event.get("type") != "response.output_text.delta":
        last = [kept.pop()] if kept else []
        return [*last, event]
    if kept:
        return [{**event, "delta": kept.pop()["delta"] + event["delta"]}]
    if " " in event["delta"]:
        return [event]
    kept.append(event)
    return []


def _characters(ctx: Context, event: Dict) -> list[Dict]:
    if event.get("type") != "response.output_text.delta" or len(event["delta"]) > 100:
        return [event]
    return [{**event, "delta": one} for one in event["delta"]]


def _results_of_calls(items: list[Dict]) -> list[Dict]:
    """The tool results, in the places that they have together, in the order of their calls."""
    ids = [call["id"] for one in items for call in one.get("tool_calls") or ()]
    ids += [one["call_id"] for one in items if one.get("type") == "function_call"]
    places = [at for at, one in enumerate(items) if one.get("role") == "tool" or "output" in one]
    results = sorted(places, key=lambda at: ids.index(items[at].get("tool_call_id") or items[at].get("call_id")))
    made = dict(zip(places, (items[at] for at in results), strict=True))
    return [made.get(at, one) for at, one in enumerate(items)]


def _inlined(value: Any, tool: Dict) -> Any:
    """A part of the schema of a tool with the definitions in place of the references to them."""
    if isinstance(value, list):
        return [_inlined(one, tool) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return tool["parameters"]["$defs"][value["$ref"].rpartition("/")[2]]
    return {name: _inlined(one, tool) for name, one in value.items() if name != "$defs"}


def _own_response_id(body: Dict) -> Dict:
    return {**body, "id": "resp_" + secrets.token_hex(16), "x_gateway": "1"}


VARIANTS = {
    one.name: one
    for one in (
        _variant("developer-role", "System texts can be sent with the role developer.", "chat", sent=_developer),
        _variant("joined-system", "System texts can be joined in one message.", "chat", sent=_joined),
        _variant("content-parts", "A content can be a string or parts.", "chat", sent=_parts),
        _variant("divided-messages", "A message of several parts can be several messages.", "chat", sent=_divided),
        _variant("joined-results", "The parts of a tool result can be joined.", "chat", sent=_joined_results),
        _variant("images-after-results", "An image of a tool result can be in a message behind it.", "chat",
                 sent=_images_after_results),
        _variant("max-tokens", "max_tokens is the older name of max_completion_tokens.", "chat", sent=_max_tokens),
        _variant("thinking-switch", "The effort can be sent as a switch.", "chat", sent=_thinking),
        _variant("stated-defaults", "A default can be stated.",
                 sent=given(temperature=1.0, top_p=0.95, user="gateway", tool_choice="auto")),
        _variant("stated-strict", "A tool can be sent as not strict, or strict, if the client sends no value.",
                 sent=tools(lambda one: {"strict": len(one["name"]) % 2 == 0, **one})),
        _variant("inlines-definitions", "Definitions of a schema can be sent in place of the references to them.",
                 sent=tools(lambda one: {**one, "parameters": _inlined(one.get("parameters"), one)})),
        _variant("results-of-calls", "Tool results can be in the order of their calls.",
                 sent=messages(_results_of_calls)),
        _variant("input-as-messages", "A string input can be sent as a message.", "responses", sent=_input_messages),
        _variant("own-ids", "A proxy can give responses its own ids.", **final(_own_response_id, stream=False)),
        _variant("fills-arguments", "Empty arguments of a call can be an empty object.", "chat",
                 **final(calls(lambda one: {**one, "arguments": one["arguments"] or "{}"}), stream=False)),
        _variant("own-headers", "A proxy can add headers.",
                 replied=lambda ctx, headers: {**headers, "X-Request-Id": "req_1", "Via": "1.1 proxy"}),
        _variant("joined-deltas", "Deltas can be joined, if none is withheld.", events=_pairs),
        _variant("divided-deltas", "Deltas can be divided.", events=_characters),
        _variant("retries-unavailable", "A request can be retried before a response has begun.",
                 settings={"retries": 1, "retried": (0, 429, 500, 502, 503, 504)}),
        _variant("aborts-broken", "A connection closed before its end shows an interrupted stream.",
                 settings={"aborts": True}),
        _variant("looks-late", "It can take a moment to notice that a client has disconnected.",
                 settings={"look": 0.2}),
        _variant("begins-at-once", "The stream can begin before the upstream responds.",
                 settings={"begins_at_once": True, "heartbeat": True}),
        _variant("always-streams", "The upstream request can stream if the client's does not.",
                 settings={"always_streams": True}),
        _variant("accepts-gzip", "A proxy can accept gzip.", settings={"accepts_gzip": True}),
        _variant("own-user-agent", "A proxy has its own User-Agent and request headers.",
                 headers=lambda ctx, headers: {**headers, "X-Trace": "1", "Accept": "*/*"}),
        _variant("own-errors", "Errors can have a form of their own.",
                 failure=lambda ctx, one: Failure(one.status, "", one.headers, b'{"detail": "upstream failure"}')),
        _variant("no-key-needed", "A proxy can accept every client.", settings={"checks_key": False}),
        _variant("honest-about-large-headers", "A response with a large header can be a failure.",
                 settings={"header_limit": 16_384}),
        _variant("own-key-errors", "A key that the upstream refuses is an error of the proxy.",
                 failure=statuses(lambda status: status)),
        _variant("ends-alike", "A stream that the upstream ends too early can end so for the client.", "responses",
                 settings={"ends_equally": True}),
        _variant("delimits-by-close", "The end of the connection can be the end of a stream, also of one that was cut.",
                 settings={"delimits_by_close": True, "aborts": True}),
        _variant("compresses-streams", "A stream can be compressed if the client accepts it.",
                 settings={"packs": "events"}),
    )
}  # fmt: skip
