"""Waits until an endpoint that limits the requests a minute, and sends no Retry-After, serves again.

A 429 without Retry-After is retried after seconds. A limit of the requests a minute is not over then: every request
would receive 429 until the minute is, and could not be evaluated. So all wait for a minute, a few times in a run, and
not again once that did not help. After a request with an invalid key none waits: a server may limit these alone.
"""

from __future__ import annotations

import threading
import time

from conformance.exchange.exchange import Exchange
from conformance.wire.limits import MINUTE, Stopped

#: How often a process waits for a minute; on loopback a run should end within five minutes. Four suffice for the 209
#: requests of a run at 60 a minute.
_MOST, _MOST_ON_LOOPBACK = 10, 4


class RateWindow:
    """The waits of one process. Not thread-safe, except :meth:`may_be_over`."""

    def __init__(self, loopback: bool, stopping: threading.Event) -> None:
        self._left = _MOST_ON_LOOPBACK if loopback else _MOST
        self._stopping = stopping
        self._ended = 0.0

    def may_be_over(self, exchange: Exchange) -> bool:
        """Whether the response is a 429 after which a minute may help."""
        return exchange.status == 429 and not exchange.header("retry-after") and self._left > 0

    def wait(self, received: float) -> None:
        """Wait for a minute, unless such a wait ended after the 429 was received (monotonic seconds)."""
        if self._ended > received or not self._left:
            return
        self._left -= 1
        if self._stopping.wait(MINUTE):
            raise Stopped
        self._ended = time.monotonic()

    def helped(self, exchange: Exchange) -> None:
        """Wait no more if the request receives 429 again."""
        if exchange.status == 429:
            self._left = 0
