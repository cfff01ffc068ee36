"""Text that was escaped or encoded once more than it was read, and bodies that are no JSON text."""

from __future__ import annotations

import codecs
import html
import re

from conformance.decode.json_prefix import scan
from conformance.decode.response import Received

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def left_escape(text: str, received: Received) -> str:
    """An escape in a text that represents a character beyond ASCII of the request; empty without one, and where the
    request contains the escape itself."""
    sent = received.request_json or {}
    asked = "\n".join(strings_in(sent))
    for found in _ESCAPE.finditer(text):
        character = chr(int(found[1], 16))
        if not character.isascii() and character in asked and found[0] not in asked:
            return found[0]
    return ""


def escaped_for_html(text: str, asked: str) -> str:
    """The first line of a text that is a line of the request, escaped for HTML; empty without one."""
    changed = (one for one in text.split("\n") if html.unescape(one) != one)
    return next((one for one in changed if one not in asked and html.unescape(one).strip() in asked), "")


def strings_in(value: object) -> list[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in strings_in(one)]


def encoded_twice(text: str) -> str | None:
    """The text before its UTF-8 was decoded as Latin-1 or Windows-1252; None if it was not."""
    for wrong in ("latin-1", "cp1252"):
        try:
            meant = text.encode(wrong).decode("utf-8")
        except UnicodeError:
            continue
        return meant if meant != text else None
    return None


def why_not_json(received: Received, error: ValueError) -> str:
    """Why a body is not JSON: the usual causes by their names, otherwise what the reader reports."""
    body, why = received.exchange.body, str(error)
    if body.startswith(codecs.BOM_UTF8):
        why = "it begins with a byte order mark (RFC 8259 8.1)"
    elif body and scan(body).state == "prefix":
        counted = received.exchange.header("content-length") == str(len(body))
        why = f"it ends within the JSON text, after {len(body)} bytes{', its Content-Length' if counted else ''}"
    return f"the body is not JSON in UTF-8: {why}"
