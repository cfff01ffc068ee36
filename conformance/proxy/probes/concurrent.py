"""The probe of concurrent streams, whose parts are interleaved."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.emulator.shapes import Plan
from conformance.proxy.kit import Kit, ProbeRequest, plan
from conformance.proxy.probes.deltas import PARTS, divide, enclosed, words
from conformance.proxy.probes.probe import body_of
from conformance.proxy.probes.requests import TOOLS
from conformance.proxy.script import Script, ScriptedResponse, Step

#: Seconds for the other streams to take part in a round.
_TURN = 2.0

#: Seconds between the plain responses of the upstream.
_STEP = 0.02

#: Concurrent requests.
TOGETHER = 8


def together(kit: Kit) -> None:
    """Concurrent streams: one sends a part of a line, the others a delta each, and then the first the rest of it."""
    _send_together(kit, "text", {})


def together_with_calls(kit: Kit) -> None:
    """The same with the arguments of a call: translators keep the state of calls separately from that of texts."""
    _send_together(kit, "arguments", {"tools": TOOLS})


def together_plain(kit: Kit) -> None:
    """Concurrent plain requests: the upstream responds when all have arrived, and to the last one first."""
    interleaver = _Interleaver(TOGETHER)
    probe_requests = []
    for number in range(TOGETHER):
        canary = kit.new_canary()
        script = interleaver.plain_script(plan(canary), _STEP * (TOGETHER - number))
        probe_requests.append(ProbeRequest(canary, body_of(canary), script))
    kit.send_together(probe_requests)


def _send_together(kit: Kit, kind: str, more: Mapping[str, Any]) -> None:
    interleaver = _Interleaver(TOGETHER)
    probe_requests = []
    for number in range(TOGETHER):
        canary = kit.new_canary()
        parts = words(canary)
        if kind == "text":
            made = plan(canary, "".join(parts))
        else:
            made = plan(canary, calls=[("planTrip", "".join(enclosed(parts)))])
        script = interleaver.script(made, kind, parts, number)
        probe_requests.append(ProbeRequest(canary, {**body_of(canary), **more, "stream": True}, script))
    kit.send_together(probe_requests)


def _in_two(frame: bytes) -> tuple[bytes, bytes]:
    """A frame divided in its data line."""
    at = frame.find(b"data:") + len(b"data:") + 4
    return frame[:at], frame[at:]


class _Interleaver:
    """Interleaves streams. In each round, one for a delta, the stream with the number of the round sends the first part
    of its frame; then each other sends its frame; when their clients have received it, the first sends the rest. A
    stream that does not take part within two seconds ends all waiting, as a proxy can serve the streams one by one."""

    def __init__(self, count: int) -> None:
        self._start = threading.Barrier(count)
        self._divided = [threading.Event() for _ in range(PARTS)]
        self._received = [threading.Barrier(count) for _ in range(PARTS)]
        self._broken = False

    def script(self, made: Plan, kind: str, parts: Sequence[str], number: int) -> Script:
        """The script of the stream with this number, whose deltas of this kind are the parts."""
        deltas = parts if kind == "text" else enclosed(parts)

        def meet(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
            self._meet(self._start)
            return one

        return Script(
            made,
            events=lambda objects, dialect: divide(objects, kind, dialect, deltas),
            steps=lambda frames: [step for frame in frames for step in self._steps(frame, parts, number)],
            response=meet,
        )

    def plain_script(self, made: Plan, delay: float) -> Script:
        """The script of a plain response, sent so many seconds after the others have arrived."""

        def meet(one: ScriptedResponse, streams: bool) -> ScriptedResponse:
            self._meet(self._start)
            return replace(one, delay=delay)

        return Script(made, response=meet)

    def _steps(self, frame: bytes, parts: Sequence[str], number: int) -> list[Step]:
        found = [at for at, part in enumerate(parts) if part.strip().encode() in frame]
        if len(found) != 1:  # It has no text, or the complete one.
            return [Step(frame)]
        (at,) = found
        if at == number:
            first, rest = _in_two(frame)
            return [Step(first), Step(rest, before=lambda: self._divide(at))]
        # The next step of this stream is sent when its client has received this one.
        return [Step(frame, before=lambda: self._follow(at)), Step(b"", parts[at].strip(), 0.0, lambda: self._end(at))]

    def _divide(self, at: int) -> None:
        self._divided[at].set()
        self._end(at)

    def _follow(self, at: int) -> None:
        if not self._broken:
            self._broken = not self._divided[at].wait(_TURN)
            time.sleep(0.01)  # The proxy has read the first part when the frame of another stream is sent.

    def _end(self, at: int) -> None:
        self._meet(self._received[at])

    def _meet(self, barrier: threading.Barrier) -> None:
        if not self._broken:
            try:
                barrier.wait(_TURN)
            except threading.BrokenBarrierError:
                self._broken = True
