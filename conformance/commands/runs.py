"""Runs that a command is given by name."""

from __future__ import annotations

from pathlib import Path

from conformance.commands import CommandError
from conformance.results import results_file
from conformance.results.results_file import Results


def load(path: Path) -> Results:
    """The results in a file or run folder; :class:`CommandError` says in one line what is wrong with it."""
    try:
        return results_file.read(path)
    except ValueError as error:
        raise CommandError(str(error)) from None


def load_whole(path: Path) -> Results:
    """As :func:`load`; a run that broke off or was interrupted is refused."""
    run = load(path)
    if run.end is None:
        raise CommandError(f"{run.path} has no end line: the run broke off, and cannot be compared")
    if run.end.interrupted:
        raise CommandError(f"{run.path} is of a run that was interrupted; it cannot be compared")
    return run
