"""Whether the endpoint is still there while a run goes on; once it is gone, nothing more is sent.

A request that ends without a response is not yet a sign: a server may close the connection of one bad request. So a
connection is opened beside it. If that is refused for some seconds, the endpoint is gone. If it is accepted, as it is
where a container's proxy listens for a server that has died, one request that was served before is sent again after
three requests without a response: without a response to that one, too, the endpoint is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from conformance.target import Misconfigured, Target
from conformance.wire.client import Outgoing
from conformance.wire.exchange import WITHHELD, Attempt, Exchange, Request
from conformance.wire.limits import Stopped
from conformance.wire.pool import Sender
from conformance.wire.reach import reach
from conformance.wire.record import Folder, write_atomically
from conformance.wire.unsent import withheld

#: Seconds for which connections must be refused, after the request's own attempts, and between the looks.
_PATIENCE, _LOOK = 5.0, 0.5

#: Requests without a response, one after another, after which one that was served before is sent again.
_SILENT = 3

_GONE = "the endpoint stopped answering"


class Presence:
    """A sender to a target that sends nothing more, in all processes of the run, once the endpoint is gone."""

    def __init__(self, sender: Sender, target: Target, folder: Folder) -> None:
        self._sender = sender
        self._target = replace(target, wait=0.0)
        self._mark = folder.locks / "gone"
        self._mutex = threading.Lock()
        self._stopping = threading.Event()
        self._served: Outgoing | None = None
        self._silent = 0

    def send(self, outgoing: Outgoing) -> Exchange:
        """The exchange; a withheld one where the endpoint is gone."""
        if why := self._gone():
            request = Request(outgoing.method, self._target.url, (), outgoing.body)
            return withheld(outgoing.key, outgoing.scenario, outgoing.sample, request, why)
        exchange = self._sender.send(outgoing)
        if exchange.status is not None:
            self._silent = 0
            self._served = self._served or (outgoing if exchange.ok else None)
            return exchange
        if unconnected(exchange):
            with self._mutex:
                if not self._is_back(exchange):
                    return exchange
            again = self._sender.send(outgoing)
            before = (*exchange.attempts, Attempt(None, exchange.ended, _LOOK))
            return replace(again, attempts=(*before, *again.attempts))
        if exchange.ended == "reset":
            with self._mutex:
                self._silent += 1
                if self._silent >= _SILENT and self._served and not self._gone():
                    self._control(exchange, self._served)
        return exchange

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()
        self._sender.stop()

    def close(self) -> None:
        """Give back what is held."""
        self._sender.close()

    def _gone(self) -> str:
        return self._mark.read_text(encoding="utf-8") if self._mark.exists() else ""

    def _is_back(self, exchange: Exchange) -> bool:
        """Whether connections are accepted again within some seconds; else the endpoint is marked as gone."""
        until = time.monotonic() + _PATIENCE
        while not self._gone():
            try:
                reach(self._target)
                return True
            except Misconfigured:
                if time.monotonic() > until:
                    self._mark_gone(exchange)
            if self._stopping.wait(_LOOK):
                raise Stopped
        return False

    def _control(self, exchange: Exchange, served: Outgoing) -> None:
        control = self._sender.send(served)
        self._silent = 0
        if control.status is None and (unconnected(control) or control.ended == "reset"):
            self._mark_gone(exchange)

    def _mark_gone(self, exchange: Exchange) -> None:
        if not self._gone():
            write_atomically(self._mark, f"{_GONE} at {_clock(_begun(exchange))}")


@dataclass(frozen=True)
class Disappearance:
    """When an endpoint stopped answering (unix seconds), the scenario that was sent first without a response, how many
    requests were answered before, and the scenario of the last of these (empty without any)."""

    since: float
    scenario: str
    answered: int
    last: str

    @property
    def says(self) -> str:
        """All of it in one line."""
        many = f"{self.answered} answered request{'' if self.answered == 1 else 's'}"
        last = f" (the last was {self.last})" if self.last else ""
        return f"{_GONE} at {_clock(self.since)}, after {many}{last}; {self.scenario} was the first without a response"


def disappearance(exchanges: Iterable[Exchange]) -> Disappearance | None:
    """When the endpoint of these exchanges stopped answering for good; None if it did not."""
    every = sorted(exchanges, key=lambda one: one.sent_at)
    told = any(one.withheld and one.detail.startswith(WITHHELD + _GONE) for one in every)
    sent = [one for one in every if one.ended != "not-sent"]
    answered = [one for one in sent if one.status is not None]
    rest = [one for one in sent if one.status is None and (not answered or one.sent_at > answered[-1].sent_at)]
    if not rest or not (told or any(map(unconnected, rest))):
        return None
    first = min(rest, key=_begun)
    return Disappearance(_begun(first), first.scenario, len(answered), _last(answered))


def unconnected(exchange: Exchange) -> bool:
    """Whether no connection was to be had: nobody read the request."""
    return exchange.ended == "unreachable" or (
        exchange.ended == "time-out" and exchange.detail.startswith("ConnectTimeout")
    )


def _last(answered: Sequence[Exchange]) -> str:
    return max(answered, key=lambda one: one.sent_at + one.elapsed / 1000).scenario if answered else ""


def _begun(exchange: Exchange) -> float:
    """When the first attempt was sent."""
    return exchange.sent_at - sum(one.waited for one in exchange.attempts)


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S UTC")
