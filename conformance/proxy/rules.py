"""The registry of the rules of the area ``proxy``: which probes each applies to, and its check.

A check is a pure function of the record of a probe, and of the settings of the run. It yields findings; it raises
``CannotEvaluate`` if the record does not contain what it needs, and ``DoesNotApply`` if what it checks did not occur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.decode.cannot_evaluate import CannotEvaluate
from conformance.judge.findings import MISSING
from conformance.proxy.connections import STREAM
from conformance.proxy.records import Leg, Pair, Record

AREA = "proxy"

#: The status with which a proxy refuses requests beyond its limit.
_LIMITED = 429


@dataclass(frozen=True)
class Finding:
    """A violation: ``pair`` is the number of the pair in the record, ``leg`` the number of the upstream request that
    shows it (None: the client's side). Findings with the same ``group``, if it is not empty, have one cause."""

    message: str
    want: Any = MISSING
    got: Any = MISSING
    pair: int = 0
    leg: int | None = None
    group: str = ""


Findings = Iterator[Finding]


@dataclass(frozen=True)
class View:
    """What a check receives: the record, the settings, and the findings so far of other probes by rule.
    ``leaves_streams``: the proxy leaves the end of each stream unread in its connection. ``disconnects``: when clients
    of requests that were sent at the same time as others disconnected."""

    record: Record
    settings: Mapping[str, Any]
    failing: Mapping[str, Sequence[str]]
    leaves_streams: bool = False
    disconnects: Sequence[float] = ()

    @property
    def dialect(self) -> str:
        """The dialect of the upstream."""
        return str(self.settings["dialect"])

    @property
    def pair(self) -> Pair:
        """The first pair. :class:`CannotEvaluate` if the probe recorded none."""
        if not self.record.pairs:
            raise CannotEvaluate("nothing was recorded")
        return self.record.pairs[0]

    @property
    def client(self) -> Leg:
        """The client's side of the first pair."""
        return self.pair.client

    def served(self, pair: Pair | None = None) -> Leg:
        """The client's side of a pair that was served. :class:`CannotEvaluate` if it was not."""
        leg = (pair or self.pair).client
        if not leg.ok:
            raise CannotEvaluate(f"the client received {status_of(leg)}")
        return leg

    def upstream(self, pair: Pair | None = None) -> Leg:
        """The last upstream request of a pair, if possible one that was served to its end, and that streams if the
        client's does. :class:`CannotEvaluate` without one."""
        made = pair or self.pair
        if not made.upstream:
            raise CannotEvaluate("no request reached the upstream")
        served = [leg for leg in made.upstream if leg.ok and leg.ended == "clean"] or made.upstream
        return ([leg for leg in served if leg.requests_stream == made.client.requests_stream] or served)[-1]


Check = Callable[[View], Findings]


@dataclass(frozen=True)
class Rule:
    """A rule: its id without the area, the kinds of probes it applies to, and its check."""

    id: str
    kinds: tuple[str, ...]
    check: Check

    @property
    def name(self) -> str:
        """The id in the catalogue."""
        return f"{AREA}.{self.id}"


RULES: list[Rule] = []

#: Every kind of probe.
ALL = (
    "request", "undocumented", "repeated", "round-trip", "key", "response", "forms", "rare-forms", "streaming",
    "concurrent", "cancel", "cancel-many", "cancel-silent", "silence", "failure", "once", "after",
    "after-cancel", "media",
)  # fmt: skip


def rule(name: str, *kinds: str) -> Callable[[Check], Check]:
    """Register a check as that of a rule, for the probes of these kinds."""

    def register(check: Check) -> Check:
        RULES.append(Rule(name, kinds, check))
        return check

    return register


def status_of(leg: Leg) -> str:
    """The status of a response, or how the exchange ended without one, for messages."""
    if leg.status is None:
        return f"no response ({leg.ended}{f': {leg.detail}' if leg.detail else ''})"
    return f"HTTP {leg.status}"


def must_not_be_limited(pair: Pair) -> None:
    """Raises CannotEvaluate for a request that the proxy refused with 429 by itself: a limit of requests is legal, and
    does not depend on what the request contains."""
    if pair.client.status == _LIMITED and not pair.upstream:
        raise CannotEvaluate(
            f"the proxy refused the request with {_LIMITED}, and sent nothing to the upstream: raise its limit of "
            "requests for the run"
        )


def without_form(record: Record, finding: Finding) -> str:
    """The message of a finding without the name of the form and the canary."""
    name = record.probe.partition(".")[2]
    canaries = [pair.canary for pair in record.pairs]
    message = finding.message.replace(repr(name), "")
    for canary in canaries:
        message = message.replace(canary, "").replace(f"[{canary[0]}]{canary[1:]}", "")
    return message


def on_connection(view: View, legs: Sequence[Leg]) -> str:
    """What the proxy can have left unread on the connection of one of the requests, for messages; else empty."""
    words = [leg.notes["after"] for leg in legs if "after" in leg.notes]
    return next((f", on the connection of {one}" for one in words if one != STREAM or view.leaves_streams), "")


def at_client(error: CannotEvaluate) -> str:
    """Why the client has no response that can be read, as the end of a sentence."""
    says = str(error)
    if says.startswith("received"):
        return f"the client {says}"
    return f"the client received {says}" if says.startswith("no response") else f"for the client {says}"
