"""``conformance report``: render the reports of a finished run again, from its results."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.report import outputs
from conformance.results import results_file

HELP = "render the HTML report, the Markdown summary or the badge of a finished run"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the run and the output files."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder or results file")
    for kind, says in outputs.HELP.items():
        parser.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"{says}; - is standard output")


def main(options: argparse.Namespace) -> int:
    """Write the requested files; without any option the HTML report next to the results."""
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
