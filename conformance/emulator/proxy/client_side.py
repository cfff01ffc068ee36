"""The side of the reference proxy that a client sees: heads, events and errors."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..framing import read_body
from ..hooks import through
from ..shapes import Dict, phrase, to_json
from .habit import Context, Failure, Habit, Settings


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    upstream: str
    dialect: str
    keys: dict[str, str]
    habit: Habit
    settings: Settings

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.memory: Dict = {}
        self.stopped_until = 0.0
        self.taken = self.requests = 0
        self.lock = threading.RLock()
        self.turn = threading.Lock()
        super().__init__(address, handler)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """A slot, which is given back unless the client disconnects. Raises Failure beyond the limit of requests."""
        with self.lock:
            self.taken += 1
            self.requests += 1
            limit = self.settings.most_requests
        given_back = 1
        try:
            if 0 < limit < self.requests:
                raise Failure(429, "too many requests", (("Retry-After", "60"),))
            yield
        except Failure:
            raise
        except BaseException:
            given_back = 0
            raise
        finally:
            with self.lock:
                self.taken -= given_back

    def stop_after(self, event: str) -> None:
        """Refuse requests from now on, if the habit does so after a `failure` of the upstream or a `cancel`."""
        now = time.monotonic()
        if now >= self.stopped_until and event and self.settings.stops_after.partition(":")[0] == event:
            self.stopped_until = now + self.settings.stops_for

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints no traceback if a client disconnects."""


class ClientSide(BaseHTTPRequestHandler):
    """Writes to one client; `ctx` is set once its request was read."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener
    ctx: Context
    _begun = False
    _number = 0
    _packer: Any = None
    #: The requests on this connection so far, and whether one of them streams.
    requests = 0
    _has_streamed = False

    def log_message(self, format: str, *args: Any) -> None:
        """Writes no access log."""

    def __getattr__(self, name: str) -> Any:
        # The standard handler calls do_GET and others; do_POST is defined.
        if name.startswith("do_"):
            return self._refuse_method
        raise AttributeError(name)

    def _refuse_method(self) -> None:
        self.read_body()
        self._fail(Failure(405, "use POST", (("Allow", "POST"),)))

    def allowed(self) -> bool:
        """Whether the request has the key of the client."""
        key = self.server.keys["client"]
        scheme, _, sent = self.headers.get("Authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and sent.strip() == key) or self.headers.get("api-key") == key

    def drains(self, settings: Settings) -> bool:
        """Whether the upstream's response is read to its end after the client has disconnected."""
        return settings.drains == "all" or (settings.drains == "tools" and "tools" in self.ctx.body)

    def read_body(self) -> bytes:
        """The body of the request. Raises `Failure` if its framing is invalid."""
        if self.server.settings.connection == "unread" and not self.allowed():
            raise Failure(401, "invalid key")
        if self.server.settings.connection == "unchunked" and "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return b""
        try:
            return read_body(self.headers, self.rfile)
        except ValueError:
            self.close_connection = True
            raise Failure(400, "the framing of the body is invalid") from None

    def streams(self, body: Dict) -> bool:
        """Whether the client requests a stream."""
        self.requests += 1
        was, self._has_streamed = self._has_streamed, self._has_streamed or body.get("stream") is True
        return body.get("stream") is True or (was and self.server.settings.connection == "streams")

    def _begin(self) -> None:
        if self._begun:
            return
        closes = self.server.settings.delimits_by_close
        framing = {"Connection": "close"} if closes else {"Transfer-Encoding": "chunked"}
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", **framing}
        self.close_connection = self.close_connection or closes
        if self.server.settings.packs in ("events", "whole") and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            self._packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        self._head(200, headers)
        self._begun = True
        self._number = 0
        if self.server.settings.heartbeat:
            self._chunk(b": processing\n\n")

    def _write(self, event: Dict) -> None:
        habit = self.server.habit
        for one in habit.events(self.ctx, event) if habit.events else [event]:
            self._begin()
            head = {"type": one.get("type"), "sequence_number": self._number}
            self._send({**head, **{name: value for name, value in one.items() if name not in head}})

    def _send(self, event: Dict) -> None:
        self._begin()
        self._number += 1
        self._chunk(f"event: {event['type']}\ndata: {to_json(event)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        settings = self.server.settings
        if self._packer:
            data = self._packer.compress(data)
            data += self._packer.flush(zlib.Z_SYNC_FLUSH) if settings.packs == "events" else b""
            if not data:
                return
        self._out_chunk(settings, data)

    def _out_chunk(self, settings: Settings, data: bytes) -> None:
        size = len(data.decode("utf-8", "ignore")) if settings.framing == "characters" else len(data)
        self.wfile.write(data if settings.delimits_by_close else b"%x\r\n%s\r\n" % (size, data))

    def _finish(self) -> None:
        self._begin()
        if self._packer:
            self._out_chunk(self.server.settings, self._packer.flush())
        if self.server.settings.framing == "endless":
            self.close_connection = True
        elif not self.server.settings.delimits_by_close:
            self.wfile.write(b"0\r\n\r\n")

    # -- plain responses -------------------------------------------------------------------------------------------

    def _send_error(self, failure: Failure) -> None:
        self._begin()
        if self.server.settings.untyped_errors:
            self._chunk(f"data: {to_json({'error': {'message': failure.message, 'code': None}})}\n\n".encode())
            return
        error = {"code": "server_error", "message": failure.message, "param": None}
        self._send({"type": "error", "sequence_number": self._number, **error})

    def _fail(self, failure: Failure) -> None:
        if hasattr(self, "ctx"):
            failure = through(self.server.habit.failure, self.ctx, failure)  # type: ignore[arg-type]
        if self._begun:
            self._send_error(failure)
            self._finish()
            return
        error: Dict = {"message": failure.message, "type": "proxy_error", "param": None, "code": str(failure.status)}
        headers = {name: value for name, value in failure.headers if name != "broken"}
        if failure.body:
            self._plain(failure.status, failure.body, headers)
        else:
            self._json(failure.status, {"error": error}, headers)

    def _json(self, status: int, value: Dict, headers: dict[str, str] | None = None) -> None:
        self._plain(status, to_json(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _plain(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        short = self.server.settings.framing == "short"
        if self.server.settings.packs == "plain" and status == 200:
            data, headers = gzip.compress(data), {**headers, "Content-Encoding": "gzip"}
        size = len(data.decode("utf-8", "ignore")) if short else len(data)
        self._head(status, {**headers, "Content-Length": str(size)})
        self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        if hasattr(self, "ctx"):
            headers = through(self.server.habit.replied, self.ctx, headers)  # type: ignore[arg-type]
        lines = [f"HTTP/1.1 {status} {phrase(status)}", *(f"{name}: {value}" for name, value in headers.items())]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
