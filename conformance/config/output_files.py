"""Output files that cannot be written, found before the first request is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from conformance.config.errors import Misconfigured


def check_output_files(files: Iterable[Path | str | None]) -> None:
    """Raise :class:`Misconfigured` for the first that is a folder, is in none, or may not be written; ``-`` is standard
    output. Nothing is created."""
    for file in files:
        if not file or str(file) == "-":
            continue
        path = Path(file).absolute()
        if path.is_dir():
            raise Misconfigured(f"{file} cannot be written: it is a folder")
        there = path if path.exists() else next(one for one in path.parents if one.exists())
        if there is not path and not there.is_dir():
            raise Misconfigured(f"{file} cannot be written: {there} is not a folder")
        if not os.access(there, os.W_OK):
            raise Misconfigured(f"{file} cannot be written: no permission for {there}")
