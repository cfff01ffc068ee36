"""``conformance nightly``: judge a target, confirm what newly fails, compare with last night, keep the history."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from conformance.commands import CommandError
from conformance.config.target import Misconfigured, resolve
from conformance.engine.nightly import OUTPUT_FILES, run_nightly
from conformance.results.history import HistoryError

HELP = "judge a target, ask again what newly fails, compare with last night, keep the history"
PASSES_ON = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """The target and the history; every other option is for the run."""
    parser.add_argument("--target", type=Path, required=True, metavar="FILE", help="TOML file of the target")
    parser.add_argument("--history", type=Path, default=Path("history"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--keep", type=int, default=14, metavar="N", help="nights that keep their bytes (default: 14)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="put tonight's summary, issues and results there too")
    parser.epilog = "All other options are those of conformance run, such as --baseline FILE, -m smoke or -n 2."


def main(words: list[str]) -> int:
    """Spend the night, print its summary; the exit code is the night's."""
    parser = argparse.ArgumentParser(prog="conformance nightly", description=HELP, allow_abbrev=False)
    arguments(parser)
    options, rest = parser.parse_known_args(words)
    if options.keep < 1:
        raise CommandError(f"--keep is {options.keep}; last night at least must be kept")
    try:
        target = resolve({}, os.environ, "00000000", options.target)
        night = run_nightly(
            target.name, ["--target", str(options.target), *rest], options.history.absolute(), options.keep
        )
    except (Misconfigured, HistoryError) as error:
        raise CommandError(str(error)) from None
    if options.out:
        _hand_on(night.folder, options.out)
    if night.summary:
        print(f"\n{night.summary}", end="")
        print(f"kept in {night.folder}")
    return night.exit


def _hand_on(folder: Path, out: Path) -> None:
    """Copy what a night left; a file of an earlier night that this one did not make is taken away."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in OUTPUT_FILES:
            (out / name).unlink(missing_ok=True)
            if (folder / name).exists():
                shutil.copyfile(folder / name, out / name)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error}") from None
