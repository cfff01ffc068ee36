"""Hostile endpoints: whatever one sends, or does not send, each exchange ends in time and says how."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.config.target import resolve
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import OutgoingRequest
from conformance.wire import deadlines
from conformance.wire import receive as module
from conformance.wire.client import Client
from tests.support.hostile import CHUNKED, DELTA, JSON, STREAM, WIRE, forever, nastiest, says, silent
from tests.support.rawserver import Peer, RawServer, Script, chunk, head, received
from tests.test_plugin import lines_of, pytest_run

LIMITS = {"first-byte-timeout": 0.4, "read-timeout": 0.4, "total-timeout": 0.9, "max-body": 300_000}


@contextmanager
def serving(*scripts: Script) -> Iterator[RawServer]:
    server = RawServer(*scripts)
    try:
        yield server
    finally:
        server.close()


def planned(url: str, **more: float) -> Exchange:
    limits = {**LIMITS, **{name.replace("_", "-"): value for name, value in more.items()}, "endpoint": url}
    client = Client(resolve(limits, {}, "nonce", None), "sk-canary-4f7a91c2e8d05b63")
    try:
        return client.send(OutgoingRequest("key", "scenario", 0, "POST", b'{"stream":true}', "api-key", (), 1))
    finally:
        client.close()


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.3)


@pytest.mark.parametrize("name", WIRE)
def test_every_way_to_break_the_wire_ends_in_an_exchange(name: str) -> None:
    script, ended, status = WIRE[name]
    with serving(script) as server:
        started = time.monotonic()
        got = planned(server.url)
        took = time.monotonic() - started
    assert got.ended in ended
    assert status is None or got.status == status
    assert got.detail or got.ended == "clean"
    assert took < 4, "its own time, and that of a busy machine"
    assert sum(len(one.data) for one in got.chunks) < 40_000_000


@pytest.mark.parametrize(
    ("script", "limits", "says"),
    [
        (silent(), {"first_byte_timeout": 0.1}, "no response, or incomplete headers, within 0.1 s"),
        (forever(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.01), {"first_byte_timeout": 0.1}, "incomplete headers, within 0.1"),
        (
            forever(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.01),
            {"total_timeout": 0.1},
            "the response took more than 0.1 s in all",
        ),
        (silent(head(STREAM)), {"first_byte_timeout": 0.1}, "no event of the model's output within 0.1 s"),
        (silent(head(JSON, "Content-Length: 9")), {"first_byte_timeout": 0.1}, "no byte of the body within 0.1 s"),
        (silent(head(STREAM, CHUNKED) + chunk(DELTA)), {"read_timeout": 0.1}, "no byte for 0.1 s"),
        (forever(head(STREAM), b":\n", 0.01), {"total_timeout": 0.1}, "the response took more than 0.1 s in all"),
    ],
)
def test_each_limit_is_named_when_it_passes(script: Script, limits: dict[str, float], says: str) -> None:
    with serving(script) as server:
        got = planned(server.url, **limits)
    assert (got.ended, says in got.detail) == ("time-out", True)
    assert 100 <= got.elapsed < 2000


def test_a_long_thought_before_the_first_byte_is_no_silence_in_the_body() -> None:
    def script(peer: Peer) -> None:
        time.sleep(0.3)
        peer.send(head(JSON, "Content-Length: 2") + b"{}")

    with serving(script) as server:
        assert planned(server.url, read_timeout=0.1, first_byte_timeout=2).ended == "clean"


def test_what_one_answer_sends_too_much_is_not_the_next_one() -> None:
    surplus = b'HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n{"more":"rubbish"}'
    with serving(says(head("Content-Length: 2") + b"{}" + surplus), received(b"[]")) as server:
        target = resolve({"endpoint": server.url}, {}, "nonce", None)
        client = Client(target, "key-1234")
        outgoing = OutgoingRequest("key", "scenario", 0, "POST", b"{}", "api-key", (), 1)
        got = [client.send(outgoing) for _ in range(3)]
        client.close()
    assert [(one.status, one.body) for one in got] == [(200, b"{}"), (200, b"[]"), (200, b"[]")]


def test_a_flood_of_single_bytes_is_kept_in_few_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "FLOOD", 10)
    with serving(says(head(STREAM, CHUNKED) + chunk(b":") * 5000 + chunk(b""))) as server:
        got = planned(server.url)
    assert (got.ended, got.body) == ("clean", b":" * 5000)
    assert len(got.chunks) < 100
    assert [one.at for one in got.chunks] == sorted(one.at for one in got.chunks)


def test_deflate_without_its_wrapper_is_read_as_clients_read_it() -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b'{"a":1}') + packer.flush()
    with serving(received(packed, "Content-Encoding: deflate")) as server:
        assert planned(server.url).body == b'{"a":1}'


#: The limits are short and small, so that time-outs pass and floods end soon.
_FEW = ("--first-byte-timeout", "0.2", "--read-timeout", "0.2", "--total-timeout", "0.3", "--max-body", "40000")


def _verdicts(server: RawServer, folder: Path, only: str, *more: str) -> dict[str, str]:
    run = pytest_run(
        "--endpoint", server.url, "--run-dir", str(folder), "--only", only, "--concurrency", "16", *_FEW, *more
    )
    assert run.returncode in (0, 1, 6), run.stdout + run.stderr
    assert "\x1b" not in run.stdout
    assert "Traceback" not in run.stdout + run.stderr
    lines = lines_of(folder / "results.jsonl")
    assert lines[-1]["kind"] == "end"
    assert set(lines[-1]["counts"]) <= {"pass", "fail", "warning", "inconclusive", "not-applicable"}
    return {line["id"]: line["verdict"] for line in lines if line["kind"] == "case"}


@pytest.mark.parametrize("script", [WIRE["interim answers, flood"][0], WIRE["chunks of one byte"][0], nastiest])
def test_a_run_against_the_nastiest_has_a_verdict_for_every_case(script: Script, tmp_path: Path) -> None:
    with serving(script) as server:
        found = _verdicts(server, tmp_path, "*@text*")
    assert len(found) > 100


def test_a_hostile_answer_costs_no_other_verdict(tmp_path: Path) -> None:
    """One request in two gets a flood, the others an honest refusal: these have the reason of the refusal."""
    error = {"message": "no", "type": "invalid_request_error", "param": "", "code": "400"}
    refusal = received(json.dumps({"error": error}).encode(), JSON, status="400 Bad Request")
    flood = forever(head(STREAM, CHUNKED), chunk(DELTA) * 100)

    def script(peer: Peer) -> None:
        (flood if b'"stream":true' in peer.request.replace(b" ", b"") else refusal)(peer)

    with serving(script) as server:
        found = _verdicts(server, tmp_path, "request.*")
    cases = [line for line in lines_of(tmp_path / "results.jsonl") if line["kind"] == "case"]
    assert len(cases) == len(found)
    assert sum("HTTP 400" in line["reason"] for line in cases) > 5  # What is not about streams is sent streaming.


def test_terminal_escapes_and_html_stay_text(tmp_path: Path) -> None:
    nasty = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\u202e\ud800"
    body = json.dumps({"id": nasty, "object": nasty, "status": nasty, "model": nasty, "output": [{"type": nasty}]})
    junit = ("--junit-xml", str(tmp_path / "junit.xml"), "--alluredir", str(tmp_path / "allure"), "-rs", "-v")
    with serving(received(body.encode(), JSON, f"X-{1}: \x1b[31m".replace("\x1b", "?"))) as server:
        _verdicts(server, tmp_path / "run", "*@text", *junit)
    assert "<script>" not in (tmp_path / "junit.xml").read_text(encoding="utf-8")
    left = [file.read_bytes() for file in (tmp_path / "allure").rglob("*") if file.is_file()]
    assert left
    assert not any(b"\x1b" in data for data in left)
