"""The output items one by one: each, wherever it stands, against the schema of its type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conformance.decode.events import Event
from conformance.decode.response import Answer, CannotJudge
from conformance.judge.applicability import FINAL_RESPONSE
from conformance.judge.common import not_seen
from conformance.judge.verdict import EXAMINED, Case, Findings, Group, breaks_schema, check
from conformance.scenarios.context import World


def _by_type(world: World) -> list[Group]:
    """A case for each documented type of item, over every answer that may hold one."""
    found: list[Group] = []
    for kind in world.schemas.item_types:
        custom = kind == "custom_tool_call"
        names = tuple(
            one.name
            for one in world.scenarios.values()
            if (("custom" in one.tags) if custom else one.expect != "refusal")
        )
        found.append(Group("custom" if custom else "answers", names, {"type": kind}))
    return [group for group in found if group.scenarios]


@check("item.{type}.schema", over=_by_type, together=True, where=FINAL_RESPONSE)
def test_item_fits_its_schema(answers: list[Answer], case: Case) -> Findings:
    kind, seen = case.about["type"], 0
    for answer in answers:
        for item, pointer, event in _items(answer, kind):
            seen += 1
            yield EXAMINED
            for problem in case.world.schemas.errors(f"items/{kind}.json", item):
                found = breaks_schema(problem, pointer, event)
                yield replace(found, message=_says(kind, problem.pointer, problem.message), scenario=answer.scenario)
    if not seen:
        raise not_seen(f"a {kind}", answers)


def _says(kind: str, pointer: str, message: str) -> str:
    """The same words wherever the item stands, so that it is one finding."""
    return f"{kind}: {pointer} {message}"


def _items(answer: Answer, kind: str) -> Iterator[tuple[dict[str, Any], str, Event | None]]:
    """The items of a type with their pointers: announced, closed, and in the final output."""
    try:
        event = answer.terminal if answer.looks_like_stream else None
        for opened in answer.of("response.output_item.added", "response.output_item.done") if event else ():
            if opened.item.get("type") == kind:
                yield opened.item, "/item", opened
        for place, item in answer.items(kind):
            yield item, f"{answer.pointer}/output/{place}", event
    except CannotJudge:
        return
