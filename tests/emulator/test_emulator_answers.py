"""The default behaviour: what a right answer looks like, area by area."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from emulator_asks import (
    COMMON,
    CUSTOM,
    HISTORY,
    MODEL,
    NOW,
    QUIET,
    SPEECH,
    TWO_CALLS,
    body,
    endpoint,
    events,
    parsed,
    plain,
    post,
    refusal,
    returned,
    stream,
    tool,
)

PAGE_MEMBERS = [
    "id", "object", "created_at", "status", "error", "incomplete_details", "model", "metadata", "output",
    "output_text", "usage",
]  # fmt: skip


def text(response: dict[str, Any]) -> str:
    return str(response["output_text"])


def calls(response: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(one["name"], json.loads(one["arguments"])) for one in response["output"] if "arguments" in one]


def without_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [without_ids(one) for one in value]
    if isinstance(value, dict):
        return {name: without_ids(one) for name, one in value.items() if name not in ("id", "call_id")}
    return value


# --- the object


def test_a_response_has_the_members_of_the_page() -> None:
    reply = parsed(endpoint(), input="hello", reasoning=QUIET)
    assert reply.header("content-type") == "application/json"
    assert reply.header("date") == "Tue, 23 Jun 2026 11:54:19 GMT"
    assert reply.header("content-length") == str(len(reply.body))
    response = json.loads(reply.body)
    assert list(response) == PAGE_MEMBERS
    assert response["object"] == "response"
    assert response["created_at"] == int(NOW)
    assert response["model"] == MODEL
    assert response["status"] == "completed"
    assert [item["type"] for item in response["output"]] == ["message"]
    part = response["output"][0]["content"][0]
    assert part == {"type": "output_text", "text": text(response), "annotations": []}
    assert 12 <= len(text(response).split()) <= 25


def test_the_same_body_gets_the_same_answer_under_new_ids() -> None:
    server = endpoint()
    one, two = plain(server, **TWO_CALLS), plain(server, **TWO_CALLS)
    assert without_ids(one) == without_ids(two)
    ids = [response["id"] for response in (one, two)]
    ids += [item[name] for response in (one, two) for item in response["output"] for name in ("id", "call_id")
            if name in item]  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert [ident.partition("_")[0] for ident in ids[2:7]] == ["rs", "fc", "call", "fc", "call"]


def test_other_seeds_hand_out_other_ids() -> None:
    assert plain(endpoint(seed="a"))["id"] != plain(endpoint(seed="b"))["id"]


@pytest.mark.parametrize("request_", COMMON[:10])
def test_plain_and_stream_say_the_same(request_: tuple[str, str, Any, bytes]) -> None:
    members = {**json.loads(request_[3])}
    members.pop("stream", None)
    server = endpoint()
    last = stream(server, **members)[-1]["response"]
    assert without_ids(last) == without_ids(plain(server, **members))


def test_usage_adds_up_and_grows_with_the_input() -> None:
    short, long = plain(endpoint(), input="hi")["usage"], plain(endpoint(), input="hi " * 400)["usage"]
    assert short["total_tokens"] == short["input_tokens"] + short["output_tokens"]
    assert short["input_tokens_details"] == {"cached_tokens": 0}
    assert 0 < short["output_tokens_details"]["reasoning_tokens"] < short["output_tokens"]
    assert long["input_tokens"] > short["input_tokens"] + 200
    told = plain(endpoint(), input="hi", instructions="Be kind. " * 20)["usage"]
    tooled = plain(endpoint(), input="hi", tools=[tool()])["usage"]
    assert min(told["input_tokens"], tooled["input_tokens"]) > short["input_tokens"] + 20


# --- what the model says


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"input": 'Repeat exactly: "a b"'}, "a b"),
        ({"input": SPEECH}, "“grüße”  \n and 小米 \n\n bye now"),
        ({"input": "Please count from 8 to 11."}, "8, 9, 10, 11"),
        ({"input": HISTORY}, "The codeword is plum."),
        ({"input": "What is the codeword?", "instructions": "The codeword is quince."}, "The codeword is quince."),
        ({"input": "What is the codeword?"}, "I do not know any codeword."),
        ({"input": returned("12 degrees")}, "The tool answered: 12 degrees"),
        ({"input": returned([{"type": "input_text", "text": "12 degrees"}])}, "The tool answered: 12 degrees"),
    ],
)
def test_texts_the_tests_of_a_suite_need(members: dict[str, Any], said: str) -> None:
    assert text(plain(endpoint(), **members)) == said


def test_half_a_surrogate_pair_does_not_break_the_answer() -> None:
    raw = body(input="Repeat exactly: a\ud800b")
    assert json.loads(endpoint().respond(*post(raw)).body)["output_text"] == "a\ufffdb"


def test_a_json_object_is_one() -> None:
    wanted = {"format": {"type": "json_object"}}
    assert isinstance(json.loads(text(plain(endpoint(), text=wanted))), dict)
    assert text(plain(endpoint(), text=wanted, input='Repeat exactly: {"a": 1}')) == '{"a": 1}'


def test_thinking_is_on_unless_the_effort_is_none() -> None:
    for effort, thinks in ((None, True), ("low", True), ("ultra", True), ("none", False)):
        reasoning = {"effort": effort} if effort else None
        response = plain(endpoint(), reasoning=reasoning)
        kinds = [item["type"] for item in response["output"]]
        assert kinds == (["reasoning", "message"] if thinks else ["message"])
        assert bool(response["usage"]["output_tokens_details"]["reasoning_tokens"]) is thinks
        seen = {event["type"] for event in stream(endpoint(), reasoning=reasoning)}
        assert ("response.reasoning_text.delta" in seen) is thinks


# --- tools


def test_a_function_is_called_as_often_as_it_is_named() -> None:
    response = plain(endpoint(), **TWO_CALLS)
    expected = [("get_weather", {"city": city, "days": 2}) for city in ("Paris", "Rome")]
    assert calls(response) == expected
    assert text(response) == ""


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"required": [], "properties": {"a": {"type": "number"}}}, {"a": 1}),
        ({"required": ["a"], "properties": {"a": {"enum": ["x", "y"]}, "b": {}}}, {"a": "x"}),
        ({"required": ["a"], "properties": {"a": {"type": ["null", "boolean"]}}}, {"a": True}),
        ({"required": ["a"], "properties": {"a": {"type": "array", "items": {"const": 3}, "minItems": 2}}},
         {"a": [3, 3]}),
        ({"required": ["a"], "properties": {"a": {"$ref": "#/$defs/n"}},
          "$defs": {"n": {"type": "integer", "exclusiveMinimum": 6, "multipleOf": 5}}}, {"a": 10}),
        ({"required": ["a"], "properties": {"a": {"anyOf": [{"type": "object", "properties": {
            "city": {"type": "string"}}}]}}}, {"a": {"city": "example"}}),
        ({"required": ["a"], "properties": {"a": {"type": "string", "minLength": 9, "maxLength": 9}}},
         {"a": "exampleee"}),
    ],
)  # fmt: skip
def test_arguments_fit_the_schema(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    response = plain(endpoint(), tools=[tool(**schema)], input="Use get_weather")
    assert calls(response) == [("get_weather", arguments)]


def test_nothing_is_called_that_was_not_declared_and_named() -> None:
    for members in (
        {"input": "Use get_weather"},
        {"input": "Use get_weather_now", "tools": [tool()]},
        {"input": "Hello", "tools": [tool()]},
    ):
        assert [item["type"] for item in plain(endpoint(), **members)["output"]] == ["reasoning", "message"]


def test_custom_and_namespaced_tools_of_october() -> None:
    response = plain(endpoint(), **CUSTOM, reasoning=QUIET)
    assert response["output"][0]["type"] == "custom_tool_call"
    assert response["output"][0]["input"] == "to write: buy milk"
    seen = stream(endpoint(), **CUSTOM, reasoning=QUIET)
    assert [event["input"] for event in seen if event["type"].endswith("input.done")] == ["to write: buy milk"]
    space = {"type": "namespace", "name": "crm", "description": "x", "tools": [tool("lookup")]}
    call = plain(endpoint(), tools=[space], input="lookup Ada", reasoning=QUIET)["output"][0]
    assert (call["name"], call["namespace"]) == ("lookup", "crm")
    early = parsed(endpoint(revision="2026-06-24"), **CUSTOM)
    assert refusal(early)["code"] == "responses_feature_not_supported"


# --- caps


@pytest.mark.parametrize("members", [{"input": SPEECH}, TWO_CALLS, {"input": "x", "reasoning": QUIET}])
def test_a_cap_cuts_exactly_and_only_when_it_must(members: dict[str, Any]) -> None:
    server = endpoint()
    whole = plain(server, **members)
    needed = whole["usage"]["output_tokens"]
    assert plain(server, **members, max_output_tokens=needed)["status"] == "completed"
    for cap in range(1, needed):
        response = plain(server, **members, max_output_tokens=cap)
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["error"] is None
        assert response["usage"]["output_tokens"] == cap
        last = stream(server, **members, max_output_tokens=cap)[-1]
        assert last["type"] == "response.incomplete"
        assert without_ids(last["response"]) == without_ids(response)


# --- streams


@pytest.mark.parametrize("request_", [one for one in COMMON if json.loads(one[3]).get("stream")])
def test_a_stream_is_in_order_and_adds_up(request_: tuple[str, str, Any, bytes]) -> None:
    reply = endpoint().respond(*request_)
    assert reply.header("content-type") == "text/event-stream"
    assert (reply.framing, reply.ending) == ("chunked", "clean")
    assert all(data.endswith(b"\n\n") and data.count(b"\n\n") == 1 for _, data in reply.chunks)
    seen = list(events(reply))
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert [event["type"] for event in seen[:2]] == ["response.created", "response.in_progress"]
    for event in seen[:2]:
        shot = event["response"]
        assert (shot["status"], shot["output"], shot["usage"]) == ("in_progress", [], None)
        assert [shot[name] for name in ("id", "model", "created_at")] == [
            seen[-1]["response"][name] for name in ("id", "model", "created_at")
        ]
    output = seen[-1]["response"]["output"]
    assert [event["item"] for event in seen if event["type"] == "response.output_item.done"] == output
    for index, item in enumerate(output):
        mine = [event for event in seen if event.get("output_index") == index]
        assert all(event.get("item_id", item["id"]) == item["id"] for event in mine)
        assert mine[0]["item"]["status"] == "in_progress"
        deltas = [event["delta"] for event in mine if event["type"].endswith(".delta")]
        held = item.get("arguments", item.get("input")) or "".join(part["text"] for part in item.get("content", ()))
        assert "".join(deltas) == held
        assert len(deltas) > 1
        order = [event["type"].removeprefix("response.") for event in mine]
        order = [one for one, following in pairwise([*order, ""]) if one != following]
        assert (order[0], order[-1]) == ("output_item.added", "output_item.done")
        assert len(order) == len(set(order))


def test_done_events_of_arguments_name_the_function() -> None:
    seen = stream(endpoint(), **TWO_CALLS)
    names = [one["name"] for one in seen if one["type"] == "response.function_call_arguments.done"]
    assert names == ["get_weather", "get_weather"]


def test_waits_are_part_of_the_reply() -> None:
    waits = [wait for wait, _ in parsed(endpoint(first_byte_ms=30, event_ms=2), stream=True).chunks]
    assert waits == [30] + [2] * (len(waits) - 1)
