"""What is asked again: which troubles pass, and how long to wait before the next try."""

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

#: Bytes that are kept of a body after which the request was retried.
_KEPT = 64_000


def is_temporary(exchange: Exchange) -> bool:
    """Whether the same request may fare better a little later."""
    if exchange.status is None:
        return exchange.ended in ("unreachable", "reset")
    # An error whose body a closing connection took away is asked for again: it was not the server's last word.
    return exchange.status in TEMPORARY_STATUSES or (exchange.status >= 400 and exchange.ended in ("cut", "reset"))


def attempt_of(exchange: Exchange, waited: float) -> Attempt:
    """What is kept of a response after which the request was retried: all of it but what is beyond 64 kB."""
    chunks = tuple(first_bytes(exchange.chunks, _KEPT))
    return Attempt(
        exchange.status, exchange.ended, waited, exchange.headers, chunks, exchange.detail, exchange.leaks
    )  # fmt: skip


def wait_after(exchange: Exchange, done: int) -> float:
    """Seconds to wait after this answer, ``done`` tries having been repeated before: as Retry-After says, or ours."""
    asked = (exchange.header("retry-after") or "").strip()
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), LONGEST_WAIT)
    until = _moment(asked)
    if until is None:
        return BACK_OFF[min(done, len(BACK_OFF) - 1)]
    # RFC 9110 10.2.3 allows a date; the server's own clock, if it shows it, is the one that counts.
    now = _moment(exchange.header("date") or "")
    came = exchange.sent_at + exchange.elapsed / 1000 if now is None else now
    return min(max(until - came, 0.0), LONGEST_WAIT)


def _moment(text: str) -> float | None:
    """Unix seconds of an HTTP date, None if it is none."""
    try:
        moment: datetime = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
