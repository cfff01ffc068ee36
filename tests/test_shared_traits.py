"""What all refused requests of a run have, and no served one: it is named in place of what the scenario is about."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from conformance.exchange.exchange import Chunk, Exchange, Request
from conformance.judge.request_traits import traits
from conformance.results.causes import causes
from conformance.results.plain_words import refused_in_words
from conformance.results.records import CaseRecord, FindingRecord
from conformance.results.shared_traits import with_traits
from tests.support.lines import case

HEADERS = (("Content-Type", "application/json"),)

#: Members of requests that are served; every run has some of each.
SERVED: list[dict[str, Any]] = [
    {"input": "hello"},
    {"input": [{"role": "user", "content": "hello"}], "stream": True},
    {"input": "hello", "tools": [{"type": "function", "name": "a", "parameters": {}}], "stream": True},
    {"input": "hello", "reasoning": {"effort": "low"}},
    {"input": "hello 天", "tool_choice": "auto"},
    {"input": "hello", "instructions": "\U0001f44d"},
    {"input": "hello", "reasoning": {"effort": "high"}, "stream": True},
    {"input": [{"type": "message", "role": "user", "content": "a"}], "stream": True, "tools": []},
    {"input": [
        *({"type": "function_call", "call_id": one, "name": "a", "arguments": "{}"} for one in "ab"),
        *({"type": "function_call_output", "call_id": one, "output": "x"} for one in "ab"),
    ]},
] * 4  # fmt: skip


def exchange(key: str, sent: dict[str, Any], status: int = 200, message: str = "", param: str = "") -> Exchange:
    body = json.dumps({"error": {"message": message, "param": param}} if message else {}).encode()
    request = Request("POST", "http://127.0.0.1:9/v1/responses", HEADERS, json.dumps(sent).encode())
    return Exchange(key, key, 1, request, status, HEADERS, (Chunk(1, body),), "clean", "", 0, 1)


def named(message: str, *refused: dict[str, Any], rule: str = "request.tools-accepted@tools.long-name") -> CaseRecord:
    """The case of a request that is refused with a message, beside the others that are."""
    run = {f"served-{place}": exchange(f"served-{place}", sent) for place, sent in enumerate(SERVED)}
    run |= {f"refused-{place}": exchange(f"refused-{place}", sent, 400, message) for place, sent in enumerate(refused)}
    line = case(rule, "fail", f"received HTTP 400: {message}")
    line = replace(line, findings=(replace(line.findings[0], exchange="refused-0", want=200),))
    return with_traits([line], list(run), run.get)[0]


def tool(**more: Any) -> dict[str, Any]:
    return {"type": "function", "name": "a", "parameters": {"type": "object"}, **more}


@pytest.mark.parametrize(
    ("message", "refused", "words"),
    [
        ("strict must be true", [{"tools": [tool(name="z" * 64, strict=False, description="x")]}],
         "strict: false in a tool"),
        ("KeyError: 'required'", [{"tools": [tool(name="z" * 64, parameters={"properties": {"a": {"type": "null"}}})],
          "input": [{"role": "system", "content": "x"}]}, {"tools": [tool(strict=True)], "input": "x"}], ""),
        ("effort low is not supported", [{"input": "hello", "reasoning": {"effort": "low"}, "stream": True}],
         'reasoning.effort "low" and stream: true'),
        ("tool_choice auto needs a parser", [{"input": "a", "tools": [tool(parameters={})], "tool_choice": "auto"}],
         "tool_choice and tools"),
        ("too many", [{"input": "hello", "stream": True, "tools": [tool(name="a", parameters={})] * 2}],
         "two tools with the same name"),
        ("too many", [{"input": "hello", "tools": [tool(name=one, parameters={}) for one in ("aa", "bb")]}],
         "more than 1 tools"),
        ("at most 40 characters", [{"input": "hello", "tools": [tool(name="a1-" * 20, parameters={})]}],
         "at least 60 characters in the name of a tool (served: up to 1)"),
        ("surrogates not allowed", [{"input": "a\x00b \ud83d"}], "an unpaired surrogate"),
        ("items must follow their calls", [{"input": [
            *({"type": "function_call", "call_id": one, "name": "a", "arguments": "{}"} for one in "ab"),
            *({"type": "function_call_output", "call_id": one, "output": "x"} for one in "ba")]}],
         "tool outputs in another order than their calls"),
        ("Illegal sequence", [{"input": "hello \U0001f600"}],
         "a character of four bytes, such as an emoji, in the input"),
        ("input is required", [{"input": [{"type": "message", "role": "user", "content": "a"},
                                          {"role": "user", "content": "a"}]}],
         "a message without type beside items with a type"),
    ],
)  # fmt: skip
def test_what_only_the_refused_requests_have_is_found(message: str, refused: list[dict[str, Any]], words: str) -> None:
    assert named(message, *refused).findings[0].trait == words


def test_the_cause_is_called_by_what_is_refused() -> None:
    line = named("strict must be true", {"tools": [tool(strict=False)]})
    assert refused_in_words(line) == "a request with strict: false in a tool is refused with 400: strict must be true"


def test_what_is_refused_in_several_words_is_one_cause() -> None:
    """The server's words quote the request."""
    run = {f"served-{place}": exchange(f"served-{place}", sent) for place, sent in enumerate(SERVED)}
    lines = []
    for name in ("get_weather", "ping"):
        message = f"tool {name} is not strict"
        run[name] = exchange(name, {"tools": [tool(name=name, strict=False)]}, 400, message)
        line = case(f"request.tools-accepted@{name}", "fail", f"received HTTP 400: {message}")
        lines.append(replace(line, findings=(replace(line.findings[0], exchange=name, want=200),)))
    other, first = with_traits(lines, list(run), run.get)
    assert (first.cause, other.cause) == ("", first.id)


