"""Messages compared with each other: what differs though the same was found is taken out, in two grains.

Within one run, :func:`without_numbers` leaves only the sentence: the same departure at another place, with another
value or status, has the same words. Between runs, :func:`message_pattern` keeps the names and statuses, as another name
or another status is another finding, and takes out only what is generated for each run or measured.
"""

from __future__ import annotations

import re

#: Names made for one run or one response: ids with a prefix, and the nonce inside a name.
_MINTED = re.compile(r"\b(?:resp|msg|rs|fc|call|item|req|ctc)_[0-9A-Za-z]{6,}\b|(?<![0-9a-z])[0-9a-f]{8,}(?![0-9a-z])")

#: A status code stays: 404 and 500 are two findings.
_NUMBER = re.compile(r"(HTTP \d{3}\b)|\d+(?:\.\d+)?")

_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")

#: Longest quoted word that is taken for a name; longer ones are a model's text.
_NAME = 40


def strip_generated_ids(text: str) -> str:
    """The text with ids and nonces redacted; all else stays, as it may be what was recorded."""
    return _MINTED.sub("#", text)


def message_pattern(text: str) -> str:
    """The message without its location: ids, numbers (not statuses) and quoted texts are redacted."""
    text = _VALUE.sub(lambda found: _name_or_blank(found[0]), strip_generated_ids(text))
    return _NUMBER.sub(lambda found: found[1] or "#", text)


def _name_or_blank(quoted: str) -> str:
    return quoted if len(quoted) <= _NAME and not re.search(r"\s", quoted) else "_"


#: What varies from place to place beside quoted values: generated ids and numbers.
_ID_OR_NUMBER = re.compile(r"\b[a-z]+_[0-9a-f]{6,}\b|\d+")


def without_numbers(text: str) -> str:
    """The text with what varies from place to place taken out: numbers, quoted values, ids."""
    return _ID_OR_NUMBER.sub("#", _VALUE.sub("_", text))
