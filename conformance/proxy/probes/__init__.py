"""The probes: each sends one or more requests as the client, with the response of the upstream as a script."""

from __future__ import annotations

from conformance.proxy.probes import connections, failures, forms, media, requests, responses, streams
from conformance.proxy.probes.probe import Probe


def probes(dialect: str) -> list[Probe]:
    """The probes of a dialect, in the order in which they are sent. Failures are late: a proxy can stop sending
    requests to an upstream that fails."""
    made = [
        *requests.PROBES, *media.PROBES, *responses.PROBES, *forms.probes(dialect), *streams.PROBES,
        *connections.PROBES, *failures.probes(dialect), *streams.LAST,
    ]  # fmt: skip
    return [one for one in made if not one.dialects or dialect in one.dialects]