def test_what_is_refused_for_different_traits_is_two_causes() -> None:
    run = {f"served-{place}": exchange(f"served-{place}", sent) for place, sent in enumerate(SERVED)}
    lines = []
    for message, sent in (("strict must be true", tool(strict=False)), ("no enum", tool(parameters={"enum": [1]}))):
        run[message] = exchange(message, {"tools": [sent]}, 400, message)
        line = case(f"request.tools-accepted@{message}", "fail", f"received HTTP 400: {message}")
        lines.append(replace(line, findings=(replace(line.findings[0], exchange=message, want=200),)))
    assert [len(cause.cases) for cause in causes(with_traits(lines, list(run), run.get))] == [1, 1]
    assert [len(cause.cases) for cause in causes(lines)] == [2]


def test_the_reason_may_be_in_param() -> None:
    """As MiMo's service sends it; refusals with another one are others."""
    incomplete = {"input": [{"role": "assistant", "content": "a", "status": "incomplete"}]}
    run = {f"served-{place}": exchange(f"served-{place}", sent) for place, sent in enumerate(SERVED)}
    run["a"] = exchange("a", incomplete, 400, "Param Incorrect", "input[0].status is not supported")
    run["b"] = exchange("b", {"input": []}, 400, "Param Incorrect", "input is empty")
    line = case("turns.history-accepted@a", "fail", "received HTTP 400: Param Incorrect")
    line = replace(line, findings=(replace(line.findings[0], exchange="a", want=200),))
    (found,) = with_traits([line], list(run), run.get)
    assert found.findings[0].trait == "status incomplete of a message"


def test_a_line_that_is_about_it_stays() -> None:
    line = named("top_p is not supported", {"input": "hello", "top_p": 1.0}, rule="request.top_p-accepted@top_p=1.0")
    assert line.findings[0].trait == "top_p"
    assert refused_in_words(line) == "top_p=1.0 is refused with 400: top_p is not supported"


def test_the_trait_is_part_of_the_record() -> None:
    line = named("strict must be true", {"tools": [tool(strict=False)]})
    assert FindingRecord.from_json(line.findings[0].to_json()) == line.findings[0]


def test_a_run_with_few_served_requests_shows_nothing() -> None:
    run = {"refused-0": exchange("refused-0", {"tools": []}, 400, "no")}
    line = case("request.tools-accepted@tools.unused", "fail", "received HTTP 400: no")
    line = replace(line, findings=(replace(line.findings[0], exchange="refused-0"),))
    assert with_traits([line], list(run), run.get) == [line]


def test_traits_of_a_conversation() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
        {"type": "reasoning", "id": "rs_1", "content": []},
        {"type": "function_call", "call_id": "c", "name": "a", "arguments": "{"},
        {"type": "function_call_output", "call_id": "c", "output": "18"},
        {"type": "function_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "a"}]},
        {"role": "developer", "content": ""},
    ]
    found = traits(exchange("a", {"input": items}).request)
    assert {
        "several texts in a message of the role user", "a reasoning without summary", "an output without its call",
        "arguments of a call that are not a JSON object", "a tool output that is a JSON scalar",
        "a tool output as parts", "a system or developer message behind a user message", "a message without content",
        "a function_call right behind a reasoning",
    } <= found  # fmt: skip
