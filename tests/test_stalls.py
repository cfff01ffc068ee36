"""A server that one request blocks, or that is busy only with several at a time: each request shows its own doing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.emulator import Endpoint, Reply, serve
from conformance.wire.turns import Turns
from tests.support.running import KEY, lines_of, run
from tests.support.stub import reply

Headers = Sequence[tuple[str, str]]

BLOCKED_FOR = 4.0


class Blocking:
    """An endpoint with one thread of work: while it handles a tool of type mcp, every other request waits."""

    def __init__(self) -> None:
        self._endpoint = Endpoint(key=KEY)
        self._loop = threading.Lock()
        self.blocked = 0

    def respond(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        with self._loop:
            if b'"mcp"' in body:
                self.blocked += 1
                time.sleep(BLOCKED_FOR)
                return reply(500, b"")
            return self._endpoint.respond(method, path, headers, body)


class OneAtATime:
    """An endpoint that refuses with ``status`` whatever arrives while it handles another request."""

    def __init__(self, status: int) -> None:
        self._endpoint = Endpoint(key=KEY)
        self._status = status
        self._mutex = threading.Lock()

    def respond(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        if not self._mutex.acquire(blocking=False):
            return reply(self._status, json.dumps({"error": {"message": "busy", "code": str(self._status)}}).encode())
        try:
            time.sleep(0.02)
            return self._endpoint.respond(method, path, headers, body)
        finally:
            self._mutex.release()


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_the_request_that_blocks_the_server_is_the_one_cause(processes: tuple[str, ...], tmp_path: Path) -> None:
    server = Blocking()
    with serve(server) as front:
        arguments = ("--endpoint", front.url, "--run-dir", str(tmp_path), "--first-byte-timeout", "2")
        done = run(*arguments, "--concurrency", "4", *processes, checks=["outside", "http", "framing"])
    cases = lines_of(tmp_path)[1:-1]
    failed = {one["id"]: one["findings"] for one in cases if one["verdict"] in ("fail", "warning")}
    places = {found["scenario"] for findings in failed.values() for found in findings}
    assert places == {"undocumented.tools.mcp"}, done.stdout
    assert server.blocked > 1  # Sent again alone, as it might have been another one's doing.
    lost = [one["id"] for one in cases if one["verdict"] == "inconclusive" and "mcp" not in one["id"]]
    assert lost == []


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_refused_only_at_the_same_time_is_served_alone(status: int, tmp_path: Path) -> None:
    with serve(OneAtATime(status)) as front:
        done = run("--endpoint", front.url, "--run-dir", str(tmp_path), checks=["outside"])
    cases = lines_of(tmp_path)[1:-1]
    assert [one["id"] for one in cases if one["verdict"] == "fail"] == [], done.stdout
    assert not [one["id"] for one in cases if one["verdict"] == "inconclusive"]


# -- turns -------------------------------------------------------------------------------------------------------------


def test_turns_at_the_same_time_know_of_each_other(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    with turns.take() as first, Turns(tmp_path).take() as second:  # As of another process.
        pass
    assert (first.shared, second.shared) == (True, True)
    with turns.take() as third:
        pass
    assert not third.shared


def test_a_turn_alone_waits_for_the_others_and_holds_new_ones_back(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    order: list[str] = []
    under_way = threading.Event()

    def usual() -> None:
        with turns.take():
            under_way.set()
            time.sleep(0.1)
            order.append("usual")

    def later() -> None:
        with turns.take():
            order.append("later")

    first = threading.Thread(target=usual)
    first.start()
    under_way.wait()
    with turns.alone():
        second = threading.Thread(target=later)
        second.start()
        time.sleep(0.05)
        order.append("alone")
    first.join()
    second.join()
    assert order == ["usual", "alone", "later"]


def test_requests_are_not_sent_alone_in_vain_for_ever(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    sent = 0
    while turns.may_send_alone():
        turns.sent_alone(helped=False)
        sent += 1
    assert sent == 3
