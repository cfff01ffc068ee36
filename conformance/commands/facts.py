"""``conformance facts``: what a run shows of the dialect of its endpoint."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conformance.commands import CommandError
from conformance.report.columns import wrapped
from conformance.report.failure import printable
from conformance.results.fact_readings import QUESTIONS
from conformance.results.facts import facts_of

HELP = "print what a run, or a bundle of conformance share, shows of what the contract leaves open"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the run, and the form of the output."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, or a bundle of conformance share")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def main(options: argparse.Namespace) -> int:
    """Print the facts."""
    try:
        found = facts_of(options.run)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not found:
        raise CommandError(f"{options.run} contains no response")
    if options.json:
        for one in found:
            print(json.dumps(one.to_json(), ensure_ascii=False))
        return 0
    for one in found:
        question = f"  {QUESTIONS[one.name][0]}" if one.name in QUESTIONS else ""
        print(f"{printable(one.name)}{question}")
        for line in wrapped(printable(one.shown), 90):
            print(f"    {line}")
        print(f"    first in {one.evidence}")
    if missing := [name for name in QUESTIONS if name not in {one.name for one in found}]:
        print(f"not recorded: {', '.join(missing)}")
    return 0
