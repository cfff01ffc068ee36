"""The head and end lines of a results file: the target of the run, and its counts and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.exchange.latency import Spread
from conformance.results.members import BadRecord, Members

#: Version of the results file; a reader refuses another.
FORMAT = 1


@dataclass(frozen=True)
class TargetRecord:
    """The endpoint that a run evaluated: its name in the target file (else its base URL), base URL and model."""

    name: str
    endpoint: str
    model: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TargetRecord:
        """The record of a JSON object."""
        read = Members(value, "target")
        return cls(read.string("name"), read.string("endpoint", ""), read.string("model", ""))

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {"name": self.name, "endpoint": self.endpoint, "model": self.model}


@dataclass(frozen=True)
class RunHead:
    """The first line: the suite's version, the revision of the contract, the target, the mode (``live``, ``replay``,
    ``built-in`` or ``traffic``), when the run began (RFC 3339, UTC), and the name that ``--label`` gave it, if any."""

    suite: str
    revision: str
    target: TargetRecord
    mode: str
    started_at: str
    label: str = ""

    @property
    def title(self) -> str:
        """The label of the run, or the name of its target."""
        return self.label or self.target.name

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> RunHead:
        """The record of a line."""
        read = Members(line, "run")
        if line.get("format") != FORMAT:
            raise BadRecord(f"has format {line.get('format')!r}, expected {FORMAT}")
        suite, revision = read.string("suite"), read.string("revision")
        target = TargetRecord.from_json(read.object("target"))
        return cls(
            suite, revision, target, read.string("mode", ""), read.string("started_at"), read.string("label", "")
        )

    def to_json(self) -> dict[str, Any]:
        """The record as a line."""
        return {
            "kind": "run",
            "format": FORMAT,
            "suite": self.suite,
            "revision": self.revision,
            "target": self.target.to_json(),
            "mode": self.mode,
            "started_at": self.started_at,
            **({"label": self.label} if self.label else {}),
        }


@dataclass(frozen=True)
class Tokens:
    """Tokens that the responses counted in ``usage``."""

    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class Partial:
    """Captured traffic that was not evaluated completely: the number of exchanges, of those evaluated by a part of the
    rules, of those not evaluated, of WebSocket connections, which are never evaluated, and of captures in a folder that
    cannot be read."""

    exchanges: int
    in_part: int
    not_evaluated: int
    websockets: int
    unread_files: int = 0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Partial:
        """The record of a JSON object."""
        read = Members(value, "end")
        made = cls(*map(read.required_integer, ("exchanges", "in_part", "aside", "websockets")))
        return replace(made, unread_files=read.integer("unread_files") or 0)

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {
            "exchanges": self.exchanges,
            "in_part": self.in_part,
            "aside": self.not_evaluated,
            "websockets": self.websockets,
            **({"unread_files": self.unread_files} if self.unread_files else {}),
        }


@dataclass(frozen=True)
class ProblemRecord:
    """A baseline entry that does not apply: the kind of problem, its location (``file:line``), case or glob, and the
    reason with the correction."""

    kind: str
    entry: str
    case: str
    message: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProblemRecord:
        """The record of a JSON object."""
        read = Members(value, "end")
        return cls(*map(read.string, ("kind", "entry", "case", "says")))

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {"kind": self.kind, "entry": self.entry, "case": self.case, "says": self.message}


@dataclass(frozen=True)
class RunEnd:
    """The last line: how many cases have each verdict, requests, attempts (retried requests counted each time),
    tokens, seconds, and the exit code.

    ``interrupted``: the run ended before all its cases were evaluated. ``stopped`` is the message about an endpoint
    that became unreachable during the run; else empty. ``partial`` is None if all captured traffic was evaluated.
    ``baseline`` are the entries that do not apply. ``cost`` is the price of the tokens; empty if the profile has no
    prices. ``first_byte`` and ``event_gap`` are the distributions of the time to the first byte and of the longest gap
    of each response; None without such a response.
    """

    counts: Mapping[str, int]
    requests: int
    attempts: int
    tokens: Tokens
    seconds: float
    exit: int
    interrupted: bool = False
    stopped: str = ""
    partial: Partial | None = None
    baseline: tuple[ProblemRecord, ...] = ()
    cost: str = ""
    first_byte: Spread | None = None
    event_gap: Spread | None = None

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> RunEnd:
        """The record of a line."""
        read = Members(line, "end")
        requests = read.required_integer("requests")
        tokens = Members(read.object("tokens"), "end")
        attempts = read.integer("attempts")
        return cls(
            counts=read.mapping("counts") or {},
            requests=requests,
            attempts=requests if attempts is None else attempts,
            tokens=Tokens(tokens.required_integer("input"), tokens.required_integer("output")),
            seconds=read.number("seconds"),
            exit=read.required_integer("exit"),
            interrupted=bool(line.get("interrupted")),
            stopped=read.string("stopped", ""),
            partial=Partial.from_json(partial) if (partial := read.mapping("partial")) else None,
            baseline=tuple(map(ProblemRecord.from_json, read.objects("baseline"))),
            cost=read.string("cost", ""),
            first_byte=_spread(read.mapping("first_byte_ms")),
            event_gap=_spread(read.mapping("event_gap_ms")),
        )

    def to_json(self) -> dict[str, Any]:
        """The record as a line."""
        return {
            "kind": "end",
            "counts": dict(self.counts),
            "requests": self.requests,
            "attempts": self.attempts,
            "tokens": {"input": self.tokens.input, "output": self.tokens.output},
            "seconds": self.seconds,
            "exit": self.exit,
            **({"interrupted": True} if self.interrupted else {}),
            **({"stopped": self.stopped} if self.stopped else {}),
            **({"partial": self.partial.to_json()} if self.partial else {}),
            **({"baseline": [one.to_json() for one in self.baseline]} if self.baseline else {}),
            **({"cost": self.cost} if self.cost else {}),
            **({"first_byte_ms": _written(self.first_byte)} if self.first_byte else {}),
            **({"event_gap_ms": _written(self.event_gap)} if self.event_gap else {}),
        }


def _spread(value: Mapping[str, Any] | None) -> Spread | None:
    if value is None:
        return None
    read = Members(value, "end")
    return Spread(read.required_integer("responses"), *map(read.number, ("median", "p95", "max")))


def _written(one: Spread) -> dict[str, Any]:
    times = {"median": one.median, "p95": one.p95, "max": one.longest}
    return {"responses": one.responses, **{name: round(time, 1) for name, time in times.items()}}
