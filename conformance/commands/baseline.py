"""``conformance baseline``: the expected failures of a run, as a new file or an old one brought up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.runs import load_whole
from conformance.config.target import Misconfigured
from conformance.exchange.run_directory import write_atomically
from conformance.judge.verdict import FAIL, INCONCLUSIVE
from conformance.report import catalogue
from conformance.results.baseline import EXPECTABLE
from conformance.results.baseline_file import Rewritten, parse, rewrite

#: What is listed unless the user says otherwise: all but warnings, which fail no run.
_VERDICTS = (FAIL, INCONCLUSIVE)

HELP = "make a baseline of a run's failures, or bring one up to date"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, which file."""
    parser.add_argument(
        "--from", dest="run", type=Path, required=True, metavar="RUN", help="run folder or results file"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="file to make or bring up to date; else it is shown")
    parser.add_argument("--reason", default="", help="reason of what is added, and of entries that have none")
    parser.add_argument(
        "--verdict",
        action="append",
        choices=EXPECTABLE,
        help="what to list, unless it follows from what is listed (default: fail and inconclusive); "
        "may be given several times",
    )


def main(options: argparse.Namespace) -> int:
    """Write or print the baseline."""
    try:
        run = load_whole(options.run)
        known = catalogue.case_ids(run.head.revision)
        text = _old(options.write)
        file = str(options.write or "baseline")
        made = rewrite(text, file, run.cases, known, options.verdict or _VERDICTS, options.reason)
    except Misconfigured as error:
        raise CommandError(str(error)) from None
    if options.write is None:
        print(made.text, end="")
        return 0
    try:
        write_atomically(options.write, made.text)
    except OSError as error:
        raise CommandError(f"{options.write} cannot be written: {error.strerror}") from None
    _tell(options.write, made)
    return 0


def _old(file: Path | None) -> str:
    if file is None or not file.exists():
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"baseline {file} cannot be read: {error}") from None


def _tell(file: Path, made: Rewritten) -> None:
    filled = f", {made.filled} given the reason" if made.filled else ""
    print(f"{file}: {made.added} added, {made.changed} changed, {made.removed} removed, {made.kept} kept{filled}")
    for note in made.notes:
        print(note)
    redact = [entry for entry in parse(made.text, str(file), needs_reason=False) if not entry.reason]
    if redact:
        print(
            f"{len(redact)} need a reason before the file can be used, the first at {redact[0].place}", file=sys.stderr
        )
