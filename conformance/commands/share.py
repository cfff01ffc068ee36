"""``conformance share``: write a bundle of a run, for others to see what an endpoint sends."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.commands import CommandError
from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.results.sharing import bundle

HELP = "write at most 15 redacted exchanges of a run to one file, with versions, dates and digests"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the run and the output file."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")


def main(options: argparse.Namespace) -> int:
    """Write the bundle."""
    try:
        text = bundle(RunDirectory(options.run))
    except FileNotFoundError as error:
        raise CommandError(f"{options.run} is not a recording: {Path(error.filename).name} is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(str(error)) from None
    if not options.output:
        sys.stdout.write(text)
        return 0
    try:
        write_atomically(options.output, text)
    except OSError as error:
        raise CommandError(f"{options.output} cannot be written: {error.strerror}") from None
    print(f"{options.output}: read it before you share it: it contains the requests of the suite and the responses")
    return 0
