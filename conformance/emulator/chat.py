"""The built-in endpoint as a Chat Completions service: the same model, and a plan rendered in that dialect.

`completion` and `chunks` render a `Plan`; `ChatEndpoint` is a responder for `POST .../chat/completions`. As OpenAI's
description defines it, a stream contains the usage only if `stream_options.include_usage` is true.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Collection, Iterator, Sequence

from . import model, tokens
from .events import pieces
from .request import TEMPLATE_TOKENS, TURN_TOKENS, text_of
from .shapes import (
    EFFORTS,
    MODELS,
    MOST_TOKENS,
    REVISIONS,
    Dict,
    Header,
    ParsedRequest,
    Plan,
    Reply,
    Tool,
    Turn,
    Usage,
    phrase,
    sent,
    to_json,
)

PATH = "/chat/completions"
ROLES = ("system", "developer", "user", "assistant", "tool")
# The member of a message and of a delta that contains reasoning, as MiMo and others name it.
REASONING = "reasoning_content"
RANGES = {
    "temperature": (0, 1.5), "top_p": (0.01, 1), "max_tokens": (1, MOST_TOKENS),
    "max_completion_tokens": (1, MOST_TOKENS),
}  # fmt: skip


def usage(bill: Usage) -> Dict:
    """The usage object of a completion."""
    return {
        "prompt_tokens": bill.input,
        "completion_tokens": bill.output,
        "total_tokens": bill.input + bill.output,
        "prompt_tokens_details": {"cached_tokens": bill.cached},
        "completion_tokens_details": {"reasoning_tokens": bill.reasoning},
    }


def finish_reason(plan: Plan) -> str:
    """The finish reason of a plan: `length`, `tool_calls` or `stop`."""
    if plan.cut:
        return "length"
    return "tool_calls" if any(item.is_call for item in plan.items) else "stop"


def completion(base: Dict, plan: Plan) -> Dict:
    """The plain response; `base` has its id, time and model."""
    message: Dict = {"role": "assistant", "content": _joined(plan, "message") or None}
    if reasoning := _joined(plan, "reasoning"):
        message[REASONING] = reasoning
    if calls := [
        {"id": one.call_id, "type": "function", "function": {"name": one.name, "arguments": one.texts[0]}}
        for one in plan.items
        if one.is_call
    ]:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(plan)}
    return {**base, "object": "chat.completion", "choices": [choice], "usage": usage(plan.usage)}


def chunks(base: Dict, plan: Plan, include_usage: bool) -> list[Dict]:
    """The objects of a stream; with `include_usage` the last one has no choice and contains the usage."""
    base = {**base, "object": "chat.completion.chunk"}
    made = [chunk(base, delta) for delta in deltas(plan)]
    made.append(chunk(base, {}, finish_reason(plan)))
    if include_usage:
        made.append({**base, "choices": [], "usage": usage(plan.usage)})
    return made


def chunk(base: Dict, delta: Dict, finish: str | None = None) -> Dict:
    """One object of a stream."""
    return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def deltas(plan: Plan) -> Iterator[Dict]:
    """The deltas of a plan in order."""
    yield {"role": "assistant", "content": ""}
    number = 0
    for one in plan.items:
        if one.is_call:
            function = {"name": one.name, "arguments": ""}
            yield {"tool_calls": [{"index": number, "id": one.call_id, "type": "function", "function": function}]}
            for piece in pieces(one.texts[0]):
                yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}
            number += 1
            continue
        for piece in pieces("".join(one.texts)):
            yield {REASONING if one.kind == "reasoning" else "content": piece}


def _joined(plan: Plan, kind: str) -> str:
    return "".join(text for one in plan.items if one.kind == kind for text in one.texts)


def read(body: Dict) -> ParsedRequest:
    """The request as the pretend model sees it; members of a wrong type are ignored."""
    messages = [one for one in _objects(body.get("messages")) if one.get("role") in ROLES]
    system = "\n".join(text_of(one.get("content")) for one in messages if one["role"] in ("system", "developer"))
    turns = tuple(
        Turn("output" if one["role"] == "tool" else one["role"], text_of(one.get("content")))
        for one in messages
        if one["role"] not in ("system", "developer")
    )
    functions = [_object(one.get("function")) for one in _objects(body.get("tools"))]
    tools = tuple(
        Tool("function", str(one["name"]), _object(one.get("parameters"))) for one in functions if "name" in one
    )
    cap = body.get("max_completion_tokens") or body.get("max_tokens")
    cost = sum(TURN_TOKENS + tokens.count(turn.text) for turn in turns) + tokens.count(system)
    return ParsedRequest(
        model=str(body.get("model") or ""),
        instructions=system,
        turns=turns,
        thinking=thinks(body),
        cap=cap if isinstance(cap, int) and not isinstance(cap, bool) and cap >= 1 else None,
        tools=tools,
        json_object=_object(body.get("response_format")).get("type") == "json_object",
        input_tokens=TEMPLATE_TOKENS + cost + (tokens.count(to_json(body.get("tools"))) if tools else 0),
    )


def thinks(body: Dict) -> bool:
    """Whether the request leaves reasoning enabled, by any of the parameters in use for this dialect."""
    thinking, nested = _object(body.get("thinking")), _object(body.get("reasoning"))
    template = _object(body.get("chat_template_kwargs"))
    switched = (body.get("enable_thinking"), template.get("enable_thinking"), template.get("thinking"))
    off = "none" in (body.get("reasoning_effort"), nested.get("effort")) or thinking.get("type") == "disabled"
    return not off and False not in switched


def problem(body: object, models: Collection[str]) -> str:
    """Why a request is refused with 400; empty for a valid one."""
    if not isinstance(body, dict):
        return "the body is not a JSON object"
    if body.get("model") not in models:
        return f"Unsupported model {body.get('model')}"
    for name, (least, most) in RANGES.items():
        value = body.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and least <= value <= most):
            return f"{name} is out of range"
    if body.get("reasoning_effort") not in (None, *EFFORTS[REVISIONS[-1]]):
        return "reasoning_effort is invalid"
    if _object(body.get("response_format")).get("type") not in (None, "text", "json_object", "json_schema"):
        return "response_format is invalid"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages is required"
    for one in messages:
        if not isinstance(one, dict) or one.get("role") not in ROLES:
            return "messages: a role is invalid"
        if not isinstance(one.get("content"), str | list | None):
            return "messages: a content is invalid"
    for tool in _objects(body.get("tools")):
        called = _object(tool.get("function")).get("name")
        if not isinstance(called, str) or not called:
            return "tools: function.name is required"
    return ""


class ChatEndpoint:
    """An implementation of `POST /v1/chat/completions`; thread-safe. `key` is the one credential let in; `model` an id
    known besides those of the service."""

    base = "/v1"

    def __init__(self, *, key: str, model: str | None = None, seed: str = "") -> None:
        self._key = key
        self._models = {name for names in MODELS.values() for name in names} | ({model} if model else set())
        self._seed = seed
        self._lock = threading.Lock()
        self._minted = 0

    def respond(self, method: str, path: str, headers: Sequence[Header], body: bytes) -> Reply:
        """The reply to one request; never raises for anything a client can send."""
        if path.partition("?")[0].endswith("/models") and method == "GET":
            return _json(200, {"object": "list", "data": []})
        if method != "POST" or not path.partition("?")[0].endswith(PATH):
            return refusal(404, f"{method} {path.partition('?')[0]} does not exist")
        if sent(headers, "authorization") != [f"Bearer {self._key}"]:
            return refusal(401, "Invalid API Key")
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return refusal(400, "the body is not JSON")
        if why := problem(parsed, self._models):
            return refusal(400, why)
        return self._serve(parsed)

    def _serve(self, body: Dict) -> Reply:
        parsed = read(body)
        items, cut = tokens.truncate(model.draft(parsed, self._new_id), parsed.cap)
        plan = Plan(tuple(items), tokens.usage(items, parsed.input_tokens), cut)
        base: Dict = {"id": self._new_id("chatcmpl-"), "created": int(time.time()), "model": parsed.model}
        if body.get("stream") is not True:
            return _json(200, completion(base, plan))
        made = chunks(base, plan, _object(body.get("stream_options")).get("include_usage") is True)
        frames = [f"data: {to_json(one)}\n\n".encode() for one in made] + [b"data: [DONE]\n\n"]
        headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")]
        return Reply(200, phrase(200), headers, [(0, frame) for frame in frames], "chunked").complete()

    def _new_id(self, prefix: str) -> str:
        with self._lock:
            self._minted += 1
            digest = hashlib.sha256(f"{self._seed}/{self._minted}".encode()).hexdigest()
        return prefix + digest[:32]


def refusal(status: int, message: str, headers: Sequence[Header] = ()) -> Reply:
    """An error in the format of OpenAI's API."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": str(status)}
    made = _json(status, {"error": error})
    return Reply(made.status, made.reason, [*made.headers, *headers], made.chunks)


def _json(status: int, value: Dict) -> Reply:
    return Reply(status, phrase(status), [("Content-Type", "application/json")], []).saying(value).complete()


def _object(value: object) -> Dict:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Dict]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
