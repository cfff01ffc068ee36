"""Whether the proxy still serves: an ordinary request after one without a response, and what a run records if not."""

from __future__ import annotations

import time
from collections.abc import Sequence

from conformance.proxy.kit import Kit, ProbeRequest, plan
from conformance.proxy.probes.probe import Probe, body_of
from conformance.proxy.records import Leg, Record
from conformance.proxy.script import Script

#: The kind, and the name, of the record of a run that was ended, as the proxy served nothing more.
KIND = "stopped"

#: Attempts of the ordinary request, and the longest seconds between two: a proxy can be started again. Of those that
#: time out, fewer.
_ATTEMPTS, _PAUSE, _TIME_OUTS = 3, 3.0, 2

#: The part of the longest time for a response that one attempt takes.
_PART = 3


def ended(kit: Kit, made: Sequence[Record], last: int, left: Sequence[Probe]) -> Record | None:
    """The record with which the run ends, if a request of the ``last`` records received no response, and ordinary
    requests after it receive none either; None if the proxy serves. ``left`` are the probes that were not sent."""
    after = [one.probe for one in made[-last:] if any(_is_without_response(pair.client) for pair in one.pairs)]
    if not after:
        return None
    limit = max(2 * kit.settings.wait, kit.settings.limit / _PART)
    for attempt in range(_ATTEMPTS):
        canary = kit.new_canary()
        leg = kit.send(ProbeRequest(canary, body_of(canary), Script(plan(canary)), limit=limit)).client
        if not _is_without_response(leg):
            kit.take()
            return None
        if leg.ended == "time-out" and attempt + 1 == _TIME_OUTS:
            break
        if attempt < _ATTEMPTS - 1 and leg.ended != "time-out":
            time.sleep(min(kit.settings.wait, _PAUSE))
    about = {"kinds": [KIND], "after": after, "served": _last_served(made), "left": len(left)}
    return Record(KIND, about, kit.take())


def _last_served(made: Sequence[Record]) -> str:
    """The probe of the last response that the client received; empty without one."""
    served = [(pair.client.ended_at, one.probe) for one in made for pair in one.pairs if pair.client.status is not None]
    return max(served, default=(0.0, ""))[1]


def _is_without_response(leg: Leg) -> bool:
    return leg.status is None and leg.ended in ("time-out", "unreachable", "cut", "reset")
