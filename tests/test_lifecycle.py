"""The automata: a correct stream gives nothing, and each way to spoil it gives just the rules it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.contract.rules import catalogue
from conformance.decode.identity import identities
from conformance.decode.lifecycle import walk
from conformance.decode.opening import opening
from conformance.decode.sums import Text, texts
from conformance.decode.violation import Violation
from tests.support.streams import (
    Edit,
    Stream,
    call,
    change,
    custom_call,
    decoded,
    drop,
    everywhere,
    message,
    move,
    place,
    put,
    reasoning,
    stream,
    twice,
)

Make = Callable[[], Stream]

CORRECT: dict[str, Make] = {
    "text": lambda: stream(message()),
    "two parts": lambda: stream(message(texts=("Hello", "there"))),
    "reasoning with parts": lambda: stream(reasoning(), message(1)),
    "reasoning without parts": lambda: stream(reasoning(announced=False), message(1)),
    "call": lambda: stream(call()),
    "custom call": lambda: stream(custom_call()),
    "all kinds": lambda: stream(reasoning(), message(1), call(2), custom_call(3)),
    "overlapping calls": lambda: stream(call(), call(1), overlap=True),
    "overlapping kinds": lambda: stream(reasoning(), message(1), call(2), overlap=True),
    "nothing": lambda: stream(),
    "incomplete": lambda: stream(message(), end="incomplete"),
    "failed": lambda: stream(message(), end="failed"),
}

ERROR = {"type": "error", "code": "server_error", "message": "no", "param": None}
FAILED = {"type": "response.failed", "response": {"id": "resp_1", "model": "m", "status": "failed", "output": []}}
QUEUED = {"type": "response.queued", "response": {"id": "resp_1", "model": "m", "status": "queued", "output": []}}
HEARTBEAT = {"type": "keepalive"}
REFUSED = {"item_id": "msg_0", "output_index": 0, "content_index": 0}


def evaluated(events: Stream) -> list[Violation]:
    read = decoded(events)
    return [*opening(read)[0], *walk(read)[0], *identities(read)[0]]


def rules(events: Stream) -> list[str]:
    return [one.rule for one in evaluated(events)]


@pytest.mark.parametrize("name", CORRECT)
def test_correct_stream_gives_nothing(name: str) -> None:
    assert evaluated(CORRECT[name]()) == []


def all_of(*edits: Edit) -> Edit:
    def edit(stream: Stream) -> Stream:
        for one in edits:
            stream = one(stream)
        return stream

    return edit


def only(*names: str) -> Edit:
    return lambda stream: [one for one in stream if one["type"].removeprefix("response.") in names]


def without(name: str) -> Edit:
    return lambda stream: [one for one in stream if one["type"] != f"response.{name}"]


def delta(item: str = "msg_0", index: int = 0, content: int = 0) -> dict[str, Any]:
    about = {"item_id": item, "output_index": index, "content_index": content}
    return {"type": "response.output_text.delta", **about, "delta": "!"}


def argument_delta(item: str = "fc_0", index: int = 0) -> dict[str, Any]:
    return {"type": "response.function_call_arguments.delta", "item_id": item, "output_index": index, "delta": " "}


def added_part(content: int, kind: str = "output_text") -> dict[str, Any]:
    part = {"type": kind, "text": ""}
    return {"type": "response.content_part.added", **REFUSED, "content_index": content, "part": part}


def closed_part(content: int, kind: str = "output_text") -> dict[str, Any]:
    return {**added_part(content, kind), "type": "response.content_part.done"}


FIRST, SECOND, ONCE = "lifecycle.created-first", "lifecycle.in-progress-second", "lifecycle.each-once"
END, AFTER_END = "lifecycle.one-terminal-last", "sse.ends-after-terminal"
OPENED, OPENED_ONCE = "lifecycle.item-opened-before-use", "lifecycle.item-opened-once"
CLOSED_ONCE, AFTER_ITEM = "lifecycle.item-closed-once", "lifecycle.nothing-after-item-closed"
PART_OPENED, PART_ONCE = "lifecycle.part-opened-before-use", "lifecycle.part-opened-once"
PART_CLOSED_ONCE, PART_BEFORE_ITEM = "lifecycle.part-closed-once", "lifecycle.part-done-before-item-done"
TEXT_BEFORE_PART, DELTAS_BEFORE = "lifecycle.text-done-before-part-done", "lifecycle.deltas-before-done"
DONE, DONE_ONCE = "lifecycle.done-present", "lifecycle.done-once"
ALL_CLOSED, DENSE = "lifecycle.all-closed-at-terminal", "lifecycle.indexes-dense"
ITEM_ID, CALL_ID, NAME = "identity.item-id", "identity.call-id", "identity.name"
RESPONSE_ID, MODEL, CREATED_AT = "identity.response-id", "identity.model", "identity.created-at"
DISTINCT, BELONGS = "identity.item-ids-distinct", "identity.index-belongs-to-item"

TEXT, PARTS, CALL, CALLS = CORRECT["text"], CORRECT["two parts"], CORRECT["call"], CORRECT["overlapping calls"]
CUSTOM, ALL = CORRECT["custom call"], CORRECT["all kinds"]
THOUGHTS, BARE = CORRECT["reasoning with parts"], CORRECT["reasoning without parts"]

EDITS: dict[str, tuple[Make, Edit, list[str]]] = {
    # -- the opening
    "no created": (TEXT, drop("created"), [FIRST, SECOND]),
    "no in_progress": (TEXT, drop("in_progress"), [SECOND]),
    "neither": (TEXT, drop("created", "in_progress"), [FIRST, SECOND]),
    "created second": (TEXT, move("created", "in_progress"), [FIRST, SECOND]),
    "in_progress after the first item": (TEXT, move("in_progress", "output_item.added"), [SECOND]),
    "created again at once": (TEXT, twice("created"), [ONCE, SECOND]),
    "created again later": (TEXT, put({"type": "response.created"}, "output_item.added"), [ONCE]),
    "in_progress again": (TEXT, twice("in_progress"), [ONCE]),
    "created three times": (TEXT, all_of(*[put({"type": "response.created"}, "in_progress")] * 2), [ONCE, ONCE]),
    "something before created": (TEXT, lambda stream: [HEARTBEAT, *stream], [FIRST, SECOND]),
    "queued between": (TEXT, put(QUEUED, "created"), []),
    "no event at all": (TEXT, only(), [END]),
    "error alone": (TEXT, lambda _: [ERROR], []),
    "failed alone": (TEXT, lambda _: [FAILED], []),
    "failed after created": (TEXT, lambda stream: [stream[0], FAILED], []),
    "error after in_progress": (TEXT, lambda stream: [*stream[:2], ERROR], []),
    "failed after an item, nothing created": (TEXT, lambda stream: [*stream[2:4], FAILED], [FIRST, SECOND]),
    # -- the end
    "no terminal": (TEXT, drop("completed"), [END]),
    "old name done": (TEXT, change("completed", "/type", "response.done"), [END]),
    "two terminals": (TEXT, twice("completed"), [END]),
    "three terminals": (TEXT, all_of(twice("completed"), twice("completed")), [END, END]),
    "completed and then error": (TEXT, put(ERROR, "completed"), [END]),
    "delta after the end": (CALL, put(HEARTBEAT, "completed"), [AFTER_END]),
    "in_progress after the end": (TEXT, move("in_progress", "completed"), [SECOND, AFTER_END, END]),
    "item done after the end": (TEXT, move("output_item.done", "completed"), [AFTER_END, END, ALL_CLOSED]),
    # -- items
    "item never added": (TEXT, drop("output_item.added"), [OPENED]),
    "second item never added": (CALLS, drop("output_item.added", nth=1), [OPENED]),
    "item added twice": (TEXT, twice("output_item.added"), [OPENED_ONCE]),
    "item done twice": (TEXT, twice("output_item.done"), [CLOSED_ONCE]),
    "item never done": (TEXT, drop("output_item.done"), [ALL_CLOSED]),
    "second item never done": (CALLS, drop("output_item.done", nth=1), [ALL_CLOSED]),
    "no item done": (CALLS, without("output_item.done"), [ALL_CLOSED, ALL_CLOSED]),
    "item open in an incomplete stream": (CORRECT["incomplete"], drop("output_item.done"), []),
    "item open in a failed stream": (CORRECT["failed"], drop("output_item.done"), []),
    "part after its item": (TEXT, put(added_part(1), "output_item.done"), [AFTER_ITEM]),
    "delta after its item": (TEXT, put(delta(), "output_item.done"), [AFTER_ITEM, DELTAS_BEFORE]),
    "arguments after their item": (CALL, put(argument_delta(), "output_item.done"), [AFTER_ITEM, DELTAS_BEFORE]),
    "arguments done after their item": (
        CALL, move("function_call_arguments.done", "output_item.done"), [DONE, AFTER_ITEM],
    ),
    "delta of an unknown item": (TEXT, put(delta("msg_9", 1), "content_part.added"), [OPENED, PART_OPENED, ALL_CLOSED]),
    # -- parts
    "part never added": (TEXT, drop("content_part.added"), [PART_OPENED]),
    "second part never added": (PARTS, drop("content_part.added", nth=1), [PART_OPENED]),
    "part added after its deltas": (TEXT, move("content_part.added", "output_text.delta"), [PART_OPENED]),
    "no deltas and no part added": (
        TEXT, all_of(without("output_text.delta"), drop("content_part.added")), [PART_OPENED],
    ),
    "part done alone": (TEXT, only("created", "in_progress", "output_item.added", "content_part.done",
                                   "output_item.done", "completed"), [PART_OPENED]),
    "text done alone": (TEXT, only("created", "in_progress", "output_item.added", "output_text.done",
                                   "output_item.done", "completed"), [PART_OPENED]),
    "part added alone": (TEXT, only("created", "in_progress", "output_item.added", "content_part.added",
                                    "output_item.done", "completed"), [PART_BEFORE_ITEM]),
    "part added twice": (TEXT, twice("content_part.added"), [PART_ONCE]),
    "part done twice": (TEXT, twice("content_part.done"), [PART_CLOSED_ONCE]),
    "part never done": (TEXT, drop("content_part.done"), [PART_BEFORE_ITEM]),
    "reasoning part never done": (THOUGHTS, drop("content_part.done"), [PART_BEFORE_ITEM]),
    "no part done": (PARTS, without("content_part.done"), [PART_BEFORE_ITEM, PART_BEFORE_ITEM]),
    "part done after its item": (TEXT, move("content_part.done", "output_item.done"), [PART_BEFORE_ITEM, AFTER_ITEM]),
    "reasoning part neither added nor done": (THOUGHTS, drop("content_part.added", "content_part.done"), []),
    "part of an unknown kind": (
        TEXT,
        all_of(put(added_part(1, "image"), "content_part.done"), put(closed_part(1, "image"), "content_part.added")),
        [],
    ),
    # -- texts
    "part without deltas owes no text done": (TEXT, all_of(without("output_text.delta"), drop("output_text.done")), []),
    "part done before text done": (
        TEXT, move("output_text.done", "content_part.done"), [TEXT_BEFORE_PART],
    ),
    "no text done": (
        TEXT, drop("output_text.done"), [DONE],
    ),
    "neither text done nor part done": (
        TEXT, drop("output_text.done", "content_part.done"), [PART_BEFORE_ITEM, DONE],
    ),
    "delta after text done": (TEXT, put(delta(), "output_text.done"), [DELTAS_BEFORE]),
    "delta after part done": (TEXT, put(delta(), "content_part.done"), [DELTAS_BEFORE]),
    "reasoning delta after its done": (BARE, move("reasoning_text.delta", "reasoning_text.done"), [DELTAS_BEFORE]),
    "arguments delta after their done": (
        CALL, move("function_call_arguments.delta", "function_call_arguments.done"), [DELTAS_BEFORE],
    ),
    "input delta after its done": (
        CUSTOM, move("custom_tool_call_input.delta", "custom_tool_call_input.done"), [DELTAS_BEFORE],
    ),
    "text done twice": (TEXT, twice("output_text.done"), [DONE_ONCE]),
    "reasoning done twice": (BARE, twice("reasoning_text.done"), [DONE_ONCE]),
    "arguments done twice": (CALL, twice("function_call_arguments.done"), [DONE_ONCE]),
    "input done twice": (CUSTOM, twice("custom_tool_call_input.done"), [DONE_ONCE]),
    "no arguments done": (CALL, drop("function_call_arguments.done"), [DONE]),
    "no input done": (CUSTOM, drop("custom_tool_call_input.done"), [DONE]),
    "no reasoning done": (BARE, drop("reasoning_text.done"), [DONE]),
    "no arguments at all": (
        CALL, only("created", "in_progress", "output_item.added", "output_item.done", "completed"), [],
    ),
    "arguments in one piece": (CALL, without("function_call_arguments.delta"), []),
    "arguments in one piece, twice": (
        CALL, all_of(without("function_call_arguments.delta"), twice("function_call_arguments.done")), [DONE_ONCE],
    ),
    # -- indexes
    "output index from 1": (TEXT, everywhere("output_index", 0, 1), [DENSE]),
    "output index with a gap": (CALLS, everywhere("output_index", 1, 3), [DENSE]),
    "content index from 1": (TEXT, everywhere("content_index", 0, 1), [DENSE]),
    "content index with a gap": (PARTS, everywhere("content_index", 1, 2), [DENSE]),
    # -- identities
    "id changed in completed": (TEXT, change("completed", "/response/id", "resp_2"), [RESPONSE_ID]),
    "id changed in in_progress only": (TEXT, change("in_progress", "/response/id", "resp_2"), [RESPONSE_ID]),
    "model changed": (TEXT, change("completed", "/response/model", "n"), [MODEL]),
    "time changed": (TEXT, change("completed", "/response/created_at", 2), [CREATED_AT]),
    "item id changed in a delta": (TEXT, change("output_text.delta", "/item_id", "msg_9"), [ITEM_ID]),
    "item id of the item behind in a delta": (
        ALL, change("reasoning_text.delta", "/item_id", "msg_1"), [ITEM_ID],
    ),
    "item id changed in its done": (TEXT, change("output_item.done", "/item/id", "msg_9"), [ITEM_ID]),
    "item id changed at the end": (TEXT, change("completed", "/response/output/0/id", "msg_9"), [ITEM_ID]),
    "item id missing in a delta": (TEXT, change("output_text.delta", "/item_id", None), []),
    "call id changed in its done": (CALL, change("output_item.done", "/item/call_id", "call_9"), [CALL_ID]),
    "call id changed at the end": (CALL, change("completed", "/response/output/0/call_id", "call_9"), [CALL_ID]),
    "call id changed on the way": (CALL, change("function_call_arguments.done", "/call_id", "call_9"), [CALL_ID]),
    "name changed in its done": (CALL, change("output_item.done", "/item/name", "other"), [NAME]),
    "name changed on the way": (CALL, change("function_call_arguments.done", "/name", "other"), [NAME]),
    "name changed at the end": (ALL, change("completed", "/response/output/2/name", "other"), [NAME]),
    "two items one id": (CALLS, change("output_item.added", "/item/id", "fc_0", nth=1), [DISTINCT]),
    "delta under the other index": (
        CALLS, change("function_call_arguments.delta", "/output_index", 0, nth=1), [BELONGS],
    ),
    "delta under an index that no item then has": (
        ALL,
        all_of(
            everywhere("output_index", 3, 4), everywhere("output_index", 2, 3), everywhere("output_index", 1, 2),
            change("reasoning_text.delta", "/output_index", 1),
        ),
        [BELONGS],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_edit_breaks_just_its_rules(name: str) -> None:
    make, edit, broken = EDITS[name]
    assert rules(edit(make())) == broken


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (without("content_part.done"), "closes the item, whose part 0 has no content_part.done"),
        (move("content_part.done", "output_item.done"), "closes the item before the content_part.done of its part 0"),
    ],
)
def test_a_part_that_is_not_closed_is_told_from_one_that_is_closed_late(edit: Edit, says: str) -> None:
    assert evaluated(edit(TEXT()))[0].message == f"response.output_item.done {says}"


def test_an_index_that_an_event_does_not_have_is_not_named() -> None:
    events = drop("output_item.added")(TEXT())
    for event in events:
        event.pop("output_index", None)
    (found,) = [one for one in evaluated(events) if one.rule == OPENED]
    assert found.message == "response.content_part.added comes before its output_item.added"


def test_an_undocumented_event_at_the_end_is_reported_with_its_words() -> None:
    failed = {"type": "response.error", "error": {"message": "no model"}}
    (found,) = [one for one in evaluated([*only("created", "in_progress")(TEXT()), failed]) if one.rule == END]
    assert found.message == "the stream ends without a terminal event; its last event is response.error: no model"


@pytest.mark.parametrize(
    ("edit", "rule", "event"),
    [
        (put(added_part(0), "output_text.done"), PART_ONCE, 7),
        (put(added_part(0), "content_part.done"), PART_ONCE, 8),
        (move("output_item.added", "content_part.added"), OPENED, 2),
        (move("output_item.added", "output_item.done"), OPENED, 2),
    ],
)
def test_first_report_is_of_the_cause(edit: Edit, rule: str, event: int) -> None:
    first = evaluated(edit(TEXT()))[0]
    assert first.event is not None
    assert (first.rule, first.event.index) == (rule, event)


def test_every_rule_that_is_reported_is_in_the_catalogue() -> None:
    assert {rule for _, _, broken in EDITS.values() for rule in broken} <= set(catalogue())


@pytest.mark.parametrize(
    "name", [name for name, (_, _, broken) in EDITS.items() if broken and name != "no event at all"]
)
def test_every_report_names_its_event_and_says_why(name: str) -> None:
    make, edit, _ = EDITS[name]
    for one in evaluated(edit(make())):
        assert one.event is not None
        assert one.message


@pytest.mark.parametrize(
    ("edit", "rule", "event", "pointer", "want", "got"),
    [
        (drop("in_progress"), SECOND, 1, "/type", "response.in_progress", "response.output_item.added"),
        (
            drop("completed"),
            END,
            8,
            "/type",
            "one of response.completed, response.incomplete",
            "response.output_item.done",
        ),
        (twice("completed"), END, 10, "", None, None),
        (put(HEARTBEAT, "completed"), AFTER_END, 10, "", None, None),
        (drop("output_item.added"), OPENED, 2, "/output_index", "response.output_item.added", "none in the stream"),
        (everywhere("content_index", 0, 1), DENSE, 3, "/content_index", 0, 1),
        (everywhere("output_index", 0, 1), DENSE, 2, "/output_index", 0, 1),
        (change("output_text.delta", "/item_id", "msg_9", 1), ITEM_ID, 5, "/item_id", "msg_0", "msg_9"),
        (change("completed", "/response/model", "n"), MODEL, 9, "/response/model", "m", "n"),
        (change("completed", "/response/output/0/id", "x"), ITEM_ID, 9, "/response/output/0/id", "msg_0", "x"),
        (twice("content_part.done"), PART_CLOSED_ONCE, 8, "", None, None),
    ],
)
def test_report_points_at_the_place(edit: Edit, rule: str, event: int, pointer: str, want: object, got: object) -> None:
    (found,) = evaluated(edit(TEXT()))
    assert found.event is not None
    assert (found.rule, found.event.index, found.pointer, found.want, found.got) == (rule, event, pointer, want, got)


def test_items_are_as_they_ended_up() -> None:
    events = decoded(drop("output_item.done", nth=1)(stream(message(texts=("a b", "c d")), call(1))))
    _, items, _ = walk(events)
    assert {index: item.state for index, item in items.items()} == {0: "closed", 1: "open"}
    assert [(part.state, part.deltas, part.kind) for part in items[0].parts.values()] == [
        ("closed", 2, "output_text")
    ] * 2
    assert (items[1].arguments.state, items[1].arguments.deltas) == ("text-done", 2)


def stations(one: Text) -> tuple[str | None, ...]:
    return one.deltas, one.done, one.part, one.item, one.final


def test_texts_repeat_at_every_station() -> None:
    found = texts(decoded(stream(reasoning(), message(1, ("Hello", "there")), call(2), custom_call(3), overlap=True)))
    assert [(one.what, one.output_index, one.content_index) for one in found] == [
        ("arguments", 2, None), ("input", 3, None), ("reasoning", 0, 0), ("text", 1, 0), ("text", 1, 1),
    ]  # fmt: skip
    arguments, given, reasoning_texts, first, second = found
    assert stations(reasoning_texts) == ("Hmm so",) * 5
    assert stations(first) == ("Hello",) * 5
    assert stations(second) == ("there",) * 5
    assert stations(arguments) == ('{"a": 1}', '{"a": 1}', None, '{"a": 1}', '{"a": 1}')
    assert stations(given) == ("ls -l", "ls -l", None, "ls -l", "ls -l")


def test_missing_stations_are_none() -> None:
    events = stream(reasoning(announced=False), message(1), end="failed")
    bare, text = texts(decoded(drop("output_text.done")(events)))
    assert stations(bare) == ("Hmm so", "Hmm so", None, "Hmm so", None)
    assert stations(text) == ("Hello", None, "Hello", "Hello", None)


@pytest.mark.parametrize(
    ("edit", "want"),
    [
        (change("output_text.delta", "/delta", "J"), ("Jllo", "Hello", "Hello", "Hello", "Hello")),
        (change("output_text.done", "/text", "J"), ("Hello", "J", "Hello", "Hello", "Hello")),
        (change("content_part.done", "/part/text", "J"), ("Hello", "Hello", "J", "Hello", "Hello")),
        (change("output_item.done", "/item/content/0/text", "J"), ("Hello", "Hello", "Hello", "J", "Hello")),
        (change("completed", "/response/output/0/content/0/text", "J"), ("Hello", "Hello", "Hello", "Hello", "J")),
        (change("output_text.done", "/text", None), ("Hello", None, "Hello", "Hello", "Hello")),
        (change("output_text.delta", "/delta", ""), ("llo", "Hello", "Hello", "Hello", "Hello")),
        (without("output_text.delta"), (None, "Hello", "Hello", "Hello", "Hello")),
    ],
)
def test_each_station_is_kept_apart(edit: Edit, want: tuple[str | None, ...]) -> None:
    (text,) = texts(decoded(edit(TEXT())))
    assert stations(text) == want


def test_station_knows_its_event_and_the_one_before() -> None:
    events = TEXT()
    (text,) = texts(decoded(drop("content_part.done")(events)))
    assert text.before("deltas") is None
    assert text.before("done") == ("deltas", "Hello")
    assert text.before("item") == ("done", "Hello")
    assert text.before("final") == ("item", "Hello")
    want = {"deltas": place(events, "output_text.delta", -1), "done": place(events, "output_text.done"),
            "item": place(events, "output_item.done"), "final": place(events, "completed")}  # fmt: skip
    assert {station: event.index for station, event in text.events.items()} == want


@pytest.mark.parametrize("end", ["completed", "incomplete"])
def test_both_ends_have_a_final_text(end: str) -> None:
    (text,) = texts(decoded(stream(message(), end=end)))
    assert text.final == "Hello"


def test_stream_without_texts_has_none() -> None:
    assert texts(decoded(stream())) == []
