"""``conformance report``: the files that a finished run leaves, made from its results once more."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.report import outputs
from conformance.results import results_file

HELP = "make the HTML report, the Markdown summary or the badge of a finished run"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and what to make of it."""
    parser.add_argument("run", type=Path, help="run folder or results file")
    for kind, says in outputs.HELP.items():
        parser.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"{says}; - for standard output")


def main(options: argparse.Namespace) -> int:
    """Write what was asked for; without any option the HTML report beside the results."""
    try:
        run = results_file.read(options.run)
    except ValueError as error:
        raise CommandError(str(error)) from None
    files = {kind: path for kind in outputs.KINDS if (path := getattr(options, kind))}
    files = files or {"html": run.path.with_name("report.html")}
    try:
        outputs.write(run, run.folder, outputs.again_of(run), files)
    except OSError as error:
        raise CommandError(f"{error.filename or 'the report'} cannot be written: {error.strerror}") from None
    for path in files.values():
        if str(path) != "-":
            print(path)
    return 0
