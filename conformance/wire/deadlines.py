"""Watches one exchange from another thread, closes its connection when a limit passes, and keeps the bytes received.

A body that trickles, headers without end and a flood of interim responses would otherwise never end: each single read
is quick, so no time-out of a single read passes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from conformance.exchange.exchange import Chunk, Headers

#: From this many reads on, the bytes received within one :data:`GRAIN` are stored as one chunk; from :data:`TRICKLE`
#: reads on, if they have fewer than :data:`FEW` bytes on average. A flood of single bytes would take hundreds of times
#: its size in memory, and no event is that small.
FLOOD, TRICKLE, FEW = 20_000, 500, 32

#: Milliseconds.
GRAIN = 50.0

#: Seconds between looks whether a limit is to be shortened.
_LOOK = 2.0

#: The longest single wait, in seconds; longer limits are split into several.
_LONGEST = 3600.0


class Watch:
    """Limits of one exchange, each with a name and the reason to report when it has passed.

    ``refresh_limits`` is called every two seconds, and may shorten a limit. :attr:`reason` and :attr:`passed` (the name
    of the limit) are empty until a limit has passed. :meth:`trace` is given to httpx as the request's ``trace``
    extension; it receives the connection before the response begins, so that it can be closed. ``connection`` is the
    socket of an earlier request, if its connection may be reused; :attr:`connected` is whether a new one was opened.
    """

    def __init__(self, refresh_limits: Callable[[Watch], None] | None = None, connection: Any = None) -> None:
        self.reason = ""
        self.passed = ""
        self._refresh_limits = refresh_limits
        self._limits: dict[str, tuple[float, str]] = {}
        self._since: dict[str, float] = {}
        self._changed = threading.Condition(threading.RLock())
        self._wakes = float("inf")
        self._over = False
        self.connection: Any = connection
        self.connected = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Store the connection when it is opened, and again when TLS is established on it."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._changed:
                self.connected = True
                self.connection = info["return_value"].get_extra_info("socket")
                late = bool(self.reason)
            if late:
                self._close_connection()

    def limit(self, name: str, seconds: float, reason: str) -> None:
        """Hang up in so many seconds from now; in place of the limit of that name if there was one."""
        now = time.monotonic()
        with self._changed:
            self._since[name] = now
            self._set(name, now + seconds, reason)

    def shorten(self, name: str, seconds: float, reason: str) -> None:
        """Change a limit, if it is still there, to so many seconds from when it was set."""
        with self._changed:
            if name in self._limits:
                self._set(name, self._since[name] + seconds, reason)

    @property
    def limited(self) -> tuple[str, ...]:
        """The names of the limits there are."""
        with self._changed:
            return tuple(self._limits)

    def _set(self, name: str, due: float, reason: str) -> None:
        self._limits[name] = (due, reason)
        if due < self._wakes:
            self._changed.notify()

    def lift(self, name: str) -> None:
        """Take a limit away."""
        with self._changed:
            self._limits.pop(name, None)

    def _watch(self) -> None:
        with self._changed:
            while not self._over:
                now = time.monotonic()
                due = ((due, reason, name) for name, (due, reason) in self._limits.items())
                self._wakes, reason, name = min(due, default=(now + _LONGEST, "", ""))
                if self._wakes <= now:
                    self.passed, self.reason = name, reason
                    break
                looked = self._refresh_limits is None or self._wakes - now <= _LOOK
                self._changed.wait(min(self._wakes - now, _LONGEST if looked else _LOOK))
                if not looked and not self._over and time.monotonic() - now >= _LOOK and self._refresh_limits:
                    self._refresh_limits(self)
        if self.reason:
            self._close_connection()

    def _close_connection(self) -> None:
        connection = self.connection
        if connection is None:
            return
        with contextlib.suppress(OSError):
            # The socket's own: that of TLS would first put the encryption aside under the reader's feet.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            # Who sends without a pause is read on even so, until the socket is gone.
            connection.close()


class PartialResponse:
    """The part of a response received so far; a separate object, so that it survives an exception."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Headers = ()
        self.size = 0
        self._chunks: list[Chunk] = []
        self._pending: list[bytes] = []
        self._since = 0.0

    def add(self, at: float, data: bytes) -> None:
        """Add the bytes of a read, received ``at`` milliseconds after the request."""
        self.size += len(data)
        kept = len(self._chunks)
        if kept < FLOOD and (kept < TRICKLE or self.size >= FEW * kept) and not self._pending:
            self._chunks.append(Chunk(at, data))
            return
        if not self._pending or at - self._since > GRAIN:
            self._flush()
            self._since = at
        self._pending.append(data)

    def cut(self, size: int) -> None:
        """Keep only so many bytes from the beginning."""
        self._flush()
        self.replace(first_bytes(self._chunks, size))

    def replace(self, chunks: Iterable[Chunk]) -> None:
        """Replace the chunks received."""
        self._chunks, self._pending = list(chunks), []
        self.size = sum(len(chunk.data) for chunk in self._chunks)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All chunks received."""
        self._flush()
        return tuple(self._chunks)

    def _flush(self) -> None:
        if self._pending:
            self._chunks.append(Chunk(self._since, b"".join(self._pending)))
            self._pending = []


def first_bytes(chunks: Iterable[Chunk], size: int) -> Iterator[Chunk]:
    """The chunks up to so many bytes, the last one cut."""
    for chunk in chunks:
        if size <= 0:
            return
        yield chunk if len(chunk.data) <= size else Chunk(chunk.at, chunk.data[:size])
        size -= len(chunk.data)
