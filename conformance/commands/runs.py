"""Load the runs that are arguments of a command."""

from __future__ import annotations

from pathlib import Path

from conformance.commands import CommandError
from conformance.results import results_file
from conformance.results.results_file import Results

_HEAD = ("suite", "revision", "target", "started_at")
_CASE = ("id", "requirement", "area", "level", "verdict", "findings", "observed", "reason")
_END = ("requests", "seconds", "tokens", "exit")


def load(path: Path) -> Results:
    """The results in a file or run folder. Raises :class:`CommandError` if they cannot be read."""
    try:
        run = results_file.read(path)
    except ValueError as error:
        raise CommandError(str(error)) from None
    for names, line in ((_HEAD, run.head), *((_CASE, line) for line in run.cases), (_END, run.end or {})):
        missing = [name for name in names if name not in line]
        if missing and line:
            raise CommandError(
                f"{run.path} is not a results file: a line of kind {line['kind']} has no member {missing[0]}"
            )
    return run


def load_whole(path: Path) -> Results:
    """As :func:`load`. Raises :class:`CommandError` for a run that was interrupted too."""
    run = load(path)
    if run.end is None:
        raise CommandError(f"{run.path} has no end line: the run was interrupted and cannot be compared")
    if run.end.get("interrupted"):
        raise CommandError(f"{run.path} is from an interrupted run, which cannot be compared")
    return run
