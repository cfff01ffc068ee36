"""Bytes of chance and bytes with changes, through decoding and judging: every case ends in a verdict, none raises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.decode.json_text import DEEPEST, MOST, Reader, load
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Chunk, Ended, Exchange, from_json, to_json
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case, evaluate
from conformance.results.results_file import case_record
from tests.support.runs import text_of
from tests.support.streams import chunks
from tools.in_process import Keeping, cases, clean, context

HOSTILE = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

ENDS: tuple[Ended, ...] = ("clean", "cut", "reset", "time-out", "oversize", "invalid")

#: Of each kind one: a plain answer, streams with text, reasoning and a call, and a refusal.
SUBJECTS = ("text", "text.stream", "effort.high.stream", "tools.call.stream", "tools.call", "bad.not-json")


@cache
def cases_of(scenario: str) -> tuple[Case, ...]:
    return tuple(case for case in cases() if scenario in case.scenarios)


class Modified(Recorded):
    """The good run, with another exchange for one scenario."""

    def __init__(self, scenario: str, exchange: Exchange) -> None:
        self._scenario, self._spoilt = scenario, Received(exchange, scenario)

    def key(self, scenario: str) -> str:
        return scenario

    def received(self, scenario: str) -> Received:
        return self._spoilt if scenario == self._scenario else clean().received(scenario)


def evaluated(scenario: str, pieces: Sequence[bytes], ended: Ended = "clean", status: int | None = 200) -> set[str]:
    """The verdicts of all that looks at this scenario, each written out as a run does it."""
    original = clean().received(scenario).exchange
    kept = tuple(Chunk(float(place), piece) for place, piece in enumerate(pieces))
    exchange = replace(original, chunks=kept, ended=ended, status=status)
    exchange = from_json(json.loads(json.dumps(to_json(exchange))))
    spoilt = Modified(scenario, exchange)
    found, examine = set(), Keeping()
    for case in cases_of(scenario):
        result = evaluate(case, spoilt, examine)
        found.add(result.verdict)
        json.dumps(case_record(result, spoilt, 0.0).to_json())
        if result.findings:
            assert "\x1b" not in text_of(result, spoilt, RunDirectory(Path("run")))
    return found


def scenarios() -> st.SearchStrategy[str]:
    return st.sampled_from([name for name in SUBJECTS if name in context().scenarios])


@given(st.lists(st.binary(max_size=80), max_size=6), scenarios(), st.sampled_from(ENDS), st.sampled_from([200, 400]))
@HOSTILE
def test_no_bytes_raise(pieces: list[bytes], scenario: str, ended: Ended, status: int) -> None:
    assert evaluated(scenario, pieces, ended, status) <= {"pass", "fail", "warning", "inconclusive", "not-applicable"}


@given(scenarios(), st.data())
@HOSTILE
def test_no_changed_bytes_raise(scenario: str, data: st.DataObject) -> None:
    body = bytearray(clean().received(scenario).exchange.body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        size = data.draw(st.integers(0, 30))
        new = data.draw(st.sampled_from([b"", b"\0", b"\xff", b"\r", b"\n\n", b"]", b"}", b'"', b"null", b"1e999999"]))
        body[at : at + size] = new
    evaluated(scenario, [bytes(body)], data.draw(st.sampled_from(ENDS)))


JSON_VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, -1, 2**63, 10**400, 1.5, float("inf"), "", "x", "\ud800", "\x1b[2J", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "text", "output", "error"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(scenarios(), st.data())
@HOSTILE
def test_no_value_in_the_place_of_another_raises(scenario: str, data: st.DataObject) -> None:
    """Any member of any event or body, and any number of them, holds something else."""
    received = clean().received(scenario)
    documents = [event.data for event in received.events] if received.looks_like_stream else [received.json]
    documents = json.loads(json.dumps(documents))
    for _ in range(data.draw(st.integers(1, 5))):
        holder = data.draw(st.sampled_from(documents))
        for _ in range(data.draw(st.integers(0, 5))):
            inner = [one for one in (holder.values() if isinstance(holder, dict) else holder) if one and _holds(one)]
            if not inner:
                break
            holder = data.draw(st.sampled_from(inner))
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if places:
            holder[data.draw(st.sampled_from(places))] = data.draw(JSON_VALUES)
    if received.looks_like_stream:
        written = [one if isinstance(one.get("type"), str) else {**one, "type": "x"} for one in documents]
        evaluated(scenario, [chunk.data for chunk in chunks(written)])
    else:
        evaluated(scenario, [json.dumps(documents[0]).encode()])


def _holds(value: object) -> bool:
    return isinstance(value, dict | list)


BODIES = {
    "brackets": b"[" * 200_000,
    "brackets closed": b"[" * 200_000 + b"]" * 200_000,
    "objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "just too deep": b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
    "digits": b'{"created_at":' + b"9" * 100_000 + b"}",
    "exponent": b'{"created_at":1e999999,"usage":{"input_tokens":-1e999999}}',
    "not a number": b'{"created_at":NaN,"output":[Infinity,-Infinity]}',
    "twice": b'{"id":"a","id":"b","output":[],"output":null}',
    "half a pair": rb'{"id":"\ud800","output":[{"type":"message","content":[{"type":"output_text","text":"\udfff"}]}]}',
    "half a pair in a delta": rb'data: {"type":"response.output_text.delta","delta":"\ud83d"}' + b"\n\n",
    "escapes": b'{"id":"\\u001b[2J\\u0007","model":"<script>alert(1)</script>","status":"\\u202e"}',
    "raw escapes": b"\x1b]0;owned\x07\x1b[2J<script>",
    "NUL": b"\0" * 1000,
    "not UTF-8": b'{"id":"\xff\xfe\xc3("}',
    "UTF-16": '{"id":"a"}'.encode("utf-16"),
    "million items": b'{"output":[' + b"{}," * 1_000_000 + b"{}]}",
    "hundred thousand numbers": b'{"output":[' + b"1," * 100_000 + b"1]}",
    "many names": b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b"}",
    "events of nothing": b"data:\n\n" * 5_000,
    "events of one byte": b"data:1\n\n" * 5_000,
    "lines": b"\n" * 100_000,
    "terminal events": b'data: {"type":"response.completed","response":{"output":[]}}\n\n' * 3_000,
    "every event another type": b"".join(b'data: {"type":"t%d"}\n\n' % number for number in range(3_000)),
    "DONE": b"data: [DONE]\n\n" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("scenario", ["text", "text.stream"])
def test_a_monstrous_body_is_judged(name: str, scenario: str) -> None:
    found = evaluated(scenario, [BODIES[name]])
    assert "fail" in found or "inconclusive" in found


@pytest.mark.parametrize("text", ["[" * 200_000, "[" * 500 + "]" * 500, "[" + "[]," * MOST + "1]", "NaN", "", "{"])
def test_what_is_too_much_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Reader().load(text)


def test_what_is_within_the_limits_is_read_as_it_stands() -> None:
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert json.dumps(load(deep)) == deep
    assert load("9" * 5000) == float("inf")
    assert load('{"a": [1, 2.5, true, null, "x"]}') == {"a": [1, 2.5, True, None, "x"]}
    assert load("[NaN]")[0] != load("[NaN]")[0]


def test_members_that_stand_twice_are_noted_once_each() -> None:
    reader = Reader()
    assert reader.load('{"a": 1, "b": {"c": 1, "c": 2, "c": 3}, "a": 2}') == {"a": 2, "b": {"c": 3}}
    assert sorted(reader.twice) == ["a", "c"]
    assert reader.load("{}") == {}
    assert reader.twice == ()


def test_a_body_that_is_no_json_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    received = Received(replace(clean().received("text").exchange, chunks=(Chunk(0.0, b"{"),)), "text")
    tried = []
    monkeypatch.setattr("conformance.decode.cannot_evaluate.load", lambda text: tried.append(text) or load(text))
    for _ in range(3):
        with pytest.raises(CannotEvaluate, match="the body is not JSON"):
            _ = received.json
    assert len(tried) == 1
