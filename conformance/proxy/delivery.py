"""The delivery of one response of the upstream: its parts, each sent when the client has received the one before, and
the detection that the proxy has disconnected.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any

from conformance.exchange.exchange import Chunk
from conformance.proxy.records import Leg
from conformance.proxy.script import Script

#: Seconds between two looks whether the proxy has closed the connection.
_LOOK = 0.01


@dataclass
class Expected:
    """A request of the client that is in progress. ``has`` reports whether the client has received a text;
    ``released`` ends every pause and stall. ``known`` are the canaries of earlier requests that its input contains;
    ``number`` is that of earlier requests with this canary; ``arrived`` is set when the upstream has received a
    request, and ``gone`` when the client has closed its connection."""

    canary: str
    script: Script
    has: Callable[[str], bool]
    known: frozenset[str] = frozenset()
    number: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    legs: list[Leg] = field(default_factory=list)
    running: int = 0
    count: int = 0


class Left(Exception):
    """The proxy has closed the connection."""


class Sent:
    """The chunks sent in one response. ``held`` is the number of the first step whose text the client had not
    received within the wait; the later steps do not wait then."""

    def __init__(
        self,
        expected: Expected,
        connection: socket.socket,
        out: BufferedIOBase,
        clock: Callable[[], float],
        wait: float,
        closing: threading.Event,
    ) -> None:
        self._expected, self._connection, self._out = expected, connection, out
        self._clock, self._wait, self._closing = clock, wait, closing
        self.chunks: list[Chunk] = []
        self.held: dict[str, Any] | None = None

    def step(self, after: str, pause: float) -> None:
        if after and self.held is None:
            until = time.monotonic() + self._wait
            while not self._expected.has(after):
                if time.monotonic() > until or self._expected.released.is_set():
                    self.held = {"step": len(self.chunks), "text": after, "at": self._clock()}
                    break
                self._look(0.002)
        if pause:
            self.silence(pause)
        if not self.chunks or len(self.chunks) % 16 == 0:
            self._look(0)

    def silence(self, seconds: float) -> None:
        """Send nothing for a time, until the request is released; :class:`Left` if the proxy disconnects."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._expected.released.is_set() and not self._closing.is_set():
            self._look(min(_LOOK, max(0.0, until - time.monotonic())))

    def let_proxy_read(self) -> None:
        """Let the proxy read what was sent: a reset discards what is still in its buffer."""
        time.sleep(0.05)

    def write(self, data: bytes, chunked: bool, extension: bytes = b"") -> None:
        if not data:
            return
        self._out.write(b"%x%s\r\n%s\r\n" % (len(data), extension, data) if chunked else data)
        self.chunks.append(Chunk(self._clock(), data))

    def _look(self, seconds: float) -> None:
        """Wait for this time, or until the proxy closes the connection."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return
        try:
            if not self._connection.recv(1, socket.MSG_PEEK):
                raise Left
        except BlockingIOError:
            return
        except OSError:
            raise Left from None
        time.sleep(seconds)  # The proxy has sent the next request already.
