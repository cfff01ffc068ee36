"""The limits of a run over all its processes: requests a minute, requests, output tokens, waits, large bodies.

The processes share one small state file in the run folder, changed only under an operating-system lock. The most output
tokens a request may use are reserved before it is sent, and replaced by its actual usage afterwards; the reservations
of a killed process count as used.

Memory, disk and time are bounded against a hostile server. Bodies: the bytes beyond :data:`LARGE` of each body count
against one budget; when it is used up, bodies are cut at that size. Time: after :data:`ENOUGH` time-outs of one kind,
later waits of that kind are shortened, never below four times the longest wait after which a response continued.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.config.settings import MAX_BODY
from conformance.config.target import Target, is_loopback
from conformance.decode.tokens import cost
from conformance.exchange.exchange import STILL_OPEN, Exchange
from conformance.exchange.run_directory import locked, write_atomically

#: A minute and one second more: a request that is delayed on its way must not exceed the limit at the server.
MINUTE = 61.0

#: Seconds that a run waits in all for Retry-After and back-off; after that requests are not retried. On loopback no
#: other client uses the server, and a run must end within five minutes whatever its Retry-After.
MOST_WAITED, MOST_WAITED_ON_LOOPBACK = 600.0, 120.0

#: The limit of a run for time in time-outs: seconds, or a multiple of the first-byte time-out if that is more; after
#: that no further request is sent. Otherwise a silent server would delay a nightly run for hours. With four concurrent
#: requests, 720 seconds (on loopback) are three minutes.
MOST_STALLED, MOST_SILENT = 720.0, 6

#: Time-outs of one kind at its full limit, after which the waits of that kind are shortened.
ENOUGH = 3

#: A shortened wait is the largest of: the limit divided by :data:`SHORTENED`, :data:`MARGIN` times the longest wait of
#: that kind after which a response continued, and these seconds. A server that responds within a quarter of it is
#: never interrupted by it.
SHORTENED, MARGIN = 10, 4
SHORTEST: Mapping[str, float] = {"total": 10.0, "first byte": 5.0, "idle": 5.0, "linger": 1.0}

#: Bytes of a body above which it counts against the budget, and the bytes of that budget (or ``--max-body``, where
#: that is raised). 131,072 tokens are 1.5 MB of JSON; all requests of a run, each served up to its own limit with 250
#: bytes an event, are 9 MB of streams. Peak memory grows with the budget: 16 MB of it take 450 MB, 12 MB stay below
#: 400.
LARGE, LARGE_IN_ALL = 64_000, 12_000_000

#: Bytes of the budget that are reserved at a time.
STEP = 64_000

#: Seconds between checks while reservations of requests under way may still be released.
_LOOK = 0.05


class Stopped(Exception):
    """The run is stopped; no further request is sent."""


@dataclass(frozen=True)
class Waits:
    """The statistics that shorten waits: the number of ``timeouts`` of each kind at its full limit, and the ``longest``
    wait of each kind, in seconds, after which a response continued."""

    timeouts: Mapping[str, int] = field(default_factory=dict)
    longest: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: str, limit: float) -> tuple[float, str]:
        """The seconds to wait for a setting of ``limit`` seconds, and why they are fewer (empty if they are not)."""
        if self.timeouts.get(kind, 0) < ENOUGH:
            return limit, ""
        least = max(limit / SHORTENED, SHORTEST[kind], MARGIN * self.longest.get(kind, 0.0))
        if least >= limit:
            return limit, ""
        return least, f" (shortened from {limit:g} s to {least:g} s after {ENOUGH} time-outs of this kind)"


class RateLimiter:
    """The interface that every request passes before it is sent. This implementation limits nothing."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def enter(self, most: int) -> str:
        """Wait until a request of at most ``most`` output tokens may be sent; returns why it may not, or an empty
        string."""
        return ""

    def leave(self, most: int, exchange: Exchange) -> None:
        """Replace the reservation by the tokens that the request used."""

    def waits(self) -> Waits:
        """The statistics for a request that is sent now."""
        return Waits()

    def timed_out(self, kind: str, seconds: float, limit: float) -> None:
        """Count a time-out after ``seconds``, for a setting of ``limit`` seconds."""

    def waited(self, longest: Mapping[str, tuple[float, float]]) -> None:
        """Record the longest waits of a complete response, each with the limit of its kind."""

    def reserve(self, size: int) -> bool:
        """Reserve ``size`` bytes of the run's budget for large bodies; False if it is used up."""
        return True

    @property
    def budget(self) -> int:
        """The bytes of that budget."""
        return LARGE_IN_ALL

    def pause(self, seconds: float, everybody: bool) -> bool:
        """Register a wait before a retry, for ``everybody`` (all workers) or this request; False if the total is used
        up."""
        return True

    def sleep(self, seconds: float) -> None:
        """Wait; :class:`Stopped` as soon as the run is stopped."""
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        """Raise :class:`Stopped` in all threads that wait."""
        self._stopped.set()


