"""``-x`` and ``--maxfail``: the run ends at the failure, and what is not sent yet is not sent any more."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import conformance
from conformance.emulator import Endpoint, Reply
from tests.support.running import KEY, ROOT, environment, lines_of, run
from tests.support.stub import Stub, reply

#: Seconds that the server takes for each response, and the requests of the cases selected below.
SLOW, ALL = 0.7, 60

#: Its first case fails at the first response: the body of each is no Response object.
SELECTED = ("--only", "response.*", "--only", "item.*")


def slow(number: int, body: bytes) -> Reply:
    time.sleep(SLOW)
    return reply(200)


def sent_in_all(stub: Stub) -> int:
    """The number of requests; fails if any is sent after those that were under way when the run ended."""
    time.sleep(SLOW)  # On a busy machine, a request that was on its way arrives a moment later.
    sent = len(stub.times)
    time.sleep(2 * SLOW)
    assert len(stub.times) == sent
    return sent


@pytest.mark.parametrize("more", [("-x",), ("--maxfail", "1", "-n", "2"), ("-x", "--alluredir", "{}")],
                         ids=["alone", "two workers", "with Allure"])  # fmt: skip
def test_what_is_not_sent_at_the_first_failure_is_not_sent(more: tuple[str, ...], tmp_path: Path) -> None:
    stub = Stub(slow)
    words = [word.format(tmp_path / "allure") for word in more]
    with stub.serve() as server:
        ended = run("--endpoint", server.url, *SELECTED, *words, "--run-dir", str(tmp_path / "run"))
        sent = sent_in_all(stub)
    _, *cases, end = lines_of(tmp_path / "run")
    assert (end["interrupted"], ended.returncode) == (True, 2 if "-n" in more else 1), ended.stdout + ended.stderr
    assert 0 < sent < (ALL if "-n" in more else ALL / 2)  # Workers report a failure with some delay.
    assert any(case["verdict"] == "fail" for case in cases)
    assert sum(end["counts"].values()) == len(cases)
    assert "interrupted" in ended.stdout
    assert "INTERNALERROR" not in ended.stdout


def test_without_it_everything_is_sent(tmp_path: Path) -> None:
    stub = Stub(lambda number, body: reply(200))
    with stub.serve() as server:
        run("--endpoint", server.url, *SELECTED, "--run-dir", str(tmp_path / "run"))
    assert len(stub.times) >= ALL


def test_a_run_of_the_python_api_ends_at_the_first_failure_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_API_KEY", KEY)
    stub = Stub(slow)
    with stub.serve() as server:
        results = conformance.run(
            server.url, only=["response.*", "item.*"], max_failures=1, run_dir=tmp_path / "run"
        )  # fmt: skip
        assert 0 < sent_in_all(stub) < ALL / 2
    assert results.counts["fail"] == 1
    assert results.end is not None
    assert results.end.interrupted


@pytest.mark.parametrize(
    ("selected", "bad_input", "slow_input", "concurrency"),
    [
        (SELECTED, b'"input"', b"", 1),
        (("--only", "response.schema@lenient"), b"about caves.", b"", 1),
        (SELECTED, b'"input"', b"Count from 1 to 900", 2),
    ],
    ids=["alone", "in a group that needs all responses", "while a case before it waits for a slow response"],
)
def test_a_failure_is_shown_within_three_responses(
    selected: tuple[str, ...], bad_input: bytes, slow_input: bytes, concurrency: int, tmp_path: Path
) -> None:
    bad: list[int] = []
    right = Endpoint(key=KEY)
    ended = threading.Event()

    def answer(number: int, body: bytes) -> Reply:
        if slow_input and slow_input in body and b'"stream"' in body:
            ended.wait(60)
        time.sleep(SLOW / 2)
        if number >= 8 and bad_input in body and b'"stream"' not in body:
            bad.append(number)
            return reply(200)
        return right.respond("POST", "/v1/responses", [("Authorization", f"Bearer {KEY}")], body)

    stub, shown = Stub(answer), -1
    with stub.serve() as server:
        words = ["--endpoint", server.url, *selected, "--concurrency", str(concurrency)]
        command = [sys.executable, "-u", "-m", "conformance", "run", *words, "--run-dir", str(tmp_path / "run")]
        with subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout
            for line in run.stdout:
                if line.startswith("first failure: ") and shown < 0:
                    shown = len(stub.times) - 1
                    run.terminate()
                    ended.set()
    assert bad[0] <= shown <= bad[0] + concurrency + 3
