"""A Chat Completions response as a Response: `Builder` receives deltas, and makes the events of a stream one by one."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from .. import render
from ..chat import REASONING
from ..shapes import Dict, Item, ParsedRequest, Plan, Usage

_KINDS: dict[str, str] = {"content": "message", REASONING: "reasoning"}


class Unreadable(Exception):
    """The response of the upstream is no response of its dialect, or reports an error."""


class Builder:
    """Makes the Response and its events from chunks of a completion.

    `finished` is true once a finish reason was received; `calls_a_chunk` are read of each chunk (None: all).
    """

    def __init__(self, model: str, calls_a_chunk: int | None = None) -> None:
        self._calls_a_chunk = calls_a_chunk
        self._ident = f"resp_{secrets.token_hex(16)}"
        self._created = int(time.time())
        self._model = model
        self._open: list[Dict] = []
        self._usage: Dict | None = None
        self._finish = ""

    @property
    def finished(self) -> bool:
        return bool(self._finish)

    def limit(self, reached: bool) -> None:
        """Reports that the limit of tokens was reached, if it was."""
        self._finish = "length" if reached else self._finish

    def begin(self) -> Iterator[Dict]:
        """The first two events."""
        for kind in ("created", "in_progress"):
            yield {"type": f"response.{kind}", "response": self._response(None)}

    def feed(self, chunk: Dict) -> Iterator[Dict]:
        """The events of one chunk. Raises `Unreadable` for an error object."""
        if chunk.get("error"):
            raise Unreadable("the upstream reported an error in its stream")
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or choice.get("message") or {}
            for member in (REASONING, "content"):
                if delta.get(member):
                    yield from self._text(_KINDS[member], delta[member])
            for call in (delta.get("tool_calls") or ())[: self._calls_a_chunk]:
                yield from self._call(call)
            self._finish = choice.get("finish_reason") or self._finish

    def _text(self, kind: str, text: str) -> Iterator[Dict]:
        last = next((one for one in reversed(self._open) if one["kind"] == kind), None)
        if last is None:
            last = yield from self._add(kind)
        last["text"] += text
        name = "reasoning_text" if kind == "reasoning" else "output_text"
        yield {"type": f"response.{name}.delta", **self._at(last), "content_index": 0, "delta": text}

    def _call(self, call: Dict) -> Iterator[Dict]:
        function = call.get("function") or {}
        index = call.get("index", len(self._open))
        one = next((one for one in self._open if one["kind"] == "function_call" and one["index"] == index), None)
        if one is None:
            one = yield from self._add("function_call", index, call.get("id") or "", function.get("name") or "")
        if function.get("arguments"):
            one["text"] += function["arguments"]
            delta = function["arguments"]
            yield {"type": "response.function_call_arguments.delta", **self._at(one), "delta": delta}

    def _add(self, kind: str, index: int = 0, call_id: str = "", name: str = "") -> Any:
        prefix = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}[kind]
        one: Dict = {
            "kind": kind, "id": prefix + secrets.token_hex(16), "text": "", "place": len(self._open), "index": index,
            "call_id": call_id, "name": name,
        }  # fmt: skip
        self._open.append(one)
        item = self._item(one, "in_progress")
        yield {"type": "response.output_item.added", "output_index": one["place"], "item": render.opened(item)}
        if kind != "function_call":
            part = render.part(item, "")
            yield {"type": "response.content_part.added", **self._at(one), "content_index": 0, "part": part}
        return one

    @staticmethod
    def _at(one: Dict) -> Dict:
        return {"item_id": one["id"], "output_index": one["place"]}

    @staticmethod
    def _item(one: Dict, status: str) -> Item:
        return Item(one["kind"], one["id"], (one["text"],), status, one["name"], one["call_id"])

    def end(self) -> Iterator[Dict]:
        """The events that close all items, and the terminal event."""
        for one in self._open:
            item = self._item(one, self._status)
            at = self._at(one)
            if one["kind"] == "function_call":
                done = {"arguments": one["text"], "name": one["name"]}
                yield {"type": "response.function_call_arguments.done", **at, **done}
            else:
                name = "reasoning_text" if one["kind"] == "reasoning" else "output_text"
                yield {"type": f"response.{name}.done", **at, "content_index": 0, "text": one["text"]}
                part = render.part(item, one["text"])
                yield {"type": "response.content_part.done", **at, "content_index": 0, "part": part}
            yield {"type": "response.output_item.done", "output_index": one["place"], "item": render.item(item)}
        response = self.response()
        yield {"type": f"response.{response['status']}", "response": response}

    @property
    def _status(self) -> str:
        return "incomplete" if self._finish in ("length", "content_filter") else "completed"

    def response(self) -> Dict:
        """The final Response."""
        items = tuple(self._item(one, self._status) for one in self._open)
        made = self._response(Plan(items, self._bill(), self._status == "incomplete"))
        if self._finish == "content_filter":
            made["incomplete_details"] = {"reason": "content_filter"}
        if self._usage is None:
            made["usage"] = None
        return made

    def failed(self, message: str) -> Dict:
        """The terminal event of a failed response."""
        error = {"code": "server_error", "message": message}
        return {"type": "response.failed", "response": {**self._response(None), "status": "failed", "error": error}}

    def _response(self, plan: Plan | None) -> Dict:
        return render.response(self._ident, self._created, ParsedRequest(model=self._model), plan)

    def _bill(self) -> Usage:
        usage = self._usage or {}
        reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0, reasoning, cached)


class Frames:
    """Reads an event stream, as the WHATWG's grammar defines it. `reader` selects the mistakes of a parser,
    and `memory` what several share."""

    def __init__(self, reader: str = "standard", memory: Dict | None = None) -> None:
        self._reader = reader
        self._memory = {} if memory is None else memory
        self._rest = b""
        self._data: list[str] = []
        self._first = True

    def feed(self, data: bytes) -> Iterator[str]:
        """The data of each event that these bytes complete; b"" at the end of the stream."""
        if self._reader == "chunks":
            yield from (part[5:].strip() for part in data.decode("utf-8", "ignore").split("\n") if part[:5] == "data:")
            return
        if self._first and data:
            self._first = False
            data = data.removeprefix(b"\xef\xbb\xbf") if self._reader == "standard" else data
        if self._reader == "shared":
            self._rest = self._memory.pop("rest", b"")
        self._rest += data
        for line in self._lines(not data):
            if line:
                name, _, value = line.partition(":")
                if name == "data":
                    self._data.append(value.removeprefix(" "))
                    if self._reader == "strict-space" and not value.startswith(" "):
                        self._data.pop()
            elif self._data:
                found, self._data = "\n".join(self._data), []
                yield found

    def _lines(self, last: bool) -> Iterator[str]:
        if self._reader == "text":
            text = self._rest.decode("utf-8", "replace")
            parts = text.splitlines(keepends=True)
            keep = parts.pop() if parts and not parts[-1].endswith("\n") else ""
            self._rest = keep.encode()
            yield from (part.rstrip("\r\n\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e") for part in parts)
            return
        while True:
            ends = [at for end in (b"\n", b"\r") if (at := self._rest.find(end)) >= 0]
            if self._reader == "lf":
                ends = [at for at in ends if self._rest[at : at + 1] == b"\n"]
            at = min(ends, default=-1)
            if at < 0 or (self._rest[at:] == b"\r" and not last):
                self._memory["rest"] = self._rest
                return
            size = 2 if self._rest[at : at + 2] == b"\r\n" else 1
            line, self._rest = self._rest[:at], self._rest[at + size :]
            if self._reader == "limit" and len(line) > 65536:
                raise Unreadable("a line is too long")
            yield line.decode("utf-8", "replace")


def parse(text: str) -> Dict:
    """A JSON object. Raises `Unreadable` for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unreadable("the upstream sent no JSON object")
    return value
