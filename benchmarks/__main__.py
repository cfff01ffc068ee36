"""``python -m benchmarks``: all measurements in one table. It takes minutes; ``--quick`` omits the largest."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from benchmarks import captures, hostile, judging, runs

#: Numbers of events of the single streams.
_STREAMS = (10_000, 100_000, 1_000_000)

#: Exchanges of the large capture.
_EXCHANGES = 3_500

#: The server's delays: milliseconds before the first byte and between events.
_DELAYS = ((0, 0), (300, 5))

_AIMS = {
    "run / (3 floors + empty pytest cases)": "at most 0.8", "run / floor": "at most 1.08",
    "run -n 2 / run -n 0": "at most 1.3 at 0 ms",
}  # fmt: skip

Row = tuple[str, str, str]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    quick = "one repeat, without delays, streams of a million events, and servers that need timeouts"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument(
        "--repeats", type=int, default=3, help="number of repeats, of which the median is reported (default: 3)"
    )
    parser.add_argument("--runs", action="store_true", help="only full runs and replays, each beside its lower bound")
    options = parser.parse_args()
    repeats = 1 if options.quick else options.repeats
    with tempfile.TemporaryDirectory() as scratch:
        rows = _all_runs(Path(scratch), options.quick, repeats)
        for row in rows if options.runs else chain(rows, _rows(Path(scratch), options.quick, repeats)):
            print("{:<46} {:>16} {:>24}".format(*row), flush=True)
    return 0


def _all_runs(scratch: Path, quick: bool, repeats: int) -> Iterator[Row]:
    yield "measurement", "value", "goal"
    for delays in _DELAYS[: 1 if quick else None]:
        with runs.serving(*delays) as url:
            yield from _runs(scratch, url, delays, repeats)


def _rows(scratch: Path, quick: bool, repeats: int) -> Iterator[Row]:
    """What needs no network, of the run that :func:`_all_runs` left."""
    seconds, cases = judging.recorded_run(scratch / "run", repeats)
    yield f"evaluation alone: {cases} cases", f"{cases / seconds:,.0f} a second", ""
    yield "  a recorded full run", f"{seconds:.2f} s", "under 3 s"
    for events in _STREAMS[: 2 if quick else None]:
        found = judging.stream_in_process(events, scratch)
        yield f"a stream of {events:,} events", f"{found.events_a_second:,.0f} a second", "20,000 a second"
        yield "  peak memory / size of the recording", f"{found.memory_ratio:.1f}", "at most 3"
    capture = captures.large_capture(scratch / "run", scratch, _EXCHANGES // (10 if quick else 1))
    size = f"{capture.exchanges:,} exchanges, {capture.size / 1e6:.0f} MB"
    yield f"a capture of {size}", f"{capture.seconds:.0f} s", "60 s"
    yield "  peak memory / size of the file", f"{capture.memory_ratio:.1f}", "at most 3" if not quick else ""
    yield "a run with a server that responds with", "", ""
    for name, aim in hostile.ROWS.items():
        if aim == hostile.QUICK or not quick:
            yield from _hostile(name, scratch / "hostile", aim)


def _hostile(name: str, folder: Path, seconds: int) -> Iterator[Row]:
    """Without concurrency one large body needs the most memory; concurrent ones share the budget and are truncated."""
    for concurrency in (4, 1) if seconds == hostile.QUICK else (4,):
        cost = hostile.run(name, folder, concurrency=concurrency)
        found = f"{cost.seconds:.0f} s, {cost.peak / 1e6:.0f} MB"
        yield f"  {name}, {concurrency} concurrent", found, f"{seconds} s, {hostile.MOST_MEMORY / 1e6:.0f} MB"


def _runs(scratch: Path, url: str, delays: tuple[int, int], repeats: int) -> Iterator[Row]:
    """Each round takes every measurement once, so that a busy machine affects all of them equally."""
    folder = scratch / "run"
    found: dict[str, list[float]] = {}
    replays: list[tuple[float, float]] = []
    for _ in range(repeats):
        more = {workers: runs.full_run(url, folder, workers) for workers in (2, 4)}
        alone = runs.full_run(url, folder)
        floor = runs.floor(url, folder)
        requests, cases = runs.size(folder)
        replays.append(runs.replay(folder, scratch))
        if delays == (0, 0):
            empty = runs.empty(cases, scratch)
            found.setdefault("run / (3 floors + empty pytest cases)", []).append(alone / (3 * floor + empty))
            found.setdefault("run / empty pytest cases", []).append(alone / empty)
        else:
            found.setdefault("run / floor", []).append(alone / floor)
        for workers, seconds in more.items():
            found.setdefault(f"run -n {workers} / run -n 0", []).append(seconds / alone)
    yield f"at {delays[0]} ms + {delays[1]} ms an event: {requests} requests, {cases} cases", "", ""
    for name, ratios in found.items():
        yield f"  {name}", f"{statistics.median(ratios):.2f}", _AIMS.get(name, "")
    for place, name in enumerate(("pytest", "conformance run")):
        median = statistics.median(each[place] for each in replays)
        yield f"  replay of the run, {name}", f"{median:.1f} s", "at most 2 s"


if __name__ == "__main__":
    sys.exit(main())
