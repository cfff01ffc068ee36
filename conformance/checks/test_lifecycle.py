"""The lifecycle: the violations of the state machines, and the snapshots and statuses in events."""

from __future__ import annotations

from typing import Any

from conformance.contract.schemas import ABSENT
from conformance.decode.events import ITEM_ADDED, ITEM_DONE, Event
from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.applicability import STREAM
from conformance.judge.selectors import STREAMS, together
from conformance.judge.verdict import (
    EXAMINED,
    Case,
    Examined,
    Finding,
    Findings,
    check,
    finding_at,
    finding_from_violation,
)

_STATUS_OF = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}


def _automaton(rule: str) -> Any:
    """The check that reports the violations of a rule that the state machines found."""

    def evaluate(received: Received, case: Case) -> Findings:
        if not received.events:
            raise CannotEvaluate("the stream contains no event")
        yield Examined(received.examined[rule])
        for one in received.violations:
            # The contract defines neither ids nor order of items of undocumented types.
            kind = received.item_types.get(one.place) if one.place is not None else None
            if one.rule == rule and (kind is None or kind in case.context.schemas.item_types):
                yield finding_from_violation(one)

    return check(rule, over=STREAMS, where=STREAM)(evaluate)


test_created_is_first = _automaton("lifecycle.created-first")
test_in_progress_is_second = _automaton("lifecycle.in-progress-second")
test_created_and_in_progress_occur_once = _automaton("lifecycle.each-once")
test_item_is_opened_before_it_is_used = _automaton("lifecycle.item-opened-before-use")
test_item_is_opened_once = _automaton("lifecycle.item-opened-once")
test_item_is_closed_once = _automaton("lifecycle.item-closed-once")
test_nothing_follows_a_closed_item = _automaton("lifecycle.nothing-after-item-closed")
test_part_is_opened_before_it_is_used = _automaton("lifecycle.part-opened-before-use")
test_part_is_opened_once = _automaton("lifecycle.part-opened-once")
test_part_is_closed_once = _automaton("lifecycle.part-closed-once")
test_text_is_done_before_its_part = _automaton("lifecycle.text-done-before-part-done")
test_part_is_done_before_its_item = _automaton("lifecycle.part-done-before-item-done")
test_deltas_precede_their_done = _automaton("lifecycle.deltas-before-done")
test_what_had_deltas_has_a_done = _automaton("lifecycle.done-present")
test_done_is_sent_once = _automaton("lifecycle.done-once")
test_all_is_closed_at_the_end = _automaton("lifecycle.all-closed-at-terminal")
test_indexes_are_dense = _automaton("lifecycle.indexes-dense")
test_response_id_stays = _automaton("identity.response-id")
test_model_stays = _automaton("identity.model")
test_created_at_stays = _automaton("identity.created-at")
test_item_id_stays = _automaton("identity.item-id")
test_call_id_stays = _automaton("identity.call-id")
test_name_stays = _automaton("identity.name")
test_item_ids_are_distinct = _automaton("identity.item-ids-distinct")
test_index_belongs_to_its_item = _automaton("identity.index-belongs-to-item")
test_part_type_stays = _automaton("identity.part-type")


@check("lifecycle.one-terminal-last", over=STREAMS, where=STREAM)
def test_one_terminal_event_and_that_last(received: Received) -> Findings:
    if received.exchange.ended not in ("clean", "cut") and not any(event.terminal for event in received.events):
        raise CannotEvaluate(f"the stream was not received to its end: {received.exchange.ended}")
    yield Examined(len(received.events))
    yield from (finding_from_violation(one) for one in received.violations if one.rule == "lifecycle.one-terminal-last")


@check("lifecycle.terminal-agrees-with-status", over=STREAMS, where=STREAM)
def test_terminal_event_agrees_with_the_status(received: Received) -> Findings:
    event = received.terminal
    status = event.response.get("status")
    if event.type in _STATUS_OF and isinstance(status, str):
        yield EXAMINED
    if event.type in _STATUS_OF and isinstance(status, str) and status != _STATUS_OF[event.type]:
        where = ("/type", f"response.{status}", event.type)
        if status not in _STATUS_OF.values():
            where = ("/response/status", _STATUS_OF[event.type], status)
        yield finding_at(event, f"carries status {status!r}", *where)


