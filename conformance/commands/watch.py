"""``conformance watch``: a proxy between a client and an endpoint that reports violations as they occur."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.arguments import named
from conformance.config.target import Misconfigured, Target, resolve
from conformance.contract.revisions import DEFAULT
from conformance.contract.schemas import REVISIONS
from conformance.engine.session import run_head
from conformance.engine.setup import open_run_folder
from conformance.exchange.run_directory import RESULTS, RunDirectory
from conformance.report.summary import quoted
from conformance.traffic import summary
from conformance.traffic.captured import read_run
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.observer import Observer
from conformance.traffic.proxy import Proxy
from conformance.traffic.sources import TRAFFIC_MODE, results_of
from conformance.traffic.upstream import Upstream

HELP = "forward a client's requests to an endpoint unchanged, and evaluate each response when it ends"


_UPSTREAM = f"the endpoint's base, such as https://host{DEFAULT.base_path}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the endpoint, the address of the proxy and the run folder."""
    parser.add_argument("url", nargs="?", metavar="URL", help=_UPSTREAM)
    parser.add_argument("--upstream", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port to listen on (default: any free port)")
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="run folder for the exchanges, with keys redacted")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    parser.add_argument("--target", type=Path, metavar="FILE", help="TOML file whose profile names credential_headers")
    parser.add_argument("--revision", choices=REVISIONS, default=REVISIONS[0], help="revision of the contract")


def main(options: argparse.Namespace) -> int:
    """Run the proxy until interrupted; the exit code follows from the verdicts."""
    started, stopped, screen = time.monotonic(), threading.Event(), summary.Screen()
    try:
        endpoint = named(options.url or options.upstream, "URL", _UPSTREAM)
        target = resolve({"endpoint": endpoint, "revision": options.revision}, {}, "00000000", options.target)
        target = target if options.target else replace(target, reasoning="unknown")
        upstream = Upstream(target.endpoint)
        with open_run_folder(options.run_dir, options.overwrite) as folder:
            begun = run_head(target, TRAFFIC_MODE).to_json()
            folder.create(begun, target.nonce, [], target.unknown_parameters, options.overwrite, target.reasoning)
        folder.select(False, [])
        observer = Observer(target, folder, screen)
        proxy = Proxy(upstream, options.host, options.port, observer)
    except (Misconfigured, OSError, OverflowError) as error:
        raise CommandError(str(error)) from None
    with contextlib.suppress(ValueError):  # Signal handlers can be set only in the main thread.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
    screen.line(f"watching {target.endpoint}, revision {target.revision}; stop with Ctrl-C")
    screen.line(f"client base URL    {proxy.url}")
    screen.line(f"run folder         {folder.path}")
    stopped.wait()
    screen.line("")
    proxy.close()
    observer.close()
    upstream.close()
    code = _end(target, folder, observer, screen, started)
    folder.close()
    return code


def _end(target: Target, folder: RunDirectory, observer: Observer, screen: summary.Screen, started: float) -> int:
    """Evaluate all exchanges together, write the results and print the report."""
    captured, _, _ = read_run(folder.path)
    target = replace(
        target,
        model=next((str(one.sent["model"]) for one in captured if one.sent and "model" in one.sent), target.model),
    )
    evaluated = evaluate_captures(captured, target, observer.secrets)
    file = folder.path / RESULTS
    run = results_of(evaluated, captured, target, file, time.monotonic() - started)
    try:
        run.write(file)
        written = {"results": str(file)}
    except OSError as error:
        written = {"NOT WRITTEN": f"{file} ({error.strerror})"}
    again = f"conformance judge {quoted(str(folder.path))}"
    summary.report(
        screen, evaluated, captured, target,
        source=str(folder.path), again=again, others=observer.others, run=run, written=written,
    )  # fmt: skip
    return run.exit_code
