"""The events one by one: each against the schema of its type, each documented type seen, numbers in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.decode.events import Event, whole
from conformance.decode.response import Answer, CannotJudge
from conformance.judge.applicability import NEEDS_A_CAUSE, STREAM, Where
from conformance.judge.common import needs, not_seen, received_whole, refuses
from conformance.judge.selectors import STREAMS, by_event_type, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, breaks_schema, check, on
from conformance.scenarios.context import World

#: So many broken events of one type in one stream tell it all; each takes a thousand times as long as a good one.
_ENOUGH = 500


def _all_streams(world: World) -> dict[str, tuple[str, ...]]:
    streams = tuple(one.name for one in world.scenarios.values() if one.streaming and one.expect != "refusal")
    custom = tuple(one.name for one in world.scenarios.values() if one.streaming and "custom" in one.tags)
    return {name: (custom if "custom" in name else streams) for name in world.schemas.event_types}


def _causes(world: World) -> dict[str, tuple[str, ...]]:
    return {name: (world.contract.table.by_type[name].caused_by,) for name in world.schemas.event_types}


@check("event.{type}.schema", over=by_event_type(_all_streams), together=True, where=STREAM)
def test_event_fits_its_schema(answers: list[Answer], case: Case) -> Findings:
    kind, ends = case.about["type"], case.world.contract.table.of("end")
    for answer in answers:
        yield Examined(len(_events(answer, kind)))
        for found in _problems(_events(answer, kind), case):
            if not _told_elsewhere(found.pointer, kind in ends):
                yield _at(found, answer)
    if not any(_events(answer, kind) for answer in answers):
        raise not_seen(kind, answers)


def _shape(event: Event) -> object:
    """What decides whether an event fits its schema, None where that is not plain to see: of deltas, which differ in
    their number and their piece of text only, one stands for all."""
    data = {**event.data}
    number, delta = data.pop("sequence_number", None), data.pop("delta", None)
    if type(number) is not int or number < 0 or type(delta) is not str or not delta:
        return None
    try:
        shape = (tuple(data.items()), tuple(map(type, data.values())))  # For Python, 1 equals true.
        hash(shape)
    except TypeError:
        return None
    return shape


def _problems(events: list[Event], case: Case) -> Iterator[Finding]:
    fine: set[object] = set()
    broken = 0
    for event in events:
        if broken < _ENOUGH and (shape := _shape(event)) not in fine:
            problems = case.world.schemas.errors(f"events/{event.type}.json", event.data)
            yield from (breaks_schema(problem, "", event) for problem in problems)
            broken += bool(problems)
            if shape and not problems:
                fine.add(shape)


def _told_elsewhere(pointer: str, ends: bool) -> bool:
    """The Response in a terminal event has a rule of its own, and so have items, missing types and numbers."""
    if pointer in ("/type", "/sequence_number"):
        return True
    return pointer.startswith("/item/") or (ends and pointer.startswith("/response/"))


def _at(finding: Finding, answer: Answer) -> Finding:
    return replace(finding, scenario=answer.scenario)


def _events(answer: Answer, kind: str) -> list[Event]:
    try:
        return answer.of(kind)
    except CannotJudge:
        return []


@check("event.seen.{type}", over=by_event_type(_causes), aside=NEEDS_A_CAUSE)
def test_event_is_seen_where_it_must_be_caused(answer: Answer, case: Case) -> Findings:
    kind = case.about["type"]
    if seen := answer.of(kind):
        yield Examined(len(seen))
        return
    needs(answer, case)
    _owes(answer, kind)
    received_whole(answer)
    got = ", ".join(dict.fromkeys(event.type for event in answer.events))
    yield Finding(f"{kind} is not in the stream", want=kind, got=got)


def _owes(answer: Answer, kind: str) -> None:
    """:class:`CannotJudge` if the model did something for which a stream needs no event of that type."""
    if not answer.events:
        raise CannotJudge("the stream has no event")
    if "output_text" in kind and not answer.words and refuses(answer):
        raise CannotJudge("the model refused, and wrote no text")
    if "reasoning" in kind and not answer.items("reasoning"):
        raise CannotJudge("the model thinks and shows nothing of it")
    if kind == "response.completed" and answer.terminal.type == "response.incomplete":
        raise CannotJudge("the answer ended incomplete")


@check(
    "event.documented-types-only",
    over=together("streams", "core", stream=True),
    where=Where("streams", leans_on=("tools", "include"), elsewhere=False),
)
def test_event_types_are_documented(answer: Answer, case: Case) -> Findings:
    for event in answer.events:
        yield EXAMINED
        if event.type and event.type not in case.world.schemas.event_types:
            yield Finding(f"the event type {event.type} is not documented", "/type", event.index, got=event.type)


@check("event.has-type", over=STREAMS, where=STREAM)
def test_event_has_a_type(answer: Answer) -> Findings:
    for event in answer.events:
        yield EXAMINED
        if not isinstance(event.data.get("type"), str) or not event.data["type"]:
            message = "an event's data has no type"
            yield Finding(message, "/type", event.index, event.frame.event or "a string", event.data.get("type"))


@check("event.arguments-done-names-function", over=together("calls", "call", stream=True), where=STREAM)
def test_arguments_done_names_the_function(answer: Answer) -> Findings:
    for event in answer.of("response.function_call_arguments.done"):
        yield EXAMINED
        if "name" not in event.data:
            yield on(event, "the name of the function is missing", "/name", "the call's name")


@check("sequence.present", over=STREAMS, where=STREAM)
def test_every_event_is_numbered(answer: Answer) -> Findings:
    for event in answer.events:
        yield EXAMINED
        if whole(event.number) is None:
            got = event.data.get("sequence_number", "(absent)")
            message = "an event has no sequence_number that is an integer"
            yield Finding(message, "/sequence_number", event.index, "an integer", got)


@check("sequence.contiguous", over=STREAMS, where=STREAM)
def test_each_number_is_one_more_than_the_last(answer: Answer) -> Findings:
    last, since = None, 1
    for event in answer.events:
        number = whole(event.number)
        if number is None:
            since += 1
            continue
        yield Examined(last is not None)
        if last is not None and not (number == last + since or (since > 1 and number > last)):
            message = f"sequence_number {number} follows {last}"
            yield Finding(message, "/sequence_number", event.index, last + since, number)
        last, since = number, 1
    if last is None:
        raise CannotJudge("no event has a sequence_number")


@check("sequence.starts-at-zero", over=together("streams", "core", stream=True))
def test_first_number(answer: Answer) -> Findings:
    if not answer.events:
        raise CannotJudge("the stream has no event")
    yield Finding(f"starts at {answer.events[0].number}")
