"""The tokens that an exchange used."""

from __future__ import annotations

from conformance.decode.events import integer
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange


def cost(exchange: Exchange) -> tuple[int, int]:
    """Input and output tokens by the response's usage, 0 where it has none."""
    try:
        usage = Received(exchange, exchange.scenario).usage
    except CannotEvaluate:
        return 0, 0
    return integer(usage.get("input_tokens")) or 0, integer(usage.get("output_tokens")) or 0
