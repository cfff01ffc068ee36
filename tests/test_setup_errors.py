"""A target that is set up wrong, or lost on the way, is one line and exit code 2; nothing is blamed for it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.config.target import Misconfigured, resolve
from conformance.contract.revisions import DEFAULT
from conformance.emulator import Endpoint, Reply, serve
from conformance.emulator.faults import FAULTS
from conformance.engine.preflight import refusal_kind
from conformance.exchange.disappearance import disappearance
from conformance.exchange.exchange import WITHHELD, Attempt, Chunk, Exchange
from conformance.exchange.planned import OutgoingRequest
from conformance.exchange.run_directory import RunDirectory
from conformance.results import score
from conformance.wire.outage import Outage
from conformance.wire.presence import Presence
from conformance.wire.reach import reach
from tests.support.front import After, Front
from tests.support.running import KEY, lines_of, run
from tests.support.runs import exchange, line
from tests.support.stub import reply

Headers = Sequence[tuple[str, str]]
Received = Callable[[str, str, Headers, bytes], Reply]

UNKNOWN = b'{"error":{"message":"The model `mimo-v2.5-pro` does not exist","code":"model_not_found"}}'


class Door:
    """What an endpoint is to the emulator's server: answers by a function, and notes what was asked for."""

    def __init__(self, received: Received) -> None:
        self._answer = received
        self.asked: list[tuple[str, str]] = []

    def respond(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        self.asked.append((method, path))
        return self._answer(method, path, headers, body)


def given(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() in ("api-key", "authorization")), "")


def error(status: int, message: str) -> Reply:
    return reply(status, json.dumps({"error": {"message": message, "code": str(status)}}).encode())


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stdout + done.stderr
    assert "%" not in done.stdout
    assert KEY not in done.stdout + done.stderr
    return done.stderr


def evaluate(
    received: Received, folder: Path, *more: str, base: str = "/v1"
) -> tuple[subprocess.CompletedProcess[str], Door]:
    door = Door(received)
    with serve(door) as server:
        endpoint = server.url.removesuffix("/v1") + base
        done = run("--endpoint", endpoint, "--run-dir", str(folder), *more, checks=["http"])
    return done, door


# -- the path ----------------------------------------------------------------------------------------------------------


def only_below_v1(method: str, path: str, headers: Headers, body: bytes) -> Reply:
    return error(400, "no") if path == "/v1/responses" else error(404, "Not Found")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_base_without_v1_is_one_line(workers: str, tmp_path: Path) -> None:
    done, door = evaluate(only_below_v1, tmp_path / "run", "-n", workers, base="")
    said = one_line(done)
    assert "the Responses API is not at this path: " in said
    assert "the base URL does not end in /v1, and http" in said
    assert said.endswith("/v1/responses returns HTTP 400\n")
    assert len(door.asked) <= 10
    assert not (tmp_path / "run" / "results.jsonl").exists()
    again = run("--replay", str(tmp_path / "run"), "--run-dir", str(tmp_path / "again"), key=None, checks=["http"])
    assert one_line(again) == said


def test_a_recording_in_which_all_is_404_is_one_line(tmp_path: Path) -> None:
    evaluate(only_below_v1, tmp_path / "run", base="/api")
    head = json.loads((tmp_path / "run" / "run.json").read_text())
    del head["setup_error"]  # As in recordings of earlier versions.
    (tmp_path / "run" / "run.json").write_text(json.dumps(head))
    again = run("--replay", str(tmp_path / "run"), "--run-dir", str(tmp_path / "again"), key=None, checks=["http"])
    assert "the Responses API is not at this path: " in one_line(again)


def test_a_server_without_the_responses_api_is_told_from_a_wrong_base(tmp_path: Path) -> None:
    def chat_only(method: str, path: str, headers: Headers, body: bytes) -> Reply:
        return reply(200, b'{"data":[]}') if path == "/v1/models" else reply(405, b"")

    said = one_line(evaluate(chat_only, tmp_path / "run")[0])
    assert "received HTTP 405" in said
    assert "/v1/models returns HTTP 200, so the base URL is valid" in said


