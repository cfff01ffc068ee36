"""Requests before they are sent: the interface between plan and sender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.exchange.exchange import Attempt, Exchange, Headers

#: Temporary statuses, which are retried after a wait (RFC 9110 15.5, 15.6; RFC 6585 4).
TEMPORARY_STATUSES = frozenset({429, 500, 502, 503, 504, 529})

#: Seconds before the second, third and fourth attempt, without Retry-After.
BACK_OFF = (0.2, 0.6, 1.5)


#: The beginning of ``detail`` of an attempt on the connection of an earlier request.
ON_KEPT = "on the connection of the request before: "

#: The same of a stream that the client closed on purpose, and of the request sent directly after it, if that failed.
CLOSED, AFTER_CLOSED = "closed by the client: ", "after a stream that the client closed: "

#: The end of ``detail`` of a closed stream that was not complete.
MIDWAY = "after the first output"


@dataclass(frozen=True)
class OutgoingRequest:
    """A request ready to be sent: ``auth`` is one of the variants of :func:`conformance.wire.client.credentials`;
    ``headers`` are added to the default ones.

    ``tries`` is the limit of attempts, ``most`` the output tokens that an attempt may use, ``suffix`` is appended to
    the URL. The body is sent chunked if ``headers`` announce it. ``keeps``: its connection stays open for a later
    request, whose ``on`` is the key of this one; without such a connection a new one is used. ``may_be_refused``: a
    4xx on that connection is its response, and no reason to use a new one. ``closes`` is the body of a streaming
    request that is sent first, and closed once output is received; empty for none.
    """

    key: str
    scenario: str
    sample: int
    method: str
    body: bytes
    auth: str
    headers: Headers
    tries: int
    most: int = 0
    suffix: str = ""
    keeps: bool = False
    on: str = ""
    closes: bytes = b""
    may_be_refused: bool = False


@dataclass(frozen=True)
class PlannedRequest:
    """One planned exchange.

    ``after``: keys that are received first. ``build`` makes the request from their last exchanges, None if they do not
    contain what it needs. ``more`` returns the next sample to send, by the samples so far (None: no further one).
    ``together``: it is sent at the same moment as the others that are.
    """

    key: str
    after: tuple[str, ...]
    build: Callable[[Sequence[Exchange]], OutgoingRequest | None]
    more: Callable[[Sequence[Exchange]], PlannedRequest | None]
    together: bool = False


def on_new_connections(exchange: Exchange) -> list[Attempt]:
    """The attempts, except one on the connection of an earlier request, and those around a closed stream."""
    return [one for one in exchange.attempts if not one.detail.startswith((ON_KEPT, CLOSED, AFTER_CLOSED))]


def attempts(exchange: Exchange) -> str:
    """The number of attempts, with its unit."""
    count = len(exchange.attempts) + 1
    return f"{count} attempt{'s' * (count > 1)}"
