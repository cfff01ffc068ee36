"""How long a run waits for the responses of a proxy: less, the more of them did not end.

A proxy can be slow for as long as something happens: while the client receives bytes, or a request of the proxy is in
progress at the upstream. If nothing does, the proxy has nothing left to wait for but itself, and its response hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from conformance.proxy.records import Leg

#: The longest silence of a proxy, in waits for what it should do at once: of an ordinary response, and of one for
#: which the proxy can send its request again after a while.
IDLE, IDLE_BEFORE_RETRY = 2.0, 4.0

#: The shortest of these silences in seconds, as the machine can be busy.
_LEAST = 4.0

#: Responses that hung, from which on the silence is one wait, and a second after the terminal event of a stream.
_FEW, _SECOND = 2, 1.0

#: Responses that were not complete within the limit, from which on it is one wait, and a second.
_SOME, _MANY = 3, 9

#: What streams contain after which they have no other event.
_TERMINAL = tuple(
    f'"type":{space}"response.{name}"'.encode() for name in ("completed", "incomplete", "failed") for space in ("", " ")
)

#: The detail of a response that hangs.
HUNG = "neither the client nor the upstream received anything more"


class Patience:
    """The patience of one run; ``wait`` as in :class:`conformance.proxy.kit.Settings`."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        #: Whether the client has received a response: until then a proxy can load what it needs.
        self.has_served = False
        #: When a client received something for the last time.
        self.active_at = time.monotonic()
        self._hung = self._late = 0
        self._lock = threading.Lock()

    def note(self, leg: Leg) -> None:
        """Note how a response ended within the limit of the run."""
        with self._lock:
            self.has_served = self.has_served or leg.status is not None
            if leg.ended == "time-out":
                self._hung += leg.detail == HUNG
                self._late += leg.detail != HUNG

    def limit(self, longest: float) -> float:
        """The longest time for a response in seconds, at most the longest one."""
        limits = (longest, self.wait, 1.0)
        return min(limits[: 1 + (self._late >= _SOME) + (self._late >= _MANY)])

    def idle(self, waits: float, is_complete: bool) -> float:
        """The longest silence in seconds for a response for which it is ``waits`` at first; ``is_complete``: the
        terminal event was received."""
        if self._hung > _FEW and is_complete:
            return min(self.wait, _SECOND)
        few = self._hung >= _FEW or is_complete
        return max(_LEAST, self.wait if few else self.wait * waits / (2 if self._hung else 1))


def hangs(patience: Patience, waits: float, received: bytearray, is_busy: Callable[[], bool]) -> Callable[[], bool]:
    """Whether a response hangs, to be called again and again. ``received`` is its body so far; ``is_busy``: whether the
    upstream has a request in progress; ``waits`` as in :meth:`Patience.idle`."""
    since, size = time.monotonic(), 0

    def look() -> bool:
        nonlocal since, size
        now = time.monotonic()
        if is_busy() or len(received) != size or not patience.has_served:
            since, size = now, len(received)
            patience.active_at = now  # A proxy can serve one of several requests after the other.
        silence = now - max(since, patience.active_at)
        return silence > min(patience.wait, _SECOND) and silence > patience.idle(
            waits, any(one in received for one in _TERMINAL)
        )

    return look
