"""``conformance matrix``: a table of several runs, one column a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.runs import load
from conformance.exchange.run_directory import write_atomically
from conformance.report.matrix import markdown, matrix, page

HELP = "compare several runs in a table, by area and by violated rule; exit 2 if a run was interrupted"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the runs and the output files."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder or results file")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write an HTML page")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the Markdown to this file instead of printing it"
    )
    parser.add_argument("--note", action="append", default=[], metavar="TEXT", help="text at the top; may be repeated")


def main(options: argparse.Namespace) -> int:
    """Print the matrix as Markdown, or write it."""
    found = matrix([load(path) for path in options.runs])
    if options.markdown:
        _write(options.markdown, markdown(found, options.note))
    else:
        print(markdown(found, options.note), end="")
    if options.html:
        _write(options.html, page(found, options.note))
    return 2 if found.interrupted else 0


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
