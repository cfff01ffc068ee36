"""The outcomes of clients, and the file ``clients.jsonl`` of a run folder that stores them.

Its first line is ``{"kind": "clients", "format": 1}``; then a line ``client`` for each client (its version, or why it
was not run) and a line ``outcome`` for each exchange it received.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

FORMAT = 1

FILE = "clients.jsonl"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a client (``client`` is its name with the mode) for the exchange ``key``.

    A member that the client does not provide is None. ``shown`` is the text as it was streamed, ``text`` that at the
    end; ``calls`` have ``call_id``, ``name`` and ``arguments``; ``error`` has ``type`` and ``message`` of the
    exception. ``asked`` is the number of requests the client sent.
    """

    client: str
    key: str
    text: Any = None
    calls: Any = None
    reasoning: Any = None
    usage: Any = None
    shown: Any = None
    error: Mapping[str, str] | None = None
    asked: int = 1


@dataclass(frozen=True)
class Ran:
    """Whether a client ran: its version, or why not."""

    client: str
    version: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Outcomes:
    """All that the clients of a run ended with."""

    clients: Mapping[str, Ran] = field(default_factory=dict)
    all: tuple[Outcome, ...] = ()

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str], Outcome]:
        return {(one.client, one.key): one for one in self.all}

    def of(self, client: str, key: str) -> Outcome | None:
        """The outcome of that client for that exchange; None if the client did not receive it."""
        return self._by_place.get((client, key))


def write(path: Path, outcomes: Outcomes, clean: Callable[[Any], Any] = lambda line: line) -> None:
    """Write a ``clients.jsonl`` atomically; ``clean`` redacts each line."""
    lines: list[dict[str, Any]] = [{"kind": "clients", "format": FORMAT}]
    lines += [{"kind": "client", **asdict(one)} for one in outcomes.clients.values()]
    lines += [{"kind": "outcome", **asdict(one)} for one in outcomes.all]
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text("".join(json.dumps(clean(line)) + "\n" for line in lines), encoding="utf-8")
    part.replace(path)


def read(path: Path) -> Outcomes:
    """Read a ``clients.jsonl``; ``ValueError`` if it is invalid."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        if lines[0].get("format") != FORMAT or lines[0]["kind"] != "clients":
            raise ValueError(f"format {lines[0].get('format')!r}; this version reads {FORMAT}")
        ran = [Ran(**_members(line)) for line in lines if line["kind"] == "client"]
        return Outcomes({one.client: one for one in ran}, tuple(_outcomes(lines)))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', '') or error}") from None


def _outcomes(lines: Iterable[Mapping[str, Any]]) -> Iterable[Outcome]:
    return (Outcome(**_members(line)) for line in lines if line["kind"] == "outcome")


def _members(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "kind"}
