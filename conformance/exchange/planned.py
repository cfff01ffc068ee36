"""Requests before they are sent: what the plan hands to the sender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.exchange.exchange import Exchange, Headers

#: Statuses of a passing trouble: asked again after a wait (RFC 9110 15.5, 15.6; RFC 6585 4).
TEMPORARY_STATUSES = frozenset({429, 500, 502, 503, 504, 529})

#: Seconds before the second, third and fourth try, where the server does not say.
BACK_OFF = (0.2, 0.6, 1.5)


@dataclass(frozen=True)
class OutgoingRequest:
    """A request ready to be sent: ``auth`` names a way of :func:`credentials`, ``headers`` come on top.

    ``tries`` is how often in all, ``most`` how many output tokens a try may cost, ``suffix`` what is added to the URL.
    The body is sent in chunks where ``headers`` say so.
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

    ``after``: keys that are settled first. ``build`` makes the request from their last exchanges, None if they give
    nothing to build on. ``more`` says, from the samples so far, what to ask next (None: that is enough).
    """

    key: str
    after: tuple[str, ...]
    build: Callable[[Sequence[Exchange]], OutgoingRequest | None]
    more: Callable[[Sequence[Exchange]], PlannedRequest | None]
