"""Probes with failures of the upstream: error statuses, bodies that cannot be read, and interrupted responses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from conformance.emulator.shapes import Plan, to_json
from conformance.proxy.kit import Kit, ProbeRequest, plan
from conformance.proxy.patience import IDLE_BEFORE_RETRY
from conformance.proxy.probes.probe import Probe, body_of, simple
from conformance.proxy.probes.requests import TOOLS
from conformance.proxy.script import FAILURE_TEXT, Script, ScriptedResponse, Step, failure

FAILURE = ("failure",)

#: The statuses, those that real services send.
STATUSES = (400, 401, 402, 403, 404, 413, 421, 429, 500, 502, 503, 504)

#: Seconds of the Retry-After of a 429: short, as a proxy can wait for it.
RETRY_AFTER = "1"

#: Seconds after which the client gives up on an upstream that hangs.
_GIVE_UP = 1.0

#: Attempts of the request after the failures.
_AFTER = 4

#: Statuses with which a proxy refuses requests for a while.
_BUSY = (429, 503)

#: The longest time that a proxy can send no request to an upstream that failed, in waits for what it should do at once:
#: with the default wait 70 seconds, as circuit breakers try again after 30 or 60.
_COOLDOWN = 14.0

_HANGS = {"broken": "hang", "hangs": True}

_HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"


def _refusing(status: int, dialect: str, stream: bool) -> Probe:
    headers = (("Retry-After", RETRY_AFTER),) if status == 429 else ()
    response = failure(status, dialect, f"{FAILURE_TEXT}{status}", *headers)
    return _probe(f"failure.{status}", stream, lambda one, streams: response, {"status": status})


def _quoting_key(stream: bool) -> Probe:
    """An error whose message quotes the key that the upstream received, as some services do."""

    def run(kit: Kit) -> None:
        settings, canary = kit.settings, kit.new_canary()
        key = settings.client_key if settings.passes_key else settings.upstream_key
        response = failure(401, kit.dialect, f"the API key {key} has no access to this model")
        kit.send(
            ProbeRequest(
                canary, {**body_of(canary), "stream": stream}, Script(plan(canary), response=lambda *_: response)
            )
        )

    return Probe(f"failure.quoted-key{'.stream' * stream}", run, FAILURE, {"status": 401, "stream": stream})


Change = Callable[[ScriptedResponse, bool], ScriptedResponse]


def _probe(
    name: str, stream: bool, change: Change, about: dict[str, Any], response: Callable[[str], Plan] = plan,
    limit: float = 0.0,
) -> Probe:  # fmt: skip
    def body(canary: str) -> dict[str, Any]:
        return {**body_of(canary), **({"tools": TOOLS} if "arguments" in name else {})}

    return simple(
        f"{name}{'.stream' * stream}", FAILURE, body, stream, response, lambda made: Script(made, response=change),
        {**about, "stream": stream}, limit=limit, idle=IDLE_BEFORE_RETRY,
    )  # fmt: skip


def _body(kind: str, data: bytes, status: int = 200) -> Change:
    return lambda one, streams: ScriptedResponse(
        status, (("Content-Type", kind),), (Step(data),) if data else (), "length"
    )


def _cut_after(fragment: bytes, ending: str, inside: int = 0) -> Change:
    """Interrupt the response in the first frame that contains the fragment after the third, ``inside`` bytes after
    the fragment begins; 0: after the frame."""

    def change(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
        if not streams:
            complete = b"".join(step.data for step in one.steps)
            return replace(one, steps=(Step(complete[: len(complete) // 2]),), ending=ending)
        hits = [at for at, step in enumerate(one.steps) if fragment in step.data]
        at = hits[min(1, len(hits) - 1)] if hits else len(one.steps) // 2
        last = one.steps[at]
        if inside:
            last = replace(last, data=last.data[: last.data.index(fragment) + inside])
        return replace(one, steps=(*one.steps[:at], last), ending=ending)

    return change


def _ends_early(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
    """A stream that ends by the framing of HTTP, before its finish reason or terminal event."""
    return _cut_after("海".encode(), "clean")(one, streams)


def _error_object(dialect: str) -> Change:
    error = {"message": "the model crashed", "type": "server_error", "code": "500", "param": None}
    if dialect == "chat":
        frames = [f"data: {to_json({'error': error})}\n\n".encode()]
    else:
        event = {"type": "error", "sequence_number": 99, "code": "500", "message": "the model crashed", "param": None}
        frames = [f"event: error\ndata: {to_json(event)}\n\n".encode()]

    def change(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
        made = _ends_early(one, streams)
        return replace(made, steps=(*made.steps, *map(Step, frames)), ending="clean")

    return change


def _failed_response(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
    """A Response whose status is failed, or a stream that ends in one."""
    first = one.steps[0].data
    body = json.loads(first.partition(b"data: ")[2] if streams else first)
    failed = {**body.get("response", body), "status": "failed", "output": [], "output_text": "", "usage": None}
    failed["error"] = {"code": "server_error", "message": "the model crashed"}
    if not streams:
        return replace(one, steps=(Step(to_json(failed).encode()),))
    made = _ends_early(one, streams)
    event = {"type": "response.failed", "sequence_number": len(made.steps), "response": failed}
    return replace(made, steps=(*made.steps, Step(f"event: response.failed\ndata: {to_json(event)}\n\n".encode())))


def _empty_stream(*frames: bytes) -> Change:
    """A stream of these frames alone."""
    kind = (("Content-Type", "text/event-stream"),)
    return lambda one, streams: ScriptedResponse(200, kind, tuple(map(Step, frames)))


def _invalid_event(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
    """A complete stream, except that the JSON of one event is cut."""
    steps = list(one.steps)
    at = [at for at, step in enumerate(steps) if "海".encode() in step.data][1]
    steps[at] = replace(steps[at], data=steps[at].data.replace("海".encode(), b'"\n\n', 1))
    return replace(one, steps=tuple(steps))


def _without_head(ending: str) -> Change:
    return lambda one, streams: ScriptedResponse(0, (), (), "length", ending)


def _hang(kept: int) -> Change:
    """Silence without an end, after some frames (-1: before the head)."""

    def change(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
        if kept < 0:
            return ScriptedResponse(0, (), (), "length", "stall")
        return replace(one, steps=one.steps[:kept], ending="stall")

    return change


def _sea(canary: str) -> Plan:
    return plan(canary, f"{canary} 海 and 海 and 海 and 海 and 海 end.")


def _call(canary: str) -> Plan:
    return plan(canary, calls=[("planTrip", '{"zone":"north","far":"' + canary + '","note":"a long note for it"}')])


def _once(kit: Kit) -> None:
    """503 for the first request, then the response: a proxy can retry."""
    canary = kit.new_canary()
    script = Script(plan(canary), refuse=(failure(503, kit.dialect, "overloaded for a moment"),))
    kit.send(ProbeRequest(canary, body_of(canary), script, idle=IDLE_BEFORE_RETRY))


def _after(name: str, more: dict[str, Any], cooldown: float = 0.0) -> Probe:
    """An ordinary request, sent again after a while: a proxy can refuse requests for some seconds after failures, and
    for a ``cooldown`` (in waits) with 503 or 429, as a circuit breaker does."""

    def run(kit: Kit) -> None:
        pause, began = min(kit.settings.wait, 3.0), time.monotonic()
        for attempt in count(1):
            canary = kit.new_canary()
            pair = kit.send(ProbeRequest(canary, {**body_of(canary), **more}, Script(plan(canary))))
            refuses = pair.client.status in _BUSY and not pair.upstream
            waits = attempt < _AFTER or (refuses and time.monotonic() - began < cooldown * kit.settings.wait)
            if pair.client.ok or not waits:
                return
            time.sleep(pause)

    return Probe(name, run, ("after",))


def probes(dialect: str) -> list[Probe]:
    """The probes of a dialect, and at the end an ordinary request."""
    made = [_refusing(status, dialect, stream) for status in STATUSES for stream in (False, True)]
    page = _body("text/html", _HTML, 502)  # As the server in front of a service sends it.
    made += [_probe("failure.502-page", stream, page, {"status": 502}) for stream in (False, True)]
    made += [_quoting_key(stream) for stream in (False, True)]
    unreadable: dict[str, Change] = {
        "invalid-json": _body("application/json", b'{"id": "x", "choices": [{"mess'),
        "html": _body("text/html; charset=utf-8", _HTML),
        "empty": _body("application/json", b""),
        "error-body": _body("application/json", b'{"error":{"message":"the model crashed","code":"500"}}'),
        "close-before-head": _without_head("cut"),
        "reset-before-head": _without_head("reset"),
    }
    if dialect == "chat":
        unreadable["no-choices"] = _body("application/json", b'{"id":"x","object":"chat.completion","choices":[]}')
    for name, change in unreadable.items():
        made += [_probe(f"failure.{name}", stream, change, {"broken": name}) for stream in (False, True)]
    interrupted: Sequence[tuple[str, Change, Callable[[str], Plan]]] = (
        ("cut-in-text", _cut_after("海".encode(), "cut"), _sea),
        ("reset-in-text", _cut_after("海".encode(), "reset"), _sea),
        ("cut-in-character", _cut_after("海".encode(), "cut", 2), _sea),
        ("reset-in-character", _cut_after("海".encode(), "reset", 2), _sea),
        ("cut-in-arguments", _cut_after(b"arguments", "cut"), _call),
        ("reset-in-arguments", _cut_after(b"arguments", "reset"), _call),
        ("early-end", _ends_early, _sea),
        ("error-object", _error_object(dialect), _sea),
        ("empty-stream", _empty_stream(), _sea),
        ("done-alone", _empty_stream(b": ok\n\n", b"data: [DONE]\n\n"), _sea),
        ("invalid-event", _invalid_event, _sea),
    )
    if dialect == "responses":  # As MiMo reports an error, and other services.
        interrupted = (*interrupted, ("untyped-error", _error_object("chat"), _sea), ("failed", _failed_response, _sea))
        made.append(_probe("failure.failed", False, _failed_response, {"broken": "failed"}))
    made += [
        _probe(f"failure.{name}", True, change, {"broken": name}, response) for name, change, response in interrupted
    ]
    made += [
        _probe("failure.cut-in-body", False, _cut_after(b"", "cut"), {"broken": "cut-in-body"}, _sea),
        Probe("failure.once-503", _once, ("once",), {"status": 503}),
        replace(_probe("failure.hang-before-head", False, _hang(-1), _HANGS, limit=_GIVE_UP), waits=True),
        replace(_probe("failure.hang-in", True, _hang(4), _HANGS, _sea, limit=_GIVE_UP), waits=True),
        _after("failure.after", {}, _COOLDOWN),
        _after("failure.after.stream", {"stream": True}),
    ]
    return made
