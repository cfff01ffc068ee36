"""Exchanges that a capture contains more than once.

A HAR is exported twice and merged, two recorders capture the same traffic, or a browser lists a request of a service
worker in addition to that of the page. The ids in a second copy would be reported as duplicate ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Copy:
    """What distinguishes exchanges: ``requested``: request and status, ``begun`` unix seconds (None: unknown),
    ``took`` seconds; ``lacking``: the body was not captured."""

    place: int
    requested: tuple[object, ...]
    begun: float | None
    took: float
    body: bytes
    lacking: bool

    def begins_with(self, other: Copy) -> bool:
        """Of two that began at the same time: whether the other contains no more than this one, for instance because it
        was written before the response ended."""
        return other.lacking or self.body == other.body or (bool(other.body) and self.body.startswith(other.body))

    def spans(self, other: Copy) -> bool:
        """Of two with the same bytes: whether one was under way within the time of the other, as with two recorders."""
        inner, outer = sorted((self, other), key=lambda one: one.took)
        if inner.begun is None or outer.begun is None or not (inner.took and inner.body):
            return False
        return outer.begun <= inner.begun and inner.begun + inner.took <= outer.begun + outer.took


def repeats(copies: Sequence[Copy]) -> dict[int, int]:
    """The index of each duplicate, and the index of the one that is evaluated: the most complete one, of equal ones the
    first."""
    at_once: dict[Any, list[Copy]] = defaultdict(list)
    equal: dict[Any, list[Copy]] = defaultdict(list)
    again: dict[int, int] = {}
    for one in sorted(copies, key=lambda copy: (copy.lacking, -len(copy.body), copy.place)):
        if one.begun is None:
            continue  # Equal ones may be different exchanges.
        began, same = at_once[one.requested, one.begun], equal[one.requested, one.body]
        first = next((other for other in began if other.begins_with(one)), None)
        first = first or next((other for other in same if other.spans(one)), None)
        if first is None:
            began.append(one)
            same.append(one)
        else:
            again[one.place] = first.place
    return dict(sorted(again.items()))
