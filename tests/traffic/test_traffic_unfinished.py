"""Captures that stop before the response does: a violation is only what no continuation can mend."""

from __future__ import annotations

import base64
import json
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.emulator import Behaviour
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.exchange.exchange import Chunk, Exchange
from conformance.traffic.captured import UNFINISHED, Captured
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.har import read_har
from conformance.traffic.incomplete import marked
from tests.support.rawserver import Peer, RawServer
from tests.support.traffic import broken, entry, evaluated, har, received, traffic
from tests.traffic.test_traffic_watch import BODY, watched
from tools.in_process import target

STREAMS = ("text.stream", "tools.call.stream", "effort.high.stream", "cut.stream")
OTHERS = ("text", "bad.malformed-json", "bad.malformed-json.stream")
PLAIN = '{"id": "resp_1", "object": "response", "status": "completed", "output": [], "n": 1.5e3, "s": "é\\n\\u00e9"}'


def cut(exchange: Exchange, size: int) -> Captured:
    """The exchange as a client left it after so many bytes."""
    headers = tuple(pair for pair in exchange.headers if pair[0].lower() != "content-encoding")
    short = replace(exchange, headers=headers, chunks=(Chunk(1.0, exchange.body[:size]),), ended="time-out", detail="")
    return Captured(f"after {size}", marked(short, "the client went away"))


def at_each(exchange: Exchange, step: int) -> list[Captured]:
    frames = [place + 2 for place in range(len(exchange.body)) if exchange.body[place : place + 2] == b"\n\n"]
    sizes = {*range(0, len(exchange.body), step), *frames[:4], *frames[-2:-1]}
    return [cut(exchange, size) for size in sorted(sizes)]


@pytest.mark.parametrize("name", [None, *sorted(VARIANTS)[::14]])
def test_no_beginning_of_a_legal_response_is_a_violation(name: str | None) -> None:
    for one in traffic(VARIANTS[name] if name else None, {*STREAMS, *OTHERS}):
        legal = broken(evaluated([one]))  # Some variants are warned about.
        found = evaluate_captures(at_each(one.exchange, 701), target("2026-06-24"), together=False)
        assert broken(found) <= legal, one.label


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("lifecycle.no-in-progress", "lifecycle.in-progress-second"),
        ("lifecycle.no-created", "lifecycle.created-first"),
        ("sequence.one-gap", "sequence.contiguous"),
        ("lifecycle.text-parts-never-opened", "lifecycle.part-opened-before-use"),
    ],
)
def test_what_no_continuation_mends_is_a_violation_at_once(fault: str, rule: str) -> None:
    wrong = received("text.stream", FAULTS[fault])
    states = [rule in broken(evaluated([one])) for one in at_each(wrong, len(wrong.body) // 8)]
    assert states[-1]
    assert states == sorted(states), "it stays one, whatever follows"
    assert not states[0]


def test_bad_json_in_a_dispatched_frame_is_one_and_in_a_frame_under_way_not() -> None:
    whole = received("text.stream")
    first = whole.body.index(b"\n\n") + 2
    for more, found in ((b"data: {'a': 1}\n\n", {"sse.data-is-json-object"}), (b"data: {'a'", set())):
        wrong = replace(whole, chunks=(Chunk(1.0, whole.body[:first] + more),))
        assert broken(evaluated([cut(wrong, 10**6)])) == found


@pytest.mark.parametrize("number", [1, 2])
def test_the_second_event_may_still_come(number: int, tmp_path: Path) -> None:
    whole = received("text.stream")
    frames = whole.body.split(b"\n\n")
    text = (b"\n\n".join(frames[:number]) + b"\n\n").decode()
    made = entry(whole, "firefox", text=text, size=len(text))
    made["response"]["_error"] = "net::ERR_ABORTED"
    (one,) = read_har(har(tmp_path / "a.har", made)).captured
    found = evaluated([one])
    assert broken(found) == set()
    assert found.unjudged["entry 2"] == f"{UNFINISHED} (net::ERR_ABORTED)"
    assert found.in_part == {"entry 2"}
    rules = {line.requirement for line in found.cases if line.verdict == "pass"}
    assert "lifecycle.created-first" in rules
    assert ("lifecycle.in-progress-second" in rules) == (number == 2)


def plain(tmp_path: Path, text: str | bytes, status: int = 200, **changes: object) -> tuple[set[str], str]:
    """What is found in a plain body as Firefox writes it, and why not all was evaluated."""
    made = entry(received("text"), "firefox", size=0, text=text if isinstance(text, str) else None)
    if isinstance(text, bytes):
        made["response"]["content"] |= {"text": base64.b64encode(text).decode(), "encoding": "base64"}
    made["response"] |= {"status": status, **changes}
    found = evaluated(list(read_har(har(tmp_path / "a.har", made)).captured))
    return broken(found), found.unjudged.get("entry 2", "")


@pytest.mark.parametrize("size", range(1, len(PLAIN), 7))
def test_the_beginning_of_a_json_text_stands_aside(size: int, tmp_path: Path) -> None:
    assert plain(tmp_path, PLAIN[:size]) == (set(), f"{UNFINISHED} (without a reason in the capture)")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace('"status"', "'status'"),
        PLAIN + " trailing",
        PLAIN * 2,
        PLAIN.replace("\\n", "\n"),
        PLAIN.replace("\\n", "\n")[:-4],
        PLAIN.replace("\\u00e9", "\\u00g9"),
        PLAIN.replace("[]", "[,]")[:-9],
        PLAIN.replace("1.5e3", "NaN"),
        "Internal Server Error",
        "<html><body>",
        PLAIN.encode("latin-1"),
        PLAIN.encode("latin-1")[:-4],
        PLAIN.encode("utf-16"),
        b"\xef\xbb\xbf" + PLAIN.encode()[:40],
        "[" * 200,
    ],
)
def test_what_is_no_beginning_of_a_json_text_is_a_violation(text: str | bytes, tmp_path: Path) -> None:
    found, not_for_captured = plain(tmp_path, text)
    assert ("http.body-is-utf8-json" in found, not_for_captured) == (True, "")


