"""Frames to events: what is one, what is not, and how a type is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from conformance.contract.completeness import gaps
from conformance.contract.revisions import CONTRACTS, REVISIONS, contracts, schema_dir
from conformance.decode.events import TERMINAL, Event, decode, integer, mapping, objects, text
from conformance.decode.sse import Frame
from tools.in_process import cases, context


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
def test_the_table_and_the_schemas_fit_together(revision: str) -> None:
    """A type that is in one of them only would not be evaluated for parent, order, identity and sums."""
    assert gaps(CONTRACTS[revision]) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_text_is_added_up_by_a_rule(revision: str) -> None:
    evaluated = {case.rule for case in cases(revision)}
    assert {one.checked_by for one in CONTRACTS[revision].table.texts} <= evaluated


def test_the_scenario_that_causes_an_event_is_there() -> None:
    here = context(REVISIONS[-1])
    assert {one.caused_by for one in here.contract.table.events} <= set(here.scenarios)


NEW = "response.output_text.extra"
FILE = "2026-06-24/contract.toml"


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """A copy of the revisions, for types to be added to."""
    return shutil.copytree(schema_dir(), tmp_path / "schemas")


def added(family: Path, path: str, like: str, kind: str) -> None:
    """One more schema, made like another; its type is in no row."""
    schema = json.loads((family / REVISIONS[0] / like).read_text(encoding="utf-8"))
    schema["$id"] = schema["$id"].replace(like, path)
    schema["properties"]["type"]["const"] = kind
    (family / REVISIONS[0] / path).write_text(json.dumps(schema), encoding="utf-8")


def missing(family: Path) -> list[str]:
    contracts.cache_clear()
    try:
        return gaps(contracts(family)[REVISIONS[0]])
    finally:
        contracts.cache_clear()


@pytest.mark.parametrize(
    ("path", "like", "kind", "said"),
    [
        (f"events/{NEW}.json", "events/response.output_text.delta.json", NEW,
         f"event type {NEW} has a schema, and is no [[event]] of {FILE}: its order, parent and identity"),
        ("items/note.json", "items/message.json", "note",
         f"item type note has a schema, and is the item of no [[text]] of {FILE}: its sums"),
        ("parts/note.json", "parts/output_text.json", "note",
         f"part type note has a schema, and is the part of no [[text]] of {FILE}: its sums"),
    ],
)  # fmt: skip
def test_a_type_in_the_schemas_only_is_reported(family: Path, path: str, like: str, kind: str, said: str) -> None:
    added(family, path, like, kind)
    assert missing(family) == [f"{said} are not checked"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('[[event]]\ntype = "response.extra"\nstep = "begin"\n',
         ["event type response.extra is in 2026-06-24/contract.toml, but has no schema",
          "3 event types have the step begin, expected 1 or 2"]),
        ('[[text]]\nname = "summary"\nshown = "summary"\nitem = "message"\npart = "summary_text"\n',
         ["part type summary_text is in 2026-06-24/contract.toml, but has no schema",
          "text summary has no event of the step delta: its sums are not checked",
          "text summary has no event of the step done: its sums are not checked",
          "text summary names no rule in checked_by: its deltas are not added up"]),
    ],
)  # fmt: skip
def test_a_row_without_its_schema_is_reported(family: Path, rows: str, said: list[str]) -> None:
    file = family / REVISIONS[0] / "contract.toml"
    file.write_text(file.read_text(encoding="utf-8") + rows, encoding="utf-8")
    assert missing(family) == said


def test_an_event_without_the_members_of_its_step_is_reported(family: Path) -> None:
    """By these its parent and its identity are evaluated."""
    added(family, f"events/{NEW}.json", "events/response.created.json", NEW)
    file = family / REVISIONS[0] / "contract.toml"
    row = f'[[event]]\ntype = "{NEW}"\nstep = "mark"\ntext = "text"\n'
    file.write_text(file.read_text(encoding="utf-8") + row, encoding="utf-8")
    names = ("item_id", "output_index", "content_index")
    assert missing(family) == [f"event {NEW} has the step mark, and its schema has no {name}" for name in names]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('type = "a"\nstep = "middle"\n', "event a: step is 'middle', expected one of begin, end, open-item"),
        ('type = "a"\nstep = "delta"\n', "event a: text is '', expected one of arguments, reasoning, text"),
        ('type = "a"\nstep = "end"\ntext = "text"\n', "event a: text is 'text', expected none"),
        ('type = "a"\nstep = "mark"\ntext = "text"\nmember = "b"\n', "event a: member is 'b'; a delta and a done"),
        ('type = "a"\nsteps = "end"\n', "unexpected keyword argument 'steps'"),
    ],
)
def test_a_row_that_is_not_well_formed_is_one_line(family: Path, row: str, said: str) -> None:
    file = family / REVISIONS[0] / "contract.toml"
    file.write_text(file.read_text(encoding="utf-8") + f"[[event]]\n{row}", encoding="utf-8")
    with pytest.raises(ValueError, match="is not well formed") as caught:
        missing(family)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
