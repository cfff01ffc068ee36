"""A proxy on loopback that forwards requests and responses unchanged and unbuffered, and passes each completed exchange
to an observer.

HTTP/1.1 with persistent connections, one thread for each. A client that disconnects ends the request upstream.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conformance.emulator.framing import read_body
from conformance.exchange.exchange import Chunk, Ended, Headers
from conformance.traffic.upstream import Upstream, UpstreamResponse, failed, passed_on
from conformance.wire.deadlines import PartialResponse, Watch

#: Bytes of one response that are stored for evaluation; all of it is forwarded.
MAX_STORED_BYTES = 16_000_000

#: Seconds between looks whether the client is still there.
_LOOK = 0.1

#: The detail if the client disconnected before the end.
CLIENT_DISCONNECTED = "the client disconnected"

_WHO = "conformance watch"


@dataclass(frozen=True)
class ForwardedExchange:
    """One exchange as it was passed on, credentials and all: it must not be stored as it is.

    ``url`` is that of the upstream, ``status`` None without a response; ``sent_at`` unix seconds, ``elapsed``
    milliseconds.
    """

    method: str
    url: str
    sent: Headers
    body: bytes
    status: int | None
    headers: Headers
    chunks: tuple[Chunk, ...]
    ended: Ended
    detail: str
    sent_at: float
    elapsed: float


class Proxy:
    """A running proxy; a context manager. ``url`` is the base URL for clients."""

    def __init__(self, upstream: Upstream, host: str, port: int, seen: Callable[[ForwardedExchange], None]) -> None:
        self._tcp = _Listener(upstream, (host, port), seen)
        self._path = upstream.path
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL that replaces the upstream's."""
        host, port = self._tcp.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}{self._path}"

    def close(self) -> None:
        """Stop listening, close the connections, and wait until the observer has received every exchange."""
        self._tcp.closing.set()
        self._tcp.shutdown()
        self._tcp.server_close()
        self._thread.join()
        until = time.monotonic() + 5.0
        while self._tcp.under_way and time.monotonic() < until:
            time.sleep(0.01)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, upstream: Upstream, address: tuple[str, int], seen: Callable[[ForwardedExchange], None]) -> None:
        self.upstream = upstream
        self.seen = seen
        self.closing = threading.Event()
        self.under_way: set[int] = set()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback if a client disconnects."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def __getattr__(self, name: str) -> Any:
        # The standard handler looks for do_GET and its like; here every method is passed on.
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def _pass(self) -> None:
        # The handler's path attribute collapses leading double slashes.
        target = self.requestline.split(" ")[1]
        upgrade = self.headers.get("Upgrade", "")
        body = self._read_body()
        if body is None:
            self._refuse(400, "the body of the request cannot be read: its framing is invalid")
        elif "websocket" in upgrade.lower():
            says = "WebSockets are not forwarded; use HTTP: this response is from the proxy, not from the upstream"
            self._refuse(426, says, ("Upgrade: HTTP/1.1",))
        elif not self._is_below(target):
            says = f"{target.partition('?')[0][:200]} is not below {self.server.upstream.path or '/'}: use that base"
            self._refuse(404, says)
        else:
            place = id(self)
            self.server.under_way.add(place)
            try:
                self._exchange(target, body)
            finally:
                self.server.under_way.discard(place)

    def _is_below(self, target: str) -> bool:
        base, path = self.server.upstream.path, target.partition("?")[0]
        return path.startswith("/") and (path == base or path.startswith(base + "/"))

    def _exchange(self, target: str, body: bytes) -> None:
        sent, partial = tuple(self.headers.items()), _StoredBody()
        sent_at, started = time.time(), time.monotonic()
        with Watch() as watch, self._staying(watch):
            ended, detail = self._relay(target, sent, body, partial, watch, started)
        if watch.reason and ended != "clean":
            ended, detail = "time-out", watch.reason
        if partial.over and ended == "clean":
            ended, detail = "oversize", f"more than {MAX_STORED_BYTES} bytes of body"
        self.server.seen(
            ForwardedExchange(
                self.command, self.server.upstream.url(target), sent, body, partial.status, partial.headers,
                partial.chunks, ended, detail, sent_at, (time.monotonic() - started) * 1000,
            )
        )  # fmt: skip

    def _relay(
        self, target: str, sent: Headers, body: bytes, partial: _StoredBody, watch: Watch, started: float
    ) -> tuple[Ended, str]:
        try:
            with self.server.upstream.planned(self.command, target, sent, body, watch) as response:
                partial.status, partial.headers = response.status, response.headers
                write = self._head(response)
                for data in response.chunks:
                    partial.keep((time.monotonic() - started) * 1000, data)
                    write(data)
                if watch.reason:  # A body without an announced length seems complete when the connection is closed.
                    return "time-out", watch.reason
                write(b"")
                return "clean", ""
        except _ClientDisconnected:
            self.close_connection = True
            return "time-out", CLIENT_DISCONNECTED
        except Exception as error:  # An exception for one exchange must not stop the proxy.
            ended, detail = failed(error, partial.status is not None, started)
            if partial.status is None and not watch.reason:
                self._refuse(502, f"no response from the upstream: {ended} ({detail})")
            self.close_connection = True  # Closing the connection shows the client that its response is incomplete.
            return ended, detail

    def _head(self, response: UpstreamResponse) -> Callable[[bytes], None]:
        """Send the status line and headers; returns the function that sends the body, called with b"" at its end."""
        headers = passed_on(response.headers)
        empty = self.command == "HEAD" or response.status in (204, 304)
        sized = any(name.lower() == b"content-length" for name, _ in headers)
        chunked = not (empty or sized or self.request_version == "HTTP/1.0")
        if chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
        elif not (empty or sized):
            self.close_connection = True
        if self.close_connection:
            headers.append((b"Connection", b"close"))
        first = f"{self.protocol_version} {response.status} {response.reason}".encode("latin-1", "replace")
        self._write(b"\r\n".join([first, *(name + b": " + value for name, value in headers), b"", b""]))

        def write(data: bytes) -> None:
            if chunked:
                self._write(b"%x\r\n%s\r\n" % (len(data), data) if data else b"0\r\n\r\n")
            elif data and not empty:
                self._write(data)

        return write

    def _write(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
        except OSError:
            raise _ClientDisconnected from None

    @contextlib.contextmanager
    def _staying(self, watch: Watch) -> Iterator[None]:
        """Close the upstream connection when the client disconnects or the proxy stops."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(_LOOK):
                if self.server.closing.is_set():
                    watch.limit("closing", 0, "the watcher was stopped")
                elif _is_closed(self.connection):
                    watch.limit("client", 0, CLIENT_DISCONNECTED)
                else:
                    continue
                return

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        yield
        over.set()
        looking.join()

    def _refuse(self, status: int, says: str, more: tuple[str, ...] = ()) -> None:
        """Send an error of the proxy itself, in the error format of the service."""
        error = {"message": f"{_WHO}: {says}", "type": "watcher_error", "param": "", "code": str(status)}
        data = json.dumps({"error": error}).encode()
        self.close_connection = True
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(data)}", "Connection: close", *more, "", ""]
        with contextlib.suppress(OSError):
            self.wfile.write("\r\n".join(lines).encode("latin-1", "replace") + data)

    def _read_body(self) -> bytes | None:
        """The request body; None if its framing is invalid or it is incomplete."""
        try:
            return read_body(self.headers, self.rfile)
        except (ValueError, OSError):
            return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Respond to bytes that are not HTTP with JSON, instead of the HTML of the standard library."""
        self._refuse(code, message or "the request cannot be read")

    def log_message(self, format: str, *args: Any) -> None:
        """No log: the observer reports exchanges."""


class _ClientDisconnected(Exception):
    """No log: the client has disconnected."""


class _StoredBody(PartialResponse):
    """The part of a response that is stored; ``over``: there was more."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False

    def keep(self, at: float, data: bytes) -> None:
        """Keep a read, if there is still room."""
        self.over = self.over or self.size + len(data) > MAX_STORED_BYTES
        if not self.over:
            self.add(at, data)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the peer has closed the connection; bytes it has sent stay unread."""
    try:
        poller = select.poll()  # Unlike select, poll accepts file descriptors of any number.
        poller.register(connection, select.POLLIN)
        return bool(poller.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True
