"""Findings: what a check gives for a violated rule, and how much it examined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract.schemas import SchemaProblem
from conformance.decode.events import Event
from conformance.decode.violation import Violation
from conformance.judge.normalise import without_numbers

#: Characters of a finding's message or pointer that are kept.
_LONGEST = 2000

#: Findings of one case that are kept apart; those beyond are only counted, with the last.
_MOST_FINDINGS = 200

#: Stands for ``want`` or ``got`` where a finding has nothing to set against each other.
MISSING = object()


@dataclass(frozen=True)
class Finding:
    """One departure from a rule: ``event`` is an index in the stream, ``pointer`` a JSON pointer into that event or
    into the body, ``count`` how often the same was found, ``scenario`` where first and ``also`` where else."""

    message: str
    pointer: str = ""
    event: int | None = None
    want: Any = MISSING
    got: Any = MISSING
    scenario: str = ""
    count: int = 1
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A name or a value in it may be megabytes long.
        for name in ("message", "pointer"):
            if len(text := getattr(self, name)) > _LONGEST:
                object.__setattr__(self, name, text[:_LONGEST] + "...")


@dataclass(frozen=True)
class Examined:
    """What a check yields beside its findings: it has evaluated ``count`` things (events, items, members, responses).

    A case without a finding passes only if something was examined.
    """

    count: int = 1


#: One thing was examined.
EXAMINED = Examined()

#: What a check gives: findings, and how much it examined. A finding is evidence by itself.
Findings = Iterator[Finding | Examined]


def finding_at(event: Event, message: str, pointer: str = "", want: Any = MISSING, got: Any = MISSING) -> Finding:
    """A finding at an event."""
    return Finding(f"{event.type}: {message}", pointer, event.index, want, got)


def finding_from_violation(violation: Violation) -> Finding:
    """The finding of what an automaton reported."""
    event = violation.event.index if violation.event else None
    want = MISSING if violation.want is None else violation.want
    got = MISSING if violation.got is None else violation.got
    return Finding(violation.message, violation.pointer, event, want, got)


def finding_from_schema(problem: SchemaProblem, pointer: str = "", event: Event | None = None) -> Finding:
    """The finding of a schema problem below ``pointer``."""
    where = pointer + problem.pointer
    message = f"{event.type + ': ' if event else ''}{where or 'the body'} {problem.message}"
    want = "not empty" if problem.keyword in ("minLength", "minItems") else problem.want
    return Finding(message, where, event.index if event else None, want, problem.got)


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that differ in place only, as one with a count."""
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
