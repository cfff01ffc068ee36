"""The progress of a run at the terminal: responses received, planned requests, output tokens and the time left."""

from __future__ import annotations

import threading
import time
from typing import Any

from conformance.decode.tokens import cost
from conformance.exchange.run_directory import RunDirectory

#: Seconds between two updates: of the line at a terminal, and between two lines in a file.
_AT_TERMINAL, _IN_FILE = 0.2, 30.0

#: Responses after which the time left is estimated.
_ENOUGH = 10


class Progress:
    """Polls the run folder, which any process may fill, and writes to pytest's terminal reporter: one line that is
    rewritten at a terminal, else a line every 30 seconds."""

    def __init__(self, folder: RunDirectory, reporter: Any, interactive: bool) -> None:
        self._folder = folder
        self._reporter = reporter
        self._interactive = interactive
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._known: dict[str, int] = {}
        self._has_failure = False

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
            self._write("")

    def show_first_failure(self, text: str) -> None:
        """Show the first failure of a run as soon as it is evaluated; further ones are shown at the end, by cause."""
        if self._has_failure:
            return
        self._has_failure = True
        with self._lock:
            if self._interactive:
                self._reporter.rewrite("", erase=True)
            self._reporter.line(f"first failure: {text}")

    def _watch(self, planned: int) -> None:
        started = time.monotonic()
        while not self._stop.wait(_AT_TERMINAL if self._interactive else _IN_FILE):
            for key in self._folder.recorded():
                if key not in self._known and (exchange := self._folder.read(key)):
                    self._known[key] = cost(exchange)[1]
            tokens = sum(self._known.values())
            self._write(progress_line(len(self._known), planned, tokens, time.monotonic() - started))

    def _write(self, line: str) -> None:
        with self._lock:
            if self._interactive:
                self._reporter.rewrite(line, erase=True)
            elif line:
                self._reporter.line(line)


def progress_line(received: int, planned: int, tokens: int, seconds: float) -> str:
    """The progress as text; the time left is estimated from the ``seconds`` so far. ``planned`` is 0 if unknown."""
    of = f" of {planned}" if planned else ""
    line = f"{received}{of} responses received, {tokens:,} output tokens"
    if planned and received >= planned:
        return f"{line}; evaluating"
    if not planned or received < _ENOUGH:
        return line
    left = seconds / received * (planned - received)
    return f"{line}, about {left / 60:.0f} min left" if left >= 90 else f"{line}, about {left:.0f} s left"
