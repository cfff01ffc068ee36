"""Probes with legal forms of the upstream's response: each must give the client the same response."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from conformance.emulator.shapes import Dict, Plan
from conformance.proxy.kit import plan
from conformance.proxy.probes import call_forms, http_forms
from conformance.proxy.probes.probe import Probe, simple
from conformance.proxy.probes.requests import LONG_NAME, TOOLS
from conformance.proxy.script import Objects, Script, ScriptedResponse, Step

FORMS, RARE = ("forms",), ("rare-forms",)

#: Forms that the grammar of event streams, HTTP or the dialect allows, and that few or no services send.
_RARE = (
    "cr", "byte-order-mark", "two-data-lines", "event-lines", "interim", "plain-interim", "trailers", "plain-trailers",
    "chunk-extensions", "text-after-calls", "null-in-later-call-chunks", "call-indexes-with-gap",
    "reasoning-after-text",
)  # fmt: skip

_ARGUMENTS = '{"zone":"north","note":"漢字"}'


def _body(canary: str) -> dict[str, Any]:
    return {"input": f"Use the tools for {canary}.", "tools": TOOLS}


def _scripted_response(canary: str) -> Plan:
    return plan(canary, f"{canary} 漢字 👩‍👩‍👧‍👦 é.", f"Think of {canary} 漢.", [("planTrip", _ARGUMENTS)])


def _two_calls(canary: str) -> Plan:
    calls = [("planTrip", _ARGUMENTS), ("planTrip", '{"zone":"south"}')]
    return plan(canary, f"{canary} 漢字.", f"Think of {canary} 漢.", calls)


def _empty_arguments(canary: str) -> Plan:
    """A call of a function without parameters, whose arguments are empty, as some services send them."""
    return plan(canary, calls=[(LONG_NAME, "")])


#: The response of a form, by its name, if it is not the one of most forms.
_PLANS = {
    "call-in-one-chunk": _two_calls, "call-indexes-with-gap": _two_calls, "empty-arguments": _empty_arguments,
    "plain-empty-arguments": _empty_arguments,
}  # fmt: skip


def _frames(change: Callable[[bytes], bytes]) -> Callable[[Plan], Script]:
    return lambda made: Script(made, frames=lambda frames: [change(frame) for frame in frames])


def _steps(change: Callable[[bytes], Sequence[bytes]]) -> Callable[[Plan], Script]:
    """Another division of the bytes of the stream into network chunks."""
    return lambda made: Script(made, steps=lambda frames: [Step(one) for one in change(b"".join(frames))])


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Plan], Script]:
    return _frames(lambda frame: b"\n".join(change(frame.rstrip(b"\n").split(b"\n"))) + b"\n\n")


def _two_data_lines(lines: list[bytes]) -> list[bytes]:
    """The JSON over two data lines, divided after a comma between members."""
    made = []
    for line in lines:
        head, comma, rest = line.partition(b',"')
        made += [head + b",", b'data: "' + rest] if comma and line.startswith(b"data:") else [line]
    return made


def _commented(frame: bytes) -> bytes:
    return b": keep-alive\n\n" + frame.replace(b"\n", b"\n: a comment\n", 1)


def _events(change: Callable[[Objects, str], Objects], plain: Callable[[Dict, str], Dict] | None = None) -> Any:
    return lambda made: Script(made, events=change, plain=plain)


def _extra(objects: Objects, dialect: str) -> Objects:
    for one in objects:
        one["x_vendor"] = {"trace": [1, None], "note": "extra"}
        for choice in one.get("choices") or ():
            choice.update(logprobs=None, x_vendor=1)
            choice["delta"]["x_vendor"] = "extra"
        if dialect == "responses":
            one["obfuscation"] = "aaaa"
            if "response" in one:
                one["response"].update(service_tier="default", store=False, x_vendor={})
    return objects


def _extra_plain(body: Dict, dialect: str) -> Dict:
    body.update(x_vendor={"a": None}, system_fingerprint="fp_1", service_tier="default")
    return body


def _no_usage(objects: Objects, dialect: str) -> Objects:
    if dialect == "chat":
        return [one for one in objects if one["choices"]]
    for one in objects:
        if one["type"] == "response.completed":
            one["response"]["usage"] = None
    return objects


def _without_usage(body: Dict, dialect: str) -> Dict:
    body.pop("usage", None)
    return body


def _unknown_events(objects: Objects, dialect: str) -> Objects:
    if dialect == "chat":
        return [
            *objects[:2],
            {"object": "vendor.status", "id": "x", "created": 1, "model": "m", "choices": []},
            *objects[2:],
        ]
    other = {"type": "response.vendor.progress", "percent": 50}
    return [*objects[:2], other, *objects[2:-1], {"type": "vendor.note", "text": "n"}, objects[-1]]


def _nulls(objects: Objects, dialect: str) -> Objects:
    """Members with null, as several services send them."""
    for one in objects:
        one.setdefault("usage", None)
        for choice in one["choices"]:
            empty = {"role": None, "content": None, "reasoning_content": None, "tool_calls": None, "refusal": None}
            choice["delta"] = {**empty, "function_call": None, **choice["delta"]}
    return objects


def _role_everywhere(objects: Objects, dialect: str) -> Objects:
    for one in objects:
        for choice in one["choices"]:
            choice["delta"]["role"] = "assistant"
    return objects


def _empty_content(objects: Objects, dialect: str) -> Objects:
    for one in objects:
        for choice in one["choices"]:
            choice["delta"].setdefault("content", "")
    return objects


def _usage_with_finish(objects: Objects, dialect: str) -> Objects:
    """The usage in the chunk of the finish reason instead of one of its own."""
    *rest, last = objects
    if last["choices"]:
        return objects
    rest[-1]["usage"] = last["usage"]
    return rest


def _usage_everywhere(objects: Objects, dialect: str) -> Objects:
    """Usage so far in each chunk, and the final one at the end."""
    if objects[-1]["choices"]:
        return objects
    for count, one in enumerate(objects[:-1]):
        one["usage"] = {"prompt_tokens": 137, "completion_tokens": count, "total_tokens": 137 + count}
    return objects


def _no_choices_first(objects: Objects, dialect: str) -> Objects:
    return [{**objects[0], "choices": [], "prompt_filter_results": []}, *objects]


def _text_after_calls(objects: Objects, dialect: str) -> Objects:
    """The text behind the calls, as some models write it."""
    texts = [one for one in objects if one["choices"] and one["choices"][0]["delta"].get("content")]
    rest = [one for one in objects if one not in texts]
    at = next(at for at, one in enumerate(rest) if one["choices"] and one["choices"][0]["finish_reason"])
    return [*rest[:at], *texts, *rest[at:]]


def _finish_with_last(objects: Objects, dialect: str) -> Objects:
    """The finish reason in the last chunk with content."""
    at = next(at for at, one in enumerate(objects) if one["choices"] and one["choices"][0]["finish_reason"])
    objects[at - 1]["choices"][0]["finish_reason"] = objects[at]["choices"][0]["finish_reason"]
    return [*objects[:at], *objects[at + 1 :]]


def _content_null_plain(body: Dict, dialect: str) -> Dict:
    message = body["choices"][0]["message"]
    message.update(refusal=None, function_call=None, annotations=[], audio=None)
    body["choices"][0].update(logprobs=None, stop_reason=None)
    return body


def _spaced(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
    """The JSON with line breaks, and in ASCII escapes."""
    value = json.loads(b"".join(step.data for step in response.steps))
    data = json.dumps(value, indent=2).encode()
    return replace(response, steps=(Step(b"\n" + data + b"\n"),))


def _no_done(frames: Sequence[bytes]) -> Sequence[bytes]:
    return [frame for frame in frames if b"[DONE]" not in frame]


def _done(frames: Sequence[bytes]) -> Sequence[bytes]:
    return [*_no_done(frames), b"data: [DONE]\n\n"]


def _slow_tail(frames: Sequence[bytes]) -> Sequence[Step]:
    """The connection stays open for a moment after the last frame."""
    return [*map(Step, frames), Step(b": end\n\n", pause=0.3)]


_STREAMS: dict[str, Callable[[Plan], Script]] = {
    "crlf": _frames(lambda frame: frame.replace(b"\n", b"\r\n")),
    "cr": _frames(lambda frame: frame.replace(b"\n", b"\r")),
    "comments": _frames(_commented),
    "no-space": _frames(lambda frame: frame.replace(b"data: ", b"data:").replace(b"event: ", b"event:")),
    "two-data-lines": _lines(_two_data_lines),
    "id-and-retry": _lines(lambda lines: [b"id: 7", b"retry: 3000", *lines]),
    "byte-order-mark": lambda made: Script(made, frames=lambda frames: [b"\xef\xbb\xbf" + frames[0], *frames[1:]]),
    "one-byte-a-chunk": _steps(lambda body: _single_bytes(body)),
    "split-utf-8": _steps(lambda body: _split_characters(body)),
    "split-lines": _steps(lambda body: [body[at : at + 7] for at in range(0, len(body), 7)]),
    "one-chunk": _steps(lambda body: [body]),
    "ascii-escapes": _frames(lambda frame: _escaped(frame)),
    "extra-members": _events(_extra),
    "unknown-events": _events(_unknown_events),
    "no-usage": _events(_no_usage),
    "no-done": lambda made: Script(made, frames=_no_done),
    "done": lambda made: Script(made, frames=_done),
    "late-end": lambda made: Script(made, steps=_slow_tail),
}

_RESPONSES: dict[str, Callable[[Plan], Script]] = {
    "no-event-lines": _lines(lambda lines: [line for line in lines if not line.startswith(b"event:")]),
    "data-before-event": _lines(lambda lines: lines[::-1]),
}

_CHAT: dict[str, Callable[[Plan], Script]] = {
    "null-members": _events(_nulls),
    "role-in-each-chunk": _events(_role_everywhere),
    "empty-content": _events(_empty_content),
    "usage-with-finish": _events(_usage_with_finish),
    "usage-in-each-chunk": _events(_usage_everywhere),
    "first-chunk-without-choices": _events(_no_choices_first),
    "call-in-one-chunk": _events(call_forms.in_one_chunk),
    "text-after-calls": _events(_text_after_calls),
    "finish-with-last-content": _events(_finish_with_last),
    "null-in-later-call-chunks": _events(call_forms.null_in_later_chunks),
    "call-indexes-with-gap": _events(call_forms.indexes_with_gap),
    "reasoning-after-text": _events(call_forms.reasoning_after_text),
    "empty-arguments": Script,
    "event-lines": _lines(lambda lines: [b"event: message", *lines]),
}

_PLAIN: dict[str, Callable[[Plan], Script]] = {
    "plain-spaced": lambda made: Script(
        made, response=lambda response, streams: response if streams else _spaced(response, streams)
    ),
    "plain-extra-members": lambda made: Script(made, plain=_extra_plain, events=_extra),
    "plain-no-usage": lambda made: Script(made, plain=_without_usage, events=_no_usage),
}


def _escaped(frame: bytes) -> bytes:
    """The frame with characters beyond ASCII as JSON escapes."""
    return b"".join(
        one if len(one) == 1 and one < b"\x80" else json.dumps(one.decode())[1:-1].encode()
        for one in (char.encode() for char in frame.decode())
    )


def _single_bytes(body: bytes) -> list[bytes]:
    """One byte a chunk at the start and around the first character of several bytes. The rest is in larger chunks: a
    proxy can take some milliseconds for each."""
    wide = next((at for at, byte in enumerate(body) if byte > 127), 0)
    cuts = sorted({*range(200), *range(max(0, wide - 200), wide + 200), *range(0, len(body), 40)})
    pieces = [body[at:end] for at, end in zip(cuts, [*cuts[1:], len(body)], strict=True)]
    return [piece for piece in pieces if piece]


def _split_characters(body: bytes) -> list[bytes]:
    """The bytes divided in the middle of each character of several bytes."""
    cuts = [at for at in range(1, len(body)) if 0x80 <= body[at] < 0xC0 and body[at - 1] >= 0xC0]
    edges = [0, *cuts, len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


def probes(dialect: str) -> list[Probe]:
    """The probes of a dialect."""
    forms = {**_STREAMS, **http_forms.STREAMS, **(_CHAT if dialect == "chat" else _RESPONSES)}
    made = [_probe(name, script, True) for name, script in forms.items()]
    made += [_probe(name, script, False) for name, script in {**_PLAIN, **http_forms.PLAIN}.items()]
    if dialect == "chat":
        made.append(_probe("plain-null-members", _events(_nulls, _content_null_plain), False))
        made.append(_probe("plain-empty-arguments", Script, False))
    return made


def _probe(name: str, script: Callable[[Plan], Script], stream: bool) -> Probe:
    headers = {"Accept-Encoding": "gzip"} if "gzip" in name else {}
    about = {"usage_absent": True} if "no-usage" in name else {"may_fail": True} if "large-header" in name else {}
    kinds = (RARE if name in _RARE else FORMS) + ("lines",) * (name == "no-event-lines")
    return simple(
        f"form.{name}", kinds, _body, stream,
        _PLANS.get(name, _scripted_response), script, about, headers=headers,
    )  # fmt: skip
