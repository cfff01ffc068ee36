"""A valid key that is refused and then accepted: a server that locks clients out, as after invalid keys."""

from __future__ import annotations

from conformance.decode.response import Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import ON_KEPT
from conformance.scenarios.combinations import Levels
from conformance.scenarios.reduction import refused_for_another_reason

_DENIED = (401, 403)


def lockout(received: Received, levels: Levels) -> Exchange | None:
    """The refusal of a valid key for which no combination of what the request contains is the reason, or that the same
    request on a new connection does not receive; None if there is none."""
    first = received.samples[0]
    kept = (one for one in first.retried if first.ok and one.detail.startswith(ON_KEPT))
    found = next(kept, None) or refused_for_another_reason(levels, received.samples)
    return found if found and found.status in _DENIED else None
