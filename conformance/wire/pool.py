"""Every planned exchange is sent exactly once, ahead of the cases that need it, by whichever process comes first.

Processes agree through operating-system locks in the run folder: one lock a key (its holder sends, all others wait
and then read the file) and one lock a slot (as many as requests may be under way). A killed process loses its locks,
so another takes its work over.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.wire.client import Client, Outgoing
from conformance.wire.exchange import Exchange
from conformance.wire.record import Folder


@dataclass(frozen=True)
class Ask:
    """One planned exchange.

    ``after``: keys that are settled first. ``build`` makes the request from their last exchanges, None if they give
    nothing to build on. ``more`` says, from the samples so far, what to ask next (None: that is enough).
    """

    key: str
    after: tuple[str, ...]
    build: Callable[[Sequence[Exchange]], Outgoing | None]
    more: Callable[[Sequence[Exchange]], Ask | None]


class Pool:
    """The planned exchanges of a run, sent ahead by ``concurrency`` threads."""

    def __init__(self, asks: Sequence[Ask], folder: Folder, client: Client, concurrency: int, turn: int = 0) -> None:
        self._asks = {ask.key: ask for ask in asks}
        self._folder = folder
        self._client = client
        self._slots = concurrency
        self._settled: dict[str, tuple[Exchange, ...]] = {}
        self._todo = list(self._asks)
        if turn:  # Each worker begins elsewhere, so that they do not all queue for the same lock.
            cut = turn * self._slots % max(1, len(self._todo))
            self._todo = self._todo[cut:] + self._todo[:cut]
        self._mutex = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(concurrency)]
        self._stop = False

    def start(self) -> None:
        """Begin to send ahead."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all is sent."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def close(self) -> None:
        """Stop after the exchanges that are under way."""
        self._stop = True
        self.join()
        self._client.close()

    def settle(self, key: str) -> tuple[Exchange, ...]:
        """The samples of a planned exchange, the last being the one to judge; sends what nobody has sent."""
        settled = self._settled.get(key)
        if settled is None:
            ask: Ask | None = self._asks[key]
            samples: list[Exchange] = []
            while ask:
                samples.append(self._get(ask))
                ask = ask.more(samples)
            settled = self._settled[key] = tuple(samples)
        return settled

    def _get(self, ask: Ask) -> Exchange:
        kept = self._folder.read(ask.key)
        if kept is None:
            before = [self.settle(other)[-1] for other in ask.after]
            with _locked(self._folder.locks / f"{ask.key}.lock"):
                kept = self._folder.read(ask.key) or self._send(ask, before)
        return kept

    def _send(self, ask: Ask, before: Sequence[Exchange]) -> Exchange:
        outgoing = ask.build(before)
        if outgoing is None:
            exchange = _nothing_to_build_on(ask.key, before[0])
        else:
            with self._slot():
                exchange = self._client.send(outgoing)
        self._folder.write(exchange)
        return exchange

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        while True:
            for number in range(self._slots):
                with _locked(self._folder.locks / f"slot-{number}", wait=False) as mine:
                    if mine:
                        yield
                        return
            time.sleep(0.002)

    def _work(self) -> None:
        while not self._stop:
            with self._mutex:
                if not self._todo:
                    return
                key = self._todo.pop(0)
            self.settle(key)


def _nothing_to_build_on(key: str, first: Exchange) -> Exchange:
    detail = f"not sent, after what {first.scenario} gave"
    return Exchange(
        key, key, 0, first.request, None, (), (), "not-sent", detail, first.sent_at, 0.0
    )  # fmt: skip


@contextlib.contextmanager
def _locked(path: Path, wait: bool = True) -> Iterator[bool]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True  # Closing the file frees the lock, and so does the end of the process.
