"""The recorded responses as an endpoint for clients: ``/x/KEY,JOB/v1/responses`` returns exchange KEY for any body."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from conformance.emulator import Reply
from conformance.exchange.exchange import Exchange
from conformance.wire.playback import refusal, reply


def base(root: str, keys: Sequence[str], job: str) -> str:
    """The base URL under which the requests of a job get these exchanges in order, and then the last one again.

    ``root`` is the URL of the server, which ends in ``/v1``.
    """
    place = "+".join(quote(key, safe="") for key in keys)
    return f"{root.removesuffix('/v1')}/x/{place},{quote(job, safe='')}/v1"


class Record:
    """The recorded exchanges, with the interface of the emulator's ``Endpoint``."""

    def __init__(self, exchanges: Mapping[str, Exchange]) -> None:
        self._exchanges = exchanges
        self._requests_for: Counter[str] = Counter()
        self._mutex = threading.Lock()

    def requests_for(self, job: str) -> int:
        """The number of requests received for a job."""
        return self._requests_for[job]

    def respond(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        """The recorded response; 404 for a URL that belongs to no job."""
        parts = path.partition("?")[0].split("/")
        keys, _, job = parts[2].partition(",") if len(parts) > 2 and parts[1] == "x" else ("", "", "")
        found = [self._exchanges[key] for one in keys.split("+") if (key := unquote(one)) in self._exchanges]
        if method != "POST" or parts[-1] != "responses" or not found:
            return refusal(404, f"{method} {path[:200]} is not in the recording", "not_recorded")
        with self._mutex:
            turn = self._requests_for[unquote(job)]
            self._requests_for[unquote(job)] += 1
        # One connection a request: a malformed response must not affect the next one.
        return reply(found[min(turn, len(found) - 1)]).having("Connection", "close")