@check("lifecycle.snapshots", over=STREAMS, where=STREAM)
def test_snapshots_are_of_a_response_just_begun(received: Received) -> Findings:
    # A background response, which the contract does not document, is created with status queued.
    in_background = received.sent.get("background") not in (None, False)
    begun = ("in_progress", "queued") if in_background else ("in_progress",)
    for event in received.of(*received.contract.decoding.of("begin")):
        yield Examined(bool(event.response))
        status, output = event.response.get("status"), event.response.get("output")
        if isinstance(status, str) and status not in begun:
            yield finding_at(event, f"carries status {status!r}", "/response/status", "in_progress", status)
        if output:
            yield finding_at(event, "carries non-empty output", "/response/output", [], output)
        for member in ("error", "incomplete_details"):
            if (value := event.response.get(member)) is not None:
                yield finding_at(event, f"carries non-null {member}", f"/response/{member}", None, value)


@check("lifecycle.added-status-in-progress", over=STREAMS, where=STREAM)
def test_added_items_are_in_progress(received: Received, case: Case) -> Findings:
    for event in received.of("response.output_item.added"):
        status = event.item.get("status")
        if event.item.get("type") not in case.context.schemas.item_types:
            continue  # The contract does not define the statuses of other types.
        yield Examined(isinstance(status, str))
        if isinstance(status, str) and status != "in_progress":
            yield finding_at(event, f"the item has status {status!r}", "/item/status", "in_progress", status)


@check("lifecycle.done-status-final", over=STREAMS, where=STREAM)
def test_done_items_are_final(received: Received, case: Case) -> Findings:
    cut = received.events[-1].type == "response.incomplete" if received.events else False
    for event in received.of("response.output_item.done"):
        status = event.item.get("status")
        if event.item.get("type") not in case.context.schemas.item_types:
            continue  # The contract does not define the statuses of other types.
        yield Examined(isinstance(status, str))
        if isinstance(status, str) and status not in ("completed", "incomplete") and not cut:
            yield finding_at(
                event, f"the item has status {status!r}", "/item/status", "completed or incomplete", status
            )


def _item_of(event: Event) -> str:
    """The item type that an event requires, by its type or that of its part; empty if any is allowed."""
    text = event.text_kind or event.table.by_part.get(event.part_type)
    return text.item if text else ""


@check("identity.event-fits-item", over=STREAMS, where=STREAM)
def test_event_is_of_its_items_kind(received: Received) -> Findings:
    kinds = {index: event.item.get("type") for event, index in received.placed if event.type == ITEM_ADDED}
    for event, index in received.placed:
        fits = _item_of(event)
        kind = kinds.get(index) if index is not None else None
        yield Examined(bool(fits) and isinstance(kind, str))
        if fits and isinstance(kind, str) and kind != fits:
            message = f"output_index {index} is an item of type {kind}"
            yield finding_at(event, message, "/output_index", f"the index of a {fits}", f"an item of type {kind}")
        closed = event.item.get("type") if event.type == ITEM_DONE else kind
        if isinstance(kind, str) and closed != kind:
            shown = repr(closed) if closed else "an item without type"
            message = f"closes the {kind} of output_index {index} as {shown}"
            yield finding_at(event, message, "/item/type", kind, closed or ABSENT)


@check("lifecycle.items-in-sequence", over=together("streams", "core", stream=True))
def test_items_overlap(received: Received) -> Findings:
    open_items: set[int | None] = set()
    overlap = False
    for event, index in received.placed:
        overlap = overlap or (event.type == ITEM_ADDED and bool(open_items))
        if event.type == ITEM_ADDED:
            open_items.add(index)
        elif event.type == ITEM_DONE:
            open_items.discard(index)
    if not received.of(ITEM_ADDED):
        raise CannotEvaluate("the stream contains no output_item.added")
    yield Finding("items overlap" if overlap else "one item after another")
