"""A stream as the automata follow it: opening, lifecycle and identity together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.decode.events import Event
from conformance.decode.identity import identities
from conformance.decode.lifecycle import walk
from conformance.decode.opening import opening
from conformance.decode.violation import Violation


def followed(events: Sequence[Event], ended_by_us: bool) -> tuple[list[Violation], Counter[str]]:
    """What violates opening, lifecycle and identity, and for each rule on how many events it was evaluated.

    ``ended_by_us``: a limit of the suite ended the stream; of a single event it may have cut the next one off, so that
    nothing is said of how the stream begins.
    """
    begun, ends = opening(events)
    if ended_by_us and len(events) < 2:
        begun = []
    walked, _, steps = walk(events)
    bound, compared = identities(events)
    return [*begun, *walked, *bound], ends + steps + compared
