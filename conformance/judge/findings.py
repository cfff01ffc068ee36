"""Findings: what a check yields for a violated rule, and how much it examined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract.schemas import SchemaProblem
from conformance.decode.events import Event
from conformance.decode.violation import Violation
from conformance.judge.normalise import without_numbers

#: What is expected for a request that a server may refuse or serve.
MAY_BE_REFUSED = "a Response or a 4xx status"

#: Characters of a finding's message or pointer that are kept.
_LONGEST = 2000

#: The most findings of one case; further ones only increase the count of the last.
_MOST_FINDINGS = 200


class _Missing:
    def __reduce__(self) -> str:
        return "MISSING"  # The same object in every process.


#: The value of ``want`` or ``got`` in a finding that compares no values.
MISSING = _Missing()


@dataclass(frozen=True)
class Finding:
    """One violation of a rule. ``event``: index in the stream (None: no event). ``pointer``: JSON pointer into that
    event, or into the body. ``want``, ``got``: expected and actual value. ``count``: number of equal findings.
    ``scenario``: where it was found first; ``also``: the other scenarios."""

    message: str
    pointer: str = ""
    event: int | None = None
    want: Any = MISSING
    got: Any = MISSING
    scenario: str = ""
    count: int = 1
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A member name or a value in the message may be megabytes long.
        for name in ("message", "pointer"):
            if len(text := getattr(self, name)) > _LONGEST:
                object.__setattr__(self, name, text[:_LONGEST] + "...")


@dataclass(frozen=True)
class Examined:
    """What a check yields in addition to findings: the number of events, items, members or responses it evaluated.

    A case without a finding passes only if something was examined.
    """

    count: int = 1


#: One thing was examined.
EXAMINED = Examined()

#: What a check yields. A finding counts as one thing examined.
Findings = Iterator[Finding | Examined]


def finding_at(event: Event, message: str, pointer: str = "", want: Any = MISSING, got: Any = MISSING) -> Finding:
    """A finding at an event."""
    return Finding(f"{event.type}: {message}", pointer, event.index, want, got)


def finding_from_violation(violation: Violation) -> Finding:
    """The finding for a violation that a state machine reported."""
    event = violation.event.index if violation.event else None
    want = MISSING if violation.want is None else violation.want
    got = MISSING if violation.got is None else violation.got
    return Finding(violation.message, violation.pointer, event, want, got)


def finding_from_schema(problem: SchemaProblem, pointer: str = "", event: Event | None = None) -> Finding:
    """The finding for a schema problem of the value at ``pointer``."""
    where = pointer + problem.pointer
    message = f"{event.type + ': ' if event else ''}{where or 'the body'} {problem.message}"
    want = "not empty" if problem.keyword in ("minLength", "minItems") else problem.want
    return Finding(message, where, event.index if event else None, want, problem.got)


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those that differ only in numbers, ids or place merged into one with a count."""
    merged: dict[str, Finding] = {}
    for one in findings:
        key = without_numbers(one.message)
        if key not in merged and len(merged) >= _MOST_FINDINGS:
            key = next(reversed(merged))
        first = merged.get(key)
        if first is None:
            merged[key] = one
            continue
        places = dict.fromkeys((first.scenario, *first.also, one.scenario, *one.also))
        merged[key] = replace(first, count=first.count + one.count, also=tuple(places)[1:])
    return list(merged.values())
