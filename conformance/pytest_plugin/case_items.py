"""The cases as items of pytest, one for each: functions with a parameter would take a fifth of a run to collect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.judge.verdict import Case
from conformance.pytest_plugin.side_items import SMOKE
from conformance.scenarios.context import Context

#: Evaluates a case.
Evaluate = Callable[[Case], None]


class CaseItem(pytest.Item):
    """The item of a case. Its location is that of its check."""

    def __init__(self, *, case: Case, evaluate: Evaluate, location: tuple[Path, int], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.case = case
        self._evaluate = evaluate
        self._location = location

    def runtest(self) -> None:
        """Evaluate the case, for plugins that run items themselves."""
        self._evaluate(self.case)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file, the line (from 0) and the name of the test."""
        return (*self._location, self.name)


def items_of(
    collector: pytest.Collector, name: str, selected: Sequence[Case], context: Context, evaluate: Evaluate
) -> list[CaseItem]:
    """The items of the cases of a check; those whose scenarios all have the tag ``smoke`` have this mark."""
    if not selected:
        return []
    code = selected[0].check.evaluate.__code__
    place = Path(code.co_filename), code.co_firstlineno - 1
    location: tuple[str, int | None] | None = None
    items = []
    for case in selected:
        item = CaseItem.from_parent(
            collector, name=f"{name}[{case.id}]", case=case, evaluate=evaluate, location=place
        )  # fmt: skip
        if all(SMOKE in context.scenarios[one].tags for one in case.scenarios):
            item.add_marker(SMOKE)
        location = location or item.location[:2]  # Of all of them: pytest takes as long for it as for an item.
        item.location = (*location, item.name)
        items.append(item)
    return items
