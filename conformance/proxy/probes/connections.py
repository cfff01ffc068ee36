"""Probes with two requests on one connection of the client, as most clients send them: the second is evaluated. A proxy
can leave a part of the first unread, or keep what it knows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.proxy.client import Connection
from conformance.proxy.kit import Kit, ProbeRequest, plan
from conformance.proxy.probes.probe import Probe, body_of
from conformance.proxy.probes.streams import hold_text
from conformance.proxy.records import Leg
from conformance.proxy.script import FAILURE_TEXT, Script, failure

#: A text of 20 kB: longer than what a server reads with the head of a request.
_LONG = "a long text, " * 1_500

#: Seconds between the two requests, by attempt: a proxy can close a connection at any time, but hardly at each attempt.
_PAUSES = (0.1, 1.0)

Made = Callable[[Kit], ProbeRequest]


def _ordinary(stream: bool = False, key: str | None = None, text: str = "") -> Made:
    def made(kit: Kit) -> ProbeRequest:
        canary = kit.new_canary()
        body: dict[str, Any] = {**body_of(canary), "stream": stream}
        body["input"] += text
        return ProbeRequest(canary, body, Script(plan(canary)), key=key)

    return made


def _refused(kit: Kit) -> ProbeRequest:
    """A request that the upstream refuses."""
    canary = kit.new_canary()
    response = failure(400, kit.dialect, f"{FAILURE_TEXT}400")
    return ProbeRequest(canary, body_of(canary), Script(plan(canary), response=lambda *_: response))


def _held(kit: Kit) -> ProbeRequest:
    canary = kit.new_canary()
    return ProbeRequest(canary, {**body_of(canary), "stream": True}, hold_text(canary)[1])


def _probe(name: str, first: Made, second: Made, kinds: tuple[str, ...] = ("response",), **about: Any) -> Probe:
    def run(kit: Kit) -> None:
        for pause in _PAUSES:
            with Connection(pause) as connection:
                one, other = first(kit), second(kit)
                one.connection = other.connection = connection
                kit.exchange(one)
                pair = kit.exchange(other)
            if not _is_closed(pair.client):
                break
        kit.record(pair)

    return Probe(f"connection.{name}", run, kinds, about)


def _is_closed(leg: Leg) -> bool:
    """Whether the proxy closed a connection that it had kept, in place of a response."""
    return bool(leg.notes.get("reused")) and leg.status is None and leg.ended in ("cut", "reset", "unreachable")


PROBES: list[Probe] = [
    _probe("stream", _ordinary(), _held, ("streaming", "response"), held="text"),
    _probe("after-stream", _ordinary(stream=True), _ordinary()),
    _probe("after-refused-key", _ordinary(key="wrong-key-0123456789", text=_LONG), _ordinary()),
    _probe("after-missing-key", _ordinary(key="", text=_LONG), _ordinary()),
    _probe("after-error", _refused, _ordinary(stream=True)),
]
