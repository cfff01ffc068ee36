"""A bundle: a few exchanges of a run in one JSON file, that anyone with a key can hand in.

The exchanges are those of the run folder, in which credentials are already redacted. In a bundle the values of all
headers that may name a person, an organisation or a single request are replaced too. Each exchange has a digest, so
that a later change of the file shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.exchange.exchange import Exchange, Headers, from_json, to_json

#: The kind and the format of a bundle.
KIND, FORMAT = "mimo-responses-bundle", 1

#: The most exchanges of a bundle.
MOST = 15

#: Headers of responses whose values do not identify the sender of the request.
_KEPT = frozenset({
    "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "cache-control", "date",
    "retry-after", "allow", "vary", "server", "www-authenticate", "x-accel-buffering",
})  # fmt: skip

_REPLACED = "(redacted)"


def bundle_of(exchanges: Sequence[Exchange], about: Mapping[str, Any]) -> str:
    """The JSON text of a bundle; ``about`` is the head of the run and further members."""
    kept = [to_json(_without_names(one)) for one in exchanges]
    document = {
        "kind": KIND,
        "format": FORMAT,
        **about,
        "exchanges": [{"sha256": _digest(one), "exchange": one} for one in kept],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def read_bundle(path: Path) -> list[Exchange]:
    """The exchanges of a bundle. Raises ``ValueError`` with one line if it cannot be read or was changed."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise ValueError(f"{path} is neither a run folder nor a bundle of conformance share")
        if document.get("format") != FORMAT:
            raise ValueError(f"{path} has format {document.get('format')!r}; this version reads {FORMAT}")
        held = document["exchanges"]
        changed = [place for place, one in enumerate(held) if one["sha256"] != _digest(one["exchange"])]
        exchanges = [from_json(one["exchange"]) for one in held]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path} is neither a run folder nor a bundle of conformance share") from None
    if changed:
        raise ValueError(f"{path} was changed: the digest of exchange {changed[0]} differs")
    return exchanges


def _digest(exchange: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(exchange, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _without_names(exchange: Exchange) -> Exchange:
    request = replace(exchange.request, headers=_redacted(exchange.request.headers, ("accept", "user-agent")))
    attempts = tuple(replace(one, headers=_redacted(one.headers)) for one in exchange.attempts)
    return replace(exchange, request=request, headers=_redacted(exchange.headers), attempts=attempts)


def _redacted(headers: Headers, more: Sequence[str] = ()) -> Headers:
    return tuple(
        (name, value if name.lower() in _KEPT or name.lower() in more or value.startswith("$") else _REPLACED)
        for name, value in headers
    )
