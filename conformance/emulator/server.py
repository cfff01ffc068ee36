"""The endpoint as a server: HTTP/1.1 with persistent connections, one thread for each, timed chunks."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, TextIO

from .framing import read_body
from .shapes import Header, Reply, phrase

# A stalled response keeps its connection open this long, unless the server is closed before.
STALL_SECONDS = 600


class Responder(Protocol):
    """The source of responses: the endpoint, or a replacement."""

    def respond(self, method: str, path: str, headers: list[Header], body: bytes) -> Reply:
        """The reply to one request."""


class Server:
    """A running server; a context manager.

    `url` is the base to give a client (it ends in /v1, unless the endpoint has another `base`), `requests` how many
    requests have been served.
    """

    def __init__(self, endpoint: Responder, host: str, port: int, log: TextIO | None) -> None:
        self._tcp = _Listener(endpoint, (host, port), log)
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._tcp.server_address[:2]
        name = host.decode() if isinstance(host, (bytes, bytearray)) else str(host)
        base = getattr(self._tcp.endpoint, "base", "/v1")
        return f"http://{f'[{name}]' if ':' in name else name}:{port}{base}"

    @property
    def requests(self) -> int:
        return self._tcp.answered

    def close(self) -> None:
        """Stops listening and closes stalled connections; responses under way are completed."""
        self._tcp.closing.set()
        self._tcp.shutdown()
        self._tcp.server_close()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(endpoint: Responder, host: str = "127.0.0.1", port: int = 0, log: TextIO | None = None) -> Server:
    """Starts serving and returns once the port is open.

    Port 0 selects a free one. With `log`, one JSON line for each request is written there: method, path, SHA-256 of
    the body and status, never a header. Raises OSError if the port cannot be bound.
    """
    return Server(endpoint, host, port, log)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, endpoint: Responder, address: tuple[str, int], log: TextIO | None) -> None:
        self.endpoint = endpoint
        self.closing = threading.Event()
        self.answered = 0
        self._log = log
        self._lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def note(self, method: str, path: str, body: bytes, status: int) -> None:
        """Counts a request and writes its line."""
        line = {"method": method, "path": path, "sha256": hashlib.sha256(body).hexdigest(), "status": status}
        with self._lock:
            self.answered += 1
            if self._log is not None:
                self._log.write(json.dumps(line) + "\n")
                self._log.flush()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints no traceback if a client disconnects."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener
    _unread = False

    def setup(self) -> None:
        """Each connection has a thread of its own."""
        super().setup()
        if (use_connection := getattr(self.server.endpoint, "use_connection", None)) is not None:
            use_connection({})

    def __getattr__(self, name: str) -> Any:
        # The standard handler calls do_GET and others; the endpoint handles every method.
        if name.startswith("do_"):
            return self._serve_request
        raise AttributeError(name)

    def _serve_request(self) -> None:
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        if self._unread:
            self.send_error(400)
            return
        path = self.path
        try:
            reply = self.server.endpoint.respond(self.command, path, list(self.headers.items()), body)
        except Exception:
            # Only a behaviour can raise here; the client still receives an error in the service's format.
            reply = _complaint(500, phrase(500))
        self.server.note(self.command, path, body, reply.status)
        try:
            if reply.chunks or reply.ending != "stall":
                self._send(reply)
            self._end(reply)
        except OSError:
            self.close_connection = True
            noted = getattr(self.server.endpoint, "client_closed", None)  # A replayed recording has none.
            if noted is not None:
                noted()

    def _send(self, reply: Reply) -> None:
        chunks = list(reply.chunks)
        if reply.framing != "chunked" and chunks:
            # A response of known length is complete before it is sent, so the wait is before its headers.
            self._wait(chunks[0][0])
            chunks[0] = (0, chunks[0][1])
        lines = [f"{self.protocol_version} {reply.status} {reply.reason}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        # One write for both, as most servers do: a client that reads the headers has the beginning of the body too.
        self.wfile.write(head + (chunks.pop(0)[1] if reply.framing == "length" and chunks else b""))
        for wait, data in chunks:
            self._wait(wait)
            if reply.framing == "chunked" and data:
                data = b"%x\r\n%s\r\n" % (len(data), data)
            self.wfile.write(data)

    def _end(self, reply: Reply) -> None:
        self._unread = reply.ending == "unread"
        clean = reply.ending in ("clean", "unread")
        if clean and reply.framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")
        closes = (reply.header("connection") or "").lower() == "close"
        if not clean or reply.framing == "close" or closes:
            self.close_connection = True
        if reply.ending == "stall":
            self._stall()
        if reply.ending == "reset":
            # With a linger time of 0, close() resets the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _stall(self) -> None:
        """Silence until the client hangs up, the server closes or patience ends."""
        until = time.monotonic() + STALL_SECONDS
        self.connection.settimeout(0.1)
        while time.monotonic() < until and not self.server.closing.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    def _wait(self, milliseconds: float) -> None:
        if milliseconds > 0:
            self.server.closing.wait(milliseconds / 1000)

    def _read_body(self) -> bytes | None:
        """The request body; None if its framing is invalid."""
        try:
            return read_body(self.headers, self.rfile)
        except ValueError:
            self.send_error(400)
            return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Responds to bytes that are not HTTP with JSON, instead of the HTML of the standard library."""
        self.close_connection = True
        self._send(_complaint(code, message or phrase(code)).having("Connection", "close"))

    def log_message(self, format: str, *args: Any) -> None:
        """The log is the listener's business."""


def _complaint(status: int, message: str) -> Reply:
    error = {"message": message, "param": "", "code": str(status), "type": "server_error"}
    bare = Reply(status, phrase(status), [("Content-Type", "application/json")], [])
    return bare.saying({"error": error}).complete()
