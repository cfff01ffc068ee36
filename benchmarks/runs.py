"""Full runs with the built-in endpoint in a separate process, and their lower bounds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from conformance.exchange.run_directory import RunDirectory

ROOT = Path(__file__).parent.parent
KEY = "benchmark-key-0b7e44d1"

#: Concurrent requests, of the suite and of the floor.
CONCURRENCY = 4

#: pytest options that disable plugins, for the suite's runs and for the empty cases.
_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")

_EMPTY = """import pytest

@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    pass
"""

Sendable = tuple[str, list[tuple[str, str]], bytes]


@contextlib.contextmanager
def serving(first_byte_ms: int, event_ms: int) -> Iterator[str]:
    """Run the built-in endpoint with these delays; the value is its base URL."""
    command = [sys.executable, "-m", "conformance.emulator"]
    command += ["--quiet", "--first-byte-ms", str(first_byte_ms), "--event-ms", str(event_ms)]
    environ = {**os.environ, "MIMO_API_KEY": KEY}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # Because of stdout=PIPE.
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def full_run(url: str, folder: Path, workers: int = 0) -> float:
    """The duration of a full run in seconds; its run folder is kept."""
    shutil.rmtree(folder, ignore_errors=True)
    by = ["-n", str(workers)] if workers else []
    seconds = _pytest("conformance", "--endpoint", url, "--run-dir", str(folder), *by)
    end = json.loads((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    if end["exit"]:
        raise RuntimeError(f"the run against the built-in endpoint ended with {end['counts']}")
    return seconds


def replay(folder: Path, scratch: Path) -> tuple[float, float]:
    """The durations in seconds of a replay of the run in this folder, with pytest and with ``conformance run``."""
    words = ("--replay", str(folder), "--run-dir", str(scratch / "replay"), "--overwrite")
    return _pytest("conformance", *words), _seconds("conformance", "run", *words)


def size(folder: Path) -> tuple[int, int]:
    """The numbers of requests and cases of a run."""
    end = json.loads((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return end["requests"], sum(end["counts"].values())


def floor(url: str, folder: Path) -> float:
    """The time in seconds to send the requests of that run with httpx alone and to discard the responses."""
    record = RunDirectory(folder)
    exchanges = [one for key in record.recorded() if (one := record.read(key)) and one.ended != "not-sent"]
    requests = [
        (one.request.method, [(name, _filled(value)) for name, value in one.request.headers], one.request.body)
        for one in exchanges
    ]
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(CONCURRENCY) as threads:

        def send(request: Sendable) -> None:
            method, headers, body = request
            with client.stream(method, f"{url}/responses", headers=headers, content=body or None) as response:
                for _ in response.iter_raw():
                    pass

        started = time.perf_counter()
        list(threads.map(send, requests))
        return time.perf_counter() - started


def empty(cases: int, scratch: Path) -> float:
    """The duration in seconds of a pytest run with ``cases`` empty cases."""
    (scratch / "test_empty.py").write_text(_EMPTY.format(count=cases), encoding="utf-8")
    return _pytest(str(scratch / "test_empty.py"))


def _filled(value: str) -> str:
    """A recorded header with the key filled in. Invalid keys need not be the sent ones: all are refused."""
    return (
        value.replace("${MIMO_API_KEY%?}", KEY[:-1])
        .replace("${MIMO_API_KEY}", KEY)
        .replace("$MIMO_API_KEY", KEY)
        .strip()
    )


def _pytest(*arguments: str) -> float:
    return _seconds("pytest", "-q", *_WITHOUT, *arguments)


def _seconds(module: str, *arguments: str) -> float:
    """The duration in seconds of a module that is run as a program. It may store bytecode, as for every user."""
    others = ("PYTEST", "CONFORMANCE", "PYTHONDONTWRITEBYTECODE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    environ["MIMO_API_KEY"] = KEY
    started = time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started
