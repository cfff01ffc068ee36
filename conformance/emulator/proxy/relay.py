"""The events that a client receives for the stream of an upstream, one by one."""

from __future__ import annotations

import http.client
import itertools
from collections.abc import Iterator
from typing import Any

from .. import events
from ..shapes import Dict, Item, Plan, Usage
from .build import Builder, Frames, Unreadable, parse
from .habit import Failure, Settings

_TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")
_BUFFERED = {
    "text": "output_text.delta", "reasoning": "reasoning_text.delta", "arguments": "arguments.delta",
    "first": "response.created", "item": "response.output_item.added",
}  # fmt: skip


def relay(handler: Any, settings: Settings, response: http.client.HTTPResponse) -> Iterator[Dict]:
    """The events for the client. Raises `Failure` if the upstream's stream is broken."""
    made = (
        _chat(handler, settings, response) if handler.ctx.dialect == "chat" else _responses(handler, settings, response)
    )
    is_large = 0 < settings.buffers_over < int(handler.headers.get("Content-Length", 0))
    if is_large or (settings.connection == "buffers" and handler.requests > 1):
        return iter(list(made))
    return _buffered(made, settings) if settings.buffers else made


def _objects(handler: Any, settings: Settings, response: http.client.HTTPResponse) -> Iterator[Dict | None]:
    """The JSON objects of the upstream's stream; None for `[DONE]`."""
    if "event-stream" not in (response.getheader("Content-Type") or "").lower():
        response.read()
        raise Failure(502, "the upstream sent no event stream", (("broken", "1"),))
    frames = Frames(settings.reader, handler.server.memory if settings.reader == "shared" else None)
    try:
        for data in itertools.chain(handler._read(response), (b"",)):
            for one in frames.feed(data):
                try:
                    yield None if one.strip() == "[DONE]" else parse(one)
                except Unreadable:
                    if not settings.skips_invalid:
                        raise
    except Unreadable as error:
        raise Failure(502, str(error), (("broken", "1"),)) from None


def _chat(handler: Any, settings: Settings, response: http.client.HTTPResponse) -> Iterator[Dict]:
    builder = Builder(str(handler.ctx.body.get("model")), settings.calls_a_chunk)
    done = False
    begun = False
    try:
        for one in _objects(handler, settings, response):
            if not begun:
                begun = True
                yield from builder.begin()
            done = done or one is None
            if one is not None:
                try:
                    yield from builder.feed(one)
                except Unreadable as error:
                    raise Failure(502, str(error), (("broken", "1"),)) from None
        if settings.completes_empty and not begun:
            yield from builder.begin()
        elif not builder.finished or (settings.needs_done and not done):
            raise Failure(502, "the upstream interrupted its response", (("broken", "1"),))
    except Failure:
        if not (settings.completes or settings.limits) or not begun:
            raise
        builder.limit(settings.limits)
    yield from builder.end()


def _responses(handler: Any, settings: Settings, response: http.client.HTTPResponse) -> Iterator[Dict]:
    ended = False
    last: Dict = {}
    try:
        for one in _objects(handler, settings, response):
            if one is None:
                continue
            if "type" not in one:
                raise Failure(502, "the upstream sent an error", (("broken", "1"),))
            ended = ended or one.get("type") in _TERMINAL
            last = one.get("response") or last
            yield one
        if settings.completes_empty and not last:
            yield from events_of(Builder(str(handler.ctx.body.get("model"))).response())
        elif not ended and not (settings.ends_equally and last):
            raise Failure(502, "the upstream interrupted its response", (("broken", "1"),))
    except Failure:
        if not (settings.completes or settings.limits) or not last:
            raise
        status = "incomplete" if settings.limits else "completed"
        reason = {"incomplete_details": {"reason": "max_output_tokens"}} if settings.limits else {}
        yield {"type": f"response.{status}", "response": {**last, "status": status, **reason}}


def _buffered(made: Iterator[Dict], settings: Settings) -> Iterator[Dict]:
    """The events, those of some kinds only at the end of their item, or all at the end of the stream."""
    if "all" in settings.buffers:
        yield from list(made)
        return
    endings = tuple(_BUFFERED[kind] for kind in settings.buffers)
    kept: list[Dict] = []
    for one in made:
        if str(one.get("type")).endswith(endings):
            kept.append(one)
            continue
        yield from kept
        kept = []
        yield one


def events_of(final: Dict) -> Iterator[Dict]:
    """A stream for a response that was received plain."""
    items = []
    for one in final["output"]:
        texts = [part["text"] for part in one.get("content") or ()] or [one.get("arguments", "")]
        items.append(
            Item(one["type"], one["id"], tuple(texts), one["status"], one.get("name", ""), one.get("call_id", ""))
        )
    begun = {
        **final,
        "status": "in_progress",
        "output": [],
        "output_text": "",
        "usage": None,
        "incomplete_details": None,
    }
    plan = Plan(tuple(items), Usage(0, 0), final["status"] == "incomplete")
    yield from events.build(begun, dict(begun), final, plan)