# -- the key -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_nothing_accepts_is_one_line_without_it(status: int, tmp_path: Path) -> None:
    def refuse(method: str, path: str, headers: Headers, body: bytes) -> Reply:
        return error(status, f"Invalid key {given(headers)}\n\x1b[31mgo away")

    done, door = evaluate(refuse, tmp_path / "run")
    said = one_line(done)
    assert f"received HTTP {status} (Invalid key" in said
    assert "the key in MIMO_API_KEY is not accepted, sent as api-key and Authorization: Bearer" in said
    assert "\x1b" not in said
    assert len(door.asked) <= 8


@pytest.mark.parametrize("fault", ["auth.api-key-not-accepted", "auth.bearer-not-accepted"])
def test_a_server_that_takes_the_other_header_is_evaluated(fault: str, tmp_path: Path) -> None:
    with serve(Endpoint(key=KEY, behaviour=FAULTS[fault])) as server:
        arguments = ("--endpoint", server.url, "--only", f"{FAULTS[fault].rules[0]}@*", "--run-dir", str(tmp_path))
        done = run(*arguments, checks=["auth"])
    assert done.returncode == 1, done.stdout + done.stderr


def test_where_only_refusals_are_expected_a_key_that_nothing_accepts_is_one_line_too(tmp_path: Path) -> None:
    """A refusal says nothing of a wrong key where the right one is refused alike."""

    def refuse(method: str, path: str, headers: Headers, body: bytes) -> Reply:
        return error(401, "Invalid key")

    door = Door(refuse)
    with serve(door) as server:
        only = ("--only", "auth.missing-key-refused", "--run-dir", str(tmp_path))
        done = run("--endpoint", server.url, *only, checks=["auth"])
    assert "sent as api-key and Authorization: Bearer" in one_line(done)
    assert len(door.asked) == 2


# -- the model ---------------------------------------------------------------------------------------------------------


def test_an_unknown_model_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    def unknown(method: str, path: str, headers: Headers, body: bytes) -> Reply:
        listed = json.dumps({"data": [{"id": f"model-{number}"} for number in range(11)] + [{}, 3]}).encode()
        return reply(200, listed) if path == "/v1/models" else reply(404, UNKNOWN)

    said = one_line(evaluate(unknown, tmp_path / "run")[0])
    assert "the endpoint does not serve the model 'mimo-v2.5-pro'" in said
    assert "/v1/models lists model-0, model-1," in said
    assert "model-7 and 3 more: set one with --model" in said


HOSTILE = {
    "huge": reply(200, b'{"data":["' + b"x" * 3_000_000 + b'"]}'),
    "deep": reply(200, b'{"data":' + b"[" * 900_000),
    "other": reply(200, b'"models"'),
    "silent": Reply(200, "OK", [], [], ending="stall"),
    "gone": Reply(200, "OK", [], [], ending="reset"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_list_of_models_does_not_hold_the_line_up(kind: str, tmp_path: Path) -> None:
    def unknown(method: str, path: str, headers: Headers, body: bytes) -> Reply:
        return HOSTILE[kind] if path == "/v1/models" else reply(404, UNKNOWN)

    started = time.monotonic()
    said = one_line(evaluate(unknown, tmp_path / "run")[0])
    assert said.endswith("; set another one with --model\n")
    assert time.monotonic() - started < 40


# -- no error ----------------------------------------------------------------------------------------------------------


ONE_THING: dict[str, Callable[[bytes, Headers], bool]] = {
    "only without thinking": lambda body, headers: b'"effort":"none"' not in body,
    "only streams": lambda body, headers: b'"stream":true' in body,
    "only plain with bearer": lambda body, headers: (
        b'"stream":true' not in body and given(headers).startswith("Bearer")
    ),
    "only arrays": lambda body, headers: b'"input":[' in body,
}


@pytest.mark.parametrize("name", ONE_THING)
@pytest.mark.parametrize("status", [404, 401])
def test_a_server_that_serves_one_kind_of_request_is_evaluated(name: str, status: int, tmp_path: Path) -> None:
    endpoint = Endpoint(key=KEY)

    def received(method: str, path: str, headers: Headers, body: bytes) -> Reply:
        served = ONE_THING[name](body, headers)
        return endpoint.respond(method, path, headers, body) if served else error(status, "No")

    done, door = evaluate(received, tmp_path / "run")
    # Where only streams are served, all that can be is sent streaming; no rule about HTTP is violated.
    assert done.returncode == (6 if name == "only streams" else 1), done.stdout + done.stderr
    assert len(door.asked) > 50


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"<html>", "path"),
        (405, b"", "path"),
        (200, b"\n<!-- 1 --><html><title>Sign in</title>", "page"),
        (200, b"{}", ""),
        (503, b"", "away"),
        (401, b"", "key"),
        (402, b"", "balance"),
        (403, b'{"error":"no"}', "key"),
        (404, UNKNOWN, "model"),
        (400, b'{"error":{"message":"Unknown model: x"}}', "model"),
        (401, b'{"error":{"message":"key not allowed to access model. models available: a"}}', "model"),
        (400, b'{"error":{"message":"model x is not supported"}}', "model"),
        (400, b'{"error":{"message":"The model does not support reasoning"}}', ""),
        (400, b'{"error":{"message":"reasoning.effort: invalid value"}}', ""),
        (429, b'{"error":{"message":"model not found"}}', ""),
        (200, b'{"model":"not found"}', ""),
        (500, b"", ""),
    ],
)
def test_how_a_request_was_refused(status: int, body: bytes, kind: str) -> None:
    assert refusal_kind(exchange("one", body, status=status)) == kind


