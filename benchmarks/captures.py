"""The evaluation of a large capture: a HAR of thousands of exchanges, read and evaluated in a separate process."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.judging import frames_of

#: Deltas of each response, so that an exchange has 28 KB, as those of an agent have on average.
_DELTAS = 100

_HEAD = '{"log": {"version": "1.2", "creator": {"name": "benchmark", "version": "1"}, "entries": ['


@dataclass(frozen=True)
class Capture:
    """The cost of a capture: its size in bytes, CPU seconds, and the peak memory divided by the size."""

    exchanges: int
    size: int
    seconds: float
    memory_ratio: float


def large_capture(run: Path, scratch: Path, exchanges: int) -> Capture:
    """The cost of ``conformance judge`` for a HAR with this many exchanges, made of one of a recorded run."""
    file = scratch / "large.har"
    with file.open("w", encoding="utf-8") as out:
        out.write(_HEAD)
        for piece in _entries(run, exchanges):
            out.write(piece)
        out.write("]}}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "benchmarks.captures", str(file)]
    peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Capture(exchanges, file.stat().st_size, seconds, peak / file.stat().st_size)


def _entries(run: Path, exchanges: int) -> Iterator[str]:
    """The entries, whose ids differ in their last digits."""
    exchange, frames = frames_of(run, _DELTAS)
    ids = {str(one) for frame in frames for one in _ids(json.loads(frame[1]))}
    body = b"".join(b"event: %b\ndata: %b\n\n" % frame for frame in frames).decode()
    entry = json.dumps(_entry(exchange.request.body.decode(), body))
    for number in range(exchanges):
        text = entry
        for one in ids:
            text = text.replace(one, f"{one[:-6]}{number:06x}")
        yield f"{', ' if number else ''}{text}"


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (inner for name, inner in value.items() if name in ("id", "item_id") and isinstance(inner, str))
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _ids(inner)


def _entry(sent: str, body: str) -> dict[str, Any]:
    kind = "text/event-stream"
    return {
        "request": {
            "method": "POST", "url": "https://api.example.com/v1/responses",
            "headers": [{"name": "Content-Type", "value": "application/json"}], "postData": {"text": sent},
        },
        "response": {
            "status": 200, "headers": [{"name": "Content-Type", "value": kind}],
            "content": {"mimeType": kind, "text": body},
        },
    }  # fmt: skip


def _measure(file: str) -> int:
    """Evaluate the file, and print the peak memory of this process in bytes."""
    from conformance.cli import main

    code = main(["judge", file])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(peak)
    return code


if __name__ == "__main__":
    sys.exit(_measure(sys.argv[1]))
