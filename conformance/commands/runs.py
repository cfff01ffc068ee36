"""Load the runs that are arguments of a command."""

from __future__ import annotations

from pathlib import Path

from conformance.commands import CommandError
from conformance.results import results_file
from conformance.results.results_file import Results


def load(path: Path) -> Results:
    """The results in a file or run folder. Raises :class:`CommandError` if they cannot be read."""
    try:
        return results_file.read(path)
    except ValueError as error:
        raise CommandError(str(error)) from None


def load_complete(path: Path) -> Results:
    """As :func:`load`. Raises :class:`CommandError` for a run that was interrupted too."""
    run = load(path)
    if run.end is None:
        raise CommandError(f"{run.path} has no end line: the run was interrupted and cannot be compared")
    if run.end.interrupted:
        raise CommandError(f"{run.path} is from an interrupted run, which cannot be compared")
    return run
