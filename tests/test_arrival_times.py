"""Times of arrival, and ends that a limit of ours made: a server is blamed only where the evidence is about it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest

from conformance.decode import events, sse
from conformance.exchange.exchange import Attempt, Chunk, Ended, Exchange, from_json, to_json
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case, Result, evaluate
from conformance.wire.lag import BEAT, Lag
from tools.in_process import Modified, cases, record

STREAM = "count.stream"


@cache
def good() -> Recorded:
    return record(None)


def result(rule: str, scenario: str, **changes: object) -> Result:
    """The verdict of a rule on a scenario's clean answer with these changes."""
    exchange = replace(good().received(scenario).exchange, **changes)
    return evaluate(case(rule, scenario), Modified(good(), {scenario: exchange}))


def case(rule: str, label: str) -> Case:
    return next(one for one in cases() if one.id == f"{rule}@{label}")


def arriving(times: Iterable[float], scenario: str = STREAM) -> tuple[Chunk, ...]:
    """The events of the clean stream, each at its time."""
    given = iter(times)
    exchange = good().received(scenario).exchange
    frames = sse.parse(exchange.chunks).frames
    return tuple(Chunk(next(given), exchange.body[one.start : one.end]) for one in frames)


def count() -> int:
    return len(events.decode(sse.parse(good().received(STREAM).exchange.chunks).frames)[0])


# -- the reader's lag -------------------------------------------------------------------------------------------------


def test_lag_is_what_a_busy_interpreter_makes_it() -> None:
    lag = Lag()
    lag.start()
    time.sleep(3 * BEAT)
    started = time.monotonic()
    sum(range(30_000_000))  # One call holds the interpreter: nothing else runs meanwhile.
    took = (time.monotonic() - started) * 1000
    assert lag.worst(started) > took / 2 - BEAT * 1000
    time.sleep(3 * BEAT)
    assert lag.worst(started) > took / 2 - BEAT * 1000


def test_lag_is_recorded_and_old_recordings_have_none() -> None:
    exchange = replace(good().received("text").exchange, lag_ms=12.5)
    document = to_json(exchange)
    assert from_json(document).lag_ms == 12.5
    del document["lag_ms"]
    assert from_json(document).lag_ms is None
    assert "lag_ms" not in to_json(replace(exchange, lag_ms=None))


# -- sse.incremental --------------------------------------------------------------------------------------------------


def test_events_that_come_one_by_one_pass_whatever_the_lag() -> None:
    chunks = arriving(5.0 * number for number in range(count()))
    for lag in (None, 0.0, 900.0):
        assert result("sse.incremental", STREAM, chunks=chunks, lag_ms=lag).verdict == "pass"


@pytest.mark.parametrize("opening", [0, 2])
def test_events_that_come_at_once_at_the_end_are_reported(opening: int) -> None:
    chunks = arriving([10.0] * opening + [2000.0 + number / 100 for number in range(count())])
    found = result("sse.incremental", STREAM, chunks=chunks, lag_ms=3.0)
    assert found.verdict == "warning"
    assert found.findings[0].message.startswith(f"{count() - 2} events were received within ")


def test_where_the_reader_was_late_it_is_inconclusive() -> None:
    chunks = arriving([2000.0] * count())
    found = result("sse.incremental", STREAM, chunks=chunks, lag_ms=350.0)
    assert found.verdict == "inconclusive"
    assert "this process read with a delay of up to 350 ms" in found.reason.text


def test_a_generation_under_a_second_is_not_evaluated() -> None:
    chunks = arriving([900.0] * count())
    assert result("sse.incremental", STREAM, chunks=chunks, lag_ms=0.0).verdict == "not-applicable"


def test_a_slow_prompt_before_a_fast_model_is_no_burst() -> None:
    chunks = arriving(8000.0 + number for number in range(count()))  # A thousand tokens a second.
    assert result("sse.incremental", STREAM, chunks=chunks, lag_ms=0.0).verdict == "pass"


def test_streams_of_tools_and_reasoning_have_a_case_too() -> None:
    labels = {one.label for one in cases() if one.rule == "sse.incremental"}
    assert {STREAM, "tools.call.stream", "effort.high.stream", "text.stream"} <= labels


# -- ends that a limit of ours made -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "detail"),
    [
        ("time-out", "headers, but no event of the model's output within 120 s"),
        ("time-out", "no byte for 30 s"),
        ("time-out", "the response took more than 180 s in all"),
        ("time-out", "still open 5 s after the terminal event"),
        ("oversize", "the body has more than 16000000 bytes (--max-body)"),
    ],
)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("scenario", ["text", "text.stream", "undocumented.store.stream", "bad.malformed-json"])
def test_no_must_fails_where_we_hung_up(scenario: str, kept: float, ended: Ended, detail: str) -> None:
    exchange = good().received(scenario).exchange
    body = exchange.body[: int(kept * len(exchange.body))]
    if scenario.endswith("stream") and kept < 1.0:  # A limit may pass within an event; what it cut is no finding.
        body = body[: body.rfind(b"\n\n") + 2] if b"\n\n" in body else b""
    cut = replace(exchange, chunks=(Chunk(1.0, body),) if body else (), ended=ended, detail=detail)
    spoilt = Modified(good(), {scenario: cut})
    failed = {one.id for one in cases() if scenario in one.scenarios and evaluate(one, spoilt).verdict == "fail"}
    assert failed == set()


