"""The tokens that an exchange used."""

from __future__ import annotations

from conformance.decode.events import DONE_MARKER, integer, last_event, mapping
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange

_DONE = f"data: {DONE_MARKER}\n\n".encode()


def cost(exchange: Exchange) -> tuple[int, int]:
    """Input and output tokens by the response's usage, 0 where it has none."""
    ending = last_event(exchange.body.removesuffix(_DONE)) if exchange.ok else None
    try:
        usage = mapping(mapping((ending or {}).get("response")).get("usage"))
        usage = usage or Received(exchange, exchange.scenario).usage
    except CannotEvaluate:
        return 0, 0
    return integer(usage.get("input_tokens")) or 0, integer(usage.get("output_tokens")) or 0
