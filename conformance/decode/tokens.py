"""What an exchange cost, in tokens."""

from __future__ import annotations

from conformance.decode.events import integer
from conformance.decode.response import Answer, CannotJudge
from conformance.exchange.exchange import Exchange


def cost(exchange: Exchange) -> tuple[int, int]:
    """Input and output tokens by the answer's own count, 0 where it has none."""
    try:
        usage = Answer(exchange, exchange.scenario).usage
    except CannotJudge:
        return 0, 0
    return integer(usage.get("input_tokens")) or 0, integer(usage.get("output_tokens")) or 0
