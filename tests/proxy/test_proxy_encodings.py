"""A text that a proxy encodes again is named so, and not by the first character that differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from both_sides import problems, recorded

from conformance.emulator.proxy.habit import Context, Habit
from conformance.proxy.evaluation import evaluate
from conformance.proxy.texts import changed_encoding

VALUE = '{"a": true, "b": [null, "c\\u00e9"]}'
PARTS = [{"type": "input_text", "text": "one "}, {"type": "input_text", "text": "two's"}]


@pytest.mark.parametrize(
    ("parts", "got", "words"),
    [
        ([VALUE], repr(json.loads(VALUE)), "the Python text of its JSON value"),
        ([VALUE], json.dumps(VALUE), "a JSON string"),
        (["12 °C"], json.dumps("12 °C"), "a JSON string"),
        (["12 °C"], repr("12 °C"), "a Python string"),
        (["one ", "two's"], json.dumps(PARTS), "the JSON of its content parts"),
        (["one ", "two's"], str(PARTS), "the Python text of its content parts"),
        ([VALUE], json.dumps(json.loads(VALUE)), ""),
        ([VALUE], VALUE[:-2], ""),
        (["[1, 2]"], "[1,2]", ""),
        (["5"], '"5', ""),
        (["a"], "b", ""),
        (["a"], "", ""),
        ([""], "None", ""),
        ([], "[]", ""),
    ],
)
def test_an_encoding_is_recognised(parts: list[str], got: str, words: str) -> None:
    assert changed_encoding(parts, got) == words


def _results(change: Callable[[str], str]) -> Callable[[Context, dict[str, Any]], dict[str, Any]]:
    def sent(_: Context, body: dict[str, Any]) -> dict[str, Any]:
        for one in body["messages"]:
            if one["role"] == "tool" and isinstance(one["content"], str):
                one["content"] = change(one["content"])
        return body

    return sent


def _python(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


@pytest.mark.parametrize(
    ("change", "words"), [(_python, "the Python text of its JSON value"), (json.dumps, "a JSON string")]
)
def test_a_tool_result_in_another_encoding_is_one_cause(change: Callable[[str], str], words: str) -> None:
    habit = Habit("encodes", "Encodes tool results.", sent=_results(change))
    found = problems(evaluate(recorded("chat", habit, ["request.*"])))
    assert [rule for rule in found if not rule.startswith("?")] == ["request.calls"]
    assert f": the encoding is changed to {words}: tool turn " in found["request.calls"]
