"""The responses to a scenario beside the evaluated one: its samples, and those after which a request was retried."""

from __future__ import annotations

from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange


def response_of(exchange: Exchange, received: Received) -> Received:
    """The response of another exchange of the scenario of ``received``."""
    return Received(exchange, received.scenario, contract=received.contract)


def is_a_response(received: Received) -> bool:
    """Whether a request received a Response that did not fail: an error can have the status of a success too."""
    try:
        return received.exchange.ok and received.response.get("status") in ("completed", "incomplete", None)
    except CannotEvaluate:
        return False
