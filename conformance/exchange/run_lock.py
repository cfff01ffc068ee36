"""Exclusive use of a run folder: one run at a time, by locks that the operating system releases when a process ends.

``run.lock`` is held exclusively by the process that began the run, from before its first write to its end; the file
contains that process's id. ``workers.lock`` is shared by the workers of pytest-xdist: they outlive a killed controller
by some seconds, in which they would write into the next run. Neither file is ever deleted: a process that waits for the
lock of a deleted file would acquire it at the same time as the one that created the file again.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from conformance.config.target import Misconfigured

RUN_LOCK, WORKERS_LOCK = "run.lock", "workers.lock"

#: Seconds to wait for a lock that another process holds only to check it, or for a process id that is not written yet.
_PATIENCE, _LOOK = 1.0, 0.05


class Claim:
    """The use of one run folder by this process; no lock is held before :meth:`take` or :meth:`join`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: IO[str] | None = None

    def holder(self) -> str:
        """The process that uses the folder, for a message; empty if none does. Writes nothing."""
        try:
            with (self._path / RUN_LOCK).open(encoding="utf-8") as file:
                return "" if _locked(file, fcntl.LOCK_SH) else _process(file)
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def take(self) -> None:
        """Lock the folder, which exists, until :meth:`release`; :class:`Misconfigured` if another process uses it.

        ``OSError`` if the folder cannot be written or its file system has no locks.
        """
        file = (self._path / RUN_LOCK).open("a+", encoding="utf-8")
        try:
            if not _locked(file, fcntl.LOCK_EX):
                raise Misconfigured(taken(self._path, _process(file)))
            with (self._path / WORKERS_LOCK).open("a", encoding="utf-8") as workers:
                if not _locked(workers, fcntl.LOCK_EX):
                    began = _process(file)
                    raise Misconfigured(f"run folder {self._path} is in use by workers of the run that {began} began")
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        except BaseException:
            file.close()
            raise
        self._held = file

    def join(self) -> None:
        """As a worker, prevent the next run from using the folder until :meth:`release`."""
        file = (self._path / WORKERS_LOCK).open("a", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_SH)
        self._held = file

    def release(self) -> None:
        """Let the next run have the folder; the end of the process does the same."""
        if self._held:
            self._held.close()
            self._held = None


def taken(path: Path, holder: str) -> str:
    """The message that a folder is in use."""
    return f"run folder {path} is in use by another run ({holder}); wait for its end or name another folder"


def _locked(file: IO[str], kind: int) -> bool:
    """Whether the lock on an open file was acquired within a short wait; closing the file releases it."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK)


def _process(file: IO[str]) -> str:
    """The process that the lock file names."""
    file.seek(0)
    number = file.read(32).strip()
    return f"pid {number}" if number.isascii() and number.isdecimal() else "an unknown process"
