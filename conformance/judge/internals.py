"""What an error message shows of the server that wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Characters of a match that are shown.
_SHOWN = 120

#: Each kind of internals, in words, with its pattern.
INTERNALS = (
    ("a stack trace", re.compile(r"Traceback \(most recent call last\)|^\s+at [\w.$<>]+ ?\(.+:\d+", re.MULTILINE)),
    ("a file path", re.compile(r"(?<![\w:/.])/(?:usr|home|opt|app|srv|var|root|mnt)/[\w.\-/]+|[A-Z]:\\\\\w+")),
    ("a source file", re.compile(r"\w\.(?:py|go|rs|ts|js|java|rb|php|cs):\d+")),
    ("a class of the server's code", re.compile(r"\b[a-z]\w*(?:\.[a-z]\w*)+\.[A-Z]\w+")),
    ("an exception of the server's code", re.compile(
        r"'\w+' object (?:is not|has no|cannot|does not)\b"
        r"|\b(?:Type|Key|Value|Index|Attribute|Reference|Runtime)Error\b"
        r"|\bcannot read propert(?:y|ies) of|\bis not a function\b|\bNullPointerException\b|\bnil pointer\b",
        re.IGNORECASE,
    )),
    ("HTML", re.compile(r"<(?:!doctype html|html|body|title)\b", re.IGNORECASE)),
)  # fmt: skip


def internals_in(body: str) -> Iterator[tuple[str, str]]:
    """Each kind of internals in the text of an error, with what was found."""
    for what, pattern in INTERNALS:
        if match := pattern.search(body):
            yield what, match[0].strip()[:_SHOWN]
