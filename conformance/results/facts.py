"""Facts about an endpoint that its contract leaves open, read from recorded exchanges.

A fact is a question about the dialect of an endpoint (does it send event lines? how do its ids begin?), and the values
that were recorded. No fact is a verdict. docs/unknowns.md lists what is not known of the live service and which fact
determines it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.bundle import read_bundle
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.results.fact_readings import QUESTIONS, outcome
from conformance.results.results_file import Results

#: The most values of one fact that are kept.
_MOST = 40

#: Names of scenarios whose requests the contract leaves open, so that their outcome is a fact.
_OPEN = re.compile(
    r"(?:undocumented|unsupported|unknown|optional|bad|http|auth|effort|custom)\b|.*=(?:null|unlisted|__)"
)


@dataclass(frozen=True)
class Fact:
    """One fact: ``name``, the recorded ``values`` with the number of exchanges of each, and the key of the first
    exchange (``evidence``)."""

    name: str
    values: dict[str, int]
    evidence: str

    @property
    def shown(self) -> str:
        """The values as text, the most frequent one first."""
        if len(self.values) == 1:
            return next(iter(self.values))
        ordered = sorted(self.values.items(), key=lambda pair: (-pair[1], pair[0]))
        return "; ".join(f"{value} ({count})" for value, count in ordered)

    def to_json(self) -> dict[str, Any]:
        """The fact as a JSON object."""
        return {"name": self.name, "values": self.values, "evidence": self.evidence}


def facts(exchanges: Iterable[Exchange]) -> list[Fact]:
    """The facts that these exchanges show, in the order of :data:`QUESTIONS`; then the outcome of each request that the
    contract leaves open."""
    found: dict[str, Counter[str]] = {}
    evidence: dict[str, str] = {}
    for exchange in exchanges:
        for name, value in readings(exchange):
            values = found.setdefault(name, Counter())
            evidence.setdefault(name, exchange.key)
            if value in values or len(values) < _MOST:
                values[value] += 1
    order = {name: place for place, name in enumerate(QUESTIONS)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return [Fact(name, dict(found[name]), evidence[name]) for name in names]


def readings(exchange: Exchange) -> set[tuple[str, str]]:
    """The names and values of the facts that one exchange shows; empty without a response."""
    if exchange.status is None or exchange.ended == "not-sent":
        return set()
    received = Received(exchange, exchange.scenario)
    found: set[tuple[str, str]] = set()
    for name, (_, read) in QUESTIONS.items():
        try:
            found |= {(name, value) for value in read(received) if value}
        except CannotEvaluate:
            continue
    if _OPEN.match(exchange.scenario):
        found.add((f"outcome {exchange.scenario}", outcome(received)))
    return found


def differences(old: Iterable[Fact], new: Iterable[Fact]) -> list[tuple[str, str, str]]:
    """The facts whose values differ between two runs: the name and the values of both. A fact that one of them does not
    have is none; the number of exchanges does not count."""
    before, now = ({one.name: one for one in each} for each in (old, new))
    return [
        (name, before[name].shown, one.shown)
        for name, one in now.items()
        if name in before and before[name].values.keys() != one.values.keys()
    ]


def facts_of(path: Path) -> list[Fact]:
    """The facts of a run folder or of a bundle that ``conformance share`` wrote. Raises ``ValueError`` with one line if
    it cannot be read."""
    if path.is_dir():
        folder = RunDirectory(path)
        try:
            keys = folder.recorded()
            return facts(one for key in keys if (one := folder.read(key)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"run folder {path} cannot be read: {getattr(error, 'strerror', '') or error}") from None
    return facts(read_bundle(path))


def facts_of_run(run: Results) -> list[Fact] | None:
    """The facts of a run; None if its exchanges are not in the folder of its results."""
    try:
        return facts_of(run.folder.path) if run.folder.recorded() else None
    except (OSError, ValueError):
        return None
