"""JSON output, and conversations of several turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.decode.response import DoesNotApply, Received
from conformance.judge.applicability import NEEDS_A_CAUSE, UNKNOWN_SENDER, Where
from conformance.judge.common import does_not_apply_if_too_long, must_be_served, must_be_served_or_refused
from conformance.judge.input_items import IDS, input_ids
from conformance.judge.selectors import each
from conformance.judge.selectors import together as all_of
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check
from conformance.scenarios.ordinary import IS_JSON


def _returns_items(sent: Mapping[str, Any]) -> bool:
    """Whether the input contains items with the ids of an earlier response."""
    return bool(input_ids(sent))


_RETURNS = Where("finished", when=_returns_items)


@check("format.json-object", over=each("json"), not_for_captured=NEEDS_A_CAUSE)
def test_json_object_is_one(received: Received) -> Findings:
    if received.response.get("status") != "completed":
        raise DoesNotApply("the response is not completed")
    yield EXAMINED
    if not IS_JSON.met(received):
        count = len(received.samples)
        message = f"the text was not a JSON object in {count} response{'s' * (count > 1)}"
        yield Finding(message, received.pointer + "/output", received.event, "a JSON object", received.words[:160])


@check(
    "turns.history-accepted",
    over=each("turns", where=lambda one: "returned" not in one.tags),
    not_for_captured=UNKNOWN_SENDER,
)
def test_history_is_accepted(received: Received, case: Case) -> Findings:
    does_not_apply_if_too_long(received, case)
    yield from must_be_served(received)


@check("turns.full-output-returned", over=each("returned"), not_for_captured=UNKNOWN_SENDER)
def test_returned_output_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check("turns.unusual-history", over=each("unusual"), without_response=True, not_for_captured=UNKNOWN_SENDER)
def test_unusual_history_does_no_harm(received: Received) -> Findings:
    yield from must_be_served_or_refused(received)


@check("response.output-is-new", over=all_of("items-returned", "turns", "follow-up", "combination"), where=_RETURNS)
def test_output_repeats_no_item_of_the_input(received: Received) -> Findings:
    known = input_ids(received.sent)
    yield Examined(len(received.output) if known else 0)
    for place, item in enumerate(received.output):
        for name in IDS:
            if isinstance(item.get(name), str) and item[name] and item[name] in known:
                message = f"the output contains an item of the input: its {name} was sent in the request"
                pointer = f"{received.pointer}/output/{place}/{name}"
                yield Finding(message, pointer, received.event, "what was generated", item[name])
                break
