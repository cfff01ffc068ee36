"""HTTP itself: other methods, and what a client may leave out or write otherwise."""

from __future__ import annotations

from conformance.scenarios.answers import SHORT
from conformance.scenarios.scenario import Scenario

_BODY = {**SHORT, "max_output_tokens": 32, "input": "Say hello."}


def scenarios() -> list[Scenario]:
    """The scenarios about HTTP."""
    return [
        Scenario("http.get", "GET on the endpoint", method="GET", expect="refusal", tags=frozenset({"method"})),
        Scenario(
            "http.accept-json", "Accept: application/json", _BODY, headers=(("Accept", "application/json"),),
            tags=frozenset({"accept"}),
        ),
        Scenario(
            "http.no-accept", "no Accept header", _BODY, headers=(("Accept", ""),), tags=frozenset({"accept"})
        ),
        Scenario(
            "http.accept-stream", "Accept: text/event-stream, streaming", {**_BODY, "stream": True},
            headers=(("Accept", "text/event-stream"),), tags=frozenset({"accept"}), claims=frozenset({"streaming"}),
        ),
    ]  # fmt: skip
