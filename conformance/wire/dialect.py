"""The dialect of a recorded endpoint: what it adds to the contract, learned from its exchanges and put on responses.

A template of each kind of object (a snapshot, an item, a part, an event, the details of usage) is the first one that
was recorded, with its members in their order. A response in the dialect has the members of the template: the values of
the built-in endpoint for those that it has, else those of the template.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from conformance.decode.events import DONE_MARKER, integer, mapping, objects, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange

#: The members of a Response that begins which are its own, and no part of the dialect.
_OWN = ("id", "created_at", "model", "status", "object")

#: The ids of the built-in endpoint, by the kind of object.
_IDS = re.compile(rb"\b(resp|msg|rs|fc|call|ctc)_[0-9a-f]{32}\b")

_PREFIX = re.compile(r"([A-Za-z]+[_-])?(.*)", re.DOTALL)
_KINDS = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}

_ALPHABETS = ((re.compile(r"\d+"), "0123456789"), (re.compile(r"[0-9a-f]+"), "0123456789abcdef"))
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#: Events that some endpoints leave out, and what every stream contains in which others send them.
_REASONING = ("item", "response.output_item.added reasoning")
_ACCOMPANIED = {
    "response.in_progress": ("event", "response.created"),
    "response.content_part.added": ("event", "response.output_text.delta"),
    "response.content_part.done": ("event", "response.output_text.delta"),
    "response.reasoning_text.delta": _REASONING,
    "response.reasoning_text.done": _REASONING,
}

Template = Mapping[str, Any]


class Dialect:
    """The dialect of these exchanges. Without a recorded stream or plain response, that form stays as it is."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self.event_lines, self.space, self.line_end, self.done, self.first = True, True, b"\n", False, 0
        self.comments, self.error_prefix = False, b"data:"
        self.templates: dict[tuple[str, str], Template] = {}
        self.ids: dict[str, str] = {}
        self.headers: dict[str, tuple[tuple[str, str], ...]] = {}
        self._framed = False
        for exchange in exchanges:
            received = Received(exchange, exchange.scenario)
            try:
                self._learn(received)
            except CannotEvaluate:
                continue

    # -- learning ------------------------------------------------------------------------------------------------------

    def _learn(self, received: Received) -> None:
        exchange = received.exchange
        if not exchange.ok:
            if exchange.refused:
                error = mapping(mapping(received.envelope).get("error"))
                self._keep("error", "", error)
                if received.streaming:
                    body = exchange.body.lstrip()
                    self.error_prefix = body[: len(body) - len(body.removeprefix(b"data:").lstrip())]
                self.headers.setdefault("refusal", exchange.headers)
            return
        streams = received.looks_like_stream
        self.headers.setdefault("stream" if streams else "plain", exchange.headers)
        response = received.response
        self._keep("response", "terminal" if streams else "plain", response)
        self._learn_items(response)
        self.ids.setdefault("resp", text(response.get("id")))
        self._keep("usage", "", mapping(response.get("usage")))
        for name in ("input_tokens_details", "output_tokens_details"):
            self._keep("usage", name, mapping(mapping(response.get("usage")).get(name)))
        if streams:
            self._learn_stream(received)

    def _learn_items(self, response: Template) -> None:
        for item in objects(response.get("output")):
            kind = text(item.get("type"))
            self._keep("item", kind, item)
            self.ids.setdefault(_KINDS.get(kind, kind), text(item.get("id")))
            if isinstance(item.get("call_id"), str):
                self.ids.setdefault("call", item["call_id"])
            for part in objects(item.get("content")):
                self._keep("part", text(part.get("type")), part)

    def _learn_stream(self, received: Received) -> None:
        if not self._framed:
            body = received.exchange.body
            self._framed = True
            self.event_lines = any(event.frame.event for event in received.events)
            self.space = b"data: " in body
            self.line_end = b"\r\n" if b"\r\n" in body else b"\r" if b"\r" in body else b"\n"
            self.done = any(frame.data.strip() == DONE_MARKER for frame in received.frames)
            self.comments = re.search(rb"(?m)^:", body) is not None
            number = received.events[0].number
            self.first = number if isinstance(number, int) else 0
        for event in received.events:
            self._keep("event", event.type, event.data)
            if event.type in ("response.created", "response.in_progress"):
                self._keep("response", event.type, event.response)
            if event.item:
                self._keep("item", f"{event.type} {text(event.item.get('type'))}", event.item)
            if event.part:
                self._keep("part", f"{event.type} {event.part_type}", event.part)

    def _keep(self, kind: str, name: str, value: Template) -> None:
        if value:
            self.templates.setdefault((kind, name), value)

    # -- applying ------------------------------------------------------------------------------------------------------

    def _hides_reasoning(self, in_stream: bool) -> bool:
        """Whether items were recorded, in streams or at all, but none with reasoning."""
        begin = "response.output_item.added "
        kinds = {name for kind, name in self.templates if kind == "item"}
        if in_stream and (added := {name for name in kinds if name.startswith(begin)}):
            return f"{begin}reasoning" not in added
        return bool(kinds) and "reasoning" not in kinds

    def stream(self, chunks: Iterable[tuple[float, bytes]], sent: Template) -> list[tuple[float, bytes]]:
        """The chunks of a stream of the built-in endpoint, each one event, in the dialect; ``sent`` is the request."""
        found = [(0.0, b": keep-alive" + self.line_end * 2)] if self.comments else []
        hidden: set[int] = set()
        number = self.first
        for wait, data in chunks:
            event = _event_of(data)
            index = integer(event.get("output_index"))
            is_reasoning = mapping(event.get("item")).get("type") == "reasoning"
            if is_reasoning and index is not None and self._hides_reasoning(True):
                hidden.add(index)
            if index in hidden or self._does_without(event):
                continue
            event |= {"sequence_number": number, **({} if index is None else {"output_index": index - len(hidden)})}
            number += 1
            found.append((wait, self._frame(self._event(event, sent))))
        mark = (b"data: [DONE]" if self.space else b"data:[DONE]") + self.line_end * 2
        return [*found, (0.0, mark)] if self.done else found

    def _does_without(self, event: Template) -> bool:
        """Whether the recorded streams have no event of this type, though they have what it accompanies."""
        kind = text(event.get("type"))
        if mapping(event.get("part")).get("type") == "reasoning_text":
            kind = "response.reasoning_text.delta"
        accompanied = _ACCOMPANIED.get(kind)
        return accompanied in self.templates and ("event", kind) not in self.templates

    def _frame(self, event: dict[str, Any]) -> bytes:
        lines = [f"event: {event.get('type')}".encode()] if self.event_lines else []
        lines.append((b"data: " if self.space else b"data:") + _to_json(event))
        return self.with_ids(self.line_end.join([*lines, b"", b""]))

    def _event(self, event: dict[str, Any], sent: Template) -> dict[str, Any]:
        kind = text(event.get("type"))
        if isinstance(event.get("response"), dict):
            begins = kind in ("response.created", "response.in_progress")
            event["response"] = self.response(event["response"], kind if begins else "terminal", sent)
        for member in ("item", "part"):
            if inner := mapping(event.get(member)):
                event[member] = self._like(member, f"{kind} {text(inner.get('type'))}", inner)
                self._parts(event[member])
        return self._like("event", kind, event)

    def response(self, response: dict[str, Any], name: str, sent: Template) -> dict[str, Any]:
        """A Response object in the dialect: ``name`` is plain, terminal, or the type of the event that carries it.
        Members that repeat a parameter have the value of ``sent``, the request."""
        template = self.templates.get(("response", name))
        if template is None:
            return response
        given = {**template, **{member: value for member, value in sent.items() if member in template}}
        if name not in ("plain", "terminal"):
            return given | {member: response[member] for member in _OWN if member in response and member in template}
        output = objects(response.get("output"))
        hides = self._hides_reasoning(name == "terminal")
        response["output"] = [one for one in output if not (hides and one.get("type") == "reasoning")]
        for item in response["output"]:
            _become(item, self._like("item", text(item.get("type")), item))
            self._parts(item)
        if isinstance(response.get("usage"), dict):
            usage = response["usage"] = self._like("usage", "", response["usage"])
            for member in ("input_tokens_details", "output_tokens_details"):
                if isinstance(usage.get(member), dict):
                    usage[member] = self._like("usage", member, usage[member])
        return {member: response.get(member, value) for member, value in given.items()}

    def _parts(self, item: dict[str, Any]) -> None:
        for part in objects(item.get("content")):
            _become(part, self._like("part", text(part.get("type")), part))

    def _like(self, kind: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
        """The value with the members of its template, or as it is without one."""
        template = self.templates.get((kind, name))
        return dict(value) if template is None else {one: value.get(one, given) for one, given in template.items()}

    def error(self, error: dict[str, Any]) -> dict[str, Any]:
        """An error in the dialect."""
        return self._like("error", "", error)

    def with_ids(self, body: bytes) -> bytes:
        """The body with ids in the form of the dialect."""
        return _IDS.sub(lambda found: self._id(found[1].decode(), found[0]), body)

    def _id(self, kind: str, own: bytes) -> bytes:
        form = self.ids.get(kind)
        return id_like(form, own.decode()).encode() if form else own


def _become(value: dict[str, Any], other: dict[str, Any]) -> None:
    """Give an object the members of another one, in place."""
    value.clear()
    value.update(other)


def id_like(form: str, seed: str) -> str:
    """An id of the same form (prefix, length, alphabet) as ``form``; the same one for the same seed."""
    found = _PREFIX.fullmatch(form)
    prefix, rest = (found[1] or "", found[2]) if found else ("", form)
    alphabet = next((letters for pattern, letters in _ALPHABETS if pattern.fullmatch(rest)), _LETTERS)
    digest = b"".join(hashlib.sha256(f"{seed}/{part}".encode()).digest() for part in range(len(rest) // 32 + 1))
    made = [alphabet[byte % len(alphabet)] for byte in digest[: len(rest)]]
    if not rest.isdecimal() and "".join(made).isdecimal():
        return id_like(form, f"{seed}/")  # Hexadecimal digits without a letter would be another form.
    # What separates the parts of a UUID and of similar ids stays.
    return prefix + "".join(new if old.isalnum() else old for new, old in zip(made, rest, strict=True))


def _event_of(data: bytes) -> dict[str, Any]:
    """The event in a frame of the built-in endpoint."""
    line = next(one for one in data.splitlines() if one.startswith(b"data:"))
    return mapping(json.loads(line.removeprefix(b"data:")))


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
