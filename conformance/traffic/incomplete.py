"""Exchanges whose record stops before the response does, and what may be said of them.

Nobody knows who ended them: the client, a proxy, the network, or the program that wrote the capture. A violation in
what was received counts only if no continuation can mend it. That holds of all that is read event by event, as events
that follow change nothing about those before them. :func:`needs_end` names the rest: rules that read how far the
response came, or what did not come.
"""

from __future__ import annotations

import re
from dataclasses import replace

from conformance.decode.events import DONE_MARKER
from conformance.decode.json_prefix import scan
from conformance.decode.json_text import DEEPEST, load
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.traffic.captured import KEY_IS_A_WORD, UNFINISHED

#: What a streaming server may put before the JSON of a refusal.
_DATA_PREFIX = re.compile(rb"(?:\xef\xbb\xbf)?(?:event:[^\r\n]*\s+)?data:\s*")

_FIELDS = (b"data", b"event", b"id", b"retry", b"\xef\xbb\xbf")

_OPENING = {"lifecycle.created-first": 1, "lifecycle.in-progress-second": 2}
"""How many events decide the rule; ``response.queued`` may stand between them and does not count."""

_OF_REFUSALS = ("error.envelope", "auth.refusal-is-enveloped")


def marked(exchange: Exchange, why: str) -> Exchange:
    """The exchange as one that was ended from this side: ``clean`` where nothing that follows could change what is
    evaluated (many clients hang up at the terminal event), ``time-out`` where something could."""
    detail = exchange.detail if exchange.detail == KEY_IS_A_WORD else f"{UNFINISHED} ({why})"
    return replace(exchange, ended="time-out" if may_go_on(exchange) else "clean", detail=detail)


def may_go_on(exchange: Exchange) -> bool:
    """Whether more bytes could make something else of the body: a stream without its terminal event, or the beginning
    of a JSON text."""
    received = Received(exchange, exchange.scenario)
    if exchange.ok and received.looks_like_stream:
        return not _is_over(received)
    return (exchange.ok or exchange.refused) and _is_json_so_far(exchange)


def _is_over(received: Received) -> bool:
    try:
        marks = [frame for frame in received.frames[-1:] if frame.data.strip() == DONE_MARKER]
        return bool(marks) or any(event.terminal for event in received.events)
    except CannotEvaluate:
        return False


def _is_json_so_far(exchange: Exchange) -> bool:
    body = exchange.body
    if exchange.refused:
        if b"data:".startswith(body.strip()):
            return True
        body = _DATA_PREFIX.sub(b"", body, count=1)
    try:
        load(body)
    except ValueError:
        return scan(body, DEEPEST).state == "prefix"
    return False  # As most are: the reader of the standard library is a hundred times as fast.


def needs_end(rule: str, received: Received) -> bool:
    """Whether what violates a rule in this unfinished response could be mended by what is missing."""
    exchange = received.exchange
    if rule == "sse.plain-stays-plain":
        head = exchange.body[:64].lstrip()
        return any(name.startswith(head) for name in _FIELDS)
    if rule in _OF_REFUSALS:
        return _is_json_so_far(exchange)
    if not (exchange.ok and received.looks_like_stream):
        return False
    if rule in _OPENING:
        return sum(event.type != "response.queued" for event in received.events) < _OPENING[rule]
    # Before a response.incomplete, an item that is done may still be in progress.
    return rule == "lifecycle.done-status-final" and not _is_over(received)
