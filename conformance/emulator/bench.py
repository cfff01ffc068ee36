"""The endpoint for daily use: `/v1/models`, faults in turn, scripted responses, and a line for each request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from .auth import authenticate
from .endpoint import Endpoint
from .hooks import CLEAN, Behaviour, combine
from .script import Scripted, read
from .shapes import Header, Reply, phrase


class Bench:
    """A responder around endpoints that differ in their behaviour.

    `make` makes an endpoint with a behaviour; `always` are the behaviours of every request, and of `in_turn` each
    request has the next one. `script` is a file of scripted responses, read again whenever it changes; `faults` are
    those that it may name. `log` receives a line for each request. Raises ValueError for a script that cannot be used.
    """

    def __init__(
        self,
        make: Callable[[Behaviour], Endpoint],
        key: str,
        always: Sequence[Behaviour] = (),
        in_turn: Sequence[Behaviour] = (),
        script: Path | None = None,
        faults: Mapping[str, Behaviour] | None = None,
        log: TextIO | None = None,
    ) -> None:
        self._make = make
        self._key = key
        self._always = tuple(always)
        self._in_turn = tuple(in_turn)
        self._script = script
        self._faults = faults or {}
        self._log = log
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._served = 0
        self._changed = 0.0
        self._responses: list[Scripted] = []
        self._plain = self._endpoint(())
        self.base = self._plain.base
        if script:
            self._changed = _time_of(script)
            self._responses = read(script, self._faults)

    def respond(self, method: str, path: str, headers: Sequence[Header], body: bytes) -> Reply:
        """The reply to one request."""
        started = time.monotonic()
        reply, named = self._reply(method, path, headers, body)
        took = (time.monotonic() - started) * 1000 + sum(wait for wait, _ in reply.chunks)
        self._log_line(f"{method} {path} {reply.status} {took:.0f} ms{'  ' + named if named else ''}")
        return reply

    def client_closed(self) -> None:
        """Notes in each endpoint that a client closed a response in mid-stream."""
        with self._lock:
            endpoints = [self._plain, *self._endpoints.values()]
        for endpoint in endpoints:
            endpoint.client_closed()

    def _reply(self, method: str, path: str, headers: Sequence[Header], body: bytes) -> tuple[Reply, str]:
        """The reply, and the names of the faults or of the scripted response in it."""
        if path.partition("?")[0] == self.base + "/models" and method == "GET":
            if authenticate(headers, self._key):
                return self._plain.respond(method, path, headers, body), ""
            rows = [
                {"id": name, "object": "model", "created": 0, "owned_by": "built-in"} for name in self._plain.models
            ]
            return _json({"object": "list", "data": rows}), ""
        if path.partition("?")[0] != self.base + "/responses" or method != "POST":
            return self._plain.respond(method, path, headers, body), ""
        with self._lock:
            number = self._served
            self._served += 1
            scripted = self._scripted(body)
            turn = [self._in_turn[number % len(self._in_turn)]] if self._in_turn and not scripted else []
            added = [scripted.behaviour] if scripted and scripted.behaviour else turn
            endpoint = self._endpoint(added, scripted.number if scripted else None)
        if scripted and (reply := scripted.reply()):
            return reply, f"script: {reply.status}"
        reply = endpoint.respond(method, path, headers, body)
        if scripted and scripted.delay and reply.chunks:
            (wait, data), *others = reply.chunks
            reply = replace(reply, chunks=[(wait + scripted.delay, data), *others])
        names = [one.name for one in (*self._always, *added)]
        return reply, ", ".join(
            names if not scripted else ["scripted", *(name for name in names if name != "scripted")]
        )

    def _scripted(self, body: bytes) -> Scripted | None:
        """The scripted response for a request; the file is read again if it has changed."""
        if self._script is None:
            return None
        changed = _time_of(self._script)
        if changed != self._changed:
            self._changed = changed
            try:
                self._responses = read(self._script, self._faults)
                self._log_line(f"{self._script} read again")
            except ValueError as error:
                self._log_line(f"{error}; the earlier responses stay")
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            return None
        found = next((one for one in self._responses if isinstance(sent, dict) and one.fits(sent)), None)
        if found:
            found.used += 1
        return found

    def _endpoint(self, added: Sequence[Behaviour], scripted: int | None = None) -> Endpoint:
        key = f"{'+'.join(one.name for one in added)}/{scripted}"
        if key not in self._endpoints:
            behaviours = [*self._always, *added]
            self._endpoints[key] = self._make(combine(behaviours) if behaviours else CLEAN)
        return self._endpoints[key]

    def _log_line(self, line: str) -> None:
        if self._log:
            safe = "".join(letter if letter.isprintable() else "?" for letter in line)
            self._log.write(safe + "\n")
            self._log.flush()


def snippets(url: str, model: str) -> Iterator[str]:
    """Commands that send a request to the endpoint, with the key in `MIMO_API_KEY`."""
    yield f"curl -sN {url}/responses \\"
    yield "  -H \"Authorization: Bearer $MIMO_API_KEY\" -H 'Content-Type: application/json' \\"
    yield f"  -d '{json.dumps({'model': model, 'input': 'Name a river.', 'stream': True})}'"
    yield "or, in Python:"
    yield "  import os, openai"
    yield f'  client = openai.OpenAI(base_url="{url}",'
    yield '                         api_key=os.environ["MIMO_API_KEY"])'
    yield f'  client.responses.create(model="{model}", input="Name a river.")'


def _json(value: object) -> Reply:
    headers = [("Content-Type", "application/json")]
    return Reply(200, phrase(200), headers, [(0, json.dumps(value).encode())]).complete()


def _time_of(file: Path) -> float:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return -1.0
