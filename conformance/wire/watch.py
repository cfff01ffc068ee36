"""Watches one exchange from outside and hangs up when a time is over; keeps what has arrived until then.

A read that trickles, a head that never ends and a flood of interim answers have no other end: each read of theirs is
quick, so that no time-out of a single read would ever pass.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

from conformance.wire.exchange import Chunk, Headers

#: From this many reads on, what comes within one :data:`GRAIN` is kept as one chunk: a flood of single bytes must not
#: cost hundreds of times its size in memory.
FLOOD = 100_000

#: Milliseconds.
GRAIN = 50.0

#: The longest wait in one go, in seconds; longer limits take several.
_LONGEST = 3600.0


class Watch:
    """Limits of one exchange, each with a name and the words to say when it has passed.

    :attr:`reason` is empty until then. The connection comes from :meth:`trace`, which goes to httpx as the request's
    ``trace`` extension, so that there is something to hang up before the answer has begun.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._limits: dict[str, tuple[float, str]] = {}
        self._changed = threading.Condition()
        self._wakes = float("inf")
        self._over = False
        self._connection: Any = None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Note the connection as soon as there is one, and again when TLS lies over it."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._changed:
                self._connection = info["return_value"].get_extra_info("socket")
                late = bool(self.reason)
            if late:
                self._hang_up()

    def limit(self, name: str, seconds: float, reason: str) -> None:
        """Hang up in so many seconds from now; in place of the limit of that name if there was one."""
        due = time.monotonic() + seconds
        with self._changed:
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
                self._wakes, reason = min(self._limits.values(), default=(now + _LONGEST, ""))
                if self._wakes <= now:
                    self.reason = reason
                    break
                self._changed.wait(min(self._wakes - now, _LONGEST))
        if self.reason:
            self._hang_up()

    def _hang_up(self) -> None:
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(OSError):
            # The socket's own: that of TLS would first put the encryption aside under the reader's feet.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            # Who sends without a pause is read on even so, until the socket is gone.
            connection.close()


class Taken:
    """What has arrived so far; kept apart so that it survives an exception."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Headers = ()
        self.size = 0
        self._chunks: list[Chunk] = []
        self._pending: list[bytes] = []
        self._since = 0.0

    def add(self, at: float, data: bytes) -> None:
        """Keep a read that came ``at`` milliseconds after the request."""
        self.size += len(data)
        if len(self._chunks) < FLOOD:
            self._chunks.append(Chunk(at, data))
            return
        if not self._pending or at - self._since > GRAIN:
            self._flush()
            self._since = at
        self._pending.append(data)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All that was kept."""
        self._flush()
        return tuple(self._chunks)

    def _flush(self) -> None:
        if self._pending:
            self._chunks.append(Chunk(self._since, b"".join(self._pending)))
            self._pending = []
