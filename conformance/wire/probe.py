"""Additional requests that diagnose a wrong configuration: another base path, the list of models. Each ends within
seconds and with a small body, whatever the server does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conformance.config.target import Target
from conformance.decode.events import objects, text
from conformance.decode.json_text import load
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import OutgoingRequest
from conformance.wire.client import Client

#: Seconds for one such request, and bytes of its response's body that are read.
_SECONDS, _BYTES = 8.0, 1_000_000


class _Elsewhere(Target):
    """A target at which requests go to the endpoint itself, without ``/responses``."""

    @property
    def url(self) -> str:
        return self.endpoint


def post(target: Target, key: str, base: str, body: bytes, auth: str) -> Exchange:
    """A request of the plan sent to another base."""
    return _send(replace(_bounded(target), endpoint=base), key, "POST", body, auth)


def models(target: Target, key: str, auth: str) -> tuple[int | None, list[str]]:
    """The status of ``GET {base}/models`` and the ids that it lists; empty if it lists none that can be read."""
    values: Mapping[str, Any] = vars(_bounded(target))
    here = _Elsewhere(**{**values, "endpoint": target.endpoint.rstrip("/") + "/models"})
    exchange = _send(here, key, "GET", b"", auth)
    try:
        document = load(exchange.body) if exchange.ok and exchange.ended == "clean" else None
    except ValueError:
        document = None
    listed = document.get("data") if isinstance(document, dict) else document
    return exchange.status, [name for one in objects(listed) if (name := text(one.get("id")))]


def _bounded(target: Target) -> Target:
    return replace(
        target,
        connect_timeout=min(_SECONDS, target.connect_timeout),
        first_byte_timeout=min(_SECONDS, target.first_byte_timeout),
        read_timeout=min(_SECONDS, target.read_timeout),
        total_timeout=min(_SECONDS, target.total_timeout),
        max_body=min(_BYTES, target.max_body),
    )


def _send(target: Target, key: str, method: str, body: bytes, auth: str) -> Exchange:
    client = Client(target, key)
    try:
        return client.send(OutgoingRequest("probe", "probe", 0, method, body, auth, (), 1))
    finally:
        client.close()
