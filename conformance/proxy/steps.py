"""The order of a run: which probes are sent at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from conformance.proxy.probes.probe import Probe
from conformance.proxy.records import Record

#: Kinds of probes that need nothing of the others.
_ALONE = frozenset(
    {"request", "repeated", "round-trip", "undocumented", "key", "response", "forms", "rare-forms", "failure"}
)

#: Seconds from which on a response is slow, slow ones from which on the proxy is, and the probes sent to it at once.
_SLOW, _MOST_SLOW, _TOGETHER = 1.5, 2, 24

#: Statuses with which a proxy refuses more requests than it serves at a time.
_BUSY = (429, 503)


def next_step(left: Sequence[Probe], made: Sequence[Record]) -> list[Probe]:
    """The first of the probes that are left, and those that are sent with it: neighbours that wait; to a slow proxy
    also others, as it would take minutes to send hundreds of requests one after the other. ``made`` are the records so
    far."""
    first = left[0]
    if first.waits:
        return list(takewhile(lambda probe: probe.waits, left))
    if _is_alone(first) and _is_slow(made):
        return list(takewhile(_is_alone, left))[:_TOGETHER]
    return [first]


def are_refused(records: Sequence[Record]) -> bool:
    """Whether the proxy refused requests that were sent to it together only as it was slow: it can serve fewer at a
    time."""
    legs = [pair.client for one in records for pair in one.pairs if not pair.upstream]
    return len(records) > 1 and any(leg.status in _BUSY for leg in legs)


def _is_alone(probe: Probe) -> bool:
    return set(probe.kinds) <= _ALONE and not probe.waits


def _is_slow(made: Sequence[Record]) -> bool:
    """Whether the proxy is slow, and all its requests can be matched to those of the client."""
    pairs = [pair for one in made if set(one.about["kinds"]) <= _ALONE for pair in one.pairs]
    slow = sum(pair.client.ended_at - pair.client.began > 1000 * _SLOW for pair in pairs)
    return slow >= _MOST_SLOW and all(leg.notes.get("matched") for pair in pairs for leg in pair.upstream)
