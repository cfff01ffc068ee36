"""Selectors: the scenarios that a check evaluates, and how they are grouped into cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from conformance.judge.verdict import Group, Selector
from conformance.scenarios.context import Context
from conformance.scenarios.explore import random_requests
from conformance.scenarios.scenario import Scenario

#: Tags of documented requests that are evaluated together, as one case.
_OTHERS = frozenset({"accepted", "form", "auth-accepted", "accept", "parallel", "survives"})

Wanted = Callable[[Scenario], bool]


def each(tag: str, stream: bool | None = None, where: Wanted | None = None) -> Selector:
    """A case for each scenario with the tag (and only streaming or only plain ones)."""

    def select(context: Context) -> list[Group]:
        return [Group(one.name, (one.name,), one.about) for one in _with(context, tag, stream, where)]

    return select


def together(label: str, *tags: str, stream: bool | None = None, where: Wanted | None = None) -> Selector:
    """One case for all scenarios with any of the tags."""

    def select(context: Context) -> list[Group]:
        found = [one for one in context.scenarios.values() if one.tags & set(tags)]
        names = tuple(one.name for one in found if _fits(one, stream, where))
        return [Group(label, names)] if names else []

    return select


def beside(selector: Selector, *names: str) -> Selector:
    """The same cases, each check of which also gets the responses of these scenarios, behind the others."""
    return lambda context: [replace(group, beside=names) for group in selector(context)]


def explored(label: str, tag: str) -> Selector:
    """One case for all random requests with the tag."""

    def select(context: Context) -> list[Group]:
        names = random_requests(context.scenarios.values(), tag)
        return [Group(label, names)] if names else []

    return select


def everything(label: str, where: Wanted | None = None) -> Selector:
    """One case for all scenarios of the run."""

    def select(context: Context) -> list[Group]:
        return [Group(label, tuple(one.name for one in context.scenarios.values() if _fits(one, None, where)))]

    return select


def responses(stream: bool | None = None, where: Wanted | None = None) -> Selector:
    """A case for each core scenario, and one for all other requests that must be served."""
    label = {None: "others", True: "others.stream", False: "others.plain"}[stream]

    def other(one: Scenario) -> bool:
        return one.expect == "answer" and "core" not in one.tags and (where is None or where(one))

    cores, others = each("core", stream, where), together(label, *_OTHERS, stream=stream, where=other)
    return lambda context: cores(context) + others(context)


def pairs(tag: str) -> Selector:
    """A case for each plain scenario with the tag that has a streaming counterpart."""

    def select(context: Context) -> list[Group]:
        counterparts = [(one, one.name + ".stream") for one in _with(context, tag, False, None)]
        return [
            Group(one.name, (one.name, counterpart), one.about, requires_all=True)
            for one, counterpart in counterparts
            if counterpart in context.scenarios
        ]

    return select


def by_event_type(types: Callable[[Context], dict[str, tuple[str, ...]]]) -> Selector:
    """A case for each event type over the scenarios that ``types`` gives for it."""

    def select(context: Context) -> list[Group]:
        return [
            Group(names[0] if len(names) == 1 else "streams", names, {"type": name})
            for name, names in types(context).items()
            if names
        ]

    return select


def _with(context: Context, tag: str, stream: bool | None, where: Wanted | None) -> list[Scenario]:
    return [one for one in context.scenarios.values() if tag in one.tags and _fits(one, stream, where)]


def _fits(one: Scenario, stream: bool | None, where: Wanted | None) -> bool:
    return (stream is None or one.streaming == stream) and (where is None or where(one))


RESPONSES = responses()
PLAIN = responses(stream=False)
STREAMS = responses(stream=True)
