"""Single output items: each fits the schema of its type, in events and in the final output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conformance.decode.events import Event
from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.applicability import FINAL_RESPONSE
from conformance.judge.common import did_not_occur
from conformance.judge.input_items import is_of_input
from conformance.judge.verdict import EXAMINED, Case, Findings, Group, check, finding_from_schema
from conformance.scenarios.context import Context


def _by_type(context: Context) -> list[Group]:
    """A case for each documented type of item, over every response that may contain one."""
    found: list[Group] = []
    for kind in context.schemas.item_types:
        custom = kind == "custom_tool_call"
        names = tuple(
            one.name
            for one in context.scenarios.values()
            if (bool(one.tags & {"custom", "lite"}) if custom else one.expect != "refusal")
        )
        found.append(Group("custom" if custom else "answers", names, {"type": kind}))
    return [group for group in found if group.scenarios]


@check("item.{type}.schema", over=_by_type, together=True, where=FINAL_RESPONSE)
def test_item_fits_its_schema(responses: list[Received], case: Case) -> Findings:
    kind, seen = case.about["type"], 0
    for received in responses:
        for item, pointer, event in _items(received, kind):
            seen += 1
            yield EXAMINED
            what = f"{kind} repeated from the input" if is_of_input(item, received) else kind
            for problem in case.context.schemas.errors(f"items/{kind}.json", item):
                found = finding_from_schema(problem, pointer, event)
                yield replace(
                    found, message=_message(what, problem.pointer, problem.message), scenario=received.scenario
                )
    if not seen:
        raise did_not_occur(f"a {kind}", responses, f"response.{kind}_", case.context)


def _message(what: str, pointer: str, message: str) -> str:
    """A message without the item's place, so that the same problem in several places is one finding."""
    return f"{what}: {pointer} {message}"


def _items(received: Received, kind: str) -> Iterator[tuple[dict[str, Any], str, Event | None]]:
    """The items of a type, with pointer and event: from output_item.added and .done, and in the final output."""
    try:
        event = received.terminal if received.looks_like_stream else None
        for opened in received.of("response.output_item.added", "response.output_item.done") if event else ():
            if opened.item.get("type") == kind:
                yield opened.item, "/item", opened
        for place, item in received.items(kind):
            yield item, f"{received.pointer}/output/{place}", event
    except CannotEvaluate:
        return
