"""``conformance compare``: the differences between two runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.runs import load_whole
from conformance.report import comparison
from conformance.results.comparison import compare

HELP = "show the differences between two runs: exit 0 without a regression, 1 with one, 2 if they cannot be compared"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the two runs."""
    parser.add_argument("old", type=Path, help="run folder or results file")
    parser.add_argument("new", type=Path, help="run folder or results file")


def main(options: argparse.Namespace) -> int:
    """Print the comparison."""
    try:
        found = compare(load_whole(options.old), load_whole(options.new))
    except ValueError as error:
        raise CommandError(str(error)) from None
    print(comparison.render(found), end="")
    return 1 if found.regression else 0
