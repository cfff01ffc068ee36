"""Reads one response within the limits of its target and its run: time, bytes, and those of a compressed body."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any

import httpx

from conformance.config.target import Target
from conformance.contract.revisions import Contract
from conformance.exchange.codings import CODINGS, Decoding
from conformance.exchange.exchange import NO_BYTE, STILL_OPEN, Ended, Headers, codings_in, content_coding, unfold
from conformance.exchange.planned import MIDWAY
from conformance.wire.deadlines import PartialResponse, Watch, first_bytes
from conformance.wire.limits import LARGE, STEP, RateLimiter
from conformance.wire.transport import ended_by, headers_of

#: Seconds a stream may stay open after its terminal event before we hang up.
LINGER = 5.0

#: Bytes of earlier reads that are searched again: a terminal event may be split over two reads.
_TAIL = 64

#: Bytes of a compressed body that are decoded first, to detect one that grows to hundreds of times its size.
_PROBE = 2_000

#: Bytes of one read of a compressed stream that are decoded.
_READ = 1_000_000

#: The content of a stream once the model has begun: any event except the first two, or several unknown events. A server
#: may send the headers and those two before it has read the prompt.
_OUTPUT = re.compile(rb"response\.(?!created\b|queued\b|in_progress\b)\w|\[DONE\]")
_DATA = re.compile(rb"^data:", re.MULTILINE)
_OPENING_EVENTS = 3


#: The detail when a limit has passed, with the seconds in the braces.
_DETAILS = {
    "total": "the response took more than {} in all",
    "first byte": "no response, or incomplete headers, within {}",
    "idle": NO_BYTE + "{}",
    "linger": STILL_OPEN + "{} after the terminal event",
}


def _codings(headers: Headers) -> list[Decoding]:
    """The decoders of a compressed stream, the last coding first. They only find its events: it is recorded as
    received."""
    return [Decoding(name) for name in reversed(codings_in(content_coding(headers)))]


def _decoded(data: bytes, codings: list[Decoding]) -> bytes:
    for coding in codings:
        data = coding.feed(data, _READ)
    return data


class _Timing:
    """The limits of one exchange, shortened by the run's statistics, and its longest waits, in seconds."""

    def __init__(self, limits: Mapping[str, float], limiter: RateLimiter) -> None:
        self.limits = limits
        self.details = dict(_DETAILS)
        self.longest: dict[str, float] = {}
        self._gate = limiter
        self._waits = limiter.waits()

    def limit(self, kind: str) -> tuple[float, str]:
        """The seconds to wait, and the detail when they have passed."""
        seconds, why = self._waits.of(kind, self.limits[kind])
        return seconds, self.details[kind].format(f"{seconds:g} s") + why

    def refresh_limits(self, watch: Watch) -> None:
        """Shorten the current limits if other exchanges have timed out meanwhile."""
        self._waits = self._gate.waits()
        for kind in watch.limited:
            watch.shorten(kind, *self.limit(kind))

    def waited(self, kind: str, seconds: float) -> None:
        """Record the duration of a wait that ended with bytes."""
        self.longest[kind] = max(seconds, self.longest.get(kind, 0.0))


