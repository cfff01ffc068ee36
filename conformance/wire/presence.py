"""Detects during a run that the endpoint is down; then no further request is sent.

A request that ends without a response is not yet a sign: a server may close the connection of one bad request, or hang
in it. Where no connection was accepted, connections are tried for some seconds; if all are refused, the endpoint is
gone. Where they are accepted, as by a container's proxy whose server has died or by a stopped process, a request that
was served before is sent again: after a time-out at once, after resets if three follow one another. If this control
request, too, receives no response, twice and within ten times what it took before, or for 30 seconds (less where the
limit for the first byte is short; 10 where it is reset), the endpoint is gone. A request that was reset while others
were under way is sent again once the control request is served.

One request may also block a server for a while, so that no other is served. A request that ended without a response
while others were under way, none of which received one meanwhile, is sent again alone when the control request is
served: then it keeps no time-out that another request caused, and the one that caused it times out again. The same
applies to a busy status (429, 5xx): a server may send it only for several requests at a time.

An endpoint that serves nothing more is as one that is gone: :mod:`conformance.wire.outage`. One that serves nothing
until a minute is over: :mod:`conformance.wire.rate_window`.

All processes of a run share this: which requests are under way, when the last response was received, who sends the
control request, and that the endpoint is gone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from conformance.config.target import Misconfigured, Target, is_loopback
from conformance.exchange.disappearance import no_response_since, refused_since, unconnected
from conformance.exchange.exchange import Attempt, Exchange, Request
from conformance.exchange.not_sent import withheld
from conformance.exchange.planned import TEMPORARY_STATUSES, OutgoingRequest
from conformance.exchange.run_directory import RunDirectory, locked, write_atomically
from conformance.wire.limits import Stopped
from conformance.wire.outage import Outage, is_served, sends_valid_key
from conformance.wire.pool import Sender
from conformance.wire.rate_window import RateWindow
from conformance.wire.retry import BESIDE_OTHERS, attempt_of
from conformance.wire.turns import Turn, Turns

#: Seconds for which connections must be refused, after the request's own attempts, and between the looks.
_PATIENCE, _LOOK = 5.0, 0.5

#: Connections that are reset without a response, one after another, after which a control request is sent.
_SILENT = 3

#: How often the control request is sent, the factor of its earlier duration that it may take, and the least seconds
#: that it may take.
_CONTROLS, _TIMES, _AT_LEAST = 2, 10, 20.0

#: Seconds for which a server may be blocked by one request before it counts as gone, and the most of them in limits for
#: the first byte.
_BLOCKED, _BLOCKED_LIMITS = 30.0, 5

#: Seconds for which a server that restarts may reset connections.
_RESTART = 10.0

#: Seconds for which a response shows that the endpoint is there.
_RECENT = 2.0

#: The share of a request's wait in which no other received a response either, from which on one may be the cause.
_SILENCE = 0.5


class Presence:
    """A sender that, in all processes of the run, sends no further request once the endpoint is down.

    ``control`` makes a sender with this limit in seconds for a response.
    """

    def __init__(
        self, sender: Sender, target: Target, folder: RunDirectory, control: Callable[[float], Sender]
    ) -> None:
        self._sender = sender
        self._control_sender = control
        self._target = replace(target, wait=0.0)
        self._mark = folder.locks / "gone"
        self._lock = folder.locks / "presence.lock"
        self._turns = Turns(folder.locks)
        self._answered = LastResponse(folder.locks / "answered")
        self._stopping = threading.Event()
        self._served: tuple[OutgoingRequest, float] | None = None
        self._window = RateWindow(is_loopback(target.endpoint), self._stopping)
        self._first_lost = ""
        self._silent = 0
        self._outage = Outage(target.contract, lambda: control(target.first_byte_timeout), self._stopping)

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        """The exchange; a withheld one if the endpoint is down."""
        with locked(self._lock):  # Nothing is sent while it is found out whether the endpoint is there.
            why = self._gone()
        if why:
            request = Request(outgoing.method, self._target.url, (), outgoing.body)
            return withheld(outgoing.key, outgoing.scenario, outgoing.sample, request, why)
        with self._turns.take() as turn:
            exchange = self._sender.send(outgoing)
        if exchange.status is not None:
            busy = exchange.status in TEMPORARY_STATUSES and turn.shared
            self._silent = 0
            self._answered.now()
            self._served = self._served or ((outgoing, exchange.elapsed / 1000) if is_served(exchange) else None)
            alone = self._alone(outgoing, exchange) if busy else self._after_outage(outgoing, exchange)
            return self._after_minute(outgoing, alone)
        if unconnected(exchange):
            with locked(self._lock):
                if not self._is_back(exchange):
                    return exchange
            again = self._sender.send(outgoing)
            before = (*exchange.attempts, Attempt(None, exchange.ended, _LOOK))
            again = replace(again, attempts=(*before, *again.attempts))
            # A server that starts again may respond with 503 first.
            return again if again.status is None else self._after_outage(outgoing, again)
        return self._lost(outgoing, exchange, turn) if exchange.ended in ("reset", "time-out") else exchange

    def _lost(self, outgoing: OutgoingRequest, exchange: Exchange, turn: Turn) -> Exchange:
        """A request that was sent and received no response: as it is, withheld where the endpoint is gone, or what it
        receives when it is sent alone."""
        now = time.monotonic()
        # The server was silent to all: most of the time that this one waited.
        restarts = turn.shared and exchange.ended == "reset"  # Perhaps: others are sent to a server that restarts, too.
        blocked = turn.shared and now - self._answered.at > _SILENCE * (now - turn.began)
        with locked(self._lock):
            self._silent += 1
            # A blocked server is back only if another thread or process has found that since.
            is_there = self._answered.at > (now if blocked else time.monotonic() - _RECENT)
            if not is_there and (exchange.ended == "time-out" or self._silent >= _SILENT) and not self._gone():
                self._control(exchange)
            why = self._gone()
        if why:
            return self._unless_first(outgoing, exchange, why)
        return self._alone(outgoing, exchange) if blocked or restarts else exchange

    def _unless_first(self, outgoing: OutgoingRequest, exchange: Exchange, why: str) -> Exchange:
        """The exchange if it is the first without a response; of another one a withheld exchange."""
        if exchange.scenario == self._first_lost:
            return exchange
        return withheld(outgoing.key, outgoing.scenario, outgoing.sample, exchange.request, why)

    def _alone(self, outgoing: OutgoingRequest, before: Exchange) -> Exchange:
        """Send a request again while no other is under way; what it met before is one of its attempts."""
        if not self._turns.may_send_alone():
            return before if before.status is None else self._after_outage(outgoing, before)
        with self._turns.alone():
            if before.ended == "reset":
                with locked(self._lock):  # It may restart.
                    self._control(before)
            if before.status is None and (why := self._gone()):
                return self._unless_first(outgoing, before, why)
            again = self._sender.send(outgoing)
            again = self._after_outage(outgoing, again)
            if again.ended == "time-out" and again.status is None:
                with locked(self._lock):  # It blocks the server: those that wait for their turn are to find it back.
                    self._control(again)
        self._turns.sent_alone(helped=again.status is not None and again.status not in TEMPORARY_STATUSES)
        if again.withheld:
            why = self._gone()
            return self._withheld(outgoing, before, why) if why and before.status is not None else before
        if again.status is not None:
            self._answered.now()
        beside = replace(attempt_of(before, 0.0), detail=BESIDE_OTHERS)
        return replace(again, attempts=(*before.attempts, beside, *again.attempts))

    def _after_outage(self, outgoing: OutgoingRequest, before: Exchange) -> Exchange:
        """The exchange as it is, or what the request receives after an outage; withheld if that does not end."""
        if not self._outage.may_explain(outgoing, before):
            return before
        received = time.monotonic()
        with locked(self._lock):
            if self._served is None:
                self._outage.begins(outgoing, before, received)
            elif not self._gone() and self._outage.lasts(self._served[0], outgoing, before, received):
                self._mark_gone(before, refused_since(before))
            why = self._gone()
        if why:
            return self._withheld(outgoing, before, why)
        return self._sent_again(outgoing, before, 0.0) if self._outage.ended_after(received) else before

    def _withheld(self, outgoing: OutgoingRequest, before: Exchange, why: str) -> Exchange:
        """A withheld exchange, with what the request received before as an attempt."""
        unserved = withheld(outgoing.key, outgoing.scenario, outgoing.sample, before.request, why)
        return replace(unserved, attempts=(*before.attempts, attempt_of(before, 0.0)), sent_at=before.sent_at)

    def _after_minute(self, outgoing: OutgoingRequest, before: Exchange) -> Exchange:
        """The exchange as it is, or what the request receives when the server's limit of a minute is over."""
        valid = self._served and sends_valid_key(outgoing, self._target.contract)
        if not valid or not self._window.may_be_over(before):
            return before
        received = time.monotonic()
        with locked(self._lock):
            self._window.wait(received)
        again = self._sent_again(outgoing, before, time.monotonic() - received)
        if again is not before:
            self._window.helped(again)
        return again

    def _sent_again(self, outgoing: OutgoingRequest, before: Exchange, waited: float) -> Exchange:
        """What the request receives after so many seconds, with what it met before as one of its attempts; that alone
        if it may not be sent."""
        again = self._sender.send(outgoing)
        attempts = (*before.attempts, attempt_of(before, waited), *again.attempts)
        return before if again.withheld else replace(again, attempts=attempts)

    def stop(self) -> None:
        """Send no further request."""
        self._stopping.set()
        self._sender.stop()

    def close(self) -> None:
        """Release connections and other resources."""
        self._sender.close()

    def _gone(self) -> str:
        return self._mark.read_text(encoding="utf-8") if self._mark.exists() else ""

    def _is_back(self, exchange: Exchange) -> bool:
        """Whether connections are accepted again within some seconds; else the endpoint is marked as down."""
        from conformance.wire.reach import reach  # A replay needs no HTTP client, which takes a tenth of a second.

        until = time.monotonic() + _PATIENCE
        while not self._gone():
            try:
                reach(self._target)
                return True
            except Misconfigured:
                if time.monotonic() > until:
                    self._mark_gone(exchange, no_response_since(exchange))
            if self._stopping.wait(_LOOK):
                raise Stopped
        return False

    def _control(self, exchange: Exchange) -> None:
        """Send the control request; without a response to it the endpoint is marked as gone."""
        if self._served is None:
            return  # A server that never responded has not stopped: its behavior is evaluated.
        outgoing, seconds = self._served
        sender = self._control_sender(min(self._target.first_byte_timeout, max(_AT_LEAST, _TIMES * seconds)))
        until = time.monotonic() + min(_BLOCKED, _BLOCKED_LIMITS * self._target.first_byte_timeout)
        restarted = time.monotonic() + _RESTART
        try:
            for sent in itertools.count(1):
                if self._gone():  # As another process has found out.
                    return
                control = sender.send(outgoing)
                if control.status is not None or control.ended == "not-sent":
                    self._silent = 0
                    self._answered.now()
                    return
                if sent >= _CONTROLS and time.monotonic() > (until if control.ended == "time-out" else restarted):
                    break
        finally:
            sender.close()
        self._mark_gone(exchange, no_response_since(exchange))

    def _mark_gone(self, exchange: Exchange, why: str) -> None:
        if not self._gone():
            self._first_lost = exchange.scenario
            write_atomically(self._mark, why)


class LastResponse:
    """When any process of the run last received a response, in monotonic seconds: the time of modification of a file,
    as that clock is the same for all processes of a machine."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)
        with contextlib.suppress(FileExistsError), file.open("x"):
            os.utime(file, ns=(0, 0))

    def now(self) -> None:
        """Note a response."""
        moment = time.monotonic_ns()
        os.utime(self._file, ns=(moment, moment))

    @property
    def at(self) -> float:
        """The moment; 0 before the first response."""
        return os.stat(self._file).st_mtime_ns / 1e9
