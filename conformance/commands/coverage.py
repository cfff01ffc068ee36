"""``conformance coverage``: the contract, and what a run really judged of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.report import coverage
from conformance.results import results_file

HELP = "the contract clause by clause: the rules, scenarios and faults by which a run judged it"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument("run", type=Path, help="a run folder or its results file")


def main(options: argparse.Namespace) -> int:
    """Print the coverage; 1 if there is a gap."""
    try:
        read = results_file.read(options.run)
    except ValueError as error:
        raise CommandError(str(error)) from None
    found = coverage.covered(read.cases)
    for line in coverage.render(found):
        print(line)
    gaps = coverage.gaps(found, read.cases, read.head.revision)
    print(f"\n{len(gaps)} gaps" + "".join(f"\n  {gap}" for gap in gaps))
    return 1 if gaps else 0
