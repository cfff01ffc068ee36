"""Captured exchanges judged: each a scenario of its own, a case for each rule that can be read from it.

The checks are those of a run, with another choice of what they are over. What they cannot judge here is not
inconclusive, as nobody asked for it: it does not apply, with the reason.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from conformance import checks
from conformance.answer import CannotJudge
from conformance.report import results
from conformance.report.causes import represented
from conformance.report.failure import told
from conformance.report.fold import fold
from conformance.requirements import requirement
from conformance.scenarios.scenario import Scenario
from conformance.schemas import Schemas
from conformance.session import without
from conformance.target import Target
from conformance.traffic.captured import Captured, Captures, Lost
from conformance.traffic.rules import Passive, passive
from conformance.verdict import CHECKS, INCONCLUSIVE, NOT_APPLICABLE, Case, Check, Group, World, judge
from conformance.verdict import cases as cases_of

#: The label of the cases that are about all answers together.
ALL = "traffic"


@dataclass(frozen=True)
class Judged:
    """The case lines, folded and in order; of each that found something the text; and by label what was not judged."""

    lines: list[dict[str, Any]]
    texts: Mapping[str, str]
    unjudged: Mapping[str, str]


def judge_traffic(
    captured: Sequence[Captured], target: Target, secrets: Sequence[str] = (), together: bool = True
) -> Judged:
    """What the rules that need no scenario say of this traffic, none of the secrets in it; ``together``: also what is
    read from all answers side by side."""
    judgeable = [one for one in captured if not one.unjudged]
    world = _world(judgeable, target)
    record = Captures(judgeable)
    lines: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    for case in _cases(judgeable, world, together):
        line, text = _line(case, record)
        lines.append(without(secrets, line))
        if text:
            texts[case.id] = without(secrets, text)
    unjudged = {one.label: one.unjudged or one.unfinished for one in captured if one.unjudged or one.unfinished}
    return Judged(represented(fold(results.in_order(lines))), texts, without(secrets, unjudged))


def _line(case: Case, record: Captures) -> tuple[dict[str, Any], str]:
    started = time.perf_counter()
    try:
        result = judge(case, record)
    except Exception as error:  # A check that breaks is a bug of the suite; it must not cost the other verdicts.
        return results.error_line(case.id, str(error)), f"{case.id}\n{traceback.format_exc()}"
    if result.verdict == INCONCLUSIVE:
        result = replace(result, verdict=NOT_APPLICABLE)
    line = results.case_line(result, record, (time.perf_counter() - started) * 1000)
    return line, "\n".join(told(result, record)) if result.findings else ""


def _world(captured: Sequence[Captured], target: Target) -> World:
    scenarios = {
        one.label: Scenario(one.label, "what a client sent", one.sent or {}, expect="either") for one in captured
    }
    return World(scenarios, _schemas(target.revision), target)


@cache
def _schemas(revision: str) -> Schemas:
    return Schemas(revision)


def _cases(captured: Sequence[Captured], world: World, together: bool) -> Iterator[Case]:
    judged = [(check, how) for check in _checks() if (how := passive(check.rule)) and _counts(check)]
    strange = {one.label: one.strange(world.schemas) for one in captured}
    for check, how in judged:
        if how.over == "all-answers":
            names = tuple(one.label for one in captured if _fits(one, how, strange[one.label]))
            if together and names:
                yield from cases_of(replace(check, over=partial(_as_one, names)), world)
            continue
        for one in captured:
            if _fits(one, how, strange[one.label]):
                yield from cases_of(replace(check, over=partial(_alone, one, check.rule)), world)


def _as_one(names: tuple[str, ...], world: World) -> list[Group]:
    return [Group(ALL, names)]


def _alone(one: Captured, rule: str, world: World) -> list[Group]:
    """The case of one exchange; of a rule about types one for each type that comes up in it."""
    if "{type}" not in rule:
        return [Group(one.label, (one.label,))]
    return [Group(one.label, (one.label,), {"type": kind}) for kind in _types(one, rule, world)]


def _types(one: Captured, rule: str, world: World) -> list[str]:
    answer = one.answer
    try:
        events = answer.events if answer.looks_like_stream else ()
        if rule.startswith("event."):
            return [kind for kind in world.schemas.event_types if kind in answer.by_type] if events else []
        seen = {str(event.item.get("type")) for event in events}
    except CannotJudge:
        seen = set()
    with contextlib.suppress(CannotJudge):
        seen |= {str(item.get("type")) for item in answer.output}
    return [kind for kind in world.schemas.item_types if kind in seen]


@cache
def _checks() -> tuple[Check, ...]:
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"conformance.checks.{module.name}")
    return tuple(CHECKS)


def _counts(check: Check) -> bool:
    """Whether the check is of a rule that can be broken, and reads one answer unless the rule is about all."""
    how = passive(check.rule)
    alone = how is not None and (how.over == "all-answers" or not check.together or "{type}" in check.rule)
    return alone and ("{" in check.rule or requirement(check.rule).level != "MAY")


def _fits(one: Captured, how: Passive, strange: frozenset[str]) -> bool:
    lost: frozenset[Lost] = one.lost | ({"framing"} if one.unfinished else set())
    if lost & how.reads or not _among(one, how):
        return False
    if how.leans_on and ("*" in strange or (strange if "*" in how.leans_on else strange & set(how.leans_on))):
        return False
    return how.when is None or (one.sent is not None and how.when(one.sent))


def _among(one: Captured, how: Passive) -> bool:
    status, ok = one.exchange.status or 0, one.exchange.ok
    refused, denied = 400 <= status < 500, status in (401, 403)
    by_status = {"refusals": refused and not denied, "denials": denied, "refused": refused, "others": not denied}
    if how.over in by_status:
        return by_status[how.over]
    if how.over in ("streams", "plain"):
        asked = one.sent.get("stream", False) if one.sent is not None else one.answer.looks_like_stream
        return ok and asked is (how.over == "streams")
    return ok and (how.over == "answers" or not _failed(one))


def _failed(one: Captured) -> bool:
    """Whether the answer ends in a failure: then it holds no finished Response."""
    try:
        if one.answer.looks_like_stream:
            return one.answer.terminal.type in ("error", "response.failed")
        return one.answer.response.get("status") == "failed"
    except CannotJudge:
        return False
