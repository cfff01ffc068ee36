"""The times of exchanges: from the request to the first byte, and the longest gap between two reads of a body."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from conformance.exchange.exchange import Exchange


@dataclass(frozen=True)
class Spread:
    """The distribution of a time over responses, in milliseconds: percentiles by the nearest-rank method."""

    responses: int
    median: float
    p95: float
    longest: float

    def __str__(self) -> str:
        """The times in words."""
        return f"median {self.median:,.0f} ms, 95th percentile {self.p95:,.0f} ms, longest {self.longest:,.0f} ms"


def first_byte(exchange: Exchange) -> float | None:
    """Milliseconds from sending the request to the first byte of a 2xx body; None for others."""
    return exchange.chunks[0].at if exchange.ok and exchange.chunks else None


def longest_gap(exchange: Exchange) -> float | None:
    """Milliseconds of the longest gap between two reads of a 2xx body; None if it was read at once."""
    if not exchange.ok or len(exchange.chunks) < 2:
        return None
    return max(after.at - before.at for before, after in pairwise(exchange.chunks))


def spread(times: Iterable[float]) -> Spread | None:
    """The distribution of these times; None without any."""
    ordered = sorted(times)
    if not ordered:
        return None
    median, p95 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95))
    return Spread(len(ordered), median, p95, ordered[-1])
