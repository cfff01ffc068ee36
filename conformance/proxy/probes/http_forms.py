"""Legal forms of the upstream's response below its body: framing, coding, headers and versions of HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from conformance.emulator.shapes import Plan
from conformance.proxy.script import Script, ScriptedResponse, Step

#: A header of 32 kB, more than many HTTP libraries accept: the proxy can serve the response, or report a failure.
_LARGE_HEADER = ("Content-Security-Policy", "default-src 'self' " + "https://example.com/path " * 1_300)

#: Responses before the final one.
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"

_TRAILERS = b"Server-Timing: total;dur=1\r\nX-Checksum: 7\r\n"


#: Changes a response, which streams or does not.
Change = Callable[[ScriptedResponse, bool], ScriptedResponse]


def _gzipped(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
    data = gzip.compress(b"".join(step.data for step in response.steps))
    third = len(data) // 3
    steps = tuple(Step(part) for part in (data[:third], data[third:-5], data[-5:]))
    return replace(response, headers=(*response.headers, ("Content-Encoding", "gzip")), steps=steps)


def _changed(**changes: Any) -> Change:
    """The response with other members of :class:`ScriptedResponse`."""
    return lambda response, _: replace(response, **changes)


def _lower_case(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
    return replace(response, headers=tuple((name.lower(), value) for name, value in response.headers))


def _large_header(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
    return replace(response, headers=(*response.headers, _LARGE_HEADER))


def _typed(kind: str) -> Change:
    def change(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
        if streams != kind.startswith("text/event-stream"):
            return response  # A proxy can request a stream for a plain response.
        headers = [pair for pair in response.headers if pair[0] != "Content-Type"]
        return replace(response, headers=(*headers, ("Content-Type", kind)))

    return change


def _in_pieces(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
    data = b"".join(step.data for step in response.steps)
    return replace(response, framing="chunked", steps=tuple(Step(data[at : at + 11]) for at in range(0, len(data), 11)))


def _with_trailers(response: ScriptedResponse, streams: bool) -> ScriptedResponse:
    return replace(_in_pieces(response, streams), trailers=_TRAILERS)


def _scripts(changes: Mapping[str, Change], prefix: str = "") -> dict[str, Callable[[Plan], Script]]:
    """The changes as scripts of the upstream, by the names of their probes."""
    return {prefix + name: partial(Script, response=change) for name, change in changes.items()}


STREAMS = _scripts({
    "gzip": _gzipped,
    "close-framing": _changed(framing="close"),
    "content-type-parameters": _typed('text/event-stream; charset="utf-8"'),
    "lower-case-headers": _lower_case,
    "large-header": _large_header,
    "http-1.0": _changed(version="1.0", framing="close"),
    "interim": _changed(before=_INTERIM),
    "trailers": _changed(trailers=_TRAILERS),
    "chunk-extensions": _changed(extension=b';name="value"'),
})  # fmt: skip

PLAIN = _scripts({
    "gzip": _gzipped,
    "chunked": _in_pieces,
    "close-framing": _changed(framing="close"),
    "content-type": _typed("application/json; charset=utf-8"),
    "lower-case-headers": _lower_case,
    "large-header": _large_header,
    "http-1.0": _changed(version="1.0", framing="close"),
    # A proxy that does not read trailers fails in the next form on this connection, which is as rare.
    "trailers": _with_trailers,
    "interim": _changed(before=_INTERIM),
}, "plain-")  # fmt: skip
