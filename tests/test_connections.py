"""Requests on the connection of an earlier one: what is recorded, and the case that evaluates it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.config.target import resolve
from conformance.emulator import Endpoint, Reply, serve
from conformance.emulator.faults import FAULTS
from conformance.emulator.shapes import Header
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import Exchange, from_json, to_json
from conformance.exchange.planned import ON_KEPT, OutgoingRequest
from conformance.judge.verdict import Case, evaluate
from conformance.wire.client import Client
from tests.support.running import lines_of, run
from tools.in_process import KEY, Modified, cases, clean, context, record

BODY = json.dumps({"model": "mimo-v2.5-pro", "input": "Say hello.", "max_output_tokens": 16}).encode()


def _two_requests(behaviour: str, auth: str) -> Exchange:
    """The second of two requests: the first has this credential, and its connection is to be kept."""
    made = FAULTS.get(behaviour) or VARIANTS.get(behaviour)
    with serve(Endpoint(key=KEY, behaviour=made)) as server:
        client = Client(resolve({"endpoint": server.url}, {}, "nonce", None), KEY)
        try:
            client.send(OutgoingRequest("first", "first", 0, "POST", BODY, auth, (), 1, keeps=True))
            return client.send(OutgoingRequest("second", "second", 0, "POST", BODY, "", (), 1, on="first"))
        finally:
            client.close()


@pytest.mark.parametrize("auth", ["api-key", "api-key:wrong"])
def test_the_second_request_is_sent_on_the_connection_of_the_first(auth: str) -> None:
    second = _two_requests("", auth)
    assert (second.status, second.connection, second.attempts) == (200, "first", ())
    assert from_json(to_json(second)).connection == "first"


def test_a_connection_that_the_server_closes_is_not_reused() -> None:
    second = _two_requests("framing.connection-close", "api-key")
    assert (second.status, second.connection, second.attempts) == (200, "", ())


def test_a_body_behind_head_is_read_as_the_next_response() -> None:
    with serve(Endpoint(key=KEY, behaviour=FAULTS["http.head-has-a-body"])) as server:
        client = Client(resolve({"endpoint": server.url}, {}, "nonce", None), KEY)
        try:
            client.send(OutgoingRequest("first", "first", 0, "HEAD", b"", "api-key", (), 1, keeps=True))
            second = client.send(OutgoingRequest("second", "second", 0, "POST", BODY, "", (), 1, on="first"))
        finally:
            client.close()
    assert second.status == 200
    assert [(one.ended, one.detail.startswith(ON_KEPT)) for one in second.attempts] == [("invalid", True)]


def test_what_fails_on_it_is_sent_again_on_a_new_connection() -> None:
    second = _two_requests("http.refused-key-leaves-body-unread", "api-key:wrong")
    assert (second.status, second.connection) == (200, "")
    assert [(one.status, one.detail.startswith(ON_KEPT)) for one in second.attempts] == [(400, True)]


def test_a_refusal_that_the_contract_allows_is_not_sent_again() -> None:
    with serve(Endpoint(key=KEY)) as server:
        client = Client(resolve({"endpoint": server.url}, {}, "nonce", None), KEY)
        try:
            client.send(OutgoingRequest("first", "first", 0, "POST", BODY, "", (), 1, keeps=True))
            bad = OutgoingRequest("second", "second", 0, "POST", b"{}", "", (), 1, on="first", may_be_refused=True)
            second = client.send(bad)
        finally:
            client.close()
    assert (second.status, second.connection, second.attempts) == (400, "first", ())


def test_good_and_bad_requests_follow_each_other_on_one_connection() -> None:
    here, recorded = context(), clean()
    kinds = [(one.after or "", name) for name, one in here.scenarios.items() if one.reuses]
    served = {tuple(recorded.received(name).exchange.ok for name in pair) for pair in kinds}
    assert served == {(True, True), (True, False), (False, True)}
    equal = [pair for pair in kinds if len({recorded.received(name).exchange.request.body for name in pair}) == 1]
    assert equal == [("auth.bearer", "auth.lower-scheme"), ("auth.authorization", "auth.refused.bearer-prefix")]


class Trusting:
    """An endpoint that checks the key only until a valid one was received on the connection."""

    base = "/v1"

    def __init__(self) -> None:
        self._endpoint = Endpoint(key=KEY)
        self._of_connection = threading.local()  # The server has a thread for each.

    def respond(self, method: str, path: str, headers: Sequence[Header], body: bytes) -> Reply:
        reply = self._endpoint.respond(method, path, headers, body)
        if reply.status == 401 and hasattr(self._of_connection, "trusted"):
            return self._endpoint.respond(method, path, [*_without_keys(headers), ("api-key", KEY)], body)
        if reply.status == 200:
            self._of_connection.trusted = True
        return reply


def _without_keys(headers: Sequence[Header]) -> list[Header]:
    return [pair for pair in headers if pair[0].lower() not in ("authorization", "api-key")]


def test_a_key_that_is_checked_once_for_each_connection_is_reported(tmp_path: Path) -> None:
    with serve(Trusting()) as server:
        run("--endpoint", server.url, "--run-dir", str(tmp_path / "run"), key=KEY, checks=["auth"])
    failed = {line["id"]: line for line in lines_of(tmp_path / "run") if line.get("verdict") == "fail"}
    assert set(failed) == {"auth.almost-right-key-refused@auth.refused.bearer-prefix"}
    (found,) = failed.popitem()[1]["findings"]
    assert found["want"] == "401, also behind the valid key of auth.authorization on one connection"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("stream-stays", "an event stream for a request without stream: true, only on the connection of effort.none"),
        ("plain-stays", "no event stream for a request with stream: true, only on the connection of effort.none"),
        ("tools-stay", "a call although the request declares no tool, only on the connection of tools.no-arguments"),
        ("effort-stays", "no reasoning at effort low, only on the connection of effort.none"),
    ],
)
def test_what_stays_of_the_request_before_is_reported(fault: str, message: str) -> None:
    result = evaluate(_of_state(), record(FAULTS[f"http.{fault}-on-connection"]))
    assert result.verdict == "fail"
    assert result.findings[0].message.startswith(message)


def test_one_response_without_reasoning_proves_nothing() -> None:
    recorded = record(FAULTS["http.effort-stays-on-connection"])
    second = clean().received("effort.medium").exchange
    assert evaluate(_of_state(), Modified(recorded, {"effort.medium": second})).verdict == "pass"


def test_what_a_new_connection_shows_too_is_not_of_the_connection() -> None:
    assert evaluate(_of_state(), record(FAULTS["sse.absent-streams"])).verdict == "pass"


def _of_state() -> Case:
    return next(one for one in cases() if one.id == "http.connection-reusable@state")


def test_without_a_kept_connection_the_rule_does_not_apply() -> None:
    case = next(one for one in cases() if one.id == "http.connection-reusable@kept")
    exchanges = {name: clean().received(name).exchange for name in case.scenarios}
    assert sum(bool(one.connection) for one in exchanges.values()) >= 8
    closed = {name: replace(one, connection="") for name, one in exchanges.items()}
    assert evaluate(case, clean()).verdict == "pass"
    assert evaluate(case, Modified(clean(), closed)).verdict == "not-applicable"


def test_the_error_of_another_request_is_named(tmp_path: Path) -> None:
    """With one request at a time the next one after the unknown model is sent on its connection."""
    with serve(Endpoint(key=KEY, behaviour=FAULTS["request.refused-model-stays"])) as server:
        folder = tmp_path / "run"
        run("--endpoint", server.url, "--concurrency", "1", "--run-dir", str(folder), key=KEY, checks=["connections"])
    (failed,) = [line for line in lines_of(folder) if line.get("verdict") == "fail"]
    (found,) = failed["findings"]
    assert found["message"].startswith(
        "HTTP 400 on the connection of bad.unknown-model, HTTP 200 on a new one; the error is that of bad.unknown-model"
    )
