"""Which rules each fault of the built-in endpoint violates: ``fault_matrix.json``.

Made by ``python -m tools.fault_matrix --write``. Of each fault: ``causes``, the rules that report it, and ``follows``,
those that are grouped under them; rule to verdict.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")

Broken = dict[str, str]


@cache
def matrix() -> dict[str, dict[str, Broken]]:
    """Fault to what it breaks; an empty one breaks nothing, for a reason that the tests give."""
    read: dict[str, dict[str, Broken]] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


@cache
def faults_of(rule: str) -> tuple[list[str], list[str]]:
    """The faults that a rule tells, and those where its breach only follows from another."""
    rows = matrix()
    told = [name for name, broken in rows.items() if rule in broken["causes"]]
    return told, [name for name, broken in rows.items() if rule in broken["follows"]]
