"""A server whose answers a test makes by a function; it knows when what was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from conformance.emulator import Endpoint, Reply, Server, serve
from tests.support.running import KEY

Received = Callable[[int, bytes], Reply]


class Stub:
    """What an endpoint is to the emulator's server: ``answer`` gets the number of the request and its body."""

    def __init__(self, received: Received | None = None, **options: float) -> None:
        self._endpoint = Endpoint(key=KEY, **options)
        self._own = received
        self._mutex = threading.Lock()
        self.times: list[float] = []
        self.bodies: list[bytes] = []
        self.over = threading.Event()

    def respond(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        """The answer of the test's function, or of the right endpoint where it has none."""
        with self._mutex:
            number = len(self.times)
            self.times.append(time.monotonic())
            self.bodies.append(body)
        if self._own:
            return self._own(number, body)
        return self._endpoint.respond(method, path, headers, body)

    def serve(self) -> Server:
        """Begin to answer on a free port."""
        return serve(self)

    def wait_for(self, requests: int, seconds: float = 30) -> None:
        """Wait until so many requests have come."""
        until = time.monotonic() + seconds
        while len(self.times) < requests:
            assert time.monotonic() < until, f"{len(self.times)} of {requests} requests came"
            time.sleep(0.01)


def reply(status: int, body: bytes = b"{}", *headers: tuple[str, str]) -> Reply:
    """A plain answer."""
    return Reply(status, "Status", [("Content-Type", "application/json"), *headers], [(0, body)]).complete()
