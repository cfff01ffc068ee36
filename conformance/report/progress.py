"""The progress line at the terminal while requests are sent: responses received, planned requests, output tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from conformance.decode.tokens import cost
from conformance.exchange.run_directory import RunDirectory


class Progress:
    """Polls the run folder, which any process may fill; ``rewrite`` replaces the last line of the terminal."""

    def __init__(self, folder: RunDirectory, rewrite: Callable[[str], object]) -> None:
        self._folder = folder
        self._rewrite = rewrite
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: dict[str, int] = {}

    def start(self, planned: int = 0) -> None:
        """Start to show progress; ``planned`` is the number of requests, or 0 if only the workers know it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, args=(planned,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop, and erase the line."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
            self._rewrite("")

    def _watch(self, planned: int) -> None:
        while not self._stop.wait(0.2):
            for key in self._folder.recorded():
                if key not in self._known and (exchange := self._folder.read(key)):
                    self._known[key] = cost(exchange)[1]
            total = f" of {planned}" if planned else ""
            tokens = sum(self._known.values())
            self._rewrite(f"{len(self._known)}{total} responses received, {tokens:,} output tokens")
