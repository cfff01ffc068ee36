"""``conformance judge``: evaluate captured traffic by the rules that need no scenario."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.commands import CommandError
from conformance.config.target import Misconfigured, Target, resolve
from conformance.contract.schemas import REVISIONS
from conformance.exchange.run_directory import RESULTS
from conformance.exchange.scrubbing import scrubbed
from conformance.report.summary import quoted
from conformance.results import results_file
from conformance.traffic import summary
from conformance.traffic.captured import Captured, read_run
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.har import Har, read_har

HELP = "evaluate captured traffic (a HAR file or a run folder) by the rules that need no scenario"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the captured traffic, the contract, the cases and the output."""
    parser.add_argument("traffic", type=Path, metavar="FILE.har|RUN", help="a HAR 1.2 file, or a run folder")
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
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.add_argument("--json", action="store_true", help="print the results as JSON lines instead of the report")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="also write the results as JSON lines to this file"
    )


def main(options: argparse.Namespace) -> int:
    """Evaluate the traffic and print the report; the exit code follows from the verdicts."""
    started = time.monotonic()
    try:
        named = resolve({}, {}, "00000000", options.target).credential_headers if options.target else ()
        traffic, head = _read(options.traffic, named)
        captured = traffic.captured
        target = _target(options.revision, captured, head, options.traffic)
        target = replace(target, model=scrubbed(target.model, traffic.secrets))  # It may contain a secret.
        evaluated = summary.selected(evaluate_captures(captured, target, traffic.secrets), options.only)
    except Misconfigured as error:
        raise CommandError(str(error)) from None
    end = summary.end_of(evaluated, captured, time.monotonic() - started, options.strict, len(traffic.websockets))
    lines = summary.lines_of(target, evaluated, end)
    written = _write(options, head, lines)
    if options.json:
        for line in lines:
            print(json.dumps(line))
        return int(end["exit"])
    source, again = str(options.traffic), f"conformance judge {quoted(str(options.traffic))}"
    summary.report(
        summary.Screen(), evaluated, captured, target,
        source=source, again=again, others=traffic.others, end=end, written=written,
        beside={**traffic.websockets, **traffic.repeated},
    )  # fmt: skip
    return int(end["exit"])


def _read(path: Path, named: Sequence[str]) -> tuple[Har, Mapping[str, Any]]:
    """The captured exchanges, and the head line of a run (empty for a HAR file)."""
    if path.is_dir():
        captured, others, head = read_run(path)
        return Har(tuple(captured), others, ()), head  # Keys were redacted when it was recorded.
    return read_har(path, named), {}


def _target(revision: str | None, captured: Sequence[Captured], head: Mapping[str, Any], path: Path) -> Target:
    """The endpoint and model of the traffic, from the run's head line or the first request."""
    named = head.get("target", {})
    first = captured[0] if captured else None
    url = first.exchange.request.url if first else str(path)
    model = str((first.sent or {}).get("model", "")) if first else ""
    target = resolve({"revision": revision or head.get("revision")}, {}, "00000000", None)
    endpoint = str(named.get("endpoint") or url.partition("?")[0].rstrip("/").removesuffix("/responses"))
    return replace(
        target, name=str(named.get("name") or path.name), endpoint=endpoint,
        model=str(named.get("model") or model or target.model),
    )  # fmt: skip


def _write(options: argparse.Namespace, head: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Write the results to ``--results``, and to the run folder if ``conformance watch`` recorded it."""
    files = [options.results] if options.results else []
    if head.get("mode") == summary.MODE and not options.only:
        files.append(options.traffic / RESULTS)
    for file in files:
        try:
            results_file.write(file, lines)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}") from None
    return {"results": str(files[0])} if files else {}
