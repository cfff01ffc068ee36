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

#: Seconds from which on a response is slow, slow ones from which on the proxy is, and the probes sent to it at once: at
#: first a few, which show whether it serves them one after the other.
_SLOW, _MOST_SLOW, _FEW, _TOGETHER = 1.5, 2, 4, 32

#: Seconds by which a request reaches the upstream later than alone if it waits for others.
_LATER = 1.0

#: Statuses with which a proxy refuses more requests than it serves at a time.
_BUSY = (429, 503)


def next_step(left: Sequence[Probe], made: Sequence[Record], wait: float) -> list[Probe]:
    """The first of the probes that are left, and those that are sent with it: neighbours that wait; to a slow proxy
    also others, streams first, which take the longest, as it would take minutes to send hundreds of requests one after
    the other. ``made`` are the records so far; ``wait`` is the longest time in seconds for a delta."""
    first = left[0]
    if first.waits:
        return list(takewhile(lambda probe: probe.waits, left))
    several = [one for one in made if _of_alone(one) and one.about.get("together")]
    if not _is_slow(made) or _wait_for_each_other(several[:_FEW], made):
        return [first]
    # The few streams whose deltas wait share the proxy: each delta then takes as long as a short stream at most.
    if "streaming" in first.kinds and several and _longest([one for one in made if one not in several]) < wait:
        return list(takewhile(lambda probe: "streaming" in probe.kinds, left))
    if not _is_alone(first):
        return [first]
    found = sorted(takewhile(_is_alone, left), key=lambda probe: not probe.about.get("stream"))
    return found[: _TOGETHER if several else _FEW]


def are_refused(records: Sequence[Record]) -> bool:
    """Whether the proxy refused requests that were sent to it together only as it was slow, or did not accept their
    connections: it can serve fewer at a time."""
    legs = [pair.client for one in records for pair in one.pairs if not pair.upstream]
    return len(records) > 1 and any(leg.status in (None, *_BUSY) for leg in legs)


def _wait_for_each_other(several: Sequence[Record], made: Sequence[Record]) -> bool:
    """Whether one of several requests that were sent together reached the upstream later than those sent alone."""
    alone = max(_leads([one for one in made if not one.about.get("together")]), default=0.0)
    return max(_leads(several), default=0.0) > 2 * alone + 1000 * _LATER


def _longest(records: Sequence[Record]) -> float:
    """The seconds of the longest response."""
    return max(pair.client.ended_at - pair.client.began for one in records for pair in one.pairs) / 1000


def _leads(records: Sequence[Record]) -> list[float]:
    """The milliseconds that requests took to reach the upstream."""
    return [pair.upstream[0].began - pair.client.began for one in records for pair in one.pairs if pair.upstream]


def _is_alone(probe: Probe) -> bool:
    return set(probe.kinds) <= _ALONE and not probe.waits


def _of_alone(record: Record) -> bool:
    return set(record.about["kinds"]) <= _ALONE


def _is_slow(made: Sequence[Record]) -> bool:
    """Whether the proxy is slow, and all its requests can be matched to those of the client."""
    pairs = [pair for one in made if _of_alone(one) for pair in one.pairs]
    slow = sum(pair.client.ended_at - pair.client.began > 1000 * _SLOW for pair in pairs)
    return slow >= _MOST_SLOW and all(leg.notes.get("matched") for pair in pairs for leg in pair.upstream)
