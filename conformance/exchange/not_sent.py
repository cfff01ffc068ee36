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
    """The same for a reason that is ours and not the server's."""
    return unsent(key, scenario, sample, request, WITHHELD + why)


def unbuilt(key: str, before: Sequence[Exchange]) -> Exchange:
    """The same where no request could be built: the answer before gave nothing for it, or the suite itself is wrong."""
    if not before:
        return unsent(key, key, 0, Request("POST", "", (), b""), "not sent, as the request itself is wrong")
    first = before[0]
    why = first.detail if first.withheld else f"not sent, after what {first.scenario} gave"
    return unsent(key, key, 0, first.request, why)
