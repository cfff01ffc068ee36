"""Whether a body is an event stream or a document, by its content."""

from __future__ import annotations

import re

from conformance.decode.json_text import load

_FIELD = re.compile(r":|(?:data|event|id|retry)\b")

#: A line of a stream that carries an event of the Responses API.
_EVENT_LINE = re.compile(rb'[\r\n]data: ?\{ ?"')


def is_stream(body: bytes, declared: bool) -> bool:
    """Whether a body reads as an event stream; ``declared``: its content type is that of one."""
    head = body[:4096].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if declared and head[:1] not in ("{", "[", "<", '"'):
        return True  # A field of any name may be the first one.
    if _FIELD.match(head):
        return declared or not _is_document_behind_data(body)
    # A proxy may have inserted bytes before the stream. No JSON text contains such a line: within its strings a line
    # feed is escaped. An HTML page may, in a script, so its content type decides.
    return (declared or not head.startswith("<")) and bool(_EVENT_LINE.search(body))


def _is_document_behind_data(body: bytes) -> bool:
    """Whether a body is ``data:`` and one JSON object that is no event: a document, written as if it were one."""
    name, _, rest = body.strip().partition(b":")
    try:
        value = load(rest) if name == b"data" and rest.strip().endswith(b"}") else None
    except ValueError:
        return False
    return isinstance(value, dict) and "type" not in value
