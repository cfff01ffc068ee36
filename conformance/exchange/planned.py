"""Requests before they are sent: the interface between plan and sender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.exchange.exchange import Exchange, Headers

#: Temporary statuses, which are retried after a wait (RFC 9110 15.5, 15.6; RFC 6585 4).
TEMPORARY_STATUSES = frozenset({429, 500, 502, 503, 504, 529})

#: Seconds before the second, third and fourth attempt, without Retry-After.
BACK_OFF = (0.2, 0.6, 1.5)


@dataclass(frozen=True)
class OutgoingRequest:
    """A request ready to be sent: ``auth`` is a variant of :func:`credentials`, ``headers`` are added to the defaults.

    ``tries`` is the limit of attempts, ``most`` the output tokens that an attempt may use, ``suffix`` is appended to
    the URL. The body is sent chunked if ``headers`` announce it.
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


@dataclass(frozen=True)
class PlannedRequest:
    """One planned exchange.

    ``after``: keys that are received first. ``build`` makes the request from their last exchanges, None if they do not
    contain what it needs. ``more`` returns the next sample to send, by the samples so far (None: no further one).
    """

    key: str
    after: tuple[str, ...]
    build: Callable[[Sequence[Exchange]], OutgoingRequest | None]
    more: Callable[[Sequence[Exchange]], PlannedRequest | None]


def attempts(exchange: Exchange) -> str:
    """The number of attempts, with its unit."""
    count = len(exchange.attempts) + 1
    return f"{count} attempt{'s' * (count > 1)}"
