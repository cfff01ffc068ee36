"""``conformance history``: the trend of the nights."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.baseline import named
from conformance.commands import CommandError
from conformance.history import History, HistoryError, opened
from conformance.report.trend import Trend, page, text, trend
from conformance.wire.record import write_atomically

HELP = "the trend of the nights, by target and rule"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which nights of what."""
    parser.add_argument("--history", type=Path, default=Path("history"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--target", metavar="NAME", help="only this target")
    parser.add_argument("--rule", metavar="GLOB", help="these rules (default: those that failed in these nights)")
    parser.add_argument("--nights", type=int, default=30, metavar="N", help="the last N (default: %(default)s)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page instead")


def main(options: argparse.Namespace) -> int:
    """Print the trend or write it."""
    if options.nights < 1:
        raise CommandError(f"--nights is {options.nights}; it must be 1 or more")
    try:
        with opened(options.history / "history.sqlite") as kept:
            found = [_of(kept, target, options) for target in _targets(kept, options.target)]
    except HistoryError as error:
        raise CommandError(str(error)) from None
    if options.html is None:
        for one in found:
            for line in text(one):
                print(line)
        return 0
    try:
        write_atomically(options.html, page(found))
    except OSError as error:
        raise CommandError(f"{options.html} cannot be written: {error.strerror}") from None
    return 0


def _targets(kept: History, wanted: str | None) -> list[str]:
    names = kept.targets()
    if not names:
        raise CommandError("the history holds no night")
    if wanted is not None and wanted not in names:
        raise CommandError(f"no night of {wanted!r}; there are {', '.join(map(repr, names))}")
    return names if wanted is None else [wanted]


def _of(kept: History, target: str, options: argparse.Namespace) -> Trend:
    wanted = (lambda rule: named(rule, (options.rule,))) if options.rule else None
    return trend(kept, target, options.nights, wanted)