# -- an endpoint that goes away ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "workers"), [("close", "0"), ("close", "2"), ("reset", "0"), ("hang", "2")])
def test_an_endpoint_that_goes_away_is_told_and_not_blamed(after: After, workers: str, tmp_path: Path) -> None:
    with Front(40, after) as front:
        arguments = ("--endpoint", front.url, "--run-dir", str(tmp_path / "run"), "-n", workers)
        done = run(*arguments, "--first-byte-timeout", "1.5", checks=["errors"])
    assert done.returncode == 2, done.stdout + done.stderr
    (said,) = done.stderr.splitlines()
    assert said.startswith("conformance: the endpoint stopped responding at ")
    assert " UTC, after " in said
    assert "% " not in done.stdout
    *cases, end = lines_of(tmp_path / "run")[1:]
    assert (end["exit"], f"conformance: {end['stopped']}") == (2, said)
    verdicts = {one["id"]: one["verdict"] for one in cases}
    assert verdicts["error.endpoint-survives@good.last"] == "inconclusive"
    assert "fail" not in verdicts.values()
    again = run("--replay", str(tmp_path / "run"), "--run-dir", str(tmp_path / "again"), key=None, checks=["errors"])
    assert (again.returncode, again.stderr) == (2, done.stderr)


class Scripted:
    """A sender of these exchanges, one after another."""

    def __init__(self, *exchanges: Exchange) -> None:
        self.left = list(exchanges)
        self.sent: list[str] = []

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        self.sent.append(outgoing.scenario)
        return self.left.pop(0)

    def stop(self) -> None: ...

    def close(self) -> None: ...


def outgoing(name: str) -> OutgoingRequest:
    return OutgoingRequest(f"{name}-000000000000", name, 0, "POST", b"{}", "api-key", (), 4)


def presence(sender: Scripted, folder: Path, endpoint: str) -> Presence:
    made = RunDirectory(folder)
    made.locks.mkdir(parents=True, exist_ok=True)
    return Presence(sender, resolve({"endpoint": endpoint}, {}, "nonce", None), made, lambda seconds: sender)


def test_a_server_that_closes_connections_of_bad_requests_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.wire.presence._RECENT", 0.0)
    resets = [lost(number, "reset") for number in range(2, 7)]
    sender = Scripted(at(1), *resets[:3], at(4), *resets[3:], at(8))
    with serve(Endpoint(key=KEY)) as server:
        here = presence(sender, tmp_path, server.url)
        ended = [here.send(outgoing(name)).ended for name in ("good", "bad1", "bad2", "bad3", "bad4", "bad5", "last")]
    assert ended == ["clean", *["reset"] * 5, "clean"]
    assert sender.sent == ["good", "bad1", "bad2", "bad3", "good", "bad4", "bad5", "last"]


