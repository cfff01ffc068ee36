"""``conformance list``: the rules, one a line."""

from __future__ import annotations

import argparse
import difflib

from conformance.commands import CommandError
from conformance.contract.rules import LEVELS
from conformance.report import catalogue

HELP = "list the rules, one a line"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: area and level. ``--area`` is the area's name in earlier versions."""
    parser.add_argument("area", nargs="?", metavar="AREA", help="only rules of this area, such as auth or lifecycle")
    parser.add_argument("--area", dest="former", help=argparse.SUPPRESS)
    parser.add_argument("--level", choices=LEVELS, help="only rules of this level")


def main(options: argparse.Namespace) -> int:
    """Print the rules."""
    areas, area = catalogue.areas(), options.area or options.former
    if area not in (None, *areas):
        near = difflib.get_close_matches(area, areas, n=1)
        offer = f"did you mean {near[0]!r}?" if near else f"areas: {', '.join(sorted(areas))}"
        raise CommandError(f"unknown area {area!r}; {offer}")
    for line in catalogue.listing(area, options.level):
        print(line)
    return 0
