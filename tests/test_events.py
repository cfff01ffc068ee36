"""Frames to events: what is one, what is not, and how a type is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.contract.events import ABOUT_ITEM, BY_TYPE, EVENTS, IN_ITEM, ITEMS, PARTS, TEXTS
from conformance.contract.schemas import REVISIONS, Schemas
from conformance.decode.events import TERMINAL, Event, decode, integer, mapping, objects, text
from conformance.decode.sse import Frame
from tools.in_process import context


def frame(data: str, event: str = "", index: int = 0) -> Frame:
    body = b"".join(b"data: %b\n" % line.encode() for line in data.split("\n"))
    return Frame(index, event, body, 0, len(body), 0.0)


def event(data: dict[str, Any], line: str = "") -> Event:
    return Event(0, frame("", line), data)


@pytest.mark.parametrize(
    "data",
    ["", "hello", "{", '{"a":1} {"b":2}', '{"a":1,}', "{'a':1}", "[]", '[{"type":"x"}]', "null", "7", '"type"', "true",
     '{"a":NaN}', '{"a":Infinity}', '{"a":[-Infinity]}', '{"a":"\n"}', "[DONE", "[done]"],
)  # fmt: skip
def test_what_is_no_json_object_is_set_aside(data: str) -> None:
    one = frame(data)
    assert decode([one]) == ((), (one,))


@pytest.mark.parametrize("data", ['{"type":"x"}', ' {"type":"x"} ', '{\n"type":"x"}', '{"type":"x","a":"\\ud800"}'])
def test_json_object_is_an_event(data: str) -> None:
    events, invalid_frames = decode([frame(data)])
    assert ([one.type for one in events], invalid_frames) == (["x"], ())


@pytest.mark.parametrize("data", ["[DONE]", " [DONE]", "[DONE]\n"])
def test_done_marker_is_neither(data: str) -> None:
    assert decode([frame(data)]) == ((), ())


def test_events_are_counted_without_the_rest() -> None:
    frames = [frame('{"type":"a"}'), frame("no"), frame("[DONE]"), frame('{"type":"b"}', index=3)]
    events, invalid_frames = decode(frames)
    assert [(one.index, one.type, one.frame) for one in events] == [(0, "a", frames[0]), (1, "b", frames[3])]
    assert invalid_frames == (frames[1],)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"])
def test_deep_nesting_is_set_aside(deep: str) -> None:
    events, invalid_frames = decode([frame(deep), frame('{"type":"x"}')])
    assert ([one.type for one in events], len(invalid_frames)) == (["x"], 1)


@pytest.mark.parametrize(
    ("data", "line", "named"),
    [
        ({"type": "a"}, "b", "a"),
        ({"type": "a"}, "", "a"),
        ({}, "b", "b"),
        ({"type": None}, "b", "b"),
        ({"type": 7}, "b", "b"),
        ({"type": ["a"]}, "b", "b"),
        ({"type": ""}, "b", ""),
        ({}, "", ""),
    ],
)
def test_type_falls_back_to_the_event_line(data: dict[str, Any], line: str, named: str) -> None:
    assert event(data, line).type == named


@pytest.mark.parametrize("name", TERMINAL)
def test_terminal_types_end_a_response(name: str) -> None:
    assert event({"type": name}).terminal
    assert event({}, name).terminal


@pytest.mark.parametrize("name", ["response.created", "response.done", "response.output_text.done", ""])
def test_other_types_do_not(name: str) -> None:
    assert not event({"type": name}).terminal


@pytest.mark.parametrize(
    ("value", "index"), [(0, 0), (7, 7), (-1, -1), (True, None), (1.0, None), ("1", None), (None, None), ([1], None)]
)
def test_indexes_are_integers_or_none(value: object, index: int | None) -> None:
    one = event({"output_index": value, "content_index": value})
    assert (one.output_index, integer(value)) == (index, index)
    assert type(one.output_index) is type(index)
    assert one.content_index == (index or 0)
    assert type(one.content_index) is int


def test_missing_members_are_empty() -> None:
    one = event({})
    assert (one.number, one.output_index, one.content_index, one.item, one.response) == (None, None, 0, {}, {})


@pytest.mark.parametrize("value", [0, -3, "0", 1.5, None, [1]])
def test_number_is_as_it_stands(value: object) -> None:
    assert event({"sequence_number": value}).number == value


@pytest.mark.parametrize("value", ["x", 7, [1], None])
def test_members_of_a_wrong_type_are_empty(value: object) -> None:
    one = event({"item": value, "response": value})
    assert (one.item, one.response, mapping(value)) == ({}, {}, {})


def test_members_of_the_right_type_are_taken() -> None:
    one = event({"item": {"id": "i"}, "response": {"id": "r"}})
    assert (one.item, one.response) == ({"id": "i"}, {"id": "r"})
    assert objects([{"a": 1}, 7, None, {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert (objects({"a": 1}), objects("ab"), objects(None)) == ([], [], [])
    assert (text("x"), text(7), text(None)) == ("x", "", "")


# -- the table of types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_table_has_the_types_of_the_schemas(revision: str) -> None:
    """An event, item or part type that is in the schemas only would not be evaluated for order, identity and sums."""
    schemas = Schemas(revision)
    documented = {Path(path).stem for path in schemas._documents if path.startswith("parts/")} - {"part"}
    newest = revision == REVISIONS[-1]
    for what, table, listed in (
        ("event", BY_TYPE, schemas.event_types), ("item", ITEMS, schemas.item_types), ("part", PARTS, documented),
    ):  # fmt: skip
        assert set(listed) - set(table) == set(), f"{what} types without a row in conformance/contract/events.py"
        if newest:
            assert set(table) - set(listed) == set(), f"{what} types without a schema"


def test_every_row_of_the_table_is_whole() -> None:
    for one in EVENTS:
        assert bool(one.text) == bool(one.member) == (one.step in ("delta", "done")), one.type
        assert one.text in ("", *TEXTS)
        if one.text:
            assert one.text in ITEMS[one.item]
            assert {"delta", "done"} == {other.step for other in EVENTS if other.text == one.text}
    assert {text for text, _ in PARTS.values()} | set(IN_ITEM) == set(TEXTS)


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_an_event_carries_stands_in_its_schema(revision: str) -> None:
    schemas = Schemas(revision)
    for name in schemas.event_types:
        schema, row = schemas.document(f"events/{name}.json"), BY_TYPE[name]
        below = [schemas.resolve(part) for part in schema.get("allOf", ()) if "$ref" in part]
        properties = {name for one in (schema, *below) for name in one["properties"]}
        assert (row.step in ("begin", "end")) == ("response" in properties), name
        assert row.member in ("", *properties), name
        assert (name in ABOUT_ITEM) == ("output_index" in properties), name


def test_the_scenario_that_causes_an_event_is_there() -> None:
    here = context(REVISIONS[-1])
    assert {one.caused_by for one in EVENTS} <= set(here.scenarios)
