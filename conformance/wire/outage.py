"""Detects during a run that the endpoint serves nothing any more: each request receives the same refusal.

A 502, 503 or 504 may be that of a gateway whose server restarts, a 404 or an HTML page that of a load balancer during a
deployment, a 500 that of a server whose backend is away, a 401 or 403 in response to a valid key that of a key that was
revoked, a 402 that of a balance that is used up. Or the request is the cause. A request that was served before decides,
with a space more in its text, as a cache or a check for duplicates must not decide: it is sent until it is served, or
for 90 seconds of a run at most (a key, a balance or another 4xx: 30), as circuit breakers are usually open for 30 to 60
seconds.

A server may refuse many requests for what is in them. So each kind of refusal (:func:`_kind`) causes a control request
only until the control request was served a few times.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from conformance.contract.revisions import Contract
from conformance.exchange.disappearance import AWAY, is_page
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import OutgoingRequest
from conformance.wire.limits import Stopped
from conformance.wire.pool import Sender

#: Statuses of a key that is not accepted, and that of an account.
_DENIED, _UNPAID = (401, 403), (402,)

#: Statuses that are no response to a request where every request receives them, and those that have their own reason:
#: a limit of the requests (:mod:`conformance.wire.rate_window`) and moderation.
_FAILED, _PLACELESS, _OF_OTHER_CAUSES = (500,), (404, 405, 410), (421, 429)

#: Seconds between the control requests; for which a process sends them at most, after another 4xx, and before anything
#: was served; and the least after which an outage counts as lasting.
_LOOK, _PATIENCE, _PATIENCE_REFUSED, _PATIENCE_FIRST, _CERTAIN = 0.5, 90.0, 30.0, 60.0, 10.0

#: How often the control request may be served at once after a refusal of a kind, before such refusals count as those of
#: their requests: of requests that must be served, and of those that may or must be refused.
_FOR_ITSELF, _FOR_ITSELF_REFUSED = 3, 1


def sends_valid_key(outgoing: OutgoingRequest, contract: Contract) -> bool:
    """Whether the request has the key, in documented ways only."""
    return {"", *(way.name for way in contract.authentication)}.issuperset(outgoing.auth.split("+"))


def is_served(exchange: Exchange) -> bool:
    """Whether the request was served: a 2xx that is not an HTML page."""
    return exchange.ok and not is_page(exchange)


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
        self._served_at_once: Counter[object] = Counter()
        self._sent = 0
        self._begun = False

    def may_explain(self, outgoing: OutgoingRequest, exchange: Exchange) -> bool:
        """Whether the response may be that of every request."""
        if exchange.status in AWAY:
            return True
        if outgoing.closes:
            return False  # The stream that was closed before it may be the cause, also for all later requests.
        if is_served(exchange) or exchange.status is None or 300 <= exchange.status < 400:
            return False
        if exchange.status in _OF_OTHER_CAUSES:
            return False
        elsewhere = outgoing.method != "POST" or outgoing.suffix  # Where a 404 or 405 is what is due.
        if elsewhere and not (exchange.status in _FAILED or is_page(exchange)):
            return False
        if exchange.status in _DENIED and not sends_valid_key(outgoing, self._contract):
            return False
        if outgoing.may_be_refused and not (_passes(exchange) or exchange.status in (*_DENIED, *_UNPAID)):
            return False
        if outgoing.may_be_refused and exchange.status in _PLACELESS and _is_json(exchange):
            return False  # A model that takes no images responds so; a load balancer does not.
        return self._served_at_once[_kind(outgoing, exchange)] < _times(outgoing, exchange)

    def lasts(self, control: OutgoingRequest, refused: OutgoingRequest, exchange: Exchange, received: float) -> bool:
        """Whether the control request is not served either, for as long as is waited for it. Not sent where an outage
        ended after the exchange was received (monotonic seconds)."""
        if self.ended_after(received):
            return False
        began = time.monotonic()
        passing = _passes(exchange)
        seconds = self._patience if passing else min(self._patience, _PATIENCE_REFUSED)
        until, away, served = began + seconds, False, False
        with contextlib.closing(self._sender()) as sender:
            while waits := time.monotonic() < until:
                self._sent += 1
                again = sender.send(_varied(control, self._sent))
                away = away or any(_is_same_outage(exchange, one) for one in (again, *again.retried))
                served = is_served(again)
                if not _is_same_outage(exchange, again):
                    break
                if self._stopping.wait(_LOOK):
                    raise Stopped
        # A limit of the control requests too.
        self._patience = max(0.0, self._patience - (time.monotonic() - began) - _LOOK)
        if passing and away and served:
            self._ended = time.monotonic()
        if served and not away:
            self._served_at_once[_kind(refused, exchange)] += 1
        return away and not waits and seconds >= _CERTAIN

    def begins(self, outgoing: OutgoingRequest, exchange: Exchange, received: float) -> None:
        """Wait once, where nothing was served yet, for a server that loads its model meanwhile: the request itself is
        the control request."""
        if exchange.status in AWAY and not self._begun:
            self._begun, patience = True, self._patience
            self._patience = min(patience, _PATIENCE_FIRST)
            self.lasts(outgoing, outgoing, exchange, received)
            self._patience = patience

    def ended_after(self, moment: float) -> bool:
        """Whether an outage ended after this moment (monotonic seconds), so that a request that met it may be sent
        again."""
        return self._ended > moment


def _passes(exchange: Exchange) -> bool:
    """Whether it is the response of an outage that passes by itself, so that the request is sent again afterwards."""
    return exchange.status in (*AWAY, *_FAILED, *_PLACELESS) or is_page(exchange)


def _is_same_outage(exchange: Exchange, other: Exchange) -> bool:
    """Whether two responses may be those of the same outage."""
    if is_served(other):
        return False
    return _passes(other) if _passes(exchange) else exchange.status == other.status


def _is_json(exchange: Exchange) -> bool:
    try:
        return isinstance(json.loads(exchange.body), dict)
    except (ValueError, RecursionError):
        return False


def _kind(outgoing: OutgoingRequest, exchange: Exchange) -> object:
    """What responses with the same cause have in common."""
    return outgoing.may_be_refused, exchange.status, is_page(exchange)


def _times(outgoing: OutgoingRequest, exchange: Exchange) -> int:
    denied = exchange.status in (*_DENIED, *_UNPAID)
    return _FOR_ITSELF if denied or not outgoing.may_be_refused else _FOR_ITSELF_REFUSED


def _varied(control: OutgoingRequest, number: int) -> OutgoingRequest:
    """The control request with spaces behind the longest text of its body; as it is if it has none."""
    try:
        body = json.loads(control.body)
        texts = [name for name in body if isinstance(body[name], str) and " " in body[name]]  # Names have no space.
        longest = max(texts, key=lambda name: len(body[name]))
    except (ValueError, TypeError):
        return control
    varied = {**body, longest: body[longest] + " " * number}
    return replace(control, body=json.dumps(varied, ensure_ascii=False, separators=(",", ":")).encode())
