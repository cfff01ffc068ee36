"""JSON documents that are generated and kept: one line an entry, so that a difference shows what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def dumps(document: dict[str, Any], depth: int = 1) -> str:
    """The document as JSON; each member below ``depth`` levels of objects is one line."""
    return "\n".join(_lines(document, depth, "")) + "\n"


def _lines(value: dict[str, Any], depth: int, indent: str) -> Iterator[str]:
    yield "{"
    for place, (name, inner) in enumerate(value.items(), 1):
        comma = "," if place < len(value) else ""
        head = f"{indent} {json.dumps(name)}: "
        if depth > 1 and isinstance(inner, dict) and inner:
            first, *rest = _lines(inner, depth - 1, indent + " ")
            yield head + first
            yield from rest[:-1]
            yield rest[-1] + comma
        else:
            yield head + json.dumps(inner) + comma
    yield indent + "}"


def write(path: Path, document: dict[str, Any], depth: int = 1) -> bool:
    """Write the document, unless the file contains it already; whether it was written."""
    text = dumps(document, depth)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True
