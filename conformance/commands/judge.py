"""``conformance judge``: evaluate captured traffic by the rules that need no scenario."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from pathlib import Path

from conformance.commands import CommandError
from conformance.config.output_files import check_output_files
from conformance.config.target import Misconfigured
from conformance.contract.schemas import REVISIONS
from conformance.exchange.run_directory import RESULTS
from conformance.report.summary import quoted
from conformance.results.results_file import Results
from conformance.traffic import summary
from conformance.traffic.capture_files import unread_captures
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.sources import read_source, results_of, select_cases

HELP = "evaluate captured traffic (a HAR, a cassette, a recorded stream, a folder of them or of a run)"

#: Seconds between two lines about the progress; a capture that takes less shows none.
_PROGRESS = 5.0

#: Records of cases are no garbage: with the usual thresholds the collector examines them again and again.
_GC_THRESHOLDS = (100_000, 50, 1000)


_TRAFFIC = (
    "a HAR 1.2 file, a VCR cassette (YAML or JSON), the recording of another tool (docs/traffic.md), an HTTP message "
    "(curl -i), an event stream (.sse, .txt), the data of its events (.chunks.txt, .jsonl), a Response object "
    "(.json), a folder of such files, or a run folder"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the captured traffic, the contract, the cases and the output."""
    parser.add_argument("traffic", type=Path, metavar="FILE|FOLDER", help=_TRAFFIC)
    parser.add_argument("--target", type=Path, metavar="FILE", help="TOML file whose profile names credential_headers")
    parser.add_argument(
        "--revision", choices=REVISIONS, help="revision of the contract (default: that of the run, else the first)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="GLOB",
        help="only these cases: rule@exchange, rule or area; may be repeated",
    )
    parser.add_argument("-n", type=int, default=1, metavar="N", help="number of processes (default: 1)")
    skip_help = "not these cases: rule@exchange, rule or area; may be repeated"
    parser.add_argument("--skip", action="append", default=[], metavar="GLOB", help=skip_help)
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.add_argument("--json", action="store_true", help="print the results as JSON lines instead of the report")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="also write the results as JSON lines to this file"
    )


def main(options: argparse.Namespace) -> int:
    """Evaluate the traffic and print the report; the exit code follows from the verdicts."""
    started = time.monotonic()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        check_output_files((options.results,))
        source = read_source(options.traffic, options.revision, options.target)
        traffic, target = source.traffic, source.target
        complete = evaluate_captures(
            traffic.captured, target, traffic.secrets, jobs=_jobs(options.n), progress=_Progress()
        )  # fmt: skip
        evaluated = select_cases(complete, options.only, options.skip)
    except Misconfigured as error:
        raise CommandError(str(error)) from None
    run = results_of(
        evaluated, traffic.captured, target, options.results or options.traffic,
        time.monotonic() - started, options.strict, len(traffic.websockets), unread_captures(traffic.unread),
    )  # fmt: skip
    written = _write(options, source.is_traffic_run, run)
    if options.json:
        for line in run.lines():
            print(json.dumps(line))
        return run.exit_code
    where = str(options.traffic)
    summary.report(
        summary.Screen(), evaluated, traffic.captured, target,
        source=where, again=f"conformance judge {quoted(where)}", others=traffic.others, run=run, written=written,
        beside={**traffic.websockets, **traffic.repeated, **traffic.unread},
    )  # fmt: skip
    return run.exit_code


def _jobs(count: int) -> int:
    if count < 1:
        raise CommandError(f"-n is {count}; expected a number of processes, at least 1")
    return count


class _Progress:
    """Writes a line to standard error now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last < _PROGRESS:
            return
        self._last = time.monotonic()
        print(f"evaluated {done:,} of {total:,} exchanges ({100 * done / total:.0f} %)", file=sys.stderr, flush=True)


def _write(options: argparse.Namespace, is_traffic_run: bool, run: Results) -> dict[str, str]:
    """Write the results to ``--results``, and to the run folder if ``conformance watch`` recorded it."""
    files = [options.results] if options.results else []
    if is_traffic_run and not options.only and not options.skip:
        files.append(options.traffic / RESULTS)
    for file in files:
        try:
            run.write(file)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}") from None
    return {"results": str(files[0])} if files else {}
