"""Forwards a request to a server and returns its response unbuffered and unchanged."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from conformance.exchange.exchange import Ended, Headers
from conformance.wire.deadlines import Watch
from conformance.wire.transport import ended_by, headers_of, open_client

#: Seconds to connect. All other time-outs are those of the client.
_CONNECT = 30.0

#: Hop-by-hop headers (RFC 9110 7.6.1).
_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def passed_on(headers: Headers, *but: str) -> list[tuple[bytes, bytes]]:
    """The headers to forward: all except the hop-by-hop ones and these."""
    named = {one.strip().lower() for name, value in headers if name.lower() == "connection" for one in value.split(",")}
    stay = _HOP_BY_HOP | named | set(but)
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers if name.lower() not in stay]


@dataclass(frozen=True)
class UpstreamResponse:
    """A response whose headers are received; ``chunks`` are the bytes of its body, not decoded, one for each read."""

    status: int
    reason: str
    headers: Headers
    chunks: Iterator[bytes]


class Upstream:
    """The upstream server, with a new connection for each request. Certificates are verified, redirects are not
    followed.

    :class:`conformance.config.target.Misconfigured` if the environment configures an unusable proxy.
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        parts = urlsplit(self.base)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        self._http = open_client(base, httpx.Timeout(None, connect=_CONNECT))

    def url(self, target: str) -> str:
        """The URL of a path with its query."""
        return self._origin + target

    @contextlib.contextmanager
    def planned(
        self, method: str, target: str, headers: Headers, body: bytes, watch: Watch
    ) -> Iterator[UpstreamResponse]:
        """Send a request for this path and query, byte for byte; ``watch`` can hang up at any time."""
        announced = any(name.lower() == "content-length" for name, _ in headers)
        request = httpx.Request(
            method,
            self._origin + "/",
            headers=passed_on(headers, "host", "expect"),
            content=body if body or announced else None,
            # The request target is forwarded as received; parsing it as a URL would normalize it.
            extensions={"trace": watch.trace, "target": target.encode("latin-1")},
        )
        with contextlib.closing(self._http.send(request, stream=True)) as response:
            yield UpstreamResponse(response.status_code, _reason(response), headers_of(response), response.iter_raw())

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()


def _reason(response: httpx.Response) -> str:
    phrase = response.extensions.get("reason_phrase", b"")
    return phrase.decode("latin-1") if isinstance(phrase, bytes) else ""


def failed(error: Exception, begun: bool, started: float) -> tuple[Ended, str]:
    """How an exchange ended that this error ended; ``started`` by the monotonic clock."""
    return ended_by(error, begun, time.monotonic() - started)
