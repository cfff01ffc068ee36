"""The client side: sends one request, and records each read with its time."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from conformance.contract.revisions import DEFAULT
from conformance.emulator.proxy.interim import FinalResponse
from conformance.exchange.exchange import Chunk, Headers
from conformance.proxy.patience import HUNG
from conformance.proxy.records import Leg

#: Seconds to connect.
_CONNECT = 5.0

_READ = 65536

#: Milliseconds within which chunks are one.
_JOINED = 1.0

#: Seconds between the event ``close_at`` of a call and the end of its connection.
_MOMENT = 0.1

#: Seconds between two looks whether a connection is to be ended.
_LOOK = 0.02

#: Bytes in a second below which a body is slow, also in small pieces on a busy machine: the limit is extended by the
#: time that the received bytes may take, up to so many times, so that it ends silence and not a slow response.
_SLOW, _MOST_TIMES = 10_000, 4

#: The most bytes of a body that are read: those of 300 kB of text, a character an event.
MAX_BODY = 64_000_000


@dataclass
class Call:
    """A request to send. ``close_when`` receives the body read so far: true closes the connection; so does
    ``close_at``, a moment after it is set. ``limit`` is the longest time in seconds for the complete response, except
    for what a large body takes; ``hangs`` reports that it does not go on, which ends it too.
    ``chunked``: the body is sent in chunks, without its length."""

    body: bytes
    headers: Mapping[str, str]
    limit: float
    close_when: Callable[[bytes], bool] | None = None
    close_at: threading.Event | None = None
    hangs: Callable[[], bool] | None = None
    chunked: bool = False
    received: bytearray = field(default_factory=bytearray)


class Connection:
    """A connection on which requests are sent one after another, as HTTP clients do; a context manager. A new one
    takes its place if the proxy closes it within so many seconds after a response, also without an announcement."""

    def __init__(self, closing: float) -> None:
        self._closing = closing
        self._open: http.client.HTTPConnection | None = None

    def take(self) -> http.client.HTTPConnection | None:
        """The connection of the request before; None if there is none, or if it is closed."""
        taken, self._open = self._open, None
        if taken is None or not select.select([taken.sock], [], [], self._closing)[0]:
            return taken
        with contextlib.suppress(OSError):
            if taken.sock.recv(1, socket.MSG_PEEK):
                return taken  # What it sent after its response is read as the next one.
        taken.close()
        return None

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Keep the connection for the next request."""
        self._open = connection

    def has(self, connection: http.client.HTTPConnection) -> bool:
        """Whether this connection is kept."""
        return self._open is connection

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            self._open.close()


def send(base: str, call: Call, clock: Callable[[], float], kept: Connection | None = None) -> Leg:
    """Send a request to ``POST {base}/responses``, on the connection ``kept`` if it is open; ``clock`` returns the
    milliseconds of the run. The note ``reused`` of the leg is true if another request was sent on its connection
    before.

    ``call.received`` grows while the body is read, so that other threads can follow it. Never raises for anything that
    a server can do.
    """
    parts = urlsplit(base)
    target = parts.path.rstrip("/") + DEFAULT.path
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    reused = kept.take() if kept else None
    connection = reused or kind(parts.hostname or "", parts.port, timeout=_CONNECT)
    connection.response_class = FinalResponse
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **call.headers}
    reader = _Reader(call, clock)
    began = clock()
    status, ended, detail = None, "clean", ""
    closer = _Closer(call)
    reply_headers: Headers = ()
    try:
        if not reused:
            connection.connect()
        held = connection.sock
        assert held is not None
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        until = time.monotonic() + call.limit
        held.settimeout(call.limit)
        connection.request("POST", target, _chunks(call.body) if call.chunked else call.body, headers)
        closer.watch(held)
        response = connection.getresponse()
        status = response.status
        reply_headers = tuple(response.getheaders())
        ended = reader.read(response, held, until)
        if kept and ended == "clean" and not response.will_close:
            response.close()
            kept.keep(connection)
    except TimeoutError:
        ended, detail = "time-out", f"not complete within {call.limit:g} s"
    except http.client.IncompleteRead as error:
        ended, detail = _incomplete(error)
    except http.client.RemoteDisconnected as error:
        ended, detail = "cut", str(error)
    except (ConnectionRefusedError, socket.gaierror) as error:
        ended, detail = "unreachable", str(error)
    except (ConnectionError, ssl.SSLError, OSError) as error:
        ended, detail = ("reset" if reader.sent(connection) else "unreachable"), str(error)
    except (http.client.HTTPException, ValueError) as error:
        ended, detail = "invalid", f"{type(error).__name__}: {error}"
    finally:
        closer.done.set()
        if not kept or not kept.has(connection):
            with contextlib.suppress(OSError):
                connection.close()
    if closer.ended:
        ended, detail = closer.ended
    sent = tuple(headers.items())
    return Leg(
        began, "POST", target, sent, call.body, status, reply_headers, tuple(reader.chunks), ended, clock(), detail,
        {"reused": True} if reused else {},
    )  # fmt: skip


