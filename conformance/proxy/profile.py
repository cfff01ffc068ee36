"""The profile of a proxy: what it changes on purpose, in the table ``[proxy]`` of a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.config.request_headers import RequestHeaders, request_headers
from conformance.config.target import Misconfigured
from conformance.proxy import DIALECTS

_TYPES: dict[str, tuple[type, ...]] = {
    "dialect": (str,), "key": (str,), "model": (str,), "system_text": (str,), "effort": (dict,),
    "silence": (int, float),
}  # fmt: skip

#: The values of ``key``.
KEYS = ("own", "pass-through")


@dataclass(frozen=True)
class Profile:
    """``dialect``: that of the upstream; empty: that of the option. ``key``: ``own`` (the proxy has its own
    key for the upstream) or ``pass-through`` (it sends the client's).
    ``model``: what the upstream receives as the model; empty: what the client names. ``system_text``: a text that the
    proxy adds to the system texts. ``effort``: the upstream's value for each value of the client. ``silence``: seconds
    of silence of the upstream that the proxy bridges, None for the default. ``name`` is that of the file.
    ``headers``: further headers of each request, from the table ``[headers]``."""

    dialect: str = ""
    key: str = "own"
    model: str = ""
    system_text: str = ""
    effort: dict[str, str] = field(default_factory=dict)
    silence: float | None = None
    name: str = ""
    headers: RequestHeaders = ()


def read(path: Path) -> Profile:
    """The profile in a file; the default without the table. Raises :class:`Misconfigured` for an invalid one."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Misconfigured(f"{path} is not TOML: {error}") from None
    table: dict[str, Any] = document.get("proxy", {})
    if not isinstance(table, dict):
        raise Misconfigured(f"{path}: proxy is not a table")
    for name, value in table.items():
        if name not in _TYPES:
            raise Misconfigured(f"{path}, [proxy]: unknown key {name}; expected one of {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise Misconfigured(f"{path}, [proxy]: {name} has the wrong type")
    if table.get("key", "own") not in KEYS:
        raise Misconfigured(f"{path}, [proxy]: key is {table['key']!r}, expected {' or '.join(KEYS)}")
    if table.get("dialect", "chat") not in DIALECTS:
        raise Misconfigured(f"{path}, [proxy]: dialect is {table['dialect']!r}, expected {' or '.join(DIALECTS)}")
    if not isinstance(name := document.get("name", ""), str):
        raise Misconfigured(f"{path}: name has the wrong type")
    return Profile(**table, name=name, headers=request_headers(document.get("headers", {}), str(path)))
