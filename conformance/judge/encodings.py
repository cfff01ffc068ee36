"""Text that was escaped or encoded once more than it was read, and bodies that are no JSON text or not
in their coding."""

from __future__ import annotations

import codecs
import html
import json
import re
from collections.abc import Iterator

from conformance.decode.events import Event
from conformance.decode.events import text as text_of
from conformance.decode.json_prefix import scan, scan_text
from conformance.decode.response import Received
from conformance.exchange.codings import GZIP
from conformance.exchange.exchange import CODINGS, content_coding
from conformance.judge.common import excerpt
from conformance.judge.verdict import Finding, Findings

#: An escape of JSON: a surrogate pair, or one code unit.
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}")


def left_escape(text: str, received: Received) -> str:
    """An escape in a text that represents a character beyond ASCII of the request; empty without one, where the
    request contains the escape itself, and in a text that is JSON, which may escape."""
    if text.startswith(("{", "[")) and scan_text(text).state == "complete":
        return ""
    sent = received.request_json or {}
    requested = "\n".join(strings_in(sent))
    for found in _ESCAPE.finditer(text):
        character = json.loads(f'"{found[0]}"')
        if not character.isascii() and character in requested and found[0] not in requested:
            return found[0]
    return ""


def escaped_for_html(text: str, requested: str) -> str:
    """The first line of a text that is a line of the request, escaped for HTML; empty without one."""
    changed = (one for one in text.split("\n") if html.unescape(one) != one)
    return next((one for one in changed if one not in requested and html.unescape(one).strip() in requested), "")


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


def must_be_encoded(received: Received) -> Findings:
    """A finding if the body is not in the coding that Content-Encoding names: clients fail to decode it."""
    coding, body = content_coding(received.exchange.headers).lower(), received.exchange.body
    if body and coding in CODINGS and body == b"".join(chunk.data for chunk in received.exchange.chunks):
        yield Finding(f"Content-Encoding is {coding}, but the body is not encoded", want=coding, got=excerpt(received))


def why_not_json(received: Received, error: ValueError) -> str:
    """Why a body is not JSON: the usual causes by their names, otherwise what the reader reports."""
    body, why = received.exchange.body, str(error)
    if body.startswith(codecs.BOM_UTF8):
        why = "it begins with a byte order mark (RFC 8259 8.1)"
    elif body.lstrip().startswith(b"data:"):
        why = "it begins with 'data:', as a line of an event stream does"
    elif body.startswith(GZIP):
        named = content_coding(received.exchange.headers)
        why = f"it is compressed with gzip{' once more' if named else ', without a Content-Encoding'}"
    elif body and scan(body).state == "prefix":
        counted = received.exchange.header("content-length") == str(len(body))
        why = f"it ends within the JSON text, after {len(body)} bytes{', its Content-Length' if counted else ''}"
    return f"the body is not JSON in UTF-8: {why}"


def place_of(error: ValueError, body: bytes) -> int:
    """The byte of a body at which it is no JSON in UTF-8; 0 if the error does not state it."""
    if isinstance(error, UnicodeDecodeError):
        return error.start
    if isinstance(error, json.JSONDecodeError):
        return len(body.decode("utf-8", "replace")[: error.pos].encode())
    return 0


def output_strings(received: Received) -> Iterator[tuple[Event, str, str]]:
    """The strings of model output in events, as (event, member, string)."""
    for event in received.events:
        for member in ("delta", "text", "arguments", "input"):
            yield event, member, text_of(event.data.get(member))
