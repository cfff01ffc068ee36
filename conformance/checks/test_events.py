"""Single events: each fits the schema of its type, each documented type occurs, sequence numbers are in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conformance.contract.openai_names import undocumented_event
from conformance.contract.schemas import ABSENT
from conformance.decode.events import Event, integral, mapping, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import NEEDS_A_CAUSE, STREAM, Where
from conformance.judge.common import did_not_occur, need_complete, needs, refuses
from conformance.judge.selectors import STREAMS, by_event_type, together
from conformance.judge.verdict import (
    EXAMINED,
    Case,
    Examined,
    Finding,
    Findings,
    check,
    finding_at,
    finding_from_schema,
)
from conformance.scenarios.context import Context

#: The most invalid events of one type in one stream that are reported; each takes 1,000 times as long as a valid one.
_ENOUGH = 500


def _all_streams(context: Context) -> dict[str, tuple[str, ...]]:
    streams = tuple(one.name for one in context.scenarios.values() if one.streaming and one.expect != "refusal")
    custom = tuple(one.name for one in context.scenarios.values() if one.streaming and one.tags & {"custom", "lite"})
    return {name: (custom if "custom" in name else streams) for name in context.schemas.event_types}


def _causes(context: Context) -> dict[str, tuple[str, ...]]:
    return {name: (context.contract.table.by_type[name].caused_by,) for name in context.schemas.event_types}


@check("event.{type}.schema", over=by_event_type(_all_streams), together=True, where=STREAM)
def test_event_fits_its_schema(responses: list[Received], case: Case) -> Findings:
    kind, ends = case.about["type"], case.context.contract.table.of("end")
    for received in responses:
        yield Examined(len(_events(received, kind)))
        for found in _problems(_events(received, kind), case):
            if not _checked_by_another_rule(found.pointer, kind in ends):
                yield _at(found, received)
    if not any(_events(received, kind) for received in responses):
        _does_not_apply_if_hidden(kind, case)
        raise did_not_occur(kind, responses, kind, case.context)


def _shape(event: Event) -> object:
    """A key that is equal for events of which all or none fit the schema: everything except a valid sequence_number and
    delta. None if the event must be validated by itself. Avoids validating each of thousands of deltas."""
    data = {**event.data}
    number, delta = data.pop("sequence_number", None), data.pop("delta", None)
    if type(number) is not int or number < 0 or type(delta) is not str or not delta:
        return None
    try:
        message_pattern = (tuple(data.items()), tuple(map(type, data.values())))  # For Python, 1 equals true.
        hash(message_pattern)
    except TypeError:
        return None
    return message_pattern


def _problems(events: list[Event], case: Case) -> Iterator[Finding]:
    fine: set[object] = set()
    broken = 0
    for event in events:
        if broken < _ENOUGH and (message_pattern := _shape(event)) not in fine:
            problems = case.context.schemas.errors(f"events/{event.type}.json", event.data)
            yield from (finding_from_schema(problem, "", event) for problem in problems)
            broken += bool(problems)
            if message_pattern and not problems:
                fine.add(message_pattern)


def _checked_by_another_rule(pointer: str, ends: bool) -> bool:
    """Whether another rule checks the member: items, types, sequence numbers and the Response in a terminal event."""
    if pointer in ("/type", "/sequence_number"):
        return True
    if pointer == "/item/type":  # The rules about items find them by their type.
        return False
    return pointer.startswith("/item/") or (ends and pointer.startswith("/response/"))


def _at(finding: Finding, received: Received) -> Finding:
    return replace(finding, scenario=received.scenario)


def _events(received: Received, kind: str) -> list[Event]:
    """The events of a type up to the first terminal one: another rule reports those after it."""
    try:
        last = _last(received)
        return [event for event in received.of(kind) if event.index <= last]
    except CannotEvaluate:
        return []


def _last(received: Received) -> float:
    """The index of the first terminal event; infinite without one."""
    return min((one.index for one in received.of(*received.contract.decoding.ends)), default=float("inf"))


@check("event.seen.{type}", over=by_event_type(_causes), not_for_captured=NEEDS_A_CAUSE)
def test_event_occurs_where_it_must(received: Received, case: Case) -> Findings:
    kind = case.about["type"]
    if seen := received.of(kind):
        yield Examined(len(seen))
        return
    _does_not_apply_if_hidden(kind, case)
    needs(received, case)
    _need_event(received, kind)
    need_complete(received)
    got = ", ".join(dict.fromkeys(event.type for event in received.events))
    yield Finding(f"the stream contains no {kind}", want=kind, got=got)


def _does_not_apply_if_hidden(kind: str, case: Case) -> None:
    if case.context.target.reasoning == "hidden" and kind.startswith("response.reasoning_text."):
        raise DoesNotApply("reasoning of the target's profile is hidden")


def _need_event(received: Received, kind: str) -> None:
    """Raise :class:`CannotEvaluate` if what the model did requires no event of that type."""
    if not received.events:
        raise CannotEvaluate("the stream contains no event")
    if "output_text" in kind and not received.words and refuses(received):
        raise CannotEvaluate("the model wrote a refusal and no text")
    if "reasoning" in kind and not received.items("reasoning"):
        raise CannotEvaluate("the output contains no reasoning item")
    if kind == "response.completed" and received.terminal.type == "response.incomplete":
        raise CannotEvaluate("the response ended with status incomplete")


@check(
    "event.documented-types-only",
    over=together("streams", "core", stream=True),
    where=Where("streams", depends_on=("tools", "include"), other_scenarios=False),
)
def test_event_types_are_documented(received: Received, case: Case) -> Findings:
    for event in received.events:
        yield EXAMINED
        if event.type and event.type not in case.context.schemas.event_types:
            yield Finding(undocumented_event(event.type), "/type", event.index, got=event.type)


@check("event.has-type", over=STREAMS, where=STREAM)
def test_event_has_a_type(received: Received) -> Findings:
    for event in received.events:
        yield EXAMINED
        if event.terminal and "error" in event.data:
            continue  # An error body, which has no type: response.ends-final reports it.
        if not isinstance(event.data.get("type"), str) or not event.data["type"]:
            message = f"the data of an event has no type{_what_it_is(event.data)}"
            member = "object" if text(event.data.get("object")) else "type"
            yield Finding(
                message, f"/{member}", event.index, event.frame.event or "a string", event.data.get(member, ABSENT)
            )


def _what_it_is(data: dict[str, Any]) -> str:
    """What data without a type is: an object of another API, or an error body. Empty where that is not known."""
    other, error = text(data.get("object")), mapping(data.get("error"))
    error_text = f"error: {text(error.get('message'))[:160]}"
    return f" (it is an {error_text})" if error else f" (it is a {other})" if other else ""


@check("event.arguments-done-names-function", over=together("calls", "call", stream=True), where=STREAM)
def test_arguments_done_names_the_function(received: Received) -> Findings:
    for event in received.of("response.function_call_arguments.done"):
        yield EXAMINED
        if "name" not in event.data:
            yield finding_at(event, "the name of the function is missing", "/name", "the name of the function")


@check("sequence.present", over=STREAMS, where=STREAM)
def test_every_event_is_numbered(received: Received) -> Findings:
    last = _last(received)
    for event in received.events:
        if _is_unnumbered(event) or event.index > last:
            continue
        yield EXAMINED
        if integral(event.number) is None:
            got = event.data.get("sequence_number", "(absent)")
            message = "the sequence_number of an event is missing or not an integer"
            yield Finding(message, "/sequence_number", event.index, "an integer", got)


def _is_unnumbered(event: Event) -> bool:
    """Whether it is undocumented and has no number, as some keep-alive events."""
    return event.row is None and "sequence_number" not in event.data


@check("sequence.contiguous", over=STREAMS, where=STREAM)
def test_each_number_is_one_more_than_the_last(received: Received) -> Findings:
    last, since = None, 1
    for event in received.events:
        number = integral(event.number)
        if number is None:
            since += not _is_unnumbered(event)
            continue
        yield Examined(last is not None)
        if last is not None and not (number == last + since or (since > 1 and number > last)):
            message = f"sequence_number {number} follows {last}"
            yield Finding(message, "/sequence_number", event.index, last + since, number)
        last, since = number, 1
    if last is None:
        raise CannotEvaluate("no event has an integer sequence_number")


@check("sequence.starts-at-zero", over=together("streams", "core", stream=True))
def test_first_number(received: Received) -> Findings:
    if not received.events:
        raise CannotEvaluate("the stream contains no event")
    yield Finding(f"the first sequence_number is {received.events[0].number}")