class Limits(RateLimiter):
    """The limits of a target, over all processes of the run in that folder."""

    def __init__(self, target: Target, locks: Path) -> None:
        super().__init__()
        self._interval = MINUTE / target.rpm if target.rpm else 0.0
        self._requests = target.max_requests
        self._tokens = target.max_output_tokens
        self._patience = max(MOST_STALLED, MOST_SILENT * target.first_byte_timeout)
        self._loopback = is_loopback(target.endpoint)
        self._budget = target.max_body if target.max_body > MAX_BODY else LARGE_IN_ALL
        self._limited = bool(self._interval or self._requests or self._tokens)
        self._locks = locks
        self._file = locks / "limits.json"
        self._me = secrets.token_hex(4)
        self._alive: contextlib.ExitStack | None = None

    def enter(self, most: int) -> str:
        while self._limited or self._file.exists():
            with self._changing() as state:
                refused, wait = self._turn(state, most)
            if refused or not wait:
                return refused
            self.sleep(wait)
        return ""

    def _turn(self, state: dict[str, Any], most: int) -> tuple[str, float]:
        """Why the request may not be sent, or the seconds until the next check; ``("", 0)``: send now."""
        if state["stalled"] >= self._patience:
            return f"limit for time-outs reached ({state['stalled']:.0f} s in this run)", 0.0
        if self._requests and state["sent"] >= self._requests:
            return f"--max-requests ({self._requests}) reached", 0.0
        if self._tokens:
            self._count_dead_reservations(state)
            free = self._tokens - state["used"]
            if free <= 0 or most > free:
                why = f"--max-output-tokens ({self._tokens}) could be exceeded"
                return f"{why}; {state['used']} used, and this request may use {most}", 0.0
            if most > free - sum(one for _, one in state["under_way"]):
                return "", _LOOK
        now = time.monotonic()
        wait = max(state["next"], state["paused_until"]) - now
        if wait > 0:
            return "", wait
        state["next"] = now + self._interval
        state["sent"] += 1
        if self._tokens:
            self._live()
            state["under_way"].append([self._me, most])
        return "", 0.0

    def _count_dead_reservations(self, state: dict[str, Any]) -> None:
        """Count the reservations of dead processes as used, as their usage is unknown."""
        for one in list(state["under_way"]):
            if one[0] != self._me and self._dead(one[0]):
                state["under_way"].remove(one)
                state["used"] += one[1]

    def leave(self, most: int, exchange: Exchange) -> None:
        # A complete response whose connection only stayed open does not count as a time-out.
        lingered = exchange.detail.startswith(STILL_OPEN)
        stalled = exchange.elapsed / 1000 if exchange.ended == "time-out" and not lingered else 0.0
        if not self._tokens and not stalled:
            return
        with self._changing() as state:
            state["stalled"] += stalled
            if not self._tokens:
                return
            if [self._me, most] in state["under_way"]:
                state["under_way"].remove([self._me, most])
            state["used"] += _spent(most, exchange)

    def pause(self, seconds: float, everybody: bool) -> bool:
        with self._changing() as state:
            until = time.monotonic() + seconds
            added = max(0.0, min(seconds, until - state["paused_until"])) if everybody else seconds
            if state["waited"] + added > (MOST_WAITED_ON_LOOPBACK if self._loopback else MOST_WAITED):
                return False
            state["waited"] += added
            if everybody:
                state["paused_until"] = max(until, state["paused_until"])
        return True

    def waits(self) -> Waits:
        try:
            state = json.loads(self._file.read_text(encoding="utf-8"))  # Replaced atomically, so read without a lock.
        except FileNotFoundError:
            return Waits()
        return Waits(state["timeouts"], state["longest"])

    def timed_out(self, kind: str, seconds: float, limit: float) -> None:
        if seconds >= limit:
            with self._changing() as state:
                state["timeouts"][kind] = state["timeouts"].get(kind, 0) + 1

    def waited(self, longest: Mapping[str, tuple[float, float]]) -> None:
        known = self.waits().longest
        # Shorter waits have no effect: see Waits.of.
        longer = {
            kind: seconds
            for kind, (seconds, limit) in longest.items()
            if MARGIN * seconds > max(limit / SHORTENED, SHORTEST[kind]) and seconds > known.get(kind, 0.0)
        }
        if longer:
            with self._changing() as state:
                for kind, seconds in longer.items():
                    state["longest"][kind] = max(seconds, state["longest"].get(kind, 0.0))

    def reserve(self, size: int) -> bool:
        with self._changing() as state:
            fits = state["large"] + size <= self._budget
            state["large"] = state["large"] + size if fits else self._budget
        return bool(fits)

    @property
    def budget(self) -> int:
        return self._budget

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        with locked(self._locks / "limits.lock"):
            try:
                state = json.loads(self._file.read_text(encoding="utf-8"))
            except FileNotFoundError:
                state = {
                    "sent": 0, "used": 0, "under_way": [], "next": 0.0, "paused_until": 0.0, "waited": 0.0,
                    "stalled": 0.0, "timeouts": {}, "longest": {}, "large": 0,
                }  # fmt: skip
            yield state
            write_atomically(self._file, json.dumps(state))

    def _live(self) -> None:
        """Hold a lock as long as this process lives, so that other processes know that it does."""
        if self._alive is None:
            self._alive = contextlib.ExitStack()
            self._alive.enter_context(locked(self._life(self._me)))

    def _life(self, name: str) -> Path:
        return self._locks / f"alive-{name}.lock"

    def _dead(self, name: str) -> bool:
        with locked(self._life(name), wait=False) as mine:
            return mine


def _spent(most: int, exchange: Exchange) -> int:
    """Output tokens by the response's usage; all that were reserved if it was served without usage."""
    if exchange.ended == "unreachable" or (exchange.status is not None and not exchange.ok):
        return 0
    return cost(exchange)[1] or most
