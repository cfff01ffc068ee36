"""A stream that the client closes in the middle: what is recorded, and what is evaluated of the request after it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from conformance.config.target import resolve
from conformance.decode.response import DoesNotApply, Received
from conformance.emulator import Endpoint, serve
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import Exchange, from_json, to_json
from conformance.exchange.planned import AFTER_CLOSED, CLOSED, MIDWAY, OutgoingRequest, on_new_connections
from conformance.judge.common import retried
from conformance.judge.verdict import Result, evaluate
from conformance.wire.client import Client
from tools.in_process import KEY, Modified, cases, clean, record

RULE = "http.served-after-closed-stream"
BODY = {"model": "mimo-v2.5-pro", "input": "Count from 1 to 300.", "max_output_tokens": 16}


def _bytes(**more: object) -> bytes:
    return json.dumps({**BODY, **more}).encode()


def _result(behaviour: str) -> Result:
    case = next(one for one in cases() if one.rule == RULE)
    return evaluate(case, record(FAULTS.get(behaviour) or VARIANTS[behaviour]))


def _sent(fault: str = "") -> Exchange:
    """A request over a socket, behind a stream that the client closes."""
    behaviour = FAULTS.get(fault) or VARIANTS.get(fault)
    with serve(Endpoint(key=KEY, event_ms=5, behaviour=behaviour)) as server:
        client = Client(resolve({"endpoint": server.url}, {}, "nonce", None), KEY)
        try:
            closes = _bytes(stream=True)
            return client.send(OutgoingRequest("one", "one", 0, "POST", _bytes(), "", (), 1, closes=closes))
        finally:
            client.close()


def test_what_fails_directly_after_the_stream_is_sent_again() -> None:
    exchange = _sent("http.closed-stream-breaks-next")
    assert exchange.status == 200
    assert [(one.status, one.detail.startswith(AFTER_CLOSED)) for one in exchange.attempts] == [
        (200, False),
        (500, True),
    ]


def test_the_stream_is_closed_at_its_first_output_and_recorded_as_an_attempt() -> None:
    exchange = _sent()
    (stream,) = exchange.attempts
    received = b"".join(chunk.data for chunk in stream.chunks)
    assert (exchange.status, exchange.ended, stream.status) == (200, "clean", 200)
    assert stream.detail == CLOSED + MIDWAY
    assert b"response.created" in received
    assert b"response.completed" not in received
    assert b"response.incomplete" not in received
    assert from_json(to_json(exchange)).attempts[0].detail == stream.detail


def test_a_compressed_stream_is_closed_at_its_first_output_too() -> None:
    exchange = _sent("framing.gzip")
    assert [(one.status, one.detail) for one in exchange.attempts] == [(200, CLOSED + MIDWAY)]


def test_the_closed_stream_is_no_attempt_of_the_request_after_it() -> None:
    exchange = clean().received("good.last").exchange
    assert [one.detail for one in exchange.attempts] == [CLOSED + MIDWAY]
    assert on_new_connections(exchange) == []
    with pytest.raises(DoesNotApply):
        retried(Received(exchange, "good.last"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("breaks-next", "HTTP 500 directly after a stream that the client closed, HTTP 200 when"),
        ("breaks-all", "HTTP 500 directly after a stream that the client closed, HTTP 500 when"),
        ("occupies-slot", "time-out directly after a stream that the client closed, time-out when"),
    ],
)
def test_a_server_that_does_not_recover_is_reported(fault: str, message: str) -> None:
    result = _result(f"http.closed-stream-{fault}")
    assert result.verdict == "warning"
    assert result.findings[0].message.startswith(message)


def test_a_busy_server_is_not_reported() -> None:
    result = _result("behaviour.closed-stream-occupies-slot-with-429")
    assert result.verdict == "inconclusive"
    assert "HTTP 429" in result.reason.text


def test_an_earlier_recording_is_inconclusive() -> None:
    case = next(one for one in cases() if one.rule == RULE)
    text = clean().received("text").exchange
    assert evaluate(case, Modified(clean(), {"good.last": text})).verdict == "inconclusive"


def test_a_stream_that_is_received_completely_cannot_be_closed() -> None:
    exchange = clean().received("good.last").exchange
    whole = replace(exchange, attempts=(replace(exchange.attempts[0], detail=CLOSED, ended="clean"),))
    case = next(one for one in cases() if one.rule == RULE)
    assert evaluate(case, Modified(clean(), {"good.last": whole})).verdict == "not-applicable"


def test_the_invalid_requests_are_not_blamed() -> None:
    case = next(one for one in cases() if one.rule == "error.endpoint-survives")
    result = evaluate(case, record(FAULTS["http.closed-stream-breaks-all"]))
    assert (result.verdict, result.findings) == ("inconclusive", ())
    assert AFTER_CLOSED not in result.reason.text
