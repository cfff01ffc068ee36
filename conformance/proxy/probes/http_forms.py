"""Legal forms of the upstream's response below its body: framing, coding, headers and versions of HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.emulator.shapes import Plan
from conformance.proxy.script import Answer, Script, Step

#: A header of 32 kB, more than many HTTP libraries accept: the proxy can serve the response, or report a failure.
_LARGE_HEADER = ("Content-Security-Policy", "default-src 'self' " + "https://example.com/path " * 1_300)

#: Responses before the final one.
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"

_TRAILERS = b"Server-Timing: total;dur=1\r\nX-Checksum: 7\r\n"


def _gzipped(answer: Answer, streams: bool) -> Answer:
    data = gzip.compress(b"".join(step.data for step in answer.steps))
    third = len(data) // 3
    steps = tuple(Step(part) for part in (data[:third], data[third:-5], data[-5:]))
    return replace(answer, headers=(*answer.headers, ("Content-Encoding", "gzip")), steps=steps)


def _closing(answer: Answer, streams: bool) -> Answer:
    return replace(answer, framing="close")


def _changed(**changes: Any) -> Callable[[Plan], Script]:
    """The response with other members of :class:`Answer`."""
    return lambda made: Script(made, answer=lambda answer, streams: replace(answer, **changes))


def _lower_case(answer: Answer, streams: bool) -> Answer:
    return replace(answer, headers=tuple((name.lower(), value) for name, value in answer.headers))


def _large_header(answer: Answer, streams: bool) -> Answer:
    return replace(answer, headers=(*answer.headers, _LARGE_HEADER))


def _typed(kind: str) -> Callable[[Plan], Script]:
    def change(answer: Answer, streams: bool) -> Answer:
        if streams != kind.startswith("text/event-stream"):
            return answer  # A proxy can request a stream for a plain response.
        headers = [pair for pair in answer.headers if pair[0] != "Content-Type"]
        return replace(answer, headers=(*headers, ("Content-Type", kind)))

    return lambda made: Script(made, answer=change)


def _in_pieces(answer: Answer) -> Answer:
    data = b"".join(step.data for step in answer.steps)
    return replace(answer, framing="chunked", steps=tuple(Step(data[at : at + 11]) for at in range(0, len(data), 11)))


STREAMS: dict[str, Callable[[Plan], Script]] = {
    "gzip": lambda made: Script(made, answer=_gzipped),
    "close-framing": lambda made: Script(made, answer=_closing),
    "content-type-parameters": _typed('text/event-stream; charset="utf-8"'),
    "lower-case-headers": lambda made: Script(made, answer=_lower_case),
    "large-header": lambda made: Script(made, answer=_large_header),
    "http-1.0": _changed(version="1.0", framing="close"),
    "interim": _changed(before=_INTERIM),
    "trailers": _changed(trailers=_TRAILERS),
    "chunk-extensions": _changed(extension=b';name="value"'),
}

PLAIN: dict[str, Callable[[Plan], Script]] = {
    "plain-gzip": lambda made: Script(made, answer=_gzipped),
    "plain-chunked": lambda made: Script(made, answer=lambda answer, streams: _in_pieces(answer)),
    "plain-close-framing": lambda made: Script(made, answer=_closing),
    "plain-content-type": _typed("application/json; charset=utf-8"),
    "plain-lower-case-headers": lambda made: Script(made, answer=_lower_case),
    "plain-large-header": lambda made: Script(made, answer=_large_header),
    "plain-http-1.0": _changed(version="1.0", framing="close"),
    "plain-interim": _changed(before=_INTERIM),
    "plain-trailers": lambda made: Script(made, answer=lambda one, _: replace(_in_pieces(one), trailers=_TRAILERS)),
}
