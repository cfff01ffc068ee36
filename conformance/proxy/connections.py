"""What a proxy leaves unread in a connection to the upstream, and what fails in the next request on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.proxy.outcomes import has_failed
from conformance.proxy.records import Leg, Record

#: Responses that a proxy can have left in a connection that it uses again, in words.
CANCELLED, TRAILERS, STREAM = "a response that its client cancelled", "a response with trailers", "a stream"

#: Ends of the client's side by which the proxy ended a response that the upstream had sent completely.
BROKEN = ("cut", "reset", "invalid")

#: Responses from which on those that failed after a stream, and those that succeeded after others, are no chance.
_SEVERAL = 3


def failed_after(records: Sequence[Record], before: str) -> list[str]:
    """The probes that failed on a connection in which a proxy can have left such a response."""
    return [
        one.probe
        for one in records
        for pair in one.pairs
        if any(leg.ok and leg.notes.get("after") == before for leg in pair.upstream)
        and (not pair.client.ok or pair.client.ended in BROKEN)
    ]


def leaves_streams(records: Sequence[Record]) -> bool:
    """Whether the proxy leaves the end of each stream unread in its connection, and uses that again: several responses
    failed after a stream, and none succeeded, as several did elsewhere."""
    after, elsewhere = (list(_served(records, which)) for which in (True, False))
    return len(after) >= _SEVERAL and not any(after) and sum(elsewhere) >= _SEVERAL


def _served(records: Sequence[Record], after_stream: bool) -> Iterator[bool]:
    """Whether the client was served, for each request that the upstream received after a stream, or elsewhere."""
    for one in records:
        for pair in one.pairs:
            # The last request: the proxy can have sent it again on another connection.
            if pair.upstream and is_after_stream(pair.upstream[-1]) is after_stream:
                yield pair.client.ok and not has_failed(pair.client)


def is_after_stream(leg: Leg) -> bool:
    """Whether a request was sent on the connection of a stream."""
    return leg.notes.get("after") == STREAM
