"""Faults of gateways with retries, queues and defaults of their own, as rows like those of ``faults.py``."""

from __future__ import annotations

import json
from typing import Any

from ..shapes import Dict, to_json
from .changes import final, given, texts
from .habit import Context, Failure


def _stack(ctx: Context, failure: Failure) -> Failure:
    trace = 'Traceback (most recent call last):\n  File "/app/gateway/proxy.py", line 7, in relay'
    return Failure(failure.status, f"{failure.message}: {trace}", failure.headers)


def _of_connection(ctx: Context, headers: dict[str, str]) -> dict[str, str]:
    """The headers, and those that the client's Connection names."""
    named = [one.strip().lower() for one in ctx.headers.get("connection", "").split(",")]
    return headers | {name: ctx.headers[name] for name in named if name in ctx.headers}


def _string_content(body: Dict) -> Dict:
    messages = (one for one in body["output"] if one["type"] == "message")
    texts_of = {id(one): "".join(part["text"] for part in one["content"]) for one in messages}
    output = [{**one, "content": texts_of[id(one)]} if id(one) in texts_of else one for one in body["output"]]
    return {**body, "output": output}


def _string_counts(body: Dict) -> Dict:
    counts = body.get("usage") or {}
    return {**body, "usage": {name: str(one) if isinstance(one, int) else one for name, one in counts.items()} or None}


def _object_deltas(ctx: Context, event: Dict) -> list[Dict]:
    is_text = event.get("type") == "response.output_text.delta"
    return [{**event, "delta": {"text": event["delta"]}} if is_text else event]


def _redacted(ctx: Context, data: bytes) -> bytes:
    """The texts of the user redacted in a request that is sent again, as a log shows them."""
    again, ctx.body["_again"] = "_again" in ctx.body, True
    redact = texts(lambda _: "[REDACTED]", "user")
    return to_json(redact(ctx, json.loads(data))).encode() if again else data


GATEWAY_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("one-plain-at-a-time", "Serves one plain request at a time.", "streaming.concurrent",
     {"settings": {"one_at_a_time": "plain"}}),
    ("redacts-retries", "Redacts the texts of a request that is sent again.", "request.texts",
     {"settings": {"retries": 1, "retried": (500, 503)}, "raw": _redacted}),
    ("compresses-plain", "Compresses every plain response.", "response.form", {"settings": {"packs": "plain"}}),
    ("content-as-string", "Sends the content of a message as a string.", "response.text",
     final(_string_content, stream=False)),
    ("reverses-items", "Sends the items of a plain response in reverse order.", "response.reasoning",
     final(lambda body: {**body, "output": body["output"][::-1]}, stream=False)),
    ("counts-as-strings", "Sends token counts as strings.", "response.usage", final(_string_counts)),
    ("deltas-as-objects", "Sends the deltas of a text as objects.", "response.text", {"events": _object_deltas}),
    ("passes-hop-by-hop", "Sends headers of the client's connection to the upstream.", "request.hop-by-hop",
     {"headers": _of_connection}),
    ("shows-stack", "Shows a stack trace in errors.", "failure.no-internals", {"failure": _stack}),
    ("one-call-a-turn", "Sends parallel_tool_calls: false with each request.", "request.nothing-added",
     {"sent": given(parallel_tool_calls=False)}),
)  # fmt: skip

GATEWAY_CHAT_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("options-without-stream", "Sends stream_options with plain requests.", "request.dialect",
     {"sent": given(stream_options={"include_usage": True})}),
)  # fmt: skip
