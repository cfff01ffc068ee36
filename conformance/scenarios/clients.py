"""What real clients send, captured by ``python -m tools.capture``: ``captured/*.json``, each with client and version.

Structure, names, types and lengths are the client's; its instructions and descriptions are not, for they are its own
prose: the capture replaced them with other words of the same lengths. A run sends a captured request unchanged except
for two members: the model is the target's, and ``max_output_tokens``, which none of them sends, keeps the answer cheap.
Much in it is not documented, so that each request may be refused.
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
        f"as {name.partition('.')[0]} {document['version']} sends it: {document['asks']}",
        body,
        expect="either",
        about={"client": document["client"]},
        tags=frozenset({"captured"}),
        claims=frozenset({"tools", "input-array", *(["streaming"] if streams else [])}),
        wrong=bool(schemas.errors("request.json", {"model": "any", **body})),
    )
