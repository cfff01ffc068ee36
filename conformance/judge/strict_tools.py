"""Tools without ``strict``: the page's table marks the member required, and the live service accepts tools without it.

Their refusal agrees with the table, and is no violation.
"""

from __future__ import annotations

import re

from conformance.decode.events import objects
from conformance.decode.response import CannotEvaluate, Received
from conformance.judge.error_words import words_of_error

_STRICT = re.compile(r"\bstrict\b", re.IGNORECASE)


def if_strict_is_required(received: Received) -> None:
    """Raise :class:`CannotEvaluate` if a request is refused because a tool of it has no ``strict``."""
    if not 400 <= (received.exchange.status or 0) < 500:
        return
    if all("strict" in tool for tool in objects(received.sent.get("tools"))):
        return
    if _STRICT.search(" ".join(words_of_error(received))):
        raise CannotEvaluate("refused for a tool without strict, which the page's table marks required")
