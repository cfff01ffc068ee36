"""A recording as an endpoint: the recorded answers in the recorded chunks, and an honest word for all else."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.emulator import Endpoint, Reply, serve
from conformance.emulator.faults import FAULTS
from conformance.engine.session import Session, run_head
from conformance.exchange.exchange import Chunk, Ended, Headers
from conformance.exchange.planned import OutgoingRequest
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.verdict import evaluate
from conformance.wire.client import Client
from conformance.wire.playback import Playback
from conformance.wire.replay import Recording, open_recording
from tests.support import forked
from tests.support.running import KEY, ROOT
from tools.in_process import cases, context, target

FOLDER = Path(__file__).parent / "recordings" / "format-1"
RECORDING = open_recording(FOLDER)
CALL = next(one for one in RECORDING.exchanges.values() if one.scenario == "tools.call")
STREAM = next(one for one in RECORDING.exchanges.values() if one.scenario == "tools.output.stream")
RIGHT = [("api-key", KEY), ("Content-Type", "application/json")]


def planned(body: bytes, headers: list[tuple[str, str]] = RIGHT, played: Playback | None = None) -> Reply:
    return (played or Playback(RECORDING, KEY)).respond("POST", "/v1/responses", headers, body)


def changed(**members: object) -> Recording:
    """The recording with its call changed."""
    one = replace(CALL, **members)  # type: ignore[arg-type]  # Whatever a test wants.
    return replace(RECORDING, exchanges={("0", 1): one})


def error(reply: Reply) -> dict[str, object]:
    document: dict[str, dict[str, object]] = json.loads(reply.body)
    return document["error"]


def test_the_recorded_answer_in_the_recorded_chunks() -> None:
    got = planned(STREAM.request.body)
    assert (got.status, got.framing, got.ending) == (200, "chunked", "clean")
    assert tuple(got.headers) == STREAM.headers
    assert [data for _, data in got.chunks] == [chunk.data for chunk in STREAM.chunks]
    assert {wait for wait, _ in got.chunks} == {0.0}


def test_waits_as_recorded_or_faster() -> None:
    chunks = tuple(Chunk(at, b"x") for at in (100.0, 150.0, 400.0))
    for speed, waits in ((1.0, [100.0, 50.0, 250.0]), (2.0, [50.0, 25.0, 125.0])):
        played = Playback(changed(chunks=chunks), KEY, speed)
        assert [wait for wait, _ in planned(CALL.request.body, played=played).chunks] == waits


def test_the_same_json_is_the_same_request() -> None:
    members = json.loads(CALL.request.body)
    other = json.dumps(dict(reversed(members.items())), indent=3).encode()
    assert other != CALL.request.body
    assert planned(other).body == CALL.body
    assert planned(json.dumps({**members, "max_output_tokens": True}).encode()).status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Authorization", f"Bearer {KEY}")], 200),
        ([("API-Key", KEY)], 200),
        ([("authorization", f"bearer {KEY}"), ("accept", "text/event-stream")], 200),
        ([("Authorization", f"Basic {KEY}")], 404),
        ([("api-key", KEY + "0")], 404),
        ([("api-key", KEY), ("Authorization", "Bearer no")], 404),
        ([], 404),
    ],
)
def test_the_kind_of_the_credential_matters(headers: list[tuple[str, str]], status: int) -> None:
    assert planned(CALL.request.body, headers).status == status


def test_what_is_not_recorded_is_told_with_what_is() -> None:
    body = json.dumps({**json.loads(CALL.request.body), "max_output_tokens": 7, "top_p": 0.5}).encode()
    said = error(planned(body))
    assert said["type"] == "not_recorded"
    assert said["recorded"] == ["tools.call", "tools.output.stream"]
    assert "(nearest is tools.call, which differs in max_output_tokens, top_p)" in str(said["message"])
    assert "a valid key is not in the recording" in str(said["message"])
    assert "an invalid credential is not" in str(error(planned(CALL.request.body, [("api-key", "no")]))["message"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 200_000, b'"x"'])
def test_no_body_breaks_it(body: bytes) -> None:
    assert error(planned(body))["type"] == "not_recorded"


def test_other_paths_are_not_recorded() -> None:
    played = Playback(RECORDING, KEY)
    assert played.respond("POST", "/v1/models", RIGHT, CALL.request.body).status == 404
    assert played.respond("GET", "/v1/responses", RIGHT, b"").status == 404
    assert played.respond("POST", "/any/base/responses?a=1", RIGHT, CALL.request.body).status == 200


def test_samples_come_in_turn() -> None:
    samples = [replace(CALL, sample=n, sent_at=float(n), chunks=(Chunk(0, b"%d" % n),)) for n in range(2)]
    recording = replace(RECORDING, exchanges={("0", n + 1): one for n, one in enumerate(samples)})
    played = Playback(recording, KEY)
    assert [planned(CALL.request.body, played=played).body for _ in range(3)] == [b"0", b"1", b"0"]


def test_a_request_is_told_from_its_like_by_its_headers() -> None:
    plain = replace(CALL, chunks=(Chunk(0, b"plain"),))
    auth = next(pair for pair in CALL.request.headers if pair[0] == "api-key")
    request = replace(CALL.request, headers=(("Content-Type", "text/plain"), auth))
    other = replace(CALL, request=request, chunks=(Chunk(0, b"other"),))
    played = Playback(replace(RECORDING, exchanges={("0", 1): plain, ("1", 1): other}), KEY)
    assert planned(CALL.request.body, played=played).body == b"plain"
    assert planned(CALL.request.body, [("api-key", KEY), ("content-type", "text/plain")], played).body == b"other"


_LENGTH: Headers = (("Content-Length", "9"),)


@pytest.mark.parametrize(
    ("headers", "data", "ended"),
    [
        ((("Transfer-Encoding", "chunked"),), b"some", "clean"),
        ((("Transfer-Encoding", "chunked"),), b"some", "cut"),
        ((("X-Framing", "none"),), b"some", "clean"),
        (_LENGTH, b"some", "cut"),
        (_LENGTH, b"whatever!", "clean"),
    ],
)
def test_what_was_recorded_is_recorded_again(headers: Headers, data: bytes, ended: Ended) -> None:
    recording = changed(headers=headers, chunks=(Chunk(0, data),), ended=ended)
    with serve(Playback(recording, KEY)) as server:
        client = Client(replace(target(), endpoint=server.url), KEY)
        got = client.send(OutgoingRequest("k", "s", 0, "POST", CALL.request.body, "api-key", (), 1))
        client.close()
    assert (got.status, got.ended, got.body) == (200, ended, data)


def test_a_reset_is_played_as_a_reset() -> None:
    played = Playback(changed(headers=_LENGTH, chunks=(Chunk(0, b"some"),), ended="reset"), KEY)
    assert (planned(CALL.request.body, played=played).ending, planned(CALL.request.body, played=played).body) == (
        "reset",
        b"some",
    )


def test_silence_is_played_as_silence() -> None:
    got = planned(
        CALL.request.body, played=Playback(changed(status=None, headers=(), chunks=(), ended="time-out"), KEY)
    )
    assert (got.ending, got.chunks) == ("stall", [])


def test_a_length_that_blanking_made_wrong_is_mended() -> None:
    got = planned(
        CALL.request.body, played=Playback(changed(headers=_LENGTH, chunks=(Chunk(0, b"longer than nine"),)), KEY)
    )
    assert got.header("content-length") == "16"


def test_where_no_answer_came_none_is_made_up() -> None:
    recording = changed(status=None, headers=(), chunks=(), ended="unreachable", detail="refused")
    got = planned(CALL.request.body, played=Playback(recording, KEY))
    assert (got.status, error(got)["type"]) == (502, "recorded_without_answer")
    assert "unreachable (refused)" in str(error(got)["message"])


def evaluated(url: str, path: Path) -> dict[str, str]:
    """The verdicts of a whole run against what answers there, recorded in that folder."""
    here = replace(context(), target=replace(target(), endpoint=url))
    session = Session(here, RunDirectory(path), KEY)
    session.folder.create(run_head(here.target, "live").to_json(), here.target.nonce, [], "either")
    session.start(cases())
    found = {case.id: evaluate(case, session.record()).verdict for case in cases()}
    session.close()
    return found


def test_a_run_against_a_played_run_gives_the_same_verdicts(tmp_path: Path) -> None:
    with serve(Endpoint(key=KEY, behaviour=FAULTS["lifecycle.no-in-progress"])) as server:
        first = evaluated(server.url, tmp_path / "first")
    with serve(Playback(open_recording(tmp_path / "first"), KEY)) as server:
        second = evaluated(server.url, tmp_path / "second")
    differs = {case for case in first if first[case] != second[case]}
    assert differs <= {"http.served-after-closed-stream@closed"}  # A recording does not contain all of that stream.
    assert {"pass", "fail"} <= set(first.values())


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "conformance", "serve", "--replay", str(FOLDER), "--log", str(tmp_path / "log")]
    started = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "MIMO_API_KEY": KEY}
    )
    try:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=20)
        connection.request("POST", "/v1/responses", STREAM.request.body, dict(RIGHT))
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, STREAM.body)
        connection.close()
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    finally:
        started.kill()
        started.communicate()
    assert json.loads((tmp_path / "log").read_text())["status"] == 200


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--replay", "no-such-folder"), "no-such-folder is not a recording: run.json is missing"),
        (("--replay", str(FOLDER), "--speed", "0"), "--speed is 0; expected a finite number greater than 0"),
        ((f"--replay={FOLDER}", "--port", "99999"), "port must be 0-65535"),
    ],
)
def test_what_cannot_be_served_is_one_line(words: tuple[str, ...], says: str) -> None:
    run = forked.run(["conformance", "serve", *words])
    assert run.returncode == 2
    assert run.stderr.startswith("conformance: ")
    assert len(run.stderr.splitlines()) == 1
    assert says in run.stderr


def test_both_ways_to_serve_are_in_the_help() -> None:
    run = forked.run(["conformance", "serve", "--help"])
    assert all(option in run.stdout for option in ("--replay DIR", "--speed", "--fault", "--event-ms"))
