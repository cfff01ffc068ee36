"""``conformance matrix``: several runs side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.runs import load
from conformance.report.matrix import markdown, matrix, page
from conformance.wire.record import write_atomically

HELP = "several runs side by side, by area and by broken rule; exit 2 if a run broke off"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder or results file")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page too")


def main(options: argparse.Namespace) -> int:
    """Print the matrix as Markdown."""
    found = matrix([load(path) for path in options.runs])
    print(markdown(found), end="")
    if options.html:
        try:
            write_atomically(options.html, page(found))
        except OSError as error:
            raise CommandError(f"{options.html} cannot be written: {error.strerror}") from None
    return 2 if found.broken_off else 0
