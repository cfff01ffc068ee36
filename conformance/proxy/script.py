"""What the upstream sends: a plan rendered in a dialect, and how its bytes are delivered.

A :class:`Script` belongs to one probe. Its hooks change the rendering layer by layer: ``events`` the JSON objects of a
stream, ``plain`` that of a plain response, ``frames`` the bytes of each frame, ``steps`` the delivery.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.emulator import chat, events, render
from conformance.emulator.shapes import Dict, ParsedRequest, Plan, phrase, to_json

#: The longest time in seconds that an upstream without a response keeps the connection open.
STALL = 120.0


@dataclass(frozen=True)
class Step:
    """Bytes to send, after ``pause`` seconds and after the client has received the text ``after`` (if not empty).
    ``before`` is called then."""

    data: bytes
    after: str = ""
    pause: float = 0.0
    before: Callable[[], None] | None = None


@dataclass(frozen=True)
class ScriptedResponse:
    """A response of the upstream. ``ending`` is ``clean``, ``cut`` (closed before the announced end), ``reset`` or
    ``stall`` (kept open in silence); ``framing`` is ``chunked``, ``length`` or ``close``. ``status`` 0: no head is
    sent. ``delay``: seconds of silence before the head. ``version`` of HTTP; ``before``: bytes before the head, such as
    an interim response; ``extension`` of each chunk; ``trailers`` after the last one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    framing: str = "chunked"
    ending: str = "clean"
    delay: float = 0.0
    version: str = "1.1"
    before: bytes = b""
    extension: bytes = b""
    trailers: bytes = b""

    @property
    def streams(self) -> bool:
        """Whether the body is an event stream."""
        return any("event-stream" in value for _, value in self.headers)


#: How the message of a failure begins.
FAILURE_TEXT = "the upstream reports "

Objects = list[Dict]


@dataclass(frozen=True)
class Script:
    """The response of the upstream in a probe. ``response`` replaces the last layer, the complete response; it receives
    whether the request streams. ``refuse`` are the responses to the first requests, before the plan is served."""

    plan: Plan
    events: Callable[[Objects, str], Objects] | None = None
    plain: Callable[[Dict, str], Dict] | None = None
    frames: Callable[[Sequence[bytes]], Sequence[bytes]] | None = None
    steps: Callable[[Sequence[bytes]], Sequence[Step]] | None = None
    response: Callable[[ScriptedResponse, bool], ScriptedResponse] | None = None
    refuse: tuple[ScriptedResponse, ...] = ()


def render_script(script: Script, dialect: str, request: Dict, ident: str, number: int) -> ScriptedResponse:
    """The response to the request with this number (from 0) of a probe; ``ident`` makes its ids unique."""
    if number < len(script.refuse):
        return script.refuse[number]
    model = request.get("model")
    model = model if isinstance(model, str) else "unknown"
    streams = request.get("stream") is True
    if dialect == "chat":
        base: Dict = {"id": f"chatcmpl-{ident}", "created": int(time.time()), "model": model}
        options = request.get("stream_options")
        counted = isinstance(options, dict) and options.get("include_usage") is True
        objects = chat.chunks(base, script.plan, counted) if streams else [chat.completion(base, script.plan)]
    else:
        objects = _responses(script.plan, model, ident) if streams else [_response(script.plan, model, ident)]
    made = _stream(script, dialect, objects) if streams else _plain(script, dialect, objects[0])
    return script.response(made, streams) if script.response else made


def _response(plan: Plan | None, model: str, ident: str) -> Dict:
    return render.response(f"resp_{ident}", int(time.time()), ParsedRequest(model=model), plan)


def _responses(plan: Plan, model: str, ident: str) -> Objects:
    begun = _response(None, model, ident)
    return events.build(begun, dict(begun), _response(plan, model, ident), plan)


def _plain(script: Script, dialect: str, made: Dict) -> ScriptedResponse:
    body = script.plain(made, dialect) if script.plain else made
    return json_response(200, body)


def _stream(script: Script, dialect: str, objects: Objects) -> ScriptedResponse:
    objects = script.events(objects, dialect) if script.events else objects
    frames: Sequence[bytes]
    if dialect == "chat":
        frames = [f"data: {to_json(one)}\n\n".encode() for one in objects] + [b"data: [DONE]\n\n"]
    else:
        frames = [events.to_bytes(events.frame(one)) for one in events.number(objects)]
    frames = script.frames(frames) if script.frames else frames
    steps = script.steps(frames) if script.steps else [Step(frame) for frame in frames]
    return ScriptedResponse(200, (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")), tuple(steps))


def json_response(status: int, value: Any, *headers: tuple[str, str]) -> ScriptedResponse:
    """A response with a JSON body."""
    steps = (Step(to_json(value).encode()),)
    return ScriptedResponse(status, (("Content-Type", "application/json"), *headers), steps, "length")


def failure(status: int, dialect: str, message: str, *headers: tuple[str, str]) -> ScriptedResponse:
    """An error response in the format of the dialect's service."""
    error: Dict = {"message": message, "code": str(status), "param": None, "type": f"upstream_{status}"}
    return json_response(status, {"error": error}, *headers)


def accepted(response: ScriptedResponse, accept_encoding: str) -> ScriptedResponse:
    """The response, not compressed unless the request accepts gzip."""
    packed = ("Content-Encoding", "gzip") in response.headers
    if not packed or "gzip" in accept_encoding.lower():
        return response
    headers = tuple(pair for pair in response.headers if pair[0] != "Content-Encoding")
    data = gzip.decompress(b"".join(step.data for step in response.steps))
    return replace(response, headers=headers, steps=(Step(data),))


def reason(status: int) -> str:
    """The reason phrase of a status."""
    return phrase(status)
