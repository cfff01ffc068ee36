"""A recorded exchange as data of the HTML report: request, response, stream, and locations of findings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange, Headers
from conformance.report.failure import curl, printable
from conformance.report.html.pretty import pretty
from conformance.report.html.stream import drawn, shortened

#: Maximum characters of a body that is not JSON, of a header, and of a curl command.
_TEXT, _HEADER, _CURL = 4_000, 400, 12_000

#: Maximum characters of a JSON body that is formatted; of a longer one the beginning is shown.
_LAID_OUT = 1_000_000

#: Maximum number of events whose data is shown in full.
_EVENTS = 12

Pointers = Collection[tuple[int | None, str]]


def exchange(recorded: Exchange, pointers: Pointers) -> dict[str, Any]:
    """The data of an exchange. ``pointers`` are the locations of findings: event (None: the body) and JSON pointer."""
    received = Received(recorded, recorded.scenario)
    command = curl(received)
    shown: dict[str, Any] = {
        "method": recorded.request.method,
        "url": printable(recorded.request.url),
        "sent": _headers(recorded.request.headers),
        "request": _body(recorded.request.body.decode("utf-8", "replace"), ()),
        "curl": command if len(command) <= _CURL else "",
        "status": recorded.status,
        "headers": _headers(recorded.headers),
        "ended": recorded.ended,
        "detail": shortened(recorded.detail, _HEADER),
        "elapsed": round(recorded.elapsed),
        "tries": [[one.status, one.ended] for one in recorded.attempts],
    }
    try:
        events = received.events
    except CannotEvaluate:
        body = recorded.body.decode("utf-8", "replace")
        shown["body"] = _body(body, [pointer for event, pointer in pointers if event is None])
        return shown
    marked = sorted({event for event, _ in pointers if event is not None and event < len(events)})
    shown["stream"] = drawn(events, marked)
    shown["strange"] = [shortened(frame.data, _HEADER) for frame in received.invalid_frames[:3]]
    shown["marked"] = {
        str(index): _body(events[index].frame.data, [pointer for event, pointer in pointers if event == index])
        for index in marked[:_EVENTS]
    }
    return shown


def _headers(headers: Headers) -> list[list[str]]:
    return [[printable(name[:_HEADER]), shortened(value, _HEADER)] for name, value in headers[:60]]


def _body(raw: str, pointers: Collection[str]) -> dict[str, Any]:
    """A body's text, the span of each pointer, and whether the text was truncated."""
    laid = pretty(raw, pointers) if 0 < len(raw) <= _LAID_OUT else None
    if laid:
        return {"text": laid.text, "spans": laid.spans, "cut": laid.cut}
    lines = "\n".join(printable(line) for line in raw[:_TEXT].split("\n"))
    return {"text": lines, "spans": {}, "cut": len(raw) > _TEXT}
