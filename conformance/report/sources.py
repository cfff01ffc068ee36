"""The URLs of the sources of rules."""

from __future__ import annotations

import re

_SSE = "https://html.spec.whatwg.org/multipage/server-sent-events.html"
_OPENAI = "https://platform.openai.com/docs/api-reference/responses"

_RFC = re.compile(r"rfc (\d+)(?: (\d+(?:\.\d+)*))?")


def link(source: str) -> str:
    """The URL of a source such as ``rfc 9110 11.6.1`` or ``openai, ...``; empty if it has no public URL."""
    rfc = _RFC.match(source)
    if rfc:
        return f"https://www.rfc-editor.org/rfc/rfc{rfc[1]}{f'#section-{rfc[2]}' if rfc[2] else ''}"
    if source.startswith("sse "):
        return _SSE
    return _OPENAI if source.startswith("openai") else ""
