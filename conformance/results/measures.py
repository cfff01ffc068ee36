"""Measures of a run's exchanges: response times, and the event types and members that occur."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.decode.response import CannotEvaluate, Received
from conformance.decode.tokens import cost
from conformance.exchange.exchange import Exchange
from conformance.judge.normalise import strip_generated_ids
from conformance.results.results_file import Results

#: Members whose own members are named by the client, not by the server.
_FREE_FORM_MEMBERS = frozenset({"metadata", "parameters", "properties", "schema", "arguments"})

_MAX_DEPTH = 8

#: Minimum number of tokens in a stream from which the time for one token is measured.
_MIN_TOKENS = 8

#: Maximum number of names of a run.
MAX_NAMES = 5000


@dataclass(frozen=True)
class Measures:
    """The measures of one run.

    Times are in milliseconds, None without a streamed response: from sending the request to the first byte (median and
    95th percentile), and between two tokens (median over the streams). ``names`` are the event types and members that
    occurred, such as ``event response.created`` and ``response.created /response/usage``.
    """

    first_byte: float | None
    first_byte_95: float | None
    token: float | None
    names: frozenset[str]


def measures(run: Results) -> Measures | None:
    """The measures of a run; None if its exchanges are not in the folder of its results."""
    folder = run.folder
    try:
        if folder.head() != run.head.to_json():
            return None
        keys = folder.recorded()
        # One at a time: all exchanges together can be larger than the memory.
        return measure(one for key in keys if (one := folder.read(key))) if keys else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measure(exchanges: Iterable[Exchange]) -> Measures:
    """The measures of these exchanges."""
    first_bytes: list[float] = []
    tokens: list[float] = []
    names: set[str] = set()
    for exchange in exchanges:
        received = Received(exchange, exchange.scenario)
        if exchange.ok and received.looks_like_stream and exchange.chunks:
            first, last = exchange.chunks[0].at, exchange.chunks[-1].at
            first_bytes.append(first)
            count = cost(exchange)[1]
            if count >= _MIN_TOKENS:
                tokens.append((last - first) / count)
        if len(names) < MAX_NAMES:
            names |= set(map(strip_generated_ids, _names_in(received)))
    return Measures(_quantile(first_bytes, 0.5), _quantile(first_bytes, 0.95), _quantile(tokens, 0.5), frozenset(names))


def _quantile(values: list[float], share: float) -> float | None:
    """The quantile by the nearest-rank method; None without values."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _names_in(received: Received) -> Iterator[str]:
    try:
        if received.exchange.ok and received.looks_like_stream:
            for event in received.events:
                yield f"event {event.type}"
                for path in _members(event.data):
                    yield f"{event.type} {path}"
        else:
            kind = "response" if received.exchange.ok else "error"
            for path in _members(received.json):
                yield f"{kind} {path}"
    except CannotEvaluate:
        return


def _members(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of all members; ``*`` represents every index of an array."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}/{name}"
            if name not in _FREE_FORM_MEMBERS:
                yield from _members(inner, f"{path}/{name}", depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _members(inner, path + "/*", depth + 1)