def test_a_request_that_hangs_does_not_make_the_server_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.wire.presence._RECENT", 0.0)
    sender = Scripted(at(1), lost(2, "time-out"), at(3), lost(4, "time-out"), lost(5, "reset"), at(6))
    with serve(Endpoint(key=KEY)) as server:
        here = presence(sender, tmp_path, server.url)
        ended = [here.send(outgoing(name)).ended for name in ("good", "bad1", "bad2")]
    assert ended == ["clean", "time-out", "time-out"]
    assert sender.sent == ["good", "bad1", "good", "bad2", "good", "good"]


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        ([200, 502, 503, 502, 200, 200], ["good", "bad", "good", "good", "good", "bad"]),  # The server restarts.
        ([200, 502, 200, 400], ["good", "bad", "good", "next"]),  # The request is the cause.
        ([200, 500, 200, 400], ["good", "bad", "good", "next"]),
        ([200, 404, 404, 502, 200, 200], ["good", "bad", "good", "good", "good", "bad"]),  # A deployment.
    ],
)
def test_a_gateway_whose_server_is_away_is_no_response_to_a_request(
    statuses: list[int], sent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.wire.outage._LOOK", 0.0)
    sender = Scripted(*(replace(at(number), status=status) for number, status in enumerate(statuses)))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    here.send(outgoing("good"))
    bad = here.send(outgoing("bad"))
    if sent[-1] == "next":
        here.send(replace(outgoing("next"), may_be_refused=True))
    assert (sender.sent, bad.status) == (sent, 200 if sent[-1] == "bad" else statuses[1])
    assert [one.status for one in bad.attempts] == ([statuses[1]] if bad.status == 200 else [])


def test_a_server_that_loads_its_model_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.wire.outage._LOOK", 0.0)
    sender = Scripted(*(at(number, 503) for number in range(3)), at(4), at(5))
    first = presence(sender, tmp_path, "http://127.0.0.1:9/v1").send(outgoing("first"))
    assert (first.status, [one.status for one in first.attempts], sender.sent) == (200, [503], ["first"] * 5)


def test_a_maintenance_page_is_no_response_to_any_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.wire.outage._LOOK", 0.05)
    monkeypatch.setattr("conformance.wire.outage._PATIENCE", 0.2)
    monkeypatch.setattr("conformance.wire.outage._CERTAIN", 0.2)
    page = b"<!DOCTYPE html><title>We will be back soon</title>"
    chunks = (Chunk(0.0, page),)
    sender = Scripted(at(1), *(replace(at(number), chunks=chunks) for number in range(2, 20)))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    here.send(outgoing("good"))
    refused = replace(outgoing("bad"), may_be_refused=True)  # A 200 to a request that must be refused.
    assert here.send(refused).detail == (
        f"{WITHHELD}the endpoint responds to every request with HTTP 200 and an HTML page since s2"
    )


def test_a_control_request_is_never_one_that_was_sent_before() -> None:
    """A server may refuse a duplicate, and a cache responds for one that is gone."""
    sent: list[bytes] = []

    class Counting(Scripted):
        def send(self, outgoing: OutgoingRequest) -> Exchange:
            sent.append(outgoing.body)
            return super().send(outgoing)

    body = b'{"model":"m","input":"Say a word.","stream":true}'
    here = Outage(DEFAULT, lambda: Counting(at(1)), threading.Event())
    for _ in range(2):
        here.lasts(replace(outgoing("good"), body=body), outgoing("bad"), at(2, 400), 0.0)
    assert sent == [body.replace(b"word.", b"word." + b" " * number) for number in (1, 2)]
    sent.clear()
    here.lasts(replace(outgoing("good"), body=b'{"model":"m","input":[]}'), outgoing("bad"), at(2, 400), 0.0)
    assert sent == [b'{"model":"m","input":[]}']


def test_requests_that_are_reset_together_are_sent_again(tmp_path: Path) -> None:
    """As by a server that restarts: the control request is served before they are sent again."""
    both = threading.Barrier(2)

    class Restarting(Scripted):
        def send(self, outgoing: OutgoingRequest) -> Exchange:
            self.sent.append(outgoing.scenario)
            if outgoing.scenario == "good" or self.sent.count(outgoing.scenario) > 1:
                return at(1)
            both.wait(10)
            return lost(2, "reset")

    sender = Restarting()
    with serve(Endpoint(key=KEY)) as server:
        here = presence(sender, tmp_path, server.url)
        here.send(outgoing("good"))
        with ThreadPoolExecutor() as pool:
            received = list(pool.map(here.send, map(outgoing, ("one", "two"))))
    assert [one.status for one in received] == [200, 200]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 500, 503])