def test_a_stream_that_goes_silent_is_a_warning_of_its_own() -> None:
    clean = good().received("text.stream").exchange
    silent = replace(clean, chunks=(Chunk(1.0, clean.body[:900]),), ended="time-out", detail="no byte for 30 s")
    found = evaluate(case("http.no-stall", "all"), Modified(good(), {"text.stream": silent}))
    assert (found.verdict, found.findings[0].message) == ("warning", "a response stalls: no byte for 30 s")
    late = replace(silent, lag_ms=4000.0)
    assert evaluate(case("http.no-stall", "all"), Modified(good(), {"text.stream": late})).verdict == "pass"


def _without_response(exchange: Exchange, ended: Ended, detail: str, elapsed: float = 0.0) -> Exchange:
    return replace(exchange, status=None, headers=(), chunks=(), ended=ended, detail=detail, elapsed=elapsed)


def test_no_response_is_a_warning_only_where_others_are_fast() -> None:
    name = "undocumented.store"
    clean = good().received(name).exchange
    hung = _without_response(clean, "time-out", "no response, or incomplete headers, within 120 s", 120_000.0)
    found = evaluate(case("http.no-stall", "all"), Modified(good(), {name: hung}))
    assert found.verdict == "warning"
    assert evaluate(case("undocumented.store", name), Modified(good(), {name: hung})).verdict == "inconclusive"
    others = {
        one: replace(exchange, chunks=tuple(Chunk(40_000.0, chunk.data) for chunk in exchange.chunks))
        for one in ("text", "count")
        for exchange in [good().received(one).exchange]
    }
    slow = evaluate(case("http.no-stall", "all"), Modified(good(), {name: hung, **others}))
    assert slow.verdict == "pass"


@pytest.mark.parametrize("ended", ["reset", "invalid"])
@pytest.mark.parametrize("name", ["auth.refused.api-key-wrong", "bad.malformed-json", "undocumented.store"])
def test_a_dropped_connection_is_reported_as_that(name: str, ended: Ended) -> None:
    dropped = _without_response(good().received(name).exchange, ended, "Server disconnected")
    spoilt = Modified(good(), {name: dropped})
    failed = {one.rule for one in cases() if name in one.scenarios and evaluate(one, spoilt).verdict == "fail"}
    assert failed == {"http.connection-not-dropped"}


# -- responses after which the request was retried ---------------------------------------------------------------------

ENVELOPE = b'{"error": {"message": "busy", "type": "limitation", "param": "", "code": "429"}}'
TRACE = b'{"error": {"message": "Traceback (most recent call last):\\n File"}}'


def retried(status: int, body: bytes, leaks: tuple[str, ...] = ()) -> Attempt:
    return Attempt(status, "clean", 0.2, (("content-type", "application/json"),), (Chunk(1.0, body),), "", leaks)


@pytest.mark.parametrize(
    ("attempt", "rule", "verdict"),
    [
        (retried(429, ENVELOPE), "error.envelope", "pass"),
        (retried(429, b"busy"), "error.envelope", "fail"),
        (retried(503, b"busy"), "error.envelope", "not-applicable"),  # The contract gives 4xx an envelope.
        (retried(429, ENVELOPE), "error.no-internals", "pass"),
        (retried(503, TRACE), "error.no-internals", "warning"),
        (retried(429, ENVELOPE, ("body, byte 7",)), "auth.key-never-echoed", "fail"),
        (retried(429, ENVELOPE), "auth.key-never-echoed", "pass"),
        (Attempt(429, "clean", 0.2), "error.envelope", "not-applicable"),  # A recording that did not keep it.
        (Attempt(None, "reset", 0.2), "error.no-internals", "not-applicable"),
    ],
)
def test_what_was_retried_is_evaluated(attempt: Attempt, rule: str, verdict: str) -> None:
    exchange = replace(good().received("text").exchange, attempts=(attempt,))
    assert evaluate(case(rule, "retried"), Modified(good(), {"text": exchange})).verdict == verdict


def test_a_wrong_key_in_a_response_that_is_retried_is_reported_as_a_wrong_key() -> None:
    name = "auth.refused.api-key-wrong"
    exchange = replace(good().received(name).exchange, attempts=(retried(429, ENVELOPE, ("body, byte 7",)),))
    spoilt = Modified(good(), {name: exchange})
    assert evaluate(case("auth.refusal-never-echoes-key", "retried"), spoilt).verdict == "fail"
    assert evaluate(case("auth.key-never-echoed", "retried"), spoilt).verdict == "not-applicable"


def test_a_last_429_is_evaluated_too() -> None:
    last = replace(good().received("text").exchange, status=429, chunks=(Chunk(1.0, b"<html>busy"),))
    spoilt = Modified(good(), {"text": last})
    assert evaluate(case("error.envelope", "retried"), spoilt).verdict == "fail"
    assert evaluate(case("error.no-internals", "retried"), spoilt).verdict == "warning"
