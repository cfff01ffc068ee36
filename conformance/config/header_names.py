"""Validation of header names in a profile."""

from __future__ import annotations

import re
from typing import Any

#: The name of a header (RFC 9110 5.1).
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def header_names(given: Any) -> tuple[str, ...] | None:
    """The names in lower case; None if they are not a list of header names."""
    if not isinstance(given, list) or not all(isinstance(one, str) and _HEADER.fullmatch(one) for one in given):
        return None
    return tuple(one.lower() for one in given)
