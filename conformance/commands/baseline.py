"""``conformance baseline``: write the expected failures of a run to a new file, or update an existing one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.arguments import add_output, named
from conformance.commands.runs import load_complete
from conformance.config.target import Misconfigured
from conformance.exchange.run_directory import write_atomically
from conformance.judge.verdict import FAIL, INCONCLUSIVE
from conformance.report import catalogue
from conformance.results.baseline import EXPECTABLE
from conformance.results.baseline_file import INCONCLUSIVE_REASON, Rewritten, parse, rewrite

#: The default of --verdict: all except warnings, which do not fail a run.
_VERDICTS = (FAIL, INCONCLUSIVE)

HELP = "write the failures of a run to a baseline file, or update one"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the run, and the baseline file."""
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="run folder or results file")
    parser.add_argument("--from", dest="from_run", type=Path, metavar="RUN", help=argparse.SUPPRESS)
    add_output(parser, "file to write or update (default: standard output)", "--write")
    parser.add_argument(
        "--reason",
        default="",
        metavar="TEXT",
        help="why these failures are accepted: the reason of added entries, and of existing entries without one; "
        "inconclusive cases have it only with --verdict inconclusive",
    )
    parser.add_argument(
        "--verdict",
        action="append",
        choices=EXPECTABLE,
        help="verdict to list, except for consequences of listed cases (default: fail and inconclusive); "
        "may be repeated",
    )


def main(options: argparse.Namespace) -> int:
    """Write or print the baseline."""
    try:
        run = load_complete(named(options.run or options.from_run, "RUN", "a run folder or results file"))
        known = catalogue.case_ids(run.head.revision)
        text = _existing(options.output)
        file = str(options.output or "baseline")
        undecided = options.reason if INCONCLUSIVE in (options.verdict or ()) else INCONCLUSIVE_REASON
        verdicts = options.verdict or _VERDICTS
        made = rewrite(text, file, run.cases, known, verdicts, options.reason, undecided)
    except Misconfigured as error:
        raise CommandError(str(error)) from None
    if options.output is None:
        print(made.text, end="")
        return 0
    try:
        write_atomically(options.output, made.text)
    except OSError as error:
        raise CommandError(f"{options.output} cannot be written: {error.strerror}") from None
    _report(options.output, made)
    return 0


def _existing(file: Path | None) -> str:
    if file is None or not file.exists():
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"baseline {file} cannot be read: {error}") from None


def _report(file: Path, made: Rewritten) -> None:
    filled = f", {made.filled} completed with the reason" if made.filled else ""
    print(f"{file}: {made.added} added, {made.changed} changed, {made.removed} removed, {made.kept} kept{filled}")
    for note in made.notes:
        print(note)
    incomplete = [entry for entry in parse(made.text, str(file), needs_reason=False) if not entry.reason]
    if incomplete:
        print(
            f"{len(incomplete)} {'entry needs' if len(incomplete) == 1 else 'entries need'} a reason before the file "
            f"can be used, the first at {incomplete[0].place}",
            file=sys.stderr,
        )
