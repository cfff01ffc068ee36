"""``conformance coverage``: the clauses of the contract, and those that a run checked."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands import CommandError
from conformance.report import coverage
from conformance.results import results_file

HELP = "list the clauses of the contract with the rules, scenarios and faults by which a run checked each"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument: the run."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder or results file")


def main(options: argparse.Namespace) -> int:
    """Print the coverage; exit code 1 if there is a gap."""
    try:
        read = results_file.read(options.run)
    except ValueError as error:
        raise CommandError(str(error)) from None
    found = coverage.covered(read.cases)
    for line in coverage.render(found):
        print(line)
    gaps = coverage.gaps(found, read.cases, read.head.revision)
    print(f"\n{len(gaps)} gap{'' if len(gaps) == 1 else 's'}" + "".join(f"\n  {gap}" for gap in gaps))
    return 1 if gaps else 0
