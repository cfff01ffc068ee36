"""The exchanges of requests that were never sent: recorded and shared as the others are."""

from __future__ import annotations

import time
from collections.abc import Sequence

from conformance.exchange.exchange import WITHHELD, Exchange, Request

#: Why a request is withheld that is not in the recording that is replayed.
NOT_RECORDED = "the recording does not hold this request"


def unsent(key: str, scenario: str, sample: int, request: Request, why: str) -> Exchange:
    """The exchange of a request that was not sent, for this reason."""
    return Exchange(key, scenario, sample, request, None, (), (), "not-sent", why, time.time(), 0.0)


def withheld(key: str, scenario: str, sample: int, request: Request, why: str) -> Exchange:
    """The same for a reason that is not the server's."""
    return unsent(key, scenario, sample, request, WITHHELD + why)


def unbuilt(key: str, before: Sequence[Exchange]) -> Exchange:
    """The same if no request could be built: the earlier response does not contain what it needs, or it is invalid
    because of a defect of the suite."""
    if not before:
        return unsent(
            key,
            key,
            0,
            Request("POST", "", (), b""),
            "internal error: the request violates request.json and was not sent",
        )
    first = before[0]
    why = (
        first.detail
        if first.withheld
        else f"not sent, because the response of {first.scenario} does not contain what the request needs"
    )
    return unsent(key, key, 0, first.request, why)
