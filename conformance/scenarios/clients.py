"""Requests of real clients, captured by ``python -m tools.capture``: ``captured/*.json``, with client and version.

Structure, names, types and lengths are the client's. Its instructions and descriptions are its authors' prose, and the
capture replaced them with other words of the same lengths. A run sends a captured request unchanged except two members:
the model is the target's, and ``max_output_tokens``, which no client sends, limits the cost. Many members are not
documented, so each request may be refused.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from conformance.contract.schemas import Schemas
from conformance.scenarios.scenario import Scenario

_CAPTURED = Path(__file__).parent / "captured"


def scenarios(schemas: Schemas) -> list[Scenario]:
    """A scenario for each captured request."""
    return [_scenario(name, document, schemas) for name, document in captured().items()]


@cache
def captured() -> dict[str, dict[str, Any]]:
    """The captured requests by name: ``client`` (its short name), ``package``, ``version``, ``asks`` and ``body``."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(_CAPTURED.glob("*.json"))}


def _scenario(name: str, document: dict[str, Any], schemas: Schemas) -> Scenario:
    body = {**document["body"], "max_output_tokens": schemas.contract.caps.call}
    streams = body.get("stream") is True
    return Scenario(
        f"client.{name}",
        f"request of {name.partition('.')[0]} {document['version']}: {document['asks']}",
        body,
        expect="either",
        about={"client": document["client"]},
        tags=frozenset({"captured"}),
        claims=frozenset({"tools", "input-array", *(["streaming"] if streams else [])}),
        wrong=bool(schemas.errors("request.json", {"model": "any", **body})),
    )
