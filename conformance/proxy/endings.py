"""How a stream to the client ended that has no end."""

from __future__ import annotations

from conformance.proxy.outcomes import received
from conformance.proxy.records import Leg


def without_end(leg: Leg) -> str:
    """How a stream without an end ended, in words: its terminal event can be there without the Response."""
    one = received(leg)
    ends = [event.type for event in one.of(*one.contract.decoding.ends)]
    if not ends:
        return "the stream to the client ended without a terminal event"
    return f"the stream to the client ended with {ends[-1]} without a Response"
