"""The responses to a scenario beside the evaluated one: its samples, and those after which a request was retried."""

from __future__ import annotations

from conformance.decode.response import Received
from conformance.exchange.exchange import Exchange


def response_of(exchange: Exchange, received: Received) -> Received:
    """The response of another exchange of the scenario of ``received``."""
    return Received(exchange, received.scenario, contract=received.contract)
