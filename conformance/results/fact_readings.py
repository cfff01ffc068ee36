"""What :mod:`conformance.results.facts` reads from a response: the questions, and a function for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from conformance.decode.events import DONE_MARKER, mapping, objects, text
from conformance.decode.response import CannotEvaluate, Received

_COMMENT = re.compile(rb"(?m)^:")
_SPACED, _BARE = re.compile(rb"(?m)^data: "), re.compile(rb"(?m)^data:(?! )")
_HEX, _DIGITS = re.compile(r"[0-9a-f]+"), re.compile(r"\d+")
_ID = re.compile(r"([A-Za-z]+[_-])?(.*)", re.DOTALL)

#: Headers that an endpoint may send about a request or its limits, by their name.
_TRACES = re.compile(r"request-?id|trace|ratelimit|rate-limit|retry-after|processing-ms", re.IGNORECASE)

#: Event types that carry no content and keep a connection open.
_KEEP_ALIVES = ("ping", "keepalive", "heartbeat")


Reading = Callable[[Received], Iterable[str]]


# -- streams -----------------------------------------------------------------------------------------------------------


def _stream(received: Received) -> bytes:
    """The body of a stream; :class:`CannotEvaluate` for another response."""
    if not (received.exchange.ok and received.looks_like_stream and received.events):
        raise CannotEvaluate("no stream")
    return received.exchange.body


def _event_lines(received: Received) -> Iterator[str]:
    _stream(received)
    named = sum(bool(event.frame.event) for event in received.events)
    yield "for every event" if named == len(received.events) else "for some events" if named else "none"


def _data_lines(received: Received) -> Iterator[str]:
    body = _stream(received)
    yield "data: with a space" if _SPACED.search(body) else ""
    yield "data: without a space" if _BARE.search(body) else ""


def _line_ends(received: Received) -> Iterator[str]:
    body = _stream(received)
    yield "CRLF" if b"\r\n" in body else "CR" if b"\r" in body else "LF"


def _done(received: Received) -> Iterator[str]:
    _stream(received)
    yield "[DONE]" if any(frame.data.strip() == DONE_MARKER for frame in received.frames) else "none"


def _keep_alives(received: Received) -> Iterator[str]:
    found = ["comments"] * bool(_COMMENT.search(_stream(received)))
    found += [f"event {kind}" for kind in _KEEP_ALIVES if kind in received.by_type]
    yield from found or ["none"]


def _first_number(received: Received) -> Iterator[str]:
    _stream(received)
    yield _shown(received.events[0].number)


def _event_types(received: Received) -> Iterator[str]:
    _stream(received)
    yield from received.by_type


def _snapshot(kind: str, read: Callable[[dict[str, Any]], str]) -> Reading:
    def reading(received: Received) -> Iterator[str]:
        _stream(received)
        yield from (read(event.response) for event in received.of(kind))

    return reading


def _members(value: dict[str, Any]) -> str:
    return ", ".join(sorted(value))


def _value_of(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda value: _shown(value[name]) if name in value else "absent"


def _members_of_events(received: Received) -> Iterator[str]:
    _stream(received)
    for kind, events in received.by_type.items():
        yield f"{kind}: {', '.join(sorted(set().union(*(event.data for event in events))))}"


# -- responses ---------------------------------------------------------------------------------------------------------


def _plain(read: Callable[[dict[str, Any]], str]) -> Reading:
    def reading(received: Received) -> Iterator[str]:
        if not received.looks_like_stream:
            yield read(received.response)

    return reading


def _terminal(read: Callable[[dict[str, Any]], str]) -> Reading:
    def reading(received: Received) -> Iterator[str]:
        if received.looks_like_stream:
            yield read(received.response)

    return reading


def _items(read: Callable[[dict[str, Any]], str], kind: str = "") -> Reading:
    def reading(received: Received) -> Iterator[str]:
        yield from (read(item) for item in received.output if kind in ("", item.get("type")))

    return reading


def _item_members(item: dict[str, Any]) -> str:
    return f"{text(item.get('type'))}: {_members(item)}"


def _part_members(received: Received) -> Iterator[str]:
    for item in received.output:
        yield from (f"{text(part.get('type'))}: {_members(part)}" for part in objects(item.get("content")))


def _usage(name: str) -> Reading:
    def reading(received: Received) -> Iterator[str]:
        value = received.usage.get(name, "absent")
        yield _members(value) or "{}" if isinstance(value, dict) else _shown(value)

    return reading


def id_form(value: Any) -> str:
    """The form of an id: its prefix, its length, and what the rest consists of (``resp_ + 32 hex digits``)."""
    if not isinstance(value, str):
        return _shown(value)
    found = _ID.fullmatch(value)
    prefix, rest = (found[1] or "", found[2]) if found else ("", value)
    kind = "digits" if _DIGITS.fullmatch(rest) else "hex digits" if _HEX.fullmatch(rest) else "characters"
    return f"{prefix} + {len(rest)} {kind}" if prefix else f"{len(rest)} {kind}"


def _response_id(received: Received) -> Iterator[str]:
    yield id_form(received.response.get("id"))


def _item_ids(received: Received) -> Iterator[str]:
    yield from (f"{text(item.get('type'))}: {id_form(item.get('id'))}" for item in received.output)


def _call_ids(received: Received) -> Iterator[str]:
    yield from (id_form(item.get("call_id")) for item in received.output if "call_id" in item)


# -- refusals and headers ----------------------------------------------------------------------------------------------


def _error(received: Received) -> dict[str, Any]:
    """The body of a refusal; :class:`CannotEvaluate` for another response or one that is not JSON."""
    if received.exchange.ok or received.exchange.status is None or received.exchange.status < 400:
        raise CannotEvaluate("no refusal")
    return mapping(received.envelope)


def _error_form(received: Received) -> Iterator[str]:
    body = _error(received)
    kinds = (f"{name} {_kind(value)}" for name, value in sorted(mapping(body.get("error")).items()))
    yield f"HTTP {received.exchange.status}: {_members(body)}; error: {', '.join(kinds) or 'not an object'}"


def _error_prefix(received: Received) -> Iterator[str]:
    _error(received)
    if received.streaming:
        yield "data: before the JSON" if received.exchange.body.lstrip().startswith(b"data:") else "JSON alone"


def _content_types(received: Received) -> Iterator[str]:
    exchange = received.exchange
    kind = "stream" if exchange.ok and received.looks_like_stream else "plain" if exchange.ok else "refusal"
    yield f"{kind}: {exchange.header('content-type') or 'none'}"


def _trace_headers(received: Received) -> Iterator[str]:
    yield from (name.lower() for name, _ in received.exchange.headers if _TRACES.search(name))


def outcome(received: Received) -> str:
    """Served, or the status with the kind of refusal that its error names."""
    exchange = received.exchange
    if exchange.ok:
        return "served"
    try:
        error = mapping(mapping(received.envelope).get("error"))
    except CannotEvaluate:
        error = {}
    details = [f"{name} {_shown(error[name])}" for name in ("code", "type", "param") if name in error]
    return ", ".join([f"HTTP {exchange.status}", *details])


def _kind(value: Any) -> str:
    names = {str: "string", bool: "boolean", dict: "object", list: "array", type(None): "null"}
    return names.get(type(value), "number")


def _shown(value: Any) -> str:
    """A scalar as text, short; the kind of any other value."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return f'"{value[:60]}"'
    return "[]" if value == [] else "{}" if value == {} else _kind(value)