def test_a_refusal_of_every_request_is_no_response_to_any(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.wire.outage._LOOK", 0.05)
    monkeypatch.setattr("conformance.wire.outage._PATIENCE", 0.2)
    monkeypatch.setattr("conformance.wire.outage._CERTAIN", 0.2)
    sender = Scripted(at(1), *(at(number, status) for number in range(2, 20)))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    good, first, later = (here.send(outgoing(name)) for name in ("good", "first", "later"))
    assert set(sender.sent) == {"good", "first"}  # The control request is the first one.
    why = f"{WITHHELD}the endpoint responds to every request with HTTP {status} since s2"
    assert (good.status, first.detail, later.detail) == (200, why, why)
    assert [one.status for one in first.attempts] == [status]
    found = disappearance([good, first, later])
    assert found is not None
    assert found.says == (
        f"the endpoint responds to every request with HTTP {status} since 14:13:22 UTC, "
        "after 1 response (the last was s1); first was the first of these"
    )


@pytest.mark.parametrize(
    ("auth", "statuses", "sent"),
    [
        ("api-key", [200, 401, 200], ["good", "bad", "good"]),  # The request is the cause.
        ("api-key", [200, 401, 401, 200], ["good", "bad", "good", "good"]),  # The server locks keys out for a while.
        ("api-key:wrong", [200, 401], ["good", "bad"]),
    ],
)
def test_a_refused_key_is_evaluated_where_a_valid_one_is_accepted_later(
    auth: str, statuses: list[int], sent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.wire.outage._LOOK", 0.0)
    sender = Scripted(*(at(number, status) for number, status in enumerate(statuses)))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    here.send(outgoing("good"))
    refused = here.send(replace(outgoing("bad"), auth=auth))
    assert (refused.status, refused.attempts, sender.sent) == (401, (), sent)


def test_a_form_that_is_always_denied_costs_few_control_requests(tmp_path: Path) -> None:
    sender = Scripted(at(0), *(at(number, status) for number, status in enumerate([403, 200] * 3 + [403] * 5)))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    here.send(outgoing("good"))
    assert [here.send(outgoing(f"bad{number}")).status for number in range(8)] == [403] * 8
    assert sender.left == []


@pytest.mark.parametrize(
    ("statuses", "sent", "received"),
    [
        ([200, 429, 200, 429, 200], ["good", "one", "one", "two", "two"], [200, 200]),
        ([200, 429, 429, 429], ["good", "one", "one", "two"], [429, 429]),  # It did not help: not once more.
    ],
)
def test_a_limit_of_a_minute_is_awaited(
    statuses: list[int], sent: list[str], received: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.wire.rate_window.MINUTE", 0.0)
    sender = Scripted(*(at(number, status) for number, status in enumerate(statuses)))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    here.send(outgoing("good"))
    one, two = here.send(outgoing("one")), here.send(outgoing("two"))
    assert ([one.status, two.status], sender.sent) == (received, sent)
    assert [attempt.status for attempt in one.attempts] == [429]


@pytest.mark.parametrize(("auth", "headers"), [("bearer:wrong", ()), ("api-key", (("retry-after", "1"),))])
def test_no_minute_is_awaited_for_an_invalid_key_or_beside_retry_after(
    auth: str, headers: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    sender = Scripted(at(1), replace(at(2, 429), headers=headers))
    here = presence(sender, tmp_path, "http://127.0.0.1:9/v1")
    here.send(outgoing("good"))
    assert here.send(replace(outgoing("busy"), auth=auth)).attempts == ()


def test_workers_share_what_they_know_of_the_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.wire.presence._BLOCKED", 0.0)
    monkeypatch.setattr("conformance.wire.presence._RECENT", 0.0)
    with serve(Endpoint(key=KEY)) as server:
        one = presence(Scripted(at(1), *(lost(number, "time-out") for number in (2, 3, 4))), tmp_path, server.url)
        other_sender = Scripted(at(1))
        other = presence(other_sender, tmp_path, server.url)
        assert one.send(outgoing("good")).ok
        assert one.send(outgoing("culprit")).ended == "time-out"
        withheld = other.send(outgoing("next"))
    assert withheld.detail.endswith("no response since s2")  # The scenario of the exchange.
    assert other_sender.sent == []


def test_a_request_that_met_a_restart_is_sent_again(tmp_path: Path) -> None:
    sender = Scripted(at(1), replace(lost(2), attempts=(Attempt(None, "reset", 0.2),)), at(3))
    with serve(Endpoint(key=KEY)) as server:
        here = presence(sender, tmp_path, server.url)
        here.send(outgoing("good"))
        exchange = here.send(outgoing("next"))
    assert exchange.status == 200
    assert [one.ended for one in exchange.attempts] == ["reset", "unreachable"]


SENT = 1_790_000_000.0


def at(second: float, status: int | None = 200, ended: str = "clean", detail: str = "") -> Exchange:
    made = exchange(f"key-{second}", b"{}", status=status, ended=ended, detail=detail)
    return replace(made, scenario=f"s{second:g}", sent_at=SENT + second)


def lost(second: float, ended: str = "unreachable", detail: str = "refused") -> Exchange:
    return at(second, None, ended, detail)


def test_when_an_endpoint_disappeared() -> None:
    found = disappearance([lost(5), at(1), lost(4), at(2), lost(1.5, "reset")])
    assert found is not None
    assert (found.since, found.scenario, found.responses, found.last) == (SENT + 4, "s4", 2, "s2")
    assert found.says == (
        "the endpoint stopped responding at 14:13:24 UTC, after 2 responses (the last was s2); "
        "s4 was the first without a response"
    )


def test_the_first_attempt_is_the_moment() -> None:
    tried = replace(lost(5), attempts=(Attempt(None, "reset", 0.2), Attempt(None, "unreachable", 0.6)))
    found = disappearance([at(1), tried])
    assert found is not None
    assert found.since == pytest.approx(SENT + 4.2)


@pytest.mark.parametrize(
    "exchanges",
    [
        [],
        [at(1), at(2)],
        [at(1), lost(2), at(3)],
        [at(1), lost(2, "reset")],
        [at(1), lost(2, "time-out", "no answer in 120 s")],
        [at(1), lost(2, "not-sent", WITHHELD + "--max-requests (1) reached")],
    ],
)
def test_an_endpoint_that_did_not_disappear(exchanges: list[Exchange]) -> None:
    assert disappearance(exchanges) is None


def test_one_that_answers_to_nothing_connects_or_resets() -> None:
    withheld = lost(3, "not-sent", WITHHELD + "the endpoint stopped responding at 12:00:00 UTC")
    assert disappearance([at(1), lost(2, "reset"), withheld]) is not None
    assert disappearance([at(1), lost(2, "time-out", "ConnectTimeout after 10.0 s")]) is not None


# -- the score ---------------------------------------------------------------------------------------------------------


def test_a_level_that_is_mostly_unknown_has_no_percentage() -> None:
    lines = [line(f"a.b@{number}", "pass") for number in range(3)]
    unknown = [line(f"a.c@{number}", "inconclusive") for number in range(3)]
    (half,) = score.scores([*lines, *unknown, line("a.d@n", "not-applicable")])
    assert (half.percent, half.mostly_inconclusive) == ("100 %", False)
    may = line("m.b@1", "pass", level="MAY")
    must, recorded = score.scores([*lines, *unknown, line("a.c@4", "inconclusive"), line("a.c@5", "inconclusive"), may])
    assert (must.percent, must.mostly_inconclusive) == ("", True)
    assert (recorded.percent, recorded.mostly_inconclusive) == ("", True)  # The run as a whole is.


# -- waiting for the endpoint ------------------------------------------------------------------------------------------


def test_wait_waits_until_connections_are_accepted() -> None:
    endpoint = Endpoint(key=KEY)
    with serve(endpoint) as server:
        url, port = server.url, int(server.url.rsplit(":", 1)[1].partition("/")[0])
    with pytest.raises(Misconfigured, match="cannot connect to"):
        reach(resolve({"endpoint": url}, {}, "nonce", None))
    servers = []
    timer = threading.Timer(1.0, lambda: servers.append(serve(endpoint, port=port)))
    timer.start()
    reach(resolve({"endpoint": url}, {"CONFORMANCE_WAIT": "20"}, "nonce", None))
    timer.join()
    servers[0].close()


def test_wait_ends_with_one_line() -> None:
    done = run("--endpoint", "http://127.0.0.1:9/v1", "--wait", "1")
    assert "cannot connect to http://127.0.0.1:9/v1 after 1 s (--wait): Connection refused" in one_line(done)
