"""Whole runs against the built-in endpoint in a process of its own, and the floors under them."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from conformance.wire.record import Folder

ROOT = Path(__file__).parent.parent
KEY = "benchmark-key-0b7e44d1"

#: Requests under way at a time, by the suite and by the floor alike.
CONCURRENCY = 4

_EMPTY = """import pytest

@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    pass
"""

Sendable = tuple[str, list[tuple[str, str]], bytes]


@contextlib.contextmanager
def serving(first_byte_ms: int, event_ms: int) -> Iterator[str]:
    """The built-in endpoint with these delays; gives its base URL."""
    command = [sys.executable, "-m", "conformance.emulator"]
    command += ["--first-byte-ms", str(first_byte_ms), "--event-ms", str(event_ms)]
    environ = {**os.environ, "MIMO_API_KEY": KEY}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # It was asked for.
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def whole(url: str, folder: Path, workers: int, repeats: int) -> tuple[float, int]:
    """Seconds of a full run (median), and how many cases it judged."""
    seconds = _median(
        lambda: _pytest("conformance", "--endpoint", url, "--run-dir", str(folder), *_by(workers)), repeats
    )
    results = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    end = json.loads(results[-1])
    if end["exit"]:
        raise RuntimeError(f"the run against the built-in endpoint ended with {end['counts']}")
    return seconds, len(results) - 2


def floor(url: str, folder: Path, repeats: int) -> tuple[float, int]:
    """Seconds to send what that run sent by httpx alone, read to the end and thrown away; and how many requests."""
    record = Folder(folder)
    exchanges = [one for key in record.recorded() if (one := record.read(key)) and one.ended != "not-sent"]
    requests = [
        (one.request.method, [(name, _filled(value)) for name, value in one.request.headers], one.request.body)
        for one in exchanges
    ]
    with httpx.Client(timeout=60) as client:

        def send(request: Sendable) -> None:
            method, headers, body = request
            with client.stream(method, f"{url}/responses", headers=headers, content=body or None) as response:
                for _ in response.iter_raw():
                    pass

        def send_all() -> None:
            with ThreadPoolExecutor(CONCURRENCY) as threads:
                list(threads.map(send, requests))

        return _median(send_all, repeats), len(requests)


def empty(cases: int, scratch: Path, repeats: int) -> float:
    """Seconds of a pytest run of so many cases that do nothing."""
    (scratch / "test_empty.py").write_text(_EMPTY.format(count=cases), encoding="utf-8")
    return _median(lambda: _pytest(str(scratch / "test_empty.py")), repeats)


def _filled(value: str) -> str:
    """A recorded header as it was sent, near enough: wrong keys are refused whichever they are."""
    return (
        value.replace("${MIMO_API_KEY%?}", KEY[:-1])
        .replace("${MIMO_API_KEY}", KEY)
        .replace("$MIMO_API_KEY", KEY)
        .strip()
    )


def _by(workers: int) -> list[str]:
    return ["-n", str(workers)] if workers else []


def _pytest(*arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CONFORMANCE"))}
    environ["MIMO_API_KEY"] = KEY
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=True)


def _median(act: Callable[[], None], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
