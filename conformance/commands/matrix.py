"""``conformance matrix``: a table of several runs, one column a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands.arguments import write
from conformance.commands.runs import load
from conformance.report.matrix import markdown, matrix, page

HELP = "compare several runs in a table, by area and by violated rule; exit 2 if a run was interrupted"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the runs and the output files."""
    run_help = "run folder or results file; NAME=RUN sets the title of its column"
    parser.add_argument("runs", nargs="+", metavar="[NAME=]RUN", help=run_help)
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write an HTML page")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the Markdown to this file instead of printing it"
    )
    parser.add_argument("--note", action="append", default=[], metavar="TEXT", help="text at the top; may be repeated")


def main(options: argparse.Namespace) -> int:
    """Print the matrix as Markdown, or write it."""
    named = [_named(word) for word in options.runs]
    found = matrix([load(path) for _, path in named], [name for name, _ in named])
    if options.markdown:
        write(options.markdown, markdown(found, options.note))
    else:
        print(markdown(found, options.note), end="")
    if options.html:
        write(options.html, page(found, options.note, options.html))
    return 2 if found.interrupted else 0


def _named(word: str) -> tuple[str, Path]:
    """The name and the path of an argument; a path that exists as it is has no name."""
    name, equals, path = word.partition("=")
    return (name, Path(path)) if equals and name and not Path(word).exists() else ("", Path(word))
