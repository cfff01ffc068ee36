"""Detects during a run that the endpoint serves nothing any more: each request receives the same refusal.

A 502, 503 or 504 may be that of a gateway whose server restarts, a 401 or 403 in response to a valid key that of a key
that was revoked, a 402 that of a balance that is used up. Or the request is the cause. A request that was served before
decides: it is sent until it is served, or for 90 seconds of a run at most (a key or a balance: 30), as circuit breakers
are usually open for 30 to 60 seconds.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from conformance.contract.revisions import Contract
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import OutgoingRequest
from conformance.wire.limits import Stopped
from conformance.wire.pool import Sender

#: Statuses of a gateway whose server is away, those of a key that is not accepted, and that of an account.
_AWAY, _DENIED, _UNPAID = (502, 503, 504), (401, 403), (402,)

#: Seconds between the control requests; for which a process sends them at most, and after a 401, 402 or 403; and the
#: least after which an outage counts as lasting.
_LOOK, _PATIENCE, _PATIENCE_REFUSED, _CERTAIN = 0.5, 90.0, 30.0, 10.0

#: How often the control request may be served at once after a refusal of a valid key, before such refusals count as
#: those of their requests.
_FOR_ITSELF = 3


def sends_valid_key(outgoing: OutgoingRequest, contract: Contract) -> bool:
    """Whether the request has the key, in documented ways only."""
    return {"", *(way.name for way in contract.authentication)}.issuperset(outgoing.auth.split("+"))


class Outage:
    """Finds by a control request whether every request would receive a status; ``control`` makes its sender.

    Not thread-safe, except :meth:`may_explain`.
    """

    def __init__(self, contract: Contract, control: Callable[[], Sender], stopping: threading.Event) -> None:
        self._contract = contract
        self._sender = control
        self._stopping = stopping
        self._patience = _PATIENCE
        self._ended = 0.0
        self._left = _FOR_ITSELF

    def may_explain(self, outgoing: OutgoingRequest, exchange: Exchange) -> bool:
        """Whether the status may be that of every request."""
        denied = exchange.status in _UNPAID
        denied = denied or (exchange.status in _DENIED and sends_valid_key(outgoing, self._contract))
        return exchange.status in _AWAY or (denied and self._left > 0)

    def lasts(self, control: OutgoingRequest, exchange: Exchange, received: float) -> bool:
        """Whether the control request is not served either, for as long as is waited for it. Not sent where an outage
        ended after the exchange was received (monotonic seconds)."""
        if self.ended_after(received):
            return False
        same = _AWAY if exchange.status in _AWAY else (exchange.status,)
        began = time.monotonic()
        seconds = self._patience if same == _AWAY else min(self._patience, _PATIENCE_REFUSED)
        until, away, served = began + seconds, False, False
        with contextlib.closing(self._sender()) as sender:
            while waits := time.monotonic() < until:
                again = sender.send(control)
                away = away or not {again.status, *(one.status for one in again.attempts)}.isdisjoint(same)
                served = again.ok
                if again.status not in same:
                    break
                if self._stopping.wait(_LOOK):
                    raise Stopped
        # A limit of the control requests too.
        self._patience = max(0.0, self._patience - (time.monotonic() - began) - _LOOK)
        if same == _AWAY and away and served:
            self._ended = time.monotonic()
        if same != _AWAY and not away:
            self._left -= 1
        return away and not waits and seconds >= _CERTAIN

    def ended_after(self, moment: float) -> bool:
        """Whether an outage ended after this moment (monotonic seconds), so that a request that met it may be sent
        again."""
        return self._ended > moment
