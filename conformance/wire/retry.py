"""Retries: which responses are temporary, and how long to wait before the next attempt."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from conformance.exchange.exchange import Attempt, Exchange
from conformance.exchange.planned import BACK_OFF, TEMPORARY_STATUSES
from conformance.wire.deadlines import first_bytes

#: The longest Retry-After that is honoured, in seconds.
LONGEST_WAIT = 60.0

#: ``detail`` of an attempt whose request was then sent alone, as another one may have caused what it met.
BESIDE_OTHERS = "while other requests were under way"

#: Bytes that are recorded of a body after which the request was retried.
_KEPT = 64_000


def is_temporary(exchange: Exchange) -> bool:
    """Whether the same request may succeed later."""
    if exchange.status is None:
        return exchange.ended in ("unreachable", "reset")
    # An error whose body is incomplete is retried: the complete body may be received then.
    return exchange.status in TEMPORARY_STATUSES or (exchange.status >= 400 and exchange.ended in ("cut", "reset"))


def attempt_of(exchange: Exchange, waited: float) -> Attempt:
    """The record of a response after which the request was retried, its body limited to 64 kB."""
    chunks = tuple(first_bytes(exchange.chunks, _KEPT))
    return Attempt(
        exchange.status, exchange.ended, waited, exchange.headers, chunks, exchange.detail, exchange.leaks
    )  # fmt: skip


def wait_after(exchange: Exchange, done: int) -> float:
    """Seconds to wait after this response and ``done`` retries: by Retry-After, else by the back-off."""
    value = (exchange.header("retry-after") or "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    until = _moment(value)
    if until is None:
        return BACK_OFF[min(done, len(BACK_OFF) - 1)]
    # RFC 9110 10.2.3 allows a date, which is relative to the server's clock (the Date header), if known.
    now = _moment(exchange.header("date") or "")
    received = exchange.sent_at + exchange.elapsed / 1000 if now is None else now
    return min(max(until - received, 0.0), LONGEST_WAIT)


def _moment(text: str) -> float | None:
    """Unix seconds of an HTTP date; None if it is not one."""
    try:
        moment: datetime = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
