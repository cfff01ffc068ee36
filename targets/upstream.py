"""A chat-completions endpoint for servers that translate: what they are asked is plain, what they answer is theirs.

Deterministic in all but ids and times. It calls the tools that a question names, thinks where it is asked to, stops
at the cap with ``finish_reason`` ``length``, counts its tokens, and refuses what is out of MiMo's ranges. It answers
the questions that the suite asks; any other question gets one sentence.

``python -m targets.upstream --port 9000`` runs it alone; the key is ``upstream-key``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

KEY = "upstream-key"
MODEL = "mimo-v2.5-pro"

Json = dict[str, Any]

_ROLES = ("system", "developer", "user", "assistant", "tool")
_RANGES = {"temperature": (0, 1.5), "top_p": (0.01, 1), "max_tokens": (1, 131072), "max_completion_tokens": (1, 131072)}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

#: Letters to a token, and seconds between two chunks.
_LETTERS, _PAUSE = 4, 0.002

#: Tokens that a call takes beside its arguments.
_CALL = 4

_THOUGHTS = "Let me think about what is asked. It is simple enough."
_WEATHER = "It is sunny there, with 18 degrees."
_SENTENCE = "The sea is wide and blue."
_PRIMES = "There are nine of them."


class Refused(Exception):
    """A request that is answered with an error: its status and what is wrong."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """What is answered, in tokens: thoughts, text, calls (a name and the arguments' tokens), why it ends, usage."""

    thoughts: list[str]
    text: list[str]
    calls: list[tuple[str, list[str]]]
    finish: str
    usage: Json


def reply(body: Json) -> Reply:
    """The answer to a request that :func:`check` has let pass."""
    messages = body["messages"]
    cap = body.get("max_completion_tokens") or body.get("max_tokens") or 131072
    thoughts, room = _cut(_tokens(_THOUGHTS) if _thinks(body) else [], cap)
    wanted = _calls(messages, body.get("tools") or [])
    said = [] if wanted else _tokens(_answer(messages))
    text, room = _cut(said, room)
    calls: list[tuple[str, list[str]]] = []
    whole = text == said and room >= 0
    for name, arguments in wanted:
        tokens = _tokens(json.dumps(arguments, ensure_ascii=False))
        if room <= _CALL:
            whole = False
            break
        kept, room = _cut(tokens, room - _CALL)
        calls.append((name, kept))
        whole = whole and kept == tokens
    finish = ("tool_calls" if calls else "stop") if whole else "length"
    return Reply(thoughts, text, calls, finish, _usage(messages, cap - room, len(thoughts)))


def _usage(messages: list[Json], used: int, thought: int) -> Json:
    asked = max(1, len(json.dumps(messages)) // _LETTERS)
    return {
        "prompt_tokens": asked,
        "completion_tokens": used,
        "total_tokens": asked + used,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _tokens(text: str) -> list[str]:
    return re.findall(f".{{1,{_LETTERS}}}", text, re.DOTALL)


def _cut(tokens: list[str], room: int) -> tuple[list[str], int]:
    kept = tokens[:room]
    return kept, room - len(kept)


def _thinks(body: Json) -> bool:
    """Whether it is asked to think, in any of the ways in use for this API."""
    nested, thinking = body.get("reasoning"), body.get("thinking")
    efforts = [body.get("reasoning_effort"), nested.get("effort") if isinstance(nested, dict) else None]
    enabled = isinstance(thinking, dict) and thinking.get("type") == "enabled"
    return enabled or any(effort not in (None, "none") for effort in efforts)


def _calls(messages: list[Json], tools: list[Json]) -> list[tuple[str, Json]]:
    """The calls a question names a tool for; none once the tool has answered."""
    if messages[-1]["role"] == "tool":
        return []
    question = _question(messages)
    for name in (tool["function"]["name"] for tool in tools):
        if name in question:
            return [(name, arguments) for arguments in _arguments(question)]
    return []


def _arguments(question: str) -> list[Json]:
    if "Tokyo" in question:
        return [{"city": city, "days": 1, "unit": "celsius"} for city in ("Paris", "Tokyo")]
    if "zone" in question:
        return [{"zone": "UTC"}]
    return [{"city": "Zürich", "days": 2, "unit": "celsius"}] if "weather" in question else [{}]


def _answer(messages: list[Json]) -> str:
    question = _question(messages)
    if messages[-1]["role"] == "tool":
        return _WEATHER
    if found := re.search(r"Repeat exactly: (.*)", question, re.DOTALL):
        return found[1]
    if found := re.search(r"Count from (\d+) to (\d+)", question):
        return ", ".join(map(str, range(int(found[1]), min(int(found[2]), 10_000) + 1)))
    if "JSON" in question:
        return '{"country": "France", "capital": "Paris"}'
    return _PRIMES if "prime" in question else _SENTENCE


def _question(messages: list[Json]) -> str:
    asked = [one for one in messages if one["role"] == "user"]
    return _text(asked[-1].get("content")) if asked else ""


def _text(content: Any) -> str:
    parts = content if isinstance(content, list) else [{"text": content}]
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def check(body: Any) -> Json:
    """The body if it can be answered; :class:`Refused` says what is wrong with it."""
    if not isinstance(body, dict):
        raise Refused(400, "the body is not an object")
    if body.get("model") != MODEL:
        raise Refused(400, f"Unsupported model {body.get('model')}")
    for name, (least, most) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (_number(value) and least <= value <= most):
            raise Refused(400, f"{name} is wrong")
        if value is not None and "tokens" in name and not isinstance(value, int):
            raise Refused(400, f"{name} is no integer")
    _check_messages(body.get("messages"))
    _check_tools(body.get("tools"))
    return body


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages is required")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise Refused(400, "messages: a role is wrong")
        if not isinstance(message.get("content"), str | list | None):
            raise Refused(400, "messages: a content is wrong")


def _check_tools(tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise Refused(400, "tools is no array")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(400, "tools: a name is wrong")


def whole(answer: Reply, base: Json, call_ids: Iterator[str]) -> Json:
    """The plain answer."""
    message: Json = {"role": "assistant", "content": "".join(answer.text) or None}
    if answer.thoughts:
        message["reasoning_content"] = "".join(answer.thoughts)
    if answer.calls:
        message["tool_calls"] = [
            {"id": next(call_ids), "type": "function", "function": {"name": name, "arguments": "".join(arguments)}}
            for name, arguments in answer.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": answer.finish}
    return {**base, "object": "chat.completion", "choices": [choice], "usage": answer.usage}


def chunks(answer: Reply, base: Json, call_ids: Iterator[str]) -> Iterator[Json]:
    """The same as chunks, the usage in one of its own at the end."""
    base = {**base, "object": "chat.completion.chunk"}
    for delta in _deltas(answer, call_ids):
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish}]}
    yield {**base, "choices": [], "usage": answer.usage}


def _deltas(answer: Reply, call_ids: Iterator[str]) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    yield from ({"reasoning_content": token} for token in answer.thoughts)
    yield from ({"content": token} for token in answer.text)
    for at, (name, arguments) in enumerate(answer.calls):
        named = {"id": next(call_ids), "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [{"index": at, **named}]}
        yield from ({"tool_calls": [{"index": at, "function": {"arguments": token}}]} for token in arguments)


class Upstream(ThreadingHTTPServer):
    """The endpoint on 127.0.0.1; ``url`` is its base without ``/v1``."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.numbers = count(1)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """The list of models, for whoever asks for it."""
        if not self.path.endswith("/models"):
            self._refuse(Refused(404, "only /models is to be got"))
            return
        self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "x"}]})

    def do_POST(self) -> None:
        """A chat completion."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = self._checked(raw)
        except Refused as error:
            self._refuse(error)
            return
        number = next(self.server.numbers)
        base = {"id": f"chatcmpl-{number:032x}", "created": int(time.time()), "model": MODEL}
        call_ids = (f"call_{number:016x}{at:08x}" for at in count())
        answer = reply(body)
        if body.get("stream"):
            self._stream(chunks(answer, base, call_ids))
        else:
            self._json(200, whole(answer, base, call_ids))

    def _checked(self, raw: bytes) -> Json:
        if not self.path.endswith("/chat/completions"):
            raise Refused(404, "only /chat/completions is here")
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            raise Refused(401, "Invalid API Key")
        try:
            return check(json.loads(raw))
        except ValueError:
            raise Refused(400, "the body is no JSON") from None

    def _refuse(self, error: Refused) -> None:
        told = {"message": str(error), "type": "invalid_request_error", "param": None, "code": str(error.status)}
        self._json(error.status, {"error": told})

    def _json(self, status: int, value: Json) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, values: Iterator[Json]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for at, value in enumerate(values):
            self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
            if at < 100:  # A long answer need not take long.
                time.sleep(_PAUSE)
        self.wfile.write(b"data: [DONE]\n\n")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m targets.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    with Upstream(parser.parse_args().port) as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
