"""What a run's exchanges show beside verdicts: how fast answers came, and which events and members they hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.decode.response import CannotEvaluate, Received
from conformance.decode.tokens import cost
from conformance.exchange.exchange import Exchange
from conformance.results.results_file import Results

#: Members whose own members are named by whoever asks, not by the server.
_OPEN = frozenset({"metadata", "parameters", "properties", "schema", "arguments"})

_DEEPEST = 8

#: Streams with fewer tokens say nothing about the time of one.
_FEWEST_TOKENS = 8

#: Most names that are kept of a run.
MOST_NAMES = 5000


@dataclass(frozen=True)
class Measures:
    """Of one run. Times are milliseconds, None where nothing was timed: from sending to the first byte of a stream
    (median, and the 95th percentile), and from token to token (median over the streams). ``names`` are the event types
    and the members seen, such as ``event response.created`` and ``response.created /response/usage``."""

    first_byte: float | None
    first_byte_95: float | None
    token: float | None
    names: frozenset[str]


def measures(run: Results) -> Measures | None:
    """The measures of a run whose exchanges lie beside its results; None if they do not."""
    folder = run.folder
    try:
        if folder.head() != run.head.to_json():
            return None
        keys = folder.recorded()
        # One at a time: together they may be larger than memory.
        return measure(one for key in keys if (one := folder.read(key))) if keys else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measure(exchanges: Iterable[Exchange]) -> Measures:
    """The measures of these exchanges."""
    firsts: list[float] = []
    tokens: list[float] = []
    names: set[str] = set()
    for exchange in exchanges:
        received = Received(exchange, exchange.scenario)
        if exchange.ok and received.looks_like_stream and exchange.chunks:
            first, last = exchange.chunks[0].at, exchange.chunks[-1].at
            firsts.append(first)
            count = cost(exchange)[1]
            if count >= _FEWEST_TOKENS:
                tokens.append((last - first) / count)
        if len(names) < MOST_NAMES:
            names |= set(_names(received))
    return Measures(_quantile(firsts, 0.5), _quantile(firsts, 0.95), _quantile(tokens, 0.5), frozenset(names))


def _quantile(values: list[float], share: float) -> float | None:
    """By the nearest rank."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _names(received: Received) -> Iterator[str]:
    try:
        if received.exchange.ok and received.looks_like_stream:
            for event in received.events:
                yield f"event {event.type}"
                for path in _members(event.data):
                    yield f"{event.type} {path}"
        else:
            kind = "answer" if received.exchange.ok else "error"
            for path in _members(received.json):
                yield f"{kind} {path}"
    except CannotEvaluate:
        return


def _members(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of all members, every place of an array being one."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}/{name}"
            if name not in _OPEN:
                yield from _members(inner, f"{path}/{name}", depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _members(inner, path + "/*", depth + 1)
