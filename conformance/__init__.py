"""Conformance suite for MiMo's OpenAI-compatible Responses API (``POST /v1/responses``).

:func:`evaluate` evaluates captured exchanges, :func:`run` an endpoint; both return :class:`Results`. docs/python.md
describes them. The packages, in the order in which they import each other, are listed in CONTRIBUTING.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.version import __version__

if TYPE_CHECKING:
    from conformance.api import CapturedExchange, evaluate, run
    from conformance.config.target import Misconfigured
    from conformance.results.results_file import Results

__all__ = ["CapturedExchange", "Misconfigured", "Results", "__version__", "evaluate", "run"]

#: Where the names of the API are defined. They are imported when they are first used: most of what imports this
#: package needs a small part of it.
_MODULES = {
    "CapturedExchange": "conformance.api",
    "Misconfigured": "conformance.config.target",
    "Results": "conformance.results.results_file",
    "evaluate": "conformance.api",
    "run": "conformance.api",
}


def __getattr__(name: str) -> Any:
    """A name of the API."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """The names of the API."""
    return sorted(__all__)
