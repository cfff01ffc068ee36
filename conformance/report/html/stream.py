"""The data of the timeline: a row for the response, each item and each part; a step is one event or several deltas."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

from conformance.decode.events import Event, places, text
from conformance.report.failure import printable

#: Minimum number of consecutive deltas that are drawn as one step.
_RUN = 4

#: Maximum numbers of steps and rows, and characters of an event.
_STEPS, _ROWS, _LONGEST = 160, 24, 900

Row = tuple[int, int]

#: The row of events that belong to no item, and the index of an item's own row among its parts.
_RESPONSE: Row = (-1, -1)
_ITSELF = -1


def drawn(events: Sequence[Event], marked: Collection[int]) -> dict[str, Any]:
    """The rows (label, depth) and the steps of a timeline; ``marked`` are the events with findings.

    A step is: first and last event, arrival of both in milliseconds, type, row, data of the first event, and for
    several deltas their concatenation.
    """
    placed = [(event, _row(event, index)) for event, index in places(events)]
    kinds = _kinds(placed)
    rows = sorted({row for _, row in placed})[:_ROWS]
    steps = list(_steps(placed, {one + near for one in marked for near in (-1, 0, 1)}))
    kept = _fewer(steps, marked)
    return {
        "rows": [_label(row, kinds) for row in rows],
        # An event whose row is omitted is drawn in the last row.
        "steps": [_step(one, rows.index(one[0][1]) if one[0][1] in rows else len(rows) - 1) for one in kept],
        "events": len(events),
        "left_out": len(events) - sum(len(one) for one in kept),
    }


Placed = tuple[Event, Row]


def _row(event: Event, index: int | None) -> Row:
    if index is None or event.type in ("response.created", "response.in_progress") or event.terminal:
        return _RESPONSE
    if event.type.startswith("response.output_item.") or "content_index" not in event.data:
        return index, _ITSELF
    return index, event.content_index


def _kinds(placed: Sequence[Placed]) -> dict[Row, str]:
    """The type of each item and part, from its first event that has one."""
    kinds: dict[Row, str] = {}
    for event, row in placed:
        kind = text(event.item.get("type")) or event.part_type
        if kind:
            kinds.setdefault(row, printable(kind)[:40])
    return kinds


def _label(row: Row, kinds: dict[Row, str]) -> list[Any]:
    item, part = row
    if row == _RESPONSE:
        return ["response", 0]
    name = f"item {item}" if part == _ITSELF else f"part {item}.{part}"
    return [f"{name[:14]} {kinds.get(row, '')}".rstrip(), 1 if part == _ITSELF else 2]


def _steps(placed: Sequence[Placed], alone: Collection[int]) -> Iterator[list[Placed]]:
    """Consecutive deltas of one type and row as one step, all other events as one step each."""
    for (kind, _, by_itself), group in groupby(placed, lambda one: (one[0].type, one[1], one[0].index in alone)):
        run = list(group)
        if kind.endswith(".delta") and len(run) >= _RUN and not by_itself:
            yield run
        else:
            yield from ([one] for one in run)


def _fewer(steps: list[list[Placed]], marked: Collection[int]) -> list[list[Placed]]:
    """All steps, or if there are too many, those at both ends and around marked events."""
    if len(steps) <= _STEPS:
        return steps
    near = [at for at, run in enumerate(steps) if any(event.index in marked for event, _ in run)][:8]
    wanted = {*range(_STEPS // 4), *range(len(steps) - _STEPS // 4, len(steps))}
    wanted |= {one for at in near for one in range(at - 5, at + 6)}
    return [run for at, run in enumerate(steps) if at in wanted]


def _step(run: list[Placed], row: int) -> list[Any]:
    (first, _), (last, _) = run[0], run[-1]
    step: list[Any] = [
        first.index, last.index, round(first.frame.at), round(last.frame.at), printable(first.type[:80]), row,
        shortened(first.frame.data, _LONGEST if len(run) == 1 else _LONGEST // 3),
    ]  # fmt: skip
    if len(run) > 1:
        step.append(shortened("".join(text(event.data.get("delta")) for event, _ in run), _LONGEST // 3))
    return step


def shortened(text: str, most: int) -> str:
    """The first ``most`` characters of a text, printable, with the total length if it was truncated."""
    more = f" … ({len(text):,} characters)" if len(text) > most else ""
    return printable(text[:most]) + more
