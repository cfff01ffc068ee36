"""Which broken rules really stop which client: ``evidence.json``, made by ``python -m tests.clients --write``.

``versions``: what was run. ``rules``: for each row of the catalogue the faults of the built-in endpoint that were
tried, and for each what every client (with its mode) did that it was fed to: empty if it ended as with the right
answer, else how it did not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from conformance.clients.table import CLIENTS

FILE = Path(__file__).with_suffix(".json")

#: What a client did that only passed other numbers on, or none: it works.
NUMBERS, NO_NUMBERS = "other usage", "no usage"
COPES = ("", NUMBERS, NO_NUMBERS)

Row = Mapping[str, Mapping[str, str]]


@cache
def evidence() -> Mapping[str, Any]:
    """The file: versions, and rows by rule, fault and client; empty ones where it was never made."""
    if not FILE.exists():
        return {"versions": {}, "rules": {}}
    read: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def said(row: Row, breaks: str) -> Iterator[tuple[str, str, str]]:
    """Fault, client with its mode, and what it did, of the clients that have this name in the catalogue."""
    names = {one.name for one in CLIENTS if one.breaks == breaks}
    for fault, by_client in row.items():
        for name, did in by_client.items():
            if name in names:
                yield fault, name, did


def tried(row: Row, breaks: str) -> bool:
    """Whether any fault of the rule was fed to that client."""
    return any(True for _ in said(row, breaks))


def seen(row: Row, breaks: str) -> bool:
    """Whether any fault of the rule stopped that client, or made it end with another answer."""
    return any(did not in COPES for *_, did in said(row, breaks))


def contradicted(row: Row, breaks: str) -> bool:
    """Whether faults of the rule were fed to that client, and none stopped it."""
    return tried(row, breaks) and not seen(row, breaks)


def faults_that_stop(client: str) -> list[str]:
    """The faults at which this client (with its mode) did not end as it should."""
    found = [
        fault for row in evidence()["rules"].values() for fault, by in row.items() if by.get(client, "") not in COPES
    ]
    return list(dict.fromkeys(found))
