"""Runs of probes against the reference proxy, on loopback in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from conformance.emulator.proxy import Habit, ReferenceProxy
from conformance.emulator.proxy.habit import CLEAN
from conformance.proxy.evaluation import Evaluated, evaluate
from conformance.proxy.kit import Clock, Settings
from conformance.proxy.records import Recording
from conformance.proxy.run import open_upstream, record, selected

CLIENT_KEY, UPSTREAM_KEY = "client-key-1a2b3c4d5e", "upstream-key-9f8e7d6c5b"

#: Short limits in seconds: proxy and upstream are in this process.
WAIT, SILENCE, LIMIT = 0.5, 0.4, 4.0


def recorded(dialect: str, habit: Habit = CLEAN, only: Collection[str] = (), **settings: object) -> Recording:
    """The recording of some probes (all without any) through the reference proxy."""
    clock = Clock()
    made = Settings(
        "", dialect, "mimo-v2.5-pro", CLIENT_KEY, UPSTREAM_KEY, wait=WAIT, silence=SILENCE, limit=LIMIT
    )  # fmt: skip
    made = replace(made, **settings)  # type: ignore[arg-type]
    with (
        open_upstream(made, 0, clock) as upstream,
        ReferenceProxy(upstream.url, dialect, CLIENT_KEY, UPSTREAM_KEY, habit) as proxy,
    ):
        return record(replace(made, endpoint=proxy.url), upstream, clock, selected(dialect, only))


def combined(habits: Iterable[Habit]) -> Habit:
    """One habit with the hooks and settings of all, in order."""
    made = CLEAN
    for one in habits:
        hooks = {}
        for name in ("sent", "headers", "raw", "plain", "replied", "failure"):
            first, second = getattr(made, name), getattr(one, name)
            hooks[name] = _after(first, second) if first and second else first or second
        events = made.events or one.events
        made = replace(one, settings={**made.settings, **one.settings}, events=events, **hooks)
    return made


def _after(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ctx, value: second(ctx, first(ctx, value))


def problems(evaluated: Evaluated) -> dict[str, str]:
    """The first message of each violated rule that is a root cause, by the rule without its area; also of the rules
    that could not be evaluated for lack of evidence, with a question mark."""
    found: dict[str, str] = {}
    for case in evaluated.cases:
        rule = case.requirement.removeprefix("proxy.")
        if case.verdict in ("fail", "warning", "error") and not case.cause:
            found.setdefault(rule, f"@{case.scenario}: {case.message}")
        elif case.verdict == "inconclusive":
            found.setdefault(f"?{rule}", f"@{case.scenario}: {case.message}")
    return found


def violated(dialect: str, habit: Habit, only: Collection[str] = ()) -> dict[str, str]:
    """:func:`problems` of a run, without those that could not be evaluated."""
    # A response that never ends is recorded until the limit.
    limit = 1.5 if habit.settings.get("hangs") else LIMIT
    found = problems(evaluate(recorded(dialect, habit, only, limit=limit)))
    return {rule: message for rule, message in found.items() if not rule.startswith("?")}
