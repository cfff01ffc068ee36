"""The state machines over a stream: opening, lifecycle and identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.decode.events import Event
from conformance.decode.identity import identities
from conformance.decode.lifecycle import walk
from conformance.decode.opening import opening
from conformance.decode.violation import Violation


def followed(events: Sequence[Event], ended_by_us: bool) -> tuple[list[Violation], Counter[str]]:
    """The violations of opening, lifecycle and identity, and for each rule the number of events it was evaluated on.

    ``ended_by_us``: a limit of the suite ended the stream. With fewer than two events the opening is then not
    evaluated, as the second event may not have been read.
    """
    begun, ends = opening(events)
    if ended_by_us and len(events) < 2:
        begun = []
    walked, _, steps = walk(events)
    bound, compared = identities(events)
    return [*begun, *walked, *bound], ends + steps + compared
