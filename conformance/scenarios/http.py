"""HTTP itself: other methods. What a client may leave out or write otherwise is sent with the concurrent requests."""

from __future__ import annotations

from conformance.scenarios.scenario import Scenario


def scenarios() -> list[Scenario]:
    """The scenarios about HTTP."""
    return [Scenario("http.get", "GET on the endpoint", method="GET", expect="refusal", tags=frozenset({"method"}))]