def test_a_character_that_is_cut_stands_aside(tmp_path: Path) -> None:
    body = PLAIN.encode()
    assert plain(tmp_path, body[: body.index("é".encode()) + 1])[0] == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"error": {"mess', set()),
        ('{"error": {"message": "m"}}', set()),
        ("data:{'error'", {"error.envelope"}),
        ("Bad Request", {"error.envelope"}),
    ],
)
def test_refusals_too(text: str, found: set[str], tmp_path: Path) -> None:
    assert plain(tmp_path, text, 400, _error="net::ERR_ABORTED")[0] == found


def test_a_body_shorter_than_it_says(tmp_path: Path) -> None:
    whole = received("text.stream")
    wrong = received("text.stream", FAULTS["lifecycle.no-in-progress"])
    for exchange, rules in ((whole, set()), (wrong, {"lifecycle.in-progress-second"})):
        made = entry(exchange, "firefox", text=exchange.body[:1500].decode())
        found = evaluated(list(read_har(har(tmp_path / "a.har", made)).captured))
        assert (broken(found), found.in_part) == (rules, {"entry 2"})
        assert f"contains 1500 of {len(exchange.body)} bytes" in found.unjudged["entry 2"]


def test_too_little_to_tell_a_stream_stands_aside() -> None:
    whole = replace(received("text.stream"), headers=(("content-type", "text/plain"),))
    for size in range(1, 6):
        assert "sse.plain-stays-plain" not in broken(evaluated([cut(whole, size)]))
    other = replace(whole, chunks=(Chunk(1.0, b'{"id": "resp_'),))
    assert "sse.plain-stays-plain" in broken(evaluated([cut(other, 99)]))


def test_what_came_after_its_terminal_event_is_evaluated_as_a_whole() -> None:
    whole = received("text.stream")
    left = cut(whole, len(whole.body))
    found = evaluated([left])
    assert (left.exchange.ended, found.in_part, found.unjudged) == ("clean", frozenset(), {})
    assert "usage.total-is-sum" in {line.requirement for line in found.cases if line.verdict == "pass"}


def left_after(body: bytes, kind: bytes, path: Path) -> str:
    """What the watcher says of a client that goes away after these bytes."""

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: 99999\r\n\r\n" + body)
        peer.wait()

    server = RawServer(script)
    try:
        with watched(server.url, path) as one:
            host, port = one.proxy.url.removeprefix("http://").partition("/")[0].split(":")
            with socket.create_connection((host, int(port))) as client:
                asked = json.dumps(BODY | ({"stream": True} if kind == b"text/event-stream" else {})).encode()
                head = f"POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: {len(asked)}\r\n\r\n"
                client.sendall(head.encode() + asked)
                client.settimeout(5)
                got = b""
                while body not in got:
                    got += client.recv(9999)
            until = time.monotonic() + 5
            while not one.passed and time.monotonic() < until:
                time.sleep(0.02)
            return one.end()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("size", "broken_by", "says"),
    [(1, None, "evaluated in part"), (2, None, "evaluated in part"), (4, "lifecycle.no-in-progress", "1 fail")],
)
def test_the_same_in_watch(size: int, broken_by: str | None, says: str, tmp_path: Path) -> None:
    behaviour: Behaviour | None = FAULTS[broken_by] if broken_by else None
    frames = received("text.stream", behaviour).body.split(b"\n\n")
    said = left_after(b"\n\n".join(frames[:size]) + b"\n\n", b"text/event-stream", tmp_path / "run")
    assert f"exchange 1: {says}" in said
    assert ("fail" in said) == bool(broken_by)


@pytest.mark.parametrize(("text", "says"), [(PLAIN[:40], "evaluated in part"), ("{'id'", "1 fail")])
def test_the_same_in_watch_of_plain_bodies(text: str, says: str, tmp_path: Path) -> None:
    said = left_after(text.encode(), b"application/json", tmp_path / "run")
    assert f"exchange 1: {says}" in said
