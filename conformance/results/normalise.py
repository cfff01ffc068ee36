"""Messages compared over runs: what differs from one run to the next though the same was found is taken out."""

from __future__ import annotations

import re

#: Names made for one run or one answer: ids with a prefix, and the nonce inside a name.
_MINTED = re.compile(r"\b(?:resp|msg|rs|fc|call|item|req|ctc)_[0-9A-Za-z]{6,}\b|(?<![0-9a-z])[0-9a-f]{8,}(?![0-9a-z])")

#: A status code stays: 404 and 500 are two findings.
_NUMBER = re.compile(r"(HTTP \d{3}\b)|\d+(?:\.\d+)?")

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")

#: Longest quoted word that is taken for a name; longer ones are a model's text.
_NAME = 40


def strip_generated_ids(text: str) -> str:
    """The text with ids and nonces blanked; all else stays, as it may be what was recorded."""
    return _MINTED.sub("#", text)


def message_pattern(text: str) -> str:
    """What a message says apart from the place: ids, numbers (not statuses) and quoted texts are blanked."""
    text = _QUOTED.sub(lambda found: _name_or_blank(found[0]), strip_generated_ids(text))
    return _NUMBER.sub(lambda found: found[1] or "#", text)


def _name_or_blank(quoted: str) -> str:
    return quoted if len(quoted) <= _NAME and not re.search(r"\s", quoted) else "_"
