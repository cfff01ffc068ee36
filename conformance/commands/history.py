"""``conformance history``: the trend of the nightly runs."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.commands import CommandError
from conformance.exchange.run_directory import RESULTS, write_atomically
from conformance.report.html import simple
from conformance.report.trend import LEGEND, Trend, page, text, trend
from conformance.results.baseline import matches_any
from conformance.results.history import History, HistoryError, opened
from conformance.results.records import RunHead

#: A number of nightly runs without limit.
_ALL = sys.maxsize

HELP = "show the trend of the nightly runs, by target and rule"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the history, the target, the rules and the number of runs."""
    parser.add_argument(
        "--history", type=Path, default=Path("history"), metavar="DIR", help="history folder (default: %(default)s)"
    )
    parser.add_argument("--target", metavar="NAME", help="only this target")
    parser.add_argument(
        "--rule", metavar="GLOB", help="only these rules (default: those that failed in one of the runs)"
    )
    parser.add_argument(
        "--nights", type=int, default=30, metavar="N", help="the last N nightly runs (default: %(default)s)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write an HTML page instead")


def main(options: argparse.Namespace) -> int:
    """Print the trend or write it."""
    if options.nights < 1:
        raise CommandError(f"--nights is {options.nights}; expected 1 or more")
    try:
        with opened(options.history / "history.sqlite") as kept:
            targets = _targets(kept, options.target)
            _check_rule(kept, targets, options.rule)
            found = [_trend_of(kept, target, options) for target in targets]
    except HistoryError as error:
        raise CommandError(str(error)) from None
    if options.html is None:
        for one in found:
            for line in text(one):
                print(line)
        print(f"\n{LEGEND}")
        return 0
    try:
        write_atomically(options.html, page(found, _reports(options.history, options.html)))
    except OSError as error:
        raise CommandError(f"{options.html} cannot be written: {error.strerror}") from None
    return 0


def _reports(folder: Path, page_file: Path) -> dict[tuple[str, str], str]:
    """Links from the page to the reports of the runs that the history still keeps, by target and time of the run."""
    found = {}
    for results in folder.glob(f"*/*Z/{RESULTS}"):
        try:
            with results.open(encoding="utf-8") as lines:
                head = RunHead.from_json(json.loads(next(lines)))
        except (OSError, ValueError, KeyError, TypeError, StopIteration):
            continue  # A run that was interrupted has no report.
        if link := simple.report_link(results, page_file):
            found[head.target.name, head.started_at] = link
    return found


def _targets(kept: History, wanted: str | None) -> list[str]:
    names = kept.targets()
    if not names:
        raise CommandError("the history contains no nightly run")
    if wanted is not None and wanted not in names:
        raise CommandError(
            f"the history contains no nightly run of {wanted!r}; its targets: {', '.join(map(repr, names))}"
        )
    return names if wanted is None else [wanted]


def _check_rule(kept: History, targets: Sequence[str], wanted: str | None) -> None:
    if not wanted:
        return
    rules = {rule for target in targets for rule in kept.by_rule(kept.last_runs(target, _ALL))}
    if not any(matches_any(rule, (wanted,)) for rule in rules):
        near = difflib.get_close_matches(wanted, sorted(rules), n=1)
        offer = f"; did you mean {near[0]!r}?" if near else ""
        raise CommandError(f"--rule {wanted!r} matches no rule of these nightly runs{offer}")


def _trend_of(kept: History, target: str, options: argparse.Namespace) -> Trend:
    wanted = (lambda rule: matches_any(rule, (options.rule,))) if options.rule else None
    return trend(kept, target, options.nights, wanted)
