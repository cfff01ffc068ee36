"""Memory against servers that send as much as is taken: what is kept, what is read again, what is never parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pytest

from benchmarks import hostile
from conformance.decode import memory_size, sse
from conformance.decode.json_text import MOST_VALUES, LimitExceeded, Reader, load
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Chunk, Exchange, from_json, to_json
from conformance.exchange.planned import PlannedRequest
from conformance.exchange.run_directory import RunDirectory
from conformance.judge import recorded as module
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Finding, merge
from conformance.scenarios.plan import Plan
from conformance.wire.deadlines import FEW, TRICKLE, PartialResponse
from conformance.wire.pool import Pool
from tools.in_process import context, record


def large(name: str, size: int) -> Exchange:
    """The recorded answer of a scenario with a text of so many characters."""
    exchange = record(None).received(name).exchange
    body = json.loads(exchange.body)
    body["output_text"] = body["output"][-1]["content"][0]["text"] = "x" * size
    return replace(exchange, chunks=(Chunk(1.0, json.dumps(body).encode()),))


# -- a run ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a Response of 15 MB", "15 MB of empty arrays"])
def test_a_run_against_large_bodies_stays_small_and_ends(name: str, tmp_path: Path) -> None:
    cost = hostile.run(name, tmp_path / "run", only="*@text*")
    assert cost.exit in (1, 6)
    assert cost.peak < hostile.MOST_MEMORY / 2
    assert sum(file.stat().st_size for file in (tmp_path / "run" / "exchanges").iterdir()) < 40_000_000


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_answers_are_dropped_when_others_need_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DECODED_BYTES", 3_000_000)
    clean, read = record(None), []
    names = ["text", "unicode", "count"]
    made = {name: large(name, 1_000_000) for name in names}
    plan = Plan(context(), context().scenarios)
    of = {plan.key_of[name]: name for name in names}

    def get_or_send(key: str) -> tuple[Exchange, ...]:
        read.append(of[key])
        return (made[of[key]],)

    recorded = Recorded(plan, get_or_send)
    responses = [recorded.received(name) for name in names]
    for received in responses:
        assert received.response["status"] == "completed"
    assert [("_json" in one.__dict__) for one in responses] == [False, False, True]
    assert all("body" not in one.exchange.__dict__ for one in responses[:2])
    assert responses[0].words == "x" * 1_000_000  # Decoded again when it is asked for.
    assert recorded.key("text") == made["text"].key
    recorded.received("unicode")
    assert read == [*names, "unicode"]
    assert clean.received("text").words


def test_large_exchanges_are_read_again_from_the_folder(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path)
    folder.create({}, "nonce", [], "either")
    small, big = large("text", 10), replace(large("text", 100_000), key="big")

    class Sender:
        def stop(self) -> None: ...

        def close(self) -> None: ...

        def send(self, outgoing: object) -> Exchange:
            return small if outgoing == "small" else big

    def planned(key: str) -> PlannedRequest:
        return PlannedRequest(key, (), lambda _: key, lambda _: None)  # type: ignore[arg-type, return-value]

    pool = Pool([planned("small"), planned("big")], folder, Sender(), 1)  # type: ignore[arg-type]
    small = replace(small, key="small")
    for key in ("small", "big"):
        assert pool.get_or_send(key)[-1].key == key
    assert pool.get_or_send("small")[-1] is pool.get_or_send("small")[-1]
    assert pool.get_or_send("big")[-1] is not pool.get_or_send("big")[-1]
    assert pool.get_or_send("big")[-1].body == big.body


def test_a_large_body_beyond_ascii_is_kept_as_base64() -> None:
    exchange = large("text", 2_000_000)
    chunks = (Chunk(0.0, "é".encode()), *exchange.chunks)
    document = to_json(replace(exchange, chunks=chunks))
    assert [type(data) for _, data in document["chunks"]] == [dict, str]
    assert from_json(json.loads(json.dumps(document))).chunks == chunks


def test_a_trickle_of_single_bytes_is_kept_in_few_chunks() -> None:
    taken = PartialResponse()
    for number in range(20 * TRICKLE):
        taken.add(number / 100, b"x")
    assert taken.size == 20 * TRICKLE
    assert len(taken.chunks) < TRICKLE + 20
    whole = PartialResponse()
    for number in range(5 * TRICKLE):
        whole.add(float(number), b"x" * FEW)
    assert len(whole.chunks) == 5 * TRICKLE


# -- what is not read -------------------------------------------------------------------------------------------------


def test_a_text_of_too_many_values_is_not_parsed() -> None:
    with pytest.raises(LimitExceeded, match="more than 500,000 values"):
        load("[" + "1," * MOST_VALUES + "1]")
    assert len(load("[" + "1," * (MOST_VALUES // 2) + "1]")) == MOST_VALUES // 2 + 1


def test_many_texts_together_may_hold_no_more_than_one() -> None:
    reader, text = Reader(), "[" + "1," * 90_000 + "1]"
    for _ in range(5):
        reader.load(text)
    with pytest.raises(LimitExceeded):
        reader.load(text)


def test_ordinary_events_never_reach_the_limit() -> None:
    reader = Reader()
    for number in range(30_000):
        assert reader.load(json.dumps({"type": "x", "sequence_number": number, "delta": "x", "logprobs": [{"a": [1]}]}))


def test_a_stream_of_too_many_small_events_is_not_read() -> None:
    chunks = (Chunk(0.0, b"data:{}\n\n" * 10_000),)
    assert sse.parse(chunks) == sse.Frames((), "", sse.ALWAYS)
    whole = (Chunk(0.0, b'data: {"type":"response.output_text.delta","delta":"x"}\n\n' * 10_000),)
    assert len(sse.parse(whole).frames) == 10_000
    received = Received(replace(record(None).received("text.stream").exchange, chunks=chunks), "text.stream")
    with pytest.raises(CannotEvaluate, match=r"more events than the limit of the suite \(2,000\)"):
        _ = received.events


def test_what_was_cut_by_us_says_so() -> None:
    exchange = replace(large("text", 10), ended="oversize", detail="more than 64,000 bytes")
    cut = replace(exchange, chunks=(Chunk(0.0, exchange.body[:50]),))
    with pytest.raises(CannotEvaluate, match="not received completely: more than 64,000 bytes"):
        _ = Received(cut, "text").json


# -- what is said of it -----------------------------------------------------------------------------------------------


def test_findings_hold_no_megabytes() -> None:
    found = Finding("x" * 1_000_000, "/" + "y" * 1_000_000)
    assert len(found.message) + len(found.pointer) < 5_000


def test_findings_of_a_flood_are_counted_and_not_kept() -> None:
    def words() -> Iterator[str]:
        for first in range(26):
            for second in range(26):
                yield "type " + chr(97 + first) * 3 + chr(97 + second) * 3

    merged = merge([Finding(word) for word in words()])
    assert len(merged) == 200
    assert sum(one.count for one in merged) == 26 * 26


def test_everything_that_is_decoded_is_discarded() -> None:
    """The data of a property that had been renamed was kept."""
    kept = {name for name, value in vars(Received).items() if isinstance(value, cached_property)}
    assert set(memory_size._DECODED) == kept - {"looks_like_stream"}
