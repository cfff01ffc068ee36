"""Which requests are under way at the same time in this process, and a turn to send one alone.

A request that ends without a response, or with the status of a busy server, while others are under way may owe that to
one of them: a server whose event loop one request blocks answers none. Sent again alone, each shows what it causes by
itself.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

#: Requests of a run that are sent again alone, and those in a row that met the same as before; then no more are.
_MOST, _IN_VAIN = 12, 3


@dataclass
class Turn:
    """A request under way: when it began (monotonic seconds), and whether another one was under way meanwhile."""

    began: float
    shared: bool


class Turns:
    """Counts the requests under way; :meth:`alone` waits until there are none, and lets none begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: list[Turn] = []
        self._is_exclusive = False
        self._sent_alone = self._in_vain = 0

    @contextlib.contextmanager
    def take(self) -> Iterator[Turn]:
        """The turn of one request, once nobody has the turn alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_exclusive)
            turn = Turn(time.monotonic(), bool(self._under_way))
            for one in self._under_way:
                one.shared = True
            self._under_way.append(turn)
        try:
            yield turn
        finally:
            with self._changed:
                self._under_way.remove(turn)
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A turn in which no other request is under way; taken by one at a time."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_exclusive)
            self._is_exclusive = True
            self._changed.wait_for(lambda: not self._under_way)
        try:
            yield
        finally:
            with self._changed:
                self._is_exclusive = False
                self._changed.notify_all()

    def may_send_alone(self) -> bool:
        """Whether one more request may be sent again alone; counts it."""
        if self._sent_alone >= _MOST or self._in_vain >= _IN_VAIN:
            return False
        self._sent_alone += 1
        return True

    def sent_alone(self, helped: bool) -> None:
        """Note whether a request that was sent again alone fared better."""
        self._in_vain = 0 if helped else self._in_vain + 1
