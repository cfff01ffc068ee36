"""The scheduling delay of this process, recorded with every arrival time.

A thread sleeps for one :data:`BEAT` at a time and records how late it wakes up. What delays it (another program on the
processor, a thread that holds the interpreter lock) also delays the threads that read responses: events that a server
sent one by one in that time are then read at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque

#: Seconds between two wake-ups.
BEAT = 0.02

#: Lateness below this many milliseconds is not noted.
_NOTED = 2.0

#: How many late wake-ups are stored: more than occur within the longest exchange.
_KEPT = 100_000


class Lag:
    """The late wake-ups of this process, from the first :meth:`start` on."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._due = float("inf")
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to measure, if that has not begun in this process."""
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, daemon=True)
                self._thread.start()

    def worst(self, since: float) -> float:
        """By how many milliseconds this process was late at most since then (``time.monotonic``)."""
        overdue = (time.monotonic() - self._due) * 1000
        found = max(overdue, 0.0)
        for at, late in reversed(self._late.copy()):
            if at < since:
                break
            found = max(found, late)
        return found

    def _beat(self) -> None:
        while True:
            self._due = time.monotonic() + BEAT
            time.sleep(BEAT)
            now = time.monotonic()
            late = (now - self._due) * 1000
            if late >= _NOTED:
                self._late.append((now, late))


#: That of this process.
LAG = Lag()
