"""Each request is sent exactly once, by however many processes; what a killed one had under way is taken over."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.emulator import Endpoint, Reply, serve
from conformance.engine.session import Session
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.verdict import evaluate
from tests.support.running import KEY, ROOT, command, environment, lines_of, run
from tests.support.stub import Stub, reply
from tools.in_process import cases, context, target

#: Some requests of several kinds, follow-ups among them; a run of them takes seconds.
SOME = ("--only", "lifecycle.*@t*")


def begin(folder: Path) -> RunDirectory:
    """A run folder as the controller makes it."""
    made = RunDirectory(folder)
    made.create({}, "nonce", [], "either")
    return made


@pytest.mark.parametrize(
    "workers",
    [("2", "--dist", "worksteal"), ("8", "--dist", "load")],  # A whole run at 0, 2 and 4: test_plugin.
    ids=" ".join,
)
def test_the_log_of_the_server_has_each_request_once(workers: tuple[str, ...], tmp_path: Path) -> None:
    log = io.StringIO()
    with serve(Endpoint(key=KEY), log=log) as server:
        arguments = ("--endpoint", server.url, *SOME, "--run-dir", str(tmp_path / "run"), "-n", *workers)
        done = run(*arguments, checks=["lifecycle"])
    assert done.returncode == 0, done.stdout
    asked = Counter(json.loads(line)["sha256"] for line in log.getvalue().splitlines())
    end = lines_of(tmp_path / "run")[-1]
    assert set(asked.values()) == {1}
    assert len(asked) == end["requests"] == end["attempts"] > 8


@pytest.mark.parametrize("narrowing", [("-k", "in-progress-second and text.stream"), ("-k", "nothing-of-that-name")])
def test_what_is_not_judged_is_not_sent(narrowing: tuple[str, ...], tmp_path: Path) -> None:
    log = io.StringIO()
    with serve(Endpoint(key=KEY), log=log) as server:
        run("--endpoint", server.url, *narrowing, "--run-dir", str(tmp_path / "run"))
    assert len(log.getvalue().splitlines()) <= 2  # The base request is its control.


_KEYS = """
from tools.in_process import context
from conformance.scenarios.plan import Plan
for revision in ("2026-06-24", "2026-10"):
    print(sorted(Plan(context(revision), context(revision).scenarios).key_of.items()))
"""


def test_every_process_plans_the_same_requests() -> None:
    words = [sys.executable, "-c", _KEYS]
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2", "3")]
    said = {subprocess.run(words, cwd=ROOT, env=seed, capture_output=True, check=True).stdout for seed in seeds}
    assert len(said) == 1


def test_a_failed_exchange_is_recorded_and_shared(tmp_path: Path) -> None:
    half = Reply(200, "OK", [("Content-Length", "100")], [(0, b"half")], ending="cut")
    stub, folder = Stub(lambda number, body: half), begin(tmp_path / "run")
    with stub.serve() as server:
        here = replace(context(), target=replace(target(), endpoint=server.url))
        some = [case for case in cases() if case.scenarios == ("text",)]
        sessions = [Session(here, folder, KEY, turn) for turn in range(2)]
        for session in sessions:
            session.start(some)
        verdicts = [evaluate(case, session.record()).verdict for case in some for session in sessions]
        for session in sessions:
            session.close()
    assert len(stub.bodies) == 1 < len(verdicts)
    assert "fail" in verdicts
    assert [folder.read(key).ended for key in folder.recorded()] == ["cut"]  # type: ignore[union-attr]


def child(url: str, folder: RunDirectory) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.support.poolchild", url, str(folder.path)]
    started = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def test_what_a_killed_process_had_under_way_is_taken_over(tmp_path: Path) -> None:
    over = threading.Event()

    def received(number: int, body: bytes) -> Reply:
        if number == 0:
            over.wait(30)
        return reply(200, b'{"usage": {"output_tokens": 5}}')

    stub, folder = Stub(received), begin(tmp_path / "run")
    with stub.serve() as server:
        first = child(server.url, folder)
        stub.wait_for(1)
        second = child(server.url, folder)
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(0.3)  # It waits for the first, and asks nothing itself.
            assert len(stub.bodies) == 1
            first.send_signal(signal.SIGKILL)
            assert second.communicate(timeout=20)[0] == "200\n"
        finally:
            over.set()
            first.kill()
            second.kill()
            first.communicate()
    assert len(stub.bodies) == 2
    assert folder.recorded() == ["one-000000000000"]
    # Nobody knows what the killed one's answer did cost, so it counts as all that it might.
    assert json.loads((folder.locks / "limits.json").read_text())["used"] == 405


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the workers in /proc")
def test_a_run_outlives_a_killed_worker(tmp_path: Path) -> None:
    stub = Stub(first_byte_ms=300)
    with stub.serve() as server:
        arguments = ("--endpoint", server.url, *SOME, "--run-dir", str(tmp_path / "run"), "-n", "2")
        words = command(*arguments, checks=["lifecycle"])
        started = subprocess.Popen(words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
        stub.wait_for(2)
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        said = started.communicate(timeout=100)[0]
    *lines, end = lines_of(tmp_path / "run")[1:]
    verdicts = Counter(line["verdict"] for line in lines)
    assert verdicts["error"] <= 1, said  # The case that it judged at that moment, which is said and not passed over.
    assert set(verdicts) <= {"pass", "not-applicable", "error"}
    assert started.returncode == end["exit"] == (3 if verdicts["error"] else 0), said
    # The worker may have been killed between the head of a request and its body.
    assert end["requests"] == len({*stub.bodies} - {b""})
