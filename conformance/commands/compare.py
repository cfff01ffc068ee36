"""``conformance compare``: the differences between two runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.arguments import write
from conformance.commands.runs import load_complete
from conformance.report import comparison
from conformance.results.comparison import compare

HELP = "show the differences between two runs: exit 0 without a regression, 1 with one, 2 if they cannot be compared"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: the two runs and the output files."""
    parser.add_argument("old", type=Path, metavar="OLD", help="run folder or results file")
    parser.add_argument("new", type=Path, metavar="NEW", help="run folder or results file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write an HTML page")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the Markdown to a file")


def main(options: argparse.Namespace) -> int:
    """Print the comparison and write the files."""
    old, new = load_complete(options.old), load_complete(options.new)
    try:
        found = compare(old, new)
    except ValueError as error:
        raise CommandError(str(error)) from None
    text = comparison.render(found)
    print(json.dumps(comparison.to_json(found), indent=1) + "\n" if options.json else text, end="")
    if options.markdown:
        write(options.markdown, text)
    if options.html:
        write(options.html, comparison.page(found, old, new, options.html))
    return 1 if found.regression else 0
