"""Further headers of a target file, which a gateway needs in every request: the table ``[headers]``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from conformance.config.errors import Misconfigured
from conformance.config.header_names import header_names
from conformance.contract.revisions import DEFAULT

#: Headers as names and values; a value can name environment variables as ``$NAME``.
RequestHeaders = tuple[tuple[str, str], ...]

#: A reference to an environment variable.
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")

#: Headers that the requests of the suite set, vary or leave out on purpose.
_OURS = frozenset({
    "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
    "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    *(way.header.lower() for way in DEFAULT.authentication),
})  # fmt: skip


def request_headers(given: Any, where: str) -> RequestHeaders:
    """The headers of a table; :class:`Misconfigured` if it is none, or has a header that the suite itself sets.
    ``where`` names the file."""
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Misconfigured(f"{where}: headers is not a table of strings")
    for name, value in given.items():
        if header_names([name]) is None:
            raise Misconfigured(f"{where}, [headers]: {name!r} is not the name of a header")
        if name.lower() in _OURS:
            raise Misconfigured(f"{where}, [headers]: {name} is set by the requests of the suite")
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise Misconfigured(f"{where}, [headers]: the value of {name} is not printable ASCII without outer spaces")
    return tuple(given.items())


def filled(headers: RequestHeaders, environ: Mapping[str, str] = os.environ) -> tuple[RequestHeaders, tuple[str, ...]]:
    """The headers as they are sent, and the values of their variables, which are secret; :class:`Misconfigured` if a
    variable is not set or not allowed in a header."""
    secrets: list[str] = []

    def value_of(found: re.Match[str]) -> str:
        value = environ.get(found[1], "")
        if not (value and value.isascii() and value.isprintable() and value == value.strip()):
            raise Misconfigured(f"{found[1]}, which [headers] names, is not set to printable ASCII")
        secrets.append(value)
        return value

    return tuple((name, _VARIABLE.sub(value_of, text)) for name, text in headers), tuple(secrets)
