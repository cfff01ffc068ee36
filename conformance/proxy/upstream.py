"""The upstream side: a server on loopback that records each request, and serves the script of the probe that caused it.

A request belongs to the probe whose canary its body contains; without one, to the probe in progress, and its note
``matched`` is false. Only ``POST`` requests to the path of the dialect are recorded: a proxy may send others, such as
for the list of models.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.emulator.framing import read_body
from conformance.exchange.exchange import Headers
from conformance.proxy.client import MAX_BODY
from conformance.proxy.connections import CANCELLED, STREAM, TRAILERS
from conformance.proxy.delivery import Expected, Left, Sent
from conformance.proxy.item_ids import renamed
from conformance.proxy.patience import Patience
from conformance.proxy.records import Leg
from conformance.proxy.script import STALL, ScriptedResponse, accepted, failure, json_response, reason, render_script

#: A canary: a word that occurs in no other text.
CANARY = re.compile(rb"kite[0-9a-f]{10}")

#: The end of the path of a completion, by dialect.
PATHS = {"responses": DEFAULT.path, "chat": "/chat/completions"}

#: Seconds for a released request to end: longer than streams that are sent together wait for each other.
_ENDING = 4.0


#: The message of the error for a request of a probe that has ended.
OF_NO_PROBE = "no probe with this text is in progress"


class Upstream:
    """A running upstream; a context manager. ``keys`` are the keys by name (``own`` and ``client``); ``wait`` is the
    longest time in seconds to wait for the client to receive a text. Raises ``OSError`` if the port is in use."""

    def __init__(
        self, dialect: str, port: int, keys: Mapping[str, str], wait: float, clock: Callable[[], float]
    ) -> None:
        self.dialect, self.keys, self.wait, self.clock = dialect, dict(keys), wait, clock
        self.lock = threading.Lock()
        self.expected: dict[str, Expected] = {}
        self.latest: Expected | None = None
        #: The last request of the proxy that is no completion in the dialect, and completions after their probe.
        self.other = ""
        self.late: Counter[str] = Counter()
        self.patience = Patience(wait)
        self._tcp = _Listener(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL, which ends in the contract's base path. Every other base path is accepted too."""
        return f"http://127.0.0.1:{self._tcp.server_address[1]}{DEFAULT.base_path}"

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._tcp.server_address[1]}"

    def expect(self, expected: Expected) -> None:
        """Serve the script of this request from now on."""
        with self.lock:
            self.expected[expected.canary] = self.latest = expected

    def finish(self, expected: Expected, seconds: float) -> tuple[Leg, ...]:
        """The requests that this one caused; waits up to ``seconds`` for those in progress, then ends them."""
        until = time.monotonic() + seconds
        while expected.running and time.monotonic() < until:
            time.sleep(0.002)
        expected.released.set()
        until = time.monotonic() + _ENDING
        while expected.running and time.monotonic() < until:
            time.sleep(0.002)
        with self.lock:
            self.expected.pop(expected.canary, None)
            return tuple(sorted(expected.legs, key=lambda leg: leg.began))

    def is_busy(self) -> bool:
        """Whether a request of the proxy is in progress."""
        with self.lock:
            return any(one.running for one in self.expected.values())

    def find(self, body: bytes) -> tuple[Expected | None, bool]:
        """The request in progress that caused this body, and whether its canary is in the body."""
        named = [found.decode() for found in CANARY.findall(body)]
        with self.lock:
            for name in reversed(named):
                if name in self.expected:
                    return self.expected[name], True
            for one in self.expected.values():
                if one.known.intersection(named):
                    return one, False
            if named:
                self.late[named[-1]] += 1
                return None, True
            running = self.latest is not None and self.latest.canary in self.expected
            return (self.latest if running else None), False

    def close(self) -> None:
        """Stop, and close every connection."""
        with self.lock:
            for one in self.expected.values():
                one.released.set()
        self._tcp.closing.set()
        self._tcp.shutdown()
        self._tcp.server_close()
        self._thread.join()
        # A proxy keeps connections, and would send its next requests to this server, not to what listens next.
        for connection in tuple(self._tcp.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], upstream: Upstream) -> None:
        self.upstream = upstream
        self.closing = threading.Event()
        self.connections: set[Any] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback if the proxy disconnects."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener
    #: What a proxy can have left unread of the response before on this connection; empty if there is nothing.
    before = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log: the requests are recorded."""

    def _serve(self) -> None:
        upstream = self.server.upstream
        body = self._read_body()
        path = self.path.partition("?")[0].rstrip("/")
        if self.command != "POST" or not path.endswith(PATHS[upstream.dialect]):
            upstream.other = f"{self.command} {path}"
            self._other(path)
            return
        expected, matched = upstream.find(body)
        if expected is None:
            upstream.patience.active_at = time.monotonic()  # The proxy serves it before those of the next probe.
            self._send_all(json_response(404, {"error": {"message": OF_NO_PROBE, "code": "404"}}))
            return
        with upstream.lock:
            number = expected.count
            expected.count += 1
            expected.running += 1
            upstream.patience.active_at = time.monotonic()  # Also where its response ends at once.
        expected.arrived.set()
        sent = Sent(expected, self.connection, self.wfile, upstream.clock, upstream.wait, self.server.closing)
        leg = Leg(upstream.clock(), self.command, self.path, tuple(self.headers.items()), body)
        notes: dict[str, Any] = {"matched": matched, "key": _key(leg.headers, upstream.keys)}
        if self.before:
            notes["after"] = self.before
        self.before = ""
        ended, status = "clean", None
        headers: Headers = ()
        try:
            request = leg.json if isinstance(leg.json, dict) else {}
            end = f"{expected.number or ''}{number:02x}"
            script = replace(expected.script, plan=renamed(expected.script.plan, end))
            response = render_script(script, upstream.dialect, request, expected.canary + end, number)
            if not request:
                response = failure(400, upstream.dialect, "the body is not a JSON object")
            status, headers = response.status or None, response.headers
            response = accepted(response, leg.header("accept-encoding") or "")
            headers = response.headers
            ended = self._scripted_response(response, sent)
        except (Left, OSError):
            ended = "left"
        except Exception as error:  # An error of a script is shown in the record.
            ended, notes["error"] = "invalid", f"{type(error).__name__}: {error}"
        finally:
            if sent.held is not None:
                notes["held"] = sent.held
            if expected.gone.is_set():
                self.before = CANCELLED
            done = Leg(
                leg.began, leg.method, leg.target, leg.headers, body, status, headers,
                tuple(sent.chunks), ended, upstream.clock(), "", notes,
            )  # fmt: skip
            with upstream.lock:
                expected.legs.append(done)
                expected.running -= 1
        if ended != "clean":
            self.close_connection = True

    def _scripted_response(self, response: ScriptedResponse, sent: Sent) -> str:
        """Send a response; returns how it ended."""
        sent.silence(response.delay)
        if response.status:
            self._head(response)
        for step in response.steps:
            sent.step(step.after, step.pause)
            if step.before:
                step.before()
            sent.write(step.data, response.framing == "chunked", response.extension)
        if response.ending == "clean":
            if response.framing == "chunked":
                self.wfile.write(b"0\r\n" + response.trailers + b"\r\n")
                self.before = TRAILERS if response.trailers else STREAM if response.streams else ""
            self.close_connection = self.close_connection or response.framing == "close"
            return "clean"
        self.close_connection = True
        if response.ending == "stall":
            sent.silence(STALL)
            return "closed"
        if response.ending == "reset":
            sent.let_proxy_read()
            # With a linger time of 0, close() resets the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        return response.ending

    def _head(self, response: ScriptedResponse) -> None:
        lines = [f"HTTP/{response.version} {response.status} {reason(response.status)}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if response.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif response.framing == "length":
            size = sum(len(step.data) for step in response.steps)
            # The body of a response that is cut is shorter than its announced length.
            lines.append(f"Content-Length: {size + (response.ending != 'clean') * 100}")
        else:
            lines.append("Connection: close")
        self.wfile.write(response.before + "\r\n".join([*lines, "", ""]).encode("latin-1"))

    def _other(self, path: str) -> None:
        """A request that is no completion: a list of models, or 404."""
        if path.endswith("/models"):
            self._send_all(json_response(200, {"object": "list", "data": []}))
        elif self.command in ("GET", "HEAD") and path in ("", DEFAULT.base_path):
            self._send_all(json_response(200, {}))
        else:
            error = {"message": f"{self.command} {path} does not exist here", "code": "404", "type": "not_found"}
            self._send_all(json_response(404, {"error": error}))

    def _send_all(self, response: ScriptedResponse) -> None:
        with contextlib.suppress(OSError):
            self._head(response)
            if self.command != "HEAD":
                self.wfile.write(b"".join(step.data for step in response.steps))

    def _read_body(self) -> bytes:
        self.connection.settimeout(30)
        try:
            body = read_body(self.headers, self.rfile, MAX_BODY)
            self.close_connection = self.close_connection or len(body) >= MAX_BODY  # The rest is unread.
            return body
        except (ValueError, OSError):
            self.close_connection = True  # Where the next request would begin is unknown.
            return b""
        finally:
            self.connection.settimeout(None)


def _key(headers: Headers, keys: Mapping[str, str]) -> str:
    """Whose key a request carries: ``own`` (the upstream's), ``client``, ``other`` or ``none``."""
    words = []
    for name, value in headers:
        scheme, _, rest = value.strip().partition(" ")
        if name.lower() == "authorization":  # Without the scheme no service accepts the key.
            words.append(rest.strip() if scheme.lower() == "bearer" else f"no scheme: {value}")
        elif name.lower() in ("api-key", "x-api-key"):
            words.append(value.strip())
    for name, key in keys.items():
        if key and key in words:
            return name
    return "other" if any(words) else "none"
