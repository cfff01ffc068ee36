"""Exchanges whose capture ends before the response does, and which rules can be evaluated on them.

The cause is unknown: the client, a proxy, the network, or the program that wrote the capture. A violation counts only
if no continuation of the response can remove it. That is so for all rules that are evaluated event by event, as later
events do not change earlier ones. :func:`needs_end` lists the others: rules about the end of the response, or about
what is missing.
"""

from __future__ import annotations

import re
from dataclasses import replace

from conformance.decode.events import DONE_MARKER, last_event
from conformance.decode.json_prefix import scan
from conformance.decode.json_text import DEEPEST, load
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.traffic.captured import KEY_IS_A_WORD, UNFINISHED

#: What a streaming server may put before the JSON of a refusal.
_DATA_PREFIX = re.compile(rb"(?:\xef\xbb\xbf)?(?:event:[^\r\n]*\s+)?data:\s*")

_FIELDS = (b"data", b"event", b"id", b"retry", b"\xef\xbb\xbf")

_OPENING = {"lifecycle.created-first": 1, "lifecycle.in-progress-second": 2}
"""The number of events that decide the rule, not counting ``response.queued``."""

#: Prefixes of the rules that need every event of a stream: they are not evaluated where a file leaves some out.
NEED_EVERY_EVENT = ("sequence.", "lifecycle.", "identity.", "sum.", "sse.")

_OF_REFUSALS = ("error.envelope", "auth.refusal-is-enveloped")


def marked(exchange: Exchange, why: str) -> Exchange:
    """The exchange with its end marked: ``clean`` if further bytes could not change the evaluation (many clients close
    the connection at the terminal event), ``time-out`` if they could."""
    detail = exchange.detail if exchange.detail == KEY_IS_A_WORD else f"{UNFINISHED} ({why})"
    return replace(exchange, ended="time-out" if may_go_on(exchange) else "clean", detail=detail)


def may_go_on(exchange: Exchange) -> bool:
    """Whether more bytes could change the body: a stream without its terminal event, or a prefix of a JSON text."""
    received = Received(exchange, exchange.scenario)
    if exchange.ok and received.looks_like_stream:
        return not (last_event(exchange.body) or _is_over(received))
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
    """Whether the missing bytes of this incomplete response could remove a violation of the rule."""
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
