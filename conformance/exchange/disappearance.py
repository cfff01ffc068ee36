"""Endpoints that are gone in the middle of a run: no response any more, or the same refusal of every request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from conformance.exchange.exchange import WITHHELD, Exchange, content_coding

_STOPPED, _SERVES_NOTHING = "the endpoint stopped responding", "the endpoint responds to every request with HTTP "

#: Statuses of a gateway whose server is away.
AWAY = (502, 503, 504)

#: How an HTML page begins, within so many bytes.
_PAGE, _START = (
    re.compile(rb"\s*(?:<!--.{0,200}?-->\s*)?<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL),
    400,
)


def no_response_since(exchange: Exchange) -> str:
    """Why further requests are withheld: this one was the first without a response."""
    return f"{_STOPPED} at {_clock(_begun(exchange))}: no response since {exchange.scenario}"


def refused_since(exchange: Exchange) -> str:
    """The same where this one was the first with the status that every request receives."""
    page = " and an HTML page" if exchange.ok else ""
    return f"{_SERVES_NOTHING}{exchange.status}{page} since {exchange.scenario}"


def is_page(exchange: Exchange) -> bool:
    """Whether the body is an HTML page, as of a load balancer, a firewall or a login."""
    return bool(_PAGE.match(_beginning(exchange)))


def _beginning(exchange: Exchange) -> bytes:
    """The first bytes of the body, which is decoded completely only if it is compressed."""
    if content_coding(exchange.headers):
        return exchange.body[:_START]
    found = b""
    for chunk in exchange.chunks:
        found += chunk.data
        if len(found) >= _START:
            break
    return found[:_START]


@dataclass(frozen=True)
class Disappearance:
    """An endpoint that stopped responding, or responds to every request with the same status (``what``):
    when (unix seconds), the first scenario without a response or with that status, the number of responses before, and
    the scenario of the last of these (empty without any)."""

    since: float
    scenario: str
    responses: int
    last: str
    what: str = _STOPPED

    @property
    def says(self) -> str:
        """All of it in one line."""
        many = f"{self.responses} response{'' if self.responses == 1 else 's'}"
        last = f" (the last was {self.last})" if self.last else ""
        stopped = self.what == _STOPPED
        when, first = ("at", "without a response") if stopped else ("since", "of these")
        return f"{self.what} {when} {_clock(self.since)}, after {many}{last}; {self.scenario} was the first {first}"


def disappearance(exchanges: Iterable[Exchange]) -> Disappearance | None:
    """When the endpoint of these exchanges stopped responding or serving; None if it did not."""
    every = sorted(exchanges, key=lambda one: one.sent_at)
    withheld = [one for one in every if one.withheld]
    stopped = any(one.detail.startswith(WITHHELD + _STOPPED) for one in withheld)
    unserved = [one for one in withheld if one.detail.startswith(WITHHELD + _SERVES_NOTHING)]
    sent = [one for one in every if one.ended != "not-sent"]
    responses = [one for one in sent if one.status is not None]
    last = responses[-1].sent_at if responses else 0.0
    rest = [one for one in sent if one.status is None and one.sent_at + one.elapsed / 1000 > last]
    if unserved:
        what = unserved[0].detail.removeprefix(WITHHELD).partition(" since ")[0]
    elif rest and (stopped or any(map(unconnected, rest))):
        what = _STOPPED
    else:
        return None
    first = min(unserved or rest, key=_begun)
    return Disappearance(_begun(first), first.scenario, len(responses), _last(responses), what)


def unconnected(exchange: Exchange) -> bool:
    """Whether no connection was established, so that the request was not sent."""
    return exchange.ended == "unreachable" or (
        exchange.ended == "time-out" and exchange.detail.startswith("ConnectTimeout")
    )


def _last(responses: Sequence[Exchange]) -> str:
    return max(responses, key=lambda one: one.sent_at + one.elapsed / 1000).scenario if responses else ""


def _begun(exchange: Exchange) -> float:
    """When the first attempt was sent."""
    return exchange.sent_at - sum(one.waited for one in exchange.attempts)


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S UTC")
