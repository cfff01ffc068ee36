"""``conformance serve``: run the built-in endpoint, or serve a recording as an endpoint."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from conformance.commands import CommandError
from conformance.config.target import Misconfigured
from conformance.contract.schemas import REVISIONS
from conformance.emulator import serve
from conformance.emulator.__main__ import DEFAULT_KEY, KEY_VARIABLE
from conformance.emulator.__main__ import main as serve_built_in
from conformance.emulator.faults import FAULTS
from conformance.report import catalogue
from conformance.wire.alike import Imitation
from conformance.wire.playback import Playback
from conformance.wire.replay import open_recording

HELP = "run the built-in endpoint, or serve a recording (see conformance serve --help)"
PASSES_ON = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: :func:`main` parses the arguments."""


def main(words: list[str]) -> int:
    """Serve until interrupted: a recording with ``--replay``, an endpoint in the dialect of one with ``--like``, else
    the built-in endpoint with its own options."""
    if any(word.partition("=")[0] in ("--replay", "--like") for word in words):
        return _replay(_parser().parse_args(words))
    if {"-h", "--help"} & set(words):
        with contextlib.suppress(SystemExit):
            serve_built_in(["--help"], "conformance serve")
        print(f"\nWith --replay or --like, a recording:\n\n{_parser().format_help()}", end="")
        return 0
    for fault, revision in () if "--quiet" in words else of_other_revision(words):
        print(f"{fault} shows in revision {revision} only: add --revision {revision}", file=sys.stderr)
    return serve_built_in(words, "conformance serve")


def of_other_revision(words: list[str]) -> Iterator[tuple[str, str]]:
    """The named faults that violate no rule of the served revision, each with the revision in which they do."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--revision", default=REVISIONS[0])
    try:
        options, _ = parser.parse_known_args(words)
    except argparse.ArgumentError:
        return  # The built-in endpoint reports it.
    named = [FAULTS[name] for name in options.fault if name in FAULTS and FAULTS[name].rules]
    if not named or options.revision not in REVISIONS:
        return
    rules = {one: {case.partition("@")[0] for case in catalogue.case_ids(one)} for one in REVISIONS}
    for fault in named:
        if rules[options.revision].isdisjoint(fault.rules):
            yield from ((fault.name, one) for one in REVISIONS if not rules[one].isdisjoint(fault.rules))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="conformance serve",
        description="Serve the responses of a recorded run, or respond as its endpoint did.",
        epilog=f"{KEY_VARIABLE} sets the valid key (default: {DEFAULT_KEY!r}).",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--replay", type=Path, metavar="DIR", help="run folder; only recorded requests get a response")
    which.add_argument(
        "--like", type=Path, metavar="DIR",
        help="run folder; any request gets a response in the dialect of the recorded endpoint, with new ids",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: 0, any free port)")
    parser.add_argument(
        "--speed", type=float, metavar="N", help="replay the recorded delays N times as fast (default: no delays)"
    )
    parser.add_argument("--log", metavar="FILE", help="append a JSON line for each request, without its headers")
    return parser


def _replay(options: argparse.Namespace) -> int:
    if options.speed is not None and not 0 < options.speed < float("inf"):
        raise CommandError(f"--speed is {options.speed:g}; expected a finite number greater than 0")
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        try:
            key = os.environ.get(KEY_VARIABLE) or DEFAULT_KEY
            recording = open_recording(options.replay or options.like)
            endpoint = Playback(recording, key, options.speed) if options.replay else Imitation(recording, key)
            log = stack.enter_context(Path(options.log).open("a", encoding="utf-8")) if options.log else None
            server = stack.enter_context(serve(endpoint, options.host, options.port, log))
        except (Misconfigured, OSError, OverflowError) as error:
            raise CommandError(str(error)) from None
        with contextlib.suppress(ValueError):  # Signal handlers can be set only in the main thread.
            signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
    return 0
