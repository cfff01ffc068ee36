"""The catalogue as text: the list of rules, and one rule explained."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import textwrap
from collections.abc import Iterator

from conformance import checks
from conformance.requirements import CLIENTS, Requirement, catalogue, requirement
from conformance.session import all_cases, world_of
from conformance.target import resolve
from conformance.verdict import Case


def listing(area: str | None, level: str | None) -> Iterator[str]:
    """A line a rule."""
    for row in catalogue().values():
        if (area is None or row.area == area) and (level is None or row.level == level):
            aside = f" (not judged: {row.excluded})" if row.excluded else ""
            yield f"{row.id:<50} {row.level:<7} {row.says}{aside}"


def explain(rule: str, revision: str) -> str | None:
    """A rule and the cases it has in a revision; None if there is no such rule."""
    row = catalogue().get(rule)
    if row is None:
        try:
            row = requirement(rule)
        except KeyError:
            return None
    return "\n".join(_explained(rule, row, revision))


def _explained(rule: str, row: Requirement, revision: str) -> Iterator[str]:
    yield f"{rule}   {row.level}"
    yield textwrap.fill(row.says, 100, initial_indent="  ", subsequent_indent="  ")
    yield f"  source  {row.source}"
    if row.breaks:
        yield f"  breaks  {', '.join(CLIENTS[name] for name in row.breaks)}"
    if row.excluded:
        yield f"  not judged: {row.excluded}"
    labels = [case.label for case in _cases(revision) if case.rule == rule or case.requirement.id == rule]
    judged = ", ".join(labels) or f"nothing in revision {revision}"
    yield textwrap.fill(f"judged at: {judged}", 100, initial_indent="  ", subsequent_indent="    ")


def _cases(revision: str) -> list[Case]:
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"conformance.checks.{module.name}")
    target = resolve({"revision": revision}, {}, "00000000", None)
    return all_cases(world_of(target))


def nearest(rule: str) -> str:
    """The rule that was meant, as the end of a sentence."""
    near = difflib.get_close_matches(rule, list(catalogue()), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
