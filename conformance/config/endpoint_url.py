"""The check of the base URL of an endpoint."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from conformance.config.errors import Misconfigured
from conformance.config.loopback import is_loopback
from conformance.contract.revisions import Contract

_HAS_CREDENTIALS = "endpoint contains credentials; set the key in the environment variable only"


def without_secrets(url: str) -> str:
    """The URL without user information, query and fragment, which may contain secrets."""
    return re.sub("//.*@", "//", re.split("[?#]", url)[0])


def _shown(url: str) -> str:
    return repr(without_secrets(url))


def check_endpoint(url: str, contract: Contract) -> bool:
    """Whether the endpoint is on loopback; it must be an absolute http(s) URL without credentials or query."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        if "@" in url:  # The reason could quote a part of the password.
            raise Misconfigured(_HAS_CREDENTIALS) from None
        raise Misconfigured(f"endpoint {_shown(url)} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"endpoint {_shown(url)} is not a URL such as http://127.0.0.1:8080{contract.base_path}")
    if parts.username is not None or parts.password is not None:
        raise Misconfigured(_HAS_CREDENTIALS)
    base, one = (f"the {what} that ends in {contract.base_path}" for what in ("base", "one"))
    if parts.query or parts.fragment:
        raise Misconfigured(f"endpoint {_shown(url)} has a query or fragment; give {base}")
    if parts.path.rstrip("/").endswith(contract.path):
        raise Misconfigured(f"endpoint ends in {contract.path}; give the base before it, {one}")
    return is_loopback(url)
