"""The cases of both sides of a proxy as items of pytest: what every run needs of them.

:mod:`both_sides`, which records and evaluates them, is imported only for a proxy: it takes a tenth of a second.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from conformance.contract.rules import PROXY
from conformance.judge.case_selection import selects
from conformance.judge.verdict import FAIL
from conformance.results.records import CaseRecord

#: The mark of the most important cases, of which both sides have none.
SMOKE = "smoke"

#: The file in a run folder with the recording of both sides.
RECORDING = "proxy.json"

_NODE = "conformance/proxy::both_sides"

#: The case that a proxy fails that served nothing more while both sides were recorded.
_STOPPED = "proxy.failure.survives@stopped"


class BothSides:
    """The cases, the failure texts of those with findings, by id, and a note for the head of the output."""

    def __init__(self, cases: Sequence[CaseRecord], texts: dict[str, str], note: str = "") -> None:
        self.cases = cases
        self.texts = texts
        self.note = note

    @property
    def stopped(self) -> bool:
        """Whether the proxy served nothing more before its end, so that the other rules cannot be evaluated."""
        return any(one.id == _STOPPED and one.verdict == FAIL for one in self.cases)

    def to_text(self) -> str:
        """The form for a worker, as ASCII."""
        return json.dumps([[case.to_json() for case in self.cases], self.texts])

    def items(self, session: pytest.Session) -> list[SideItem]:
        """An item for each case."""
        return [SideItem.from_parent(session, name=f"both_sides[{one.id}]", nodeid=f"{_NODE}[{one.id}]", record=one)
                for one in self.cases]  # fmt: skip


class SideItem(pytest.Item):
    """The item of an evaluated case."""

    def __init__(self, *, record: CaseRecord, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.record = record

    def runtest(self) -> None:
        """The case is evaluated already."""

    def reportinfo(self) -> tuple[str, None, str]:
        """The location of all cases: they have no source of their own."""
        return PROXY, None, self.name


def from_text(text: str) -> BothSides:
    """The inverse of :meth:`BothSides.to_text`."""
    cases, texts = json.loads(text)
    return BothSides([CaseRecord.from_json(one) for one in cases], texts)


def unrelated(sides: BothSides | None, globs: Sequence[str]) -> list[str]:
    """The selections that select no case of both sides."""
    ids = [one.id for one in sides.cases] if sides else []
    return [glob for glob in globs if not any(selects(one, [glob]) for one in ids)]


def given(config: pytest.Config) -> bool:
    """Whether an option states that the endpoint is a proxy."""
    return any(config.getoption(name) for name in ("dialect", "upstream_port", "start"))
