"""Whether a body is an event stream or a document, by what it holds."""

from __future__ import annotations

import re

_FIELD = re.compile(r":|(?:data|event|id|retry)\b")

#: A line of a stream that carries an event of the Responses API.
_EVENT_LINE = re.compile(rb'[\r\n]data: ?\{ ?"')


def is_stream(body: bytes, declared: bool) -> bool:
    """Whether a body reads as an event stream; ``declared``: its content type is that of one."""
    head = body[:4096].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if declared and head[:1] not in ("{", "[", "<", '"'):
        return True  # A field of any name may come first.
    if _FIELD.match(head):
        return True
    # A proxy may have put bytes of its own before the stream. No JSON text holds such a line: within its strings a line
    # feed is escaped. A page may, in a script, so that it is a stream only by its content type.
    return (declared or not head.startswith("<")) and bool(_EVENT_LINE.search(body))
