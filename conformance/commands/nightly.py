"""``conformance nightly``: check a target, retry new failures, compare with the last nightly run, keep a history."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from conformance.commands import CommandError
from conformance.commands.arguments import add_output
from conformance.config.target import Misconfigured, resolve
from conformance.engine.nightly import OUTPUT_FILES, run_nightly
from conformance.results.history import HistoryError

HELP = "check a target, retry new failures, compare with the previous nightly run, keep a history"
PASSES_ON = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the nightly run; all other options belong to ``conformance run``."""
    parser.add_argument("url", nargs="?", metavar="URL", help="base URL ending in /v1, or the target file")
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", type=Path, metavar="FILE", help="TOML file of the target")
    parser.add_argument(
        "--history", type=Path, default=Path("history"), metavar="DIR", help="history folder (default: %(default)s)"
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=14,
        metavar="N",
        help="number of nightly runs whose exchanges are kept (default: 14)",
    )
    add_output(parser, "also copy the summary, issues and results of this run to DIR", "--out", "DIR")
    parser.epilog = "All other options are those of conformance run, such as --baseline FILE, -m smoke or -n 2."


def main(words: list[str]) -> int:
    """Perform the nightly run and print its summary; returns its exit code."""
    parser = argparse.ArgumentParser(prog="conformance nightly", description=HELP, allow_abbrev=False)
    _add_options(parser)
    url = words[0] if words and not words[0].startswith("-") else None
    options, rest = parser.parse_known_args(words[1:] if url else words)
    file = options.target
    if url and url.endswith(".toml"):
        file, url = Path(url), None
    if file is None and url is None:
        raise CommandError("the endpoint is missing: expected its base URL, or --target FILE")
    if options.keep < 1:
        raise CommandError(f"--keep is {options.keep}; expected 1 or more: the next run is compared with the last one")
    try:
        target = resolve({"endpoint": url}, os.environ, "00000000", file)
        given = [*([url] if url else []), *(["--target", str(file)] if file else []), *rest]
        night = run_nightly(target, given, options.history.absolute(), options.keep)
    except (Misconfigured, HistoryError) as error:
        raise CommandError(str(error)) from None
    if options.output:
        _copy_to(night.folder, options.output)
    if night.summary:
        print(f"\n{night.summary}", end="")
        print(f"stored in {night.folder}")
    return night.exit


def _copy_to(folder: Path, out: Path) -> None:
    """Copy the output files of a nightly run; remove those of an earlier run that this one did not write."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in OUTPUT_FILES:
            (out / name).unlink(missing_ok=True)
            if (folder / name).exists():
                shutil.copyfile(folder / name, out / name)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error}") from None
