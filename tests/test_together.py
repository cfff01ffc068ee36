"""Requests that are sent at the same moment: as many as there are slots, each once, whoever needs them first."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from conformance.emulator import Endpoint, Reply, serve
from conformance.emulator.faults import FAULTS
from conformance.emulator.shapes import Header
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import OutgoingRequest, PlannedRequest
from conformance.exchange.run_directory import RunDirectory, locked
from conformance.scenarios import BURST
from conformance.scenarios.plan import Plan
from conformance.wire import pool as pools
from conformance.wire.pool import Pool
from tests.support.running import KEY, lines_of, run
from tests.support.stub import reply
from tools.in_process import context, record

MEMBERS = [f"burst-{number}" for number in range(8)]


@dataclass
class Sender:
    """Notes which requests are under way when each begins, and holds those of the burst until ``most`` are."""

    most: int
    mutex: threading.Lock = field(default_factory=threading.Lock)
    under_way: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)
    at_once: int = 0
    full: threading.Event = field(default_factory=threading.Event)

    def send(self, outgoing: OutgoingRequest) -> Exchange:
        with self.mutex:
            self.sent.append(outgoing.key)
            self.under_way.add(outgoing.key)
            members = len(self.under_way & {*MEMBERS})
            self.at_once = max(self.at_once, members)
            if members == self.most:
                self.full.set()
        if outgoing.key in MEMBERS:
            self.full.wait(5)
        time.sleep(0.01)
        with self.mutex:
            self.under_way.discard(outgoing.key)
        return replace(record(None).received("text").exchange, key=outgoing.key)

    def stop(self) -> None: ...

    def close(self) -> None: ...


def planned(key: str, after: Sequence[str] = (), together: bool = False) -> PlannedRequest:
    outgoing = OutgoingRequest(key, key, 0, "POST", b"{}", "api-key", (), 1)
    return PlannedRequest(key, tuple(after), lambda _: outgoing, lambda _: None, together)


def requests() -> list[PlannedRequest]:
    usual = [planned(f"usual-{number}") for number in range(6)]
    return [planned("base"), *usual, *(planned(key, ["base"], together=True) for key in MEMBERS)]


@pytest.fixture
def folder(tmp_path: Path) -> RunDirectory:
    found = RunDirectory(tmp_path)
    found.create({}, "nonce", [], "either")
    return found


@pytest.mark.parametrize("slots", [1, 2, 4, 8])
def test_as_many_as_there_are_slots_are_under_way_at_once(folder: RunDirectory, slots: int) -> None:
    sender = Sender(slots)
    pool = Pool(requests(), folder, sender, slots)
    pool.start()
    pool.join()
    assert (sender.at_once, sender.full.is_set()) == (slots, True)
    assert sorted(sender.sent) == sorted(one.key for one in requests())


def test_several_processes_send_each_once(folder: RunDirectory) -> None:
    sender = Sender(4)
    workers = [Pool(requests(), folder, sender, 4, turn) for turn in range(3)]
    for one in workers:
        one.start()
    needed = threading.Thread(target=workers[0].get_or_send, args=("burst-3",))
    needed.start()
    for one in workers:
        one.join()
    needed.join()
    assert (sender.at_once, sender.full.is_set()) == (4, True)
    assert sorted(sender.sent) == sorted(one.key for one in requests())


def test_a_slot_that_is_taken_for_long_does_not_hold_the_others_back(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_GATHERING", 0.2)
    sender = Sender(1)
    with locked(folder.locks / "slot-0"):
        Pool(requests(), folder, sender, 2).get_or_send("burst-0")
    assert sorted(sender.sent) == ["base", *MEMBERS[:2]]


def test_one_that_another_process_sends_is_left_to_it(folder: RunDirectory) -> None:
    sender = Sender(2)
    pool = Pool(requests(), folder, sender, 2)
    with locked(folder.locks / "burst-1.lock"):
        pool.get_or_send("burst-0")
    assert sorted(sender.sent) == ["base", "burst-0"]
    assert pool.get_or_send("burst-1")[-1].key == "burst-1"


def test_a_pool_that_stops_waits_for_none_of_them(folder: RunDirectory) -> None:
    sender = Sender(9)  # More than there are, so that those under way stay so.
    pool = Pool(requests(), folder, sender, 4)
    pool.start()
    while len(sender.under_way & {*MEMBERS}) < 2:
        time.sleep(0.01)
    began = time.monotonic()
    pool.close(wait=False)
    assert time.monotonic() - began < 1
    sender.full.set()
    pool.join()
    assert len({*sender.sent} & {*MEMBERS}) <= 4


@pytest.mark.parametrize("revision", ["2026-06-24", "2026-10"])
def test_the_streams_of_a_run_that_are_sent_together(revision: str) -> None:
    here = context(revision)
    plan = Plan(here, here.scenarios)
    together = [one for one in plan.requests if one.together]
    assert {one.key for one in together} == {plan.key_of[name] for name in BURST}
    assert all(here.scenarios[name].streaming for name in BURST)
    base = {plan.key_of[name] for name in ("text", "text.stream")}
    assert all({*one.after} <= base for one in together)


class Limited:
    """An endpoint that serves ``most`` requests at a time; others are refused with 429, or wait if it is ``serial``."""

    base = "/v1"

    def __init__(self, most: int, serial: bool = False) -> None:
        self._endpoint = Endpoint(key=KEY)
        self._free = threading.BoundedSemaphore(most)
        self._serial = serial
        self.refused = 0

    def respond(self, method: str, path: str, headers: list[Header], body: bytes) -> Reply:
        if not self._free.acquire(blocking=self._serial):
            self.refused += 1
            error = {"error": {"message": "Too many requests at a time", "code": "429", "type": "limitation"}}
            return reply(429, json.dumps(error).encode(), ("Content-Type", "application/json"), ("Retry-After", "0"))
        try:
            time.sleep(0.01)
            return self._endpoint.respond(method, path, headers, body)
        finally:
            self._free.release()


@pytest.mark.parametrize("endpoint", [Limited(1, serial=True), Limited(2)], ids=["serial", "two at a time"])
def test_a_server_that_serves_few_at_a_time_does_not_mix_them(endpoint: Limited, tmp_path: Path) -> None:
    with serve(endpoint) as server:
        done = run("--endpoint", server.url, "--run-dir", str(tmp_path / "run"), checks=["parallel"])
    assert done.returncode == 0, done.stdout
    assert bool(endpoint.refused) != endpoint._serial
    assert {line["verdict"] for line in lines_of(tmp_path / "run") if line["kind"] == "case"} == {"pass"}


def test_streams_of_a_run_that_get_the_calls_of_each_other_are_reported(tmp_path: Path) -> None:
    """What the others send meanwhile is left out: the streams meet each other without chance."""
    with serve(Endpoint(key=KEY, behaviour=FAULTS["parallel.calls-mix"], event_ms=5)) as server:
        done = run("--endpoint", server.url, "--run-dir", str(tmp_path / "run"), "-k", "calls", checks=["parallel"])
    assert done.returncode == 1, done.stdout
    assert "which only tools." in done.stdout