def _chunks(body: bytes) -> Iterator[bytes]:
    """The body in two chunks."""
    half = len(body) // 2
    yield from (body[:half], body[half:])


def _incomplete(error: http.client.IncompleteRead) -> tuple[str, str]:
    """How a body ended too early, and the detail: ``http.client`` reports an invalid line of a chunk as its end."""
    line = str(error.__context__).rpartition(": ")[2] if isinstance(error.__context__, ValueError) else "b''"
    if line != "b''":
        return "invalid", f"a chunk of the body begins with {line[:40]}, expected its size"
    return "cut", "the connection was closed before the announced end of the body"


class _Closer:
    """Ends a connection from another thread, also while nothing is received; ``ended`` is then the end of the response
    and its detail."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.done = threading.Event()
        self.ended: tuple[str, str] | None = None

    def watch(self, held: socket.socket) -> None:
        if self._call.close_at or self._call.hangs:
            threading.Thread(target=self._watch, args=(held,), daemon=True).start()

    def _watch(self, held: socket.socket) -> None:
        close_at, hangs = self._call.close_at, self._call.hangs
        while not self.done.wait(_LOOK):
            if close_at and close_at.is_set():
                if not self.done.wait(_MOMENT):
                    self._end(held, "closed", "")
                return
            if hangs and hangs():
                self._end(held, "time-out", HUNG)
                return

    def _end(self, held: socket.socket, ended: str, detail: str) -> None:
        self.ended = ended, detail
        with contextlib.suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)


class _Reader:
    def __init__(self, call: Call, clock: Callable[[], float]) -> None:
        self._call, self._clock = call, clock
        self.chunks: list[Chunk] = []

    def sent(self, connection: http.client.HTTPConnection) -> bool:
        """Whether the connection was established."""
        return connection.sock is not None or bool(self.chunks)

    def _add(self, data: bytes) -> None:
        """Note a chunk, joined with one a moment before: a proxy can send millions of a byte each."""
        at = self._clock()
        before = self.chunks.pop() if self.chunks and at - self.chunks[-1].at < _JOINED else Chunk(at, b"")
        self.chunks.append(Chunk(before.at, before.data + data))

    def read(self, response: http.client.HTTPResponse, held: socket.socket, until: float) -> str:
        """Read the body; returns how it ended."""
        last = until + (_MOST_TIMES - 1) * self._call.limit
        while True:
            left = min(until, last) - time.monotonic()
            if left <= 0:
                raise TimeoutError
            held.settimeout(left)
            data = response.read1(_READ)
            if not data:
                # For a body of known length, read1 reports an early end as the end.
                return "cut" if response.length else "clean"
            self._add(data)
            until += len(data) / _SLOW
            self._call.received += data
            if len(self._call.received) > MAX_BODY:
                return "closed"
            if self._call.close_when and self._call.close_when(bytes(self._call.received)):
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
                return "closed"
