"""Which requests of a run are under way at the same time, in all its processes, and a turn to send one alone.

A request that ends without a response, or with the status of a busy server, while others are under way may owe that to
one of them: a server whose event loop one request blocks answers none. Sent again alone, each shows what it causes by
itself.

Processes coordinate through operating-system locks in the run folder: each request under way shares the lock of one
file, one that is sent alone holds it exclusively. A second file keeps new requests back while one waits for its turn
alone. A third one grows by a byte with each request that begins, so that a request knows whether another one began
during its own time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from conformance.exchange.run_directory import locked

#: Requests of a process that are sent again alone, and those in a row that met the same as before; then no more are.
_MOST, _IN_VAIN = 12, 3


@dataclass
class Turn:
    """A request under way: when it began (monotonic seconds), and whether another one was under way meanwhile, which is
    known once it has ended."""

    began: float
    shared: bool


class Turns:
    """The requests under way of all processes that use this folder of locks; :meth:`alone` waits until there are none,
    and lets none begin."""

    def __init__(self, locks: Path) -> None:
        self._entry, self._under_way, self._begun = (locks / f"turns-{name}" for name in ("entry", "taken", "begun"))
        self._sent_alone = self._in_vain = 0

    @contextlib.contextmanager
    def take(self) -> Iterator[Turn]:
        """The turn of one request, once no request has the turn alone."""
        with self._under_way.open("a") as mine, self._begun.open("ab", buffering=0) as begun:
            with locked(self._entry):
                shared = not _is_free(mine)
                fcntl.flock(mine, fcntl.LOCK_SH)
                begun.write(b".")
                place = begun.tell()
            turn = Turn(time.monotonic(), shared)
            try:
                yield turn
            finally:
                turn.shared = turn.shared or os.fstat(begun.fileno()).st_size > place

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A turn in which no other request is under way; taken by one at a time."""
        with locked(self._entry), locked(self._under_way):
            yield

    def may_send_alone(self) -> bool:
        """Whether one more request may be sent again alone; counts it."""
        if self._sent_alone >= _MOST or self._in_vain >= _IN_VAIN:
            return False
        self._sent_alone += 1
        return True

    def sent_alone(self, helped: bool) -> None:
        """Note whether a request that was sent again alone fared better."""
        self._in_vain = 0 if helped else self._in_vain + 1


def _is_free(file: IO[str]) -> bool:
    """Whether no other request holds the lock of an open file, which is then held."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
