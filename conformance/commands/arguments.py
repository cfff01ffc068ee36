"""Arguments that several commands share, so that one word means one thing in all of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeVar

from conformance.commands import CommandError
from conformance.exchange.run_directory import write_atomically

_T = TypeVar("_T")


def add_output(parser: argparse.ArgumentParser, help_text: str, former: str = "", metavar: str = "FILE") -> None:
    """Add ``--output``. ``former`` is the name of the option in earlier versions, which stays usable."""
    parser.add_argument("--output", type=Path, metavar=metavar, help=help_text)
    if former:
        parser.add_argument(former, dest="output", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def named(value: _T | None, name: str, expected: str) -> _T:
    """An argument that may be positional or an option of an earlier version. Raises :class:`CommandError` without
    it; ``expected`` describes the value."""
    if value is None:
        raise CommandError(f"the argument {name} is missing: expected {expected}")
    return value


def write(path: Path, text: str) -> None:
    """Write a text to a file, or to standard output for ``-``. Raises :class:`CommandError` if it cannot be written."""
    if str(path) == "-":
        print(text, end="")
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
