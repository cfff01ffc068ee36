"""Probes about the flow of a stream: deltas that wait until the client has the one before, silence, cancelling."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.emulator.shapes import Plan
from conformance.proxy.kit import Kit, ProbeRequest, plan, with_text
from conformance.proxy.probes.concurrent import TOGETHER, together, together_plain, together_with_calls
from conformance.proxy.probes.deltas import MARKS, divide, enclosed, words
from conformance.proxy.probes.probe import Body, Probe, body_of, simple
from conformance.proxy.probes.requests import LARGE_RESULT, TOOL_TURNS, TOOLS, message
from conformance.proxy.records import Pair
from conformance.proxy.script import Script, Step

#: Events after which a client cancels, and the seconds between the events of the upstream after that.
_CANCEL_AFTER, _DRIP = 3, 0.05

#: The type of the first event in its frame, and those of the events about an item. Deltas may be joined.
_FIRST = re.compile(rb'"type": ?"(response\.created)"')
_OF_ITEM = re.compile(rb'"type": ?"(response\.(?:output_item|content_part|output_text)\.(?:added|done))"')

#: Deltas of a stream of which a proxy may pass on only the first ones at once.
_LONGER = 24

#: The number of the delta with marks.
_MARKED = 17

#: Cancelled streams of the probe about many: more than the 100 connections of the pools of common HTTP clients.
_MANY = 104

#: Seconds from which on a cancelled stream is slow, and the streams that are then sent at the same time.
_SLOW, _SLOWLY = 0.5, 24

#: Attempts of the request after them.
_ATTEMPTS = 3

#: Probes that wait at the same time, for a proxy that serves one request after the other.
_WAITING = 8

#: Seconds by which the silence after a disconnect is longer than the time for the proxy to close its connection.
_MARGIN = 2.0


def _held(kind: str, parts: Sequence[str], markers: Sequence[str], pause: float = 0.0) -> Callable[[Plan], Script]:
    """Each frame after the one with a marker is sent when the client has received that marker."""

    def steps(frames: Sequence[bytes]) -> list[Step]:
        made: list[Step] = []
        after = ""
        for frame in frames:
            made.append(Step(frame, after, pause if after else 0.0))
            # Frames with the complete text follow the deltas, and contain every marker.
            found = [one for one in markers if one.encode() in frame]
            after = found[0].strip() if len(found) == 1 else ""
        return made

    return lambda made: Script(made, events=lambda objects, dialect: divide(objects, kind, dialect, parts), steps=steps)


def hold_text(canary: str) -> tuple[Plan, Script]:
    """A text whose deltas are sent one by one, each when the client has received the one before."""
    parts = words(canary)
    made = plan(canary, "".join(parts))
    return made, _held("text", parts, parts)(made)


def _hold_marked(canary: str) -> tuple[Plan, Script]:
    """A longer stream whose text has marks with which a proxy can take it for a tag, JSON or code."""
    parts = words(canary, _LONGER)
    divided = [one + MARKS * (at == _MARKED) for at, one in enumerate(parts)]
    made = plan(canary, "".join(divided))
    return made, _held("text", divided, parts)(made)


def _hold_reasoning(canary: str) -> tuple[Plan, Script]:
    parts = words(canary)
    made = plan(canary, f"So {canary}.", "".join(parts))
    return made, _held("reasoning", parts, parts)(made)


def _hold_arguments(canary: str) -> tuple[Plan, Script]:
    parts = enclosed(words(canary))
    made = plan(canary, calls=[("planTrip", "".join(parts))])
    return made, _held("arguments", parts, words(canary))(made)


def _hold_events(types: re.Pattern[bytes]) -> Callable[[str], tuple[Plan, Script]]:
    """A stream of one message, in which an event behind one of these types is sent when the client has received that
    one."""

    def steps(frames: Sequence[bytes]) -> list[Step]:
        found = [match[1].decode() if (match := types.search(one)) else "" for one in frames]
        return [Step(frame, after=last) for frame, last in zip(frames, ["", *found], strict=False)]

    return lambda canary: (made := plan(canary), Script(made, steps=steps))


def _holding(name: str, kind: str, make: Callable[[str], tuple[Plan, Script]], body: Body = body_of,
             headers: Mapping[str, str] | None = None, dialects: tuple[str, ...] = ()) -> Probe:  # fmt: skip
    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        kit.send(ProbeRequest(canary, {**body(canary), "stream": True}, make(canary)[1], headers or {}))

    return Probe(f"streaming.{name}", run, ("streaming", "response"), {"held": kind}, dialects)


def _with_tools(canary: str) -> dict[str, Any]:
    return {**body_of(canary), "tools": TOOLS}


def _after_tools(canary: str) -> dict[str, Any]:
    """What a program sends after it has called tools, and read a file."""
    items = [*TOOL_TURNS, *LARGE_RESULT, message("user", body_of(canary)["input"])]
    return {"input": items, "tools": TOOLS, "instructions": "Be brief."}


def _cancelled(kit: Kit, other: Mapping[str, Any] | None = None) -> ProbeRequest:
    """A request whose client disconnects after some events of a stream without end; ``other`` members of its body."""
    canary = kit.new_canary()
    parts = words(canary, _CANCEL_AFTER)
    count = int(kit.settings.wait / _DRIP) + 20
    more = [f"more{at} " for at in range(count)]

    def steps(frames: Sequence[bytes]) -> list[Step]:
        return [Step(frame, pause=_DRIP if b"more" in frame else 0.0) for frame in frames]

    made = plan(canary, "".join([*parts, *more]))
    script = Script(
        made, events=lambda objects, dialect: divide(objects, "text", dialect, [*parts, *more]), steps=steps
    )
    last = parts[-1].strip()
    body = {**body_of(canary), **(other or {}), "stream": True}
    return ProbeRequest(canary, body, script, close_when=with_text(last), grace=kit.settings.wait)


def _next(kit: Kit) -> Pair:
    """An ordinary request."""
    canary = kit.new_canary()
    return kit.send(ProbeRequest(canary, body_of(canary), Script(plan(canary))))


def _cancel(kit: Kit) -> None:
    """The client disconnects after some events of a stream; then it sends the next request."""
    kit.send(_cancelled(kit))
    _next(kit)


def _seconds(pair: Pair) -> float:
    return (pair.client.ended_at - pair.client.began) / 1000


def _cancel_many(kit: Kit) -> None:
    """The client cancels many streams, every second one with tools, and then sends an ordinary request, again after a
    while: a proxy that loses a connection or a slot of its limit with each of them serves it no more. Nothing is sent
    after streams that the proxy goes on reading, as it can use their slots."""
    size = TOGETHER
    while len(kit.pairs) < _MANY:
        before = len(kit.pairs)
        kit.send_together([_cancelled(kit, {"tools": TOOLS} if at % 2 else {}) for at in range(size)])
        made = kit.pairs[before:]
        size = _SLOWLY if max(map(_seconds, made)) > _SLOW else TOGETHER
        if any(pair.client.ended != "closed" or _seconds(pair) > kit.settings.wait for pair in made):
            break
        if any(leg.ended != "left" for pair in made for leg in pair.upstream):
            return
    for attempt in range(_ATTEMPTS):
        if _next(kit).client.ok:
            return
        if attempt < _ATTEMPTS - 1:
            time.sleep(min(kit.settings.wait, 3.0))


def _cancel_in_silence(kit: Kit) -> None:
    """The client disconnects after some events, and the upstream sends nothing more."""
    canary = kit.new_canary()
    parts = words(canary, _CANCEL_AFTER)
    last = parts[-1].strip()
    seconds = kit.settings.wait + _MARGIN

    def steps(frames: Sequence[bytes]) -> list[Step]:
        at = next(number for number, frame in enumerate(frames) if last.encode() in frame)
        return [Step(frame, pause=seconds if number == at + 1 else 0.0) for number, frame in enumerate(frames)]

    script = Script(
        plan(canary, "".join(parts)),
        events=lambda objects, dialect: divide(objects, "text", dialect, parts),
        steps=steps,
    )
    body = {**body_of(canary), "stream": True}
    kit.send(ProbeRequest(canary, body, script, close_when=with_text(last), grace=kit.settings.wait))


def _cancel_before_response(stream: bool) -> Callable[[Kit], None]:
    """The client disconnects while the upstream has sent nothing, as a model does that reasons for a long time."""

    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        seconds = kit.settings.wait + _MARGIN
        script = Script(plan(canary), response=lambda one, _: replace(one, delay=seconds))
        body = {**_with_tools(canary), "stream": True} if stream else body_of(canary)
        kit.send(ProbeRequest(canary, body, script, closes_early=True, grace=kit.settings.wait))

    return run


def _silent(name: str, steps: Callable[[Sequence[bytes], float], list[Step]] | None, stream: bool) -> Probe:
    """Silence in a stream, or without ``steps`` before the response."""

    def run(kit: Kit) -> None:
        canary = kit.new_canary()
        seconds = kit.settings.silence
        script = Script(plan(canary), response=lambda one, _: replace(one, delay=seconds))
        if steps:
            script = Script(plan(canary), steps=lambda frames: steps(frames, seconds))
        limit = kit.settings.limit / 2 + _WAITING * seconds
        kit.send(ProbeRequest(canary, body_of(canary) | ({"stream": True} if stream else {}), script, limit=limit))

    return Probe(f"silence.{name}", run, ("silence",), {"stream": stream}, waits=True)


def _before_first(frames: Sequence[bytes], seconds: float) -> list[Step]:
    return [Step(frames[0], pause=seconds), *map(Step, frames[1:])]


def _in_the_middle(frames: Sequence[bytes], seconds: float) -> list[Step]:
    half = len(frames) // 2
    return [*map(Step, frames[:half]), Step(frames[half], pause=seconds), *map(Step, frames[half + 1 :])]


def _heartbeats(frames: Sequence[bytes], seconds: float) -> list[Step]:
    half = len(frames) // 2
    beats = [Step(b": heartbeat\n\n", pause=seconds / 5) for _ in range(5)]
    return [*map(Step, frames[:half]), *beats, *map(Step, frames[half:])]


PROBES: list[Probe] = [
    _holding("text", "text", hold_text),
    _holding("reasoning", "reasoning", _hold_reasoning),
    _holding("arguments", "arguments", _hold_arguments, _with_tools),
    _holding("first-event", "first event", _hold_events(_FIRST), dialects=("responses",)),
    _holding("events", "event", _hold_events(_OF_ITEM), dialects=("responses",)),
    _holding("after-tools", "text", _hold_marked, _after_tools, {"Accept-Encoding": "gzip"}),
    Probe("concurrent.streams", together, ("concurrent",), {"together": True}),
    Probe("concurrent.calls", together_with_calls, ("concurrent-calls",), {"together": True}),
    Probe("concurrent.plain", together_plain, ("concurrent-calls", "concurrent-plain"), {"together": True}),
    Probe("cancel.stream", _cancel, ("cancel",)),
    simple("cancel.after", ("request",), body_of),
    Probe("cancel.in-silence", _cancel_in_silence, ("cancel-silent",), waits=True),
    Probe("cancel.before-response", _cancel_before_response(True), ("cancel-silent",), waits=True),
    Probe("cancel.plain", _cancel_before_response(False), ("cancel-silent",), waits=True),
    _silent("plain", None, stream=False),
    _silent("head", None, stream=True),
    _silent("first-event", _before_first, stream=True),
    _silent("middle", _in_the_middle, stream=True),
    _silent("comments", _heartbeats, stream=True),
    simple("cancel.after-silence", ("after-cancel",), body_of),
]

#: The probe that leaves a proxy without a free slot if it loses them: the last of a run.
LAST: list[Probe] = [Probe("cancel.many", _cancel_many, ("cancel-many",), {"together": True})]
