"""Evaluation without a network: a recorded full run, and single streams of many events in a separate process.

Times are CPU seconds: nothing here waits, and other processes of the machine must not count.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.config.target import resolve
from conformance.decode.response import Received
from conformance.exchange.exchange import Chunk, Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.cases import all_cases, context_of, load_checks
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import evaluate
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan

#: The scenario whose stream is enlarged by repeating its first delta.
_SUBJECT = "text.stream"
_DELTA = "response.output_text.delta"


@dataclass(frozen=True)
class Stream:
    """The cost of one stream; ``memory_ratio`` is the additional peak memory divided by the size of the recording."""

    events_a_second: float
    memory_ratio: float


def recorded_run(folder: Path, repeats: int) -> tuple[float, int]:
    """CPU seconds to read and evaluate a recorded run (median), and its number of cases."""
    context = _context(folder)
    cases = all_cases(context)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        record = _recorded(context, RunDirectory(folder))
        for case in cases:
            evaluate(case, record)
        seconds.append(time.process_time() - started)
    return statistics.median(seconds), len(cases)


def stream_in_process(events: int, scratch: Path) -> Stream:
    """The cost of a stream of ``events`` events, read and evaluated in a separate process."""
    big = scratch / "big"
    _blow_up(RunDirectory(scratch / "run"), RunDirectory(big), events)
    command = [sys.executable, "-m", "benchmarks.judging", str(scratch / "run"), str(big), str(events)]
    results = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Stream(results["events_a_second"], results["memory_ratio"])


def _context(folder: Path) -> Context:
    load_checks()
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    options = {"endpoint": "http://127.0.0.1:9/v1", "model": document["head"]["target"]["model"]}
    return context_of(resolve(options, {}, document["nonce"], None))


def _recorded(context: Context, folder: RunDirectory) -> Recorded:
    def get_or_send(key: str) -> tuple[Exchange, ...]:
        exchange = folder.read(key)
        if exchange is None:
            raise LookupError(f"{key} is not in {folder.path}")
        return (exchange,)

    return Recorded(Plan(context, context.scenarios), get_or_send)


def _blow_up(small: RunDirectory, big: RunDirectory, events: int) -> None:
    """Write the exchange of the subject with ``events`` deltas, one chunk each."""
    context = _context(small.path)
    received = _recorded(context, small).received(_SUBJECT)
    big.exchanges.mkdir(parents=True, exist_ok=True)
    frames = enumerate(_stream(received, events))
    chunks = (Chunk(float(place), b"event: %b\ndata: %b\n\n" % frame) for place, frame in frames)
    big.write(replace(received.exchange, key=_SUBJECT, chunks=tuple(chunks)))


def frames_of(folder: Path, deltas: int) -> tuple[Exchange, list[tuple[bytes, bytes]]]:
    """The exchange of the subject in a recorded run, and the type and data of its events with this many deltas."""
    received = _recorded(_context(folder), RunDirectory(folder)).received(_SUBJECT)
    return received.exchange, list(_stream(received, deltas))


def _stream(received: Received, events: int) -> Iterator[tuple[bytes, bytes]]:
    words = [f"word{number % 10} " for number in range(events)]
    number, found = 0, False
    for event in received.events:
        data: dict[str, Any] = json.loads(json.dumps(event.data))
        if event.type == _DELTA and found:
            continue
        found = found or event.type == _DELTA
        for word in words if event.type == _DELTA else [None]:
            data["sequence_number"] = number
            if word is None:
                _put_text(data, "".join(words))
            else:
                data["delta"] = word
            number += 1
            yield event.type.encode(), json.dumps(data).encode()


def _put_text(value: Any, text: str) -> None:
    """Replace each complete text by ``text``, recursively."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _put_text(inner, text)
    if (
        isinstance(value, dict)
        and value.get("type") in ("output_text", "response.output_text.done")
        and value.get("text")
    ):
        value["text"] = text
    if isinstance(value, dict) and value.get("output_text"):
        value["output_text"] = text


def _measure(small: Path, big: Path, events: int) -> dict[str, float]:
    context = _context(small)
    cases = [case for case in all_cases(context) if _SUBJECT in case.scenarios]
    others = _recorded(context, RunDirectory(small))
    for case in cases:  # Reads and decodes the other responses of these cases first.
        evaluate(case, others)
    file = RunDirectory(big)
    idle = _peak()
    started = time.process_time()
    exchange = file.read(_SUBJECT)
    assert exchange is not None  # stream_in_process has written it.
    subject = Received(exchange, _SUBJECT)
    del exchange

    class Record:
        def received(self, scenario: str) -> Received:
            return subject if scenario == _SUBJECT else others.received(scenario)

    for case in cases:
        evaluate(case, Record())
    seconds = time.process_time() - started
    size = file.file(_SUBJECT).stat().st_size
    return {"events_a_second": events / seconds, "memory_ratio": (_peak() - idle) / size}


def _peak() -> float:
    """The peak memory of this process in bytes (ru_maxrss is in kilobytes on Linux, in bytes on macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
