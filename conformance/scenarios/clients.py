"""Requests of real clients, captured by ``python -m tools.capture``: ``captured/*.json``, with client and version.

Structure, names, types and lengths are the client's. Its instructions and descriptions are its authors' prose, and the
capture replaced them with other words of the same lengths. A run sends a captured request unchanged except two members:
the model is the target's, and ``max_output_tokens``, which no client sends, limits the cost. Many members are not
documented, so each request may be refused.

A request of the lite mode of Codex has a header of that mode; its first turn is sent without the header too. A
``revision`` is the first one in which a request is sent.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from conformance.contract.schemas import Schemas
from conformance.scenarios.scenario import Scenario

#: A captured first turn that the next turn contains: it is sent alone only where that one is not served, and where the
#: revision does not document the tools of that one, which is then refused.
_WITHIN = {"codex.turn": "codex.follow-up"}

#: The request that is also sent without the header of its mode.
_LITE_TURN = "codex-lite.turn"

_CAPTURED = Path(__file__).parent / "captured"


def scenarios(schemas: Schemas) -> list[Scenario]:
    """A scenario for each captured request that the revision documents."""
    known = {"", *(one.revision for one in schemas.contract.lineage)}
    found = []
    for name, document in captured().items():
        if document.get("revision", "") in known:
            one = _scenario(name, document, schemas)
            found.append(one)
            if name == _LITE_TURN:
                description = f"{one.description}, without the header of that mode"
                bare = replace(one, name=f"client.{name}-without-header", description=description, headers=())
                found.append(bare)
    return found


@cache
def captured() -> dict[str, dict[str, Any]]:
    """The captured requests by name: ``client`` (its short name), ``package``, ``version``, ``asks`` and ``body``;
    ``headers`` and ``revision`` if they belong to a mode."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(_CAPTURED.glob("*.json"))}


def _scenario(name: str, document: dict[str, Any], schemas: Schemas) -> Scenario:
    body = {**document["body"], "max_output_tokens": schemas.contract.caps.call}
    streams = body.get("stream") is True
    return Scenario(
        f"client.{name}",
        f"request of {name.partition('.')[0]} {document['version']}: {document['asks']}",
        body,
        expect="either",
        headers=tuple(document.get("headers", {}).items()),
        about={"client": document["client"]},
        tags=frozenset({"captured", *(["lite"] if "headers" in document else [])}),
        within=_containing(name, schemas),
        claims=frozenset({"tools", "input-array", *(["streaming"] if streams else [])}),
        wrong=bool(schemas.errors("request.json", {"model": "any", **body})),
    )


def _containing(name: str, schemas: Schemas) -> str | None:
    outer = _WITHIN.get(name, "")
    if not outer:
        return None
    problems = schemas.errors("request.json", {"model": "any", **captured()[outer]["body"]})
    return None if any(one.pointer.startswith("/tools/") for one in problems) else f"client.{outer}"