#: Each fact: the question, and the function that reads its values from a response.
QUESTIONS: dict[str, tuple[str, Reading]] = {
    "stream.event-lines": ("Are event: lines sent?", _event_lines),
    "stream.data-lines": ("Is there a space after data:?", _data_lines),
    "stream.line-ends": ("How do lines end?", _line_ends),
    "stream.done-marker": ("Is data: [DONE] sent at the end?", _done),
    "stream.keep-alive": ("How is the connection kept open?", _keep_alives),
    "stream.first-sequence-number": ("What is the first sequence_number?", _first_number),
    "stream.event-types": ("Which event types are sent?", _event_types),
    "stream.event-members": ("Which members do events have?", _members_of_events),
    "created.members": ("Which members does response.created carry?", _snapshot("response.created", _members)),
    "created.usage": ("What is usage in response.created?", _snapshot("response.created", _value_of("usage"))),
    "created.output": ("What is output in response.created?", _snapshot("response.created", _value_of("output"))),
    "in-progress.members": ("Which does response.in_progress carry?", _snapshot("response.in_progress", _members)),
    "response.members": ("Which members does a plain Response have?", _plain(_members)),
    "terminal.members": ("Which members does the Response in the terminal event have?", _terminal(_members)),
    "response.metadata": ("What is metadata?", _plain(_value_of("metadata"))),
    "response.output-text": (
        "Is output_text sent?", _plain(lambda one: "present" if "output_text" in one else "absent"),
    ),
    "item.members": ("Which members do items have?", _items(_item_members)),
    "part.members": ("Which members do content parts have?", _part_members),
    "reasoning.summary": ("Is there a summary on reasoning items?", _items(_value_of("summary"), "reasoning")),
    "usage.input-details": ("What does input_tokens_details contain?", _usage("input_tokens_details")),
    "usage.output-details": ("What does output_tokens_details contain?", _usage("output_tokens_details")),
    "id.response": ("What form does the id of a response have?", _response_id),
    "id.items": ("What form do the ids of items have?", _item_ids),
    "id.calls": ("What form does a call_id have?", _call_ids),
    "error.form": ("Which members does an error have?", _error_form),
    "error.prefix": ("How does a refused stream begin?", _error_prefix),
    "http.content-types": ("Which content types are sent?", _content_types),
    "http.trace-headers": ("Which headers name a request or its limits?", _trace_headers),
}  # fmt: skip