class Receiver:
    """Receives the responses of one target; ``limiter`` has the limits of the run. One that ``keeps`` the connection
    is used for one request at a time."""

    def __init__(self, target: Target, http: httpx.Client, limiter: RateLimiter, keeps: bool = False) -> None:
        self._target = target
        self.keeps = keeps
        self._ends = _ends(target.contract)
        self._http = http
        self._gate = limiter
        self._connection: Any = None
        #: Whether the last request was sent on the connection of the one before it.
        self.reused = False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def receive(
        self, request: httpx.Request, partial: PartialResponse, started: float, closes: bool = False
    ) -> tuple[Ended, str]:
        """Receive one response into ``partial``; with ``closes``, a stream only up to the first output of the model."""
        target = self._target
        limits = {
            "total": target.total_timeout, "first byte": target.first_byte_timeout, "idle": target.read_timeout,
            "linger": LINGER,
        }  # fmt: skip
        timing = _Timing(limits, self._gate)
        with Watch(timing.refresh_limits, self._connection) as watch:
            request.extensions["trace"] = watch.trace
            watch.limit("total", *timing.limit("total"))
            watch.limit("first byte", *timing.limit("first byte"))
            ended, detail = self._exchange(request, partial, started, watch, timing, closes)
            if self.keeps:
                self.reused = not watch.connected and watch.connection is not None
                self._connection = watch.connection
            # The transport error of a connection that the watch closed is caused by the limit.
            ended, detail = ("time-out", watch.reason) if watch.reason else (ended, detail)
        if watch.passed:
            self._gate.timed_out(watch.passed, timing.limit(watch.passed)[0], limits[watch.passed])
        elif ended == "clean":
            timing.waited("total", time.monotonic() - started)
            self._gate.waited({kind: (seconds, limits[kind]) for kind, seconds in timing.longest.items()})
        return ended, detail

    def _exchange(
        self,
        request: httpx.Request,
        partial: PartialResponse,
        started: float,
        watch: Watch,
        timing: _Timing,
        closes: bool,
    ) -> tuple[Ended, str]:
        try:
            with contextlib.closing(self._http.send(request, stream=True)) as response:
                return self._read(response, partial, started, watch, timing, closes)
        except Exception as error:  # An exception of a parser on hostile bytes must end only this exchange.
            return ended_by(error, partial.status is not None, time.monotonic() - started)

    def _read(
        self,
        response: httpx.Response,
        partial: PartialResponse,
        started: float,
        watch: Watch,
        timing: _Timing,
        closes: bool,
    ) -> tuple[Ended, str]:
        partial.status = response.status_code
        partial.headers = headers_of(response)
        streams = response.is_success and _streams(partial.headers)
        codings = _codings(partial.headers) if streams else []
        what = "event of the model's output" if streams else "byte of the body"
        timing.details["first byte"] = f"headers, but no {what} within {{}}"
        watch.shorten("first byte", *timing.limit("first byte"))
        tail, begun, over, reserved, opening = b"", False, False, LARGE, 0
        last = time.monotonic()
        for data in response.iter_raw():
            if watch.reason:
                break
            now = time.monotonic()
            partial.add((now - started) * 1000, data)
            if begun:
                timing.waited("idle", now - last)
            last = now
            if partial.size > self._target.max_body:
                return "oversize", f"the body has more than {self._target.max_body} bytes (--max-body)"
            while partial.size > reserved:
                if not self._gate.reserve(STEP):
                    partial.cut(LARGE)
                    return "oversize", self._over_budget()
                reserved += STEP
            text = _decoded(data, codings)
            tail = (tail + text)[-_TAIL - len(text) :]
            if not begun:
                opening += len(_DATA.findall(text))
                begun = not streams or bool(_OUTPUT.search(tail)) or opening >= _OPENING_EVENTS
                if begun:
                    watch.lift("first byte")
                    timing.waited("first byte", now - started)
            if begun:
                watch.limit("idle", *timing.limit("idle"))
                if closes and streams and not self._ends.search(tail):
                    return "cut", MIDWAY
            if not over and self._ends.search(tail):
                over = True  # Only once: a server that repeats the terminal event must not extend the limit.
                watch.limit("linger", *timing.limit("linger"))
        return "clean", ""

    def decoded_too_large(self, partial: PartialResponse) -> str:
        """Why a compressed body is not recorded as received (empty if it is): beyond the budget only its beginning is
        recorded, decoded, as the compressed body would be decoded at each read."""
        coding = content_coding(partial.headers)
        if not coding:
            return ""
        chunks = partial.chunks
        plain, complete = unfold(tuple(first_bytes(chunks, _PROBE)), coding)
        size = sum(len(chunk.data) for chunk in plain)
        over = size > LARGE and not self._gate.reserve(1)  # Then it need not be decoded completely.
        if not over:
            plain, complete = unfold(chunks, coding)
            size = sum(len(chunk.data) for chunk in plain)
            over = size > max(partial.size, LARGE) and not self._gate.reserve(size - max(partial.size, LARGE))
        if over:
            partial.headers = tuple(pair for pair in partial.headers if pair[0].lower() != "content-encoding")
            partial.replace(first_bytes(plain, LARGE))
            return self._over_budget()
        return "" if complete else "the decoded body is larger than the limit"

    def _over_budget(self) -> str:
        budget = self._gate.budget
        return f"the body has more than {LARGE:,} bytes, and the run's budget for large bodies ({budget:,}) is used up"


def _streams(headers: Headers) -> bool:
    """Whether the body is an event stream whose events can be found while it is received."""
    kinds = [value.lower() for name, value in headers if name.lower() == "content-type"]
    return any("event-stream" in kind for kind in kinds) and not {*codings_in(content_coding(headers))} - {*CODINGS}


def _ends(contract: Contract) -> re.Pattern[bytes]:
    """What a stream contains once its terminal event has begun."""
    types = "|".join(map(re.escape, contract.decoding.ends))
    return re.compile(rf'"type"\s*:\s*"(?:{types})"|^data: ?\[DONE\]'.encode(), re.MULTILINE)
