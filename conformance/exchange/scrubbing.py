"""Removes credentials from captured requests, which are found by header name and query parameter.

Of the request headers only those are stored that influence the response; of the response headers, all except cookies.
At any other place a credential is replaced (see :mod:`conformance.exchange.redaction`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from conformance.exchange import entropy
from conformance.exchange.exchange import Headers
from conformance.exchange.redaction import PART, Cookie, Secret, redact

#: Replaces a credential: a reference to the default environment variable.
VARIABLE = "$MIMO_API_KEY"

#: Request headers of captured traffic that are stored; others may be private and do not influence evaluation.
KEPT = ("accept", "accept-encoding", "content-encoding", "content-type", "user-agent")

#: Of these the value is the key, after a scheme if there is one.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")

_SECRET = re.compile(r"auth|key|token|secret|password|cookie|signature|credential", re.IGNORECASE)

_SCHEME = re.compile(r"(?i)(bearer|basic|token)\s+")

#: Response headers for one client only.
_PRIVATE = ("set-cookie", "set-cookie2", "proxy-authenticate", "authentication-info")

#: A key of at least this length with a digit is no word that a response may contain by chance.
_NO_WORD = 16


def secrets_of(headers: Headers, url: str = "", named: Sequence[str] = ()) -> tuple[Secret, ...]:
    """The credentials in the headers and the query of a request, except those too short to distinguish from words;
    ``named``: further headers (lower case) with credentials, from the profile."""
    found: list[Secret] = []
    for name, value in headers:
        if "cookie" in name.lower():
            found += [Cookie(one) for one in _cookies(value) if len(one) >= PART]
        elif _SECRET.search(name) or name.lower() in named:
            found.append(_SCHEME.sub("", value.strip(), count=1))
    try:
        query = urlsplit(url).query
    except ValueError:
        query = ""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if _SECRET.search(name):
            found += [value, unquote_plus(value)]
    return tuple(dict.fromkeys(one for one in found if isinstance(one, Cookie) or len(one) >= PART))


def keys_of(headers: Headers, named: Sequence[str] = ()) -> tuple[str, ...]:
    """The keys among the credentials of a request, which the endpoint must not echo."""
    those = (*_CREDENTIALS, *named)
    found = [_SCHEME.sub("", value.strip(), count=1) for name, value in headers if name.lower() in those]
    return tuple(one for one in found if not is_word(one))


def _cookies(value: str) -> list[str]:
    return [pair.partition("=")[2].strip() for pair in value.split(";")]


def scrubbed_request(headers: Headers, secrets: Sequence[Secret], named: Sequence[str] = ()) -> Headers:
    """The request headers as they may be stored: the allowed ones, and a placeholder for each key."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() in (*_CREDENTIALS, *named):
            scheme = _SCHEME.match(value)
            kept.append((name, f"{scheme[1]} {VARIABLE}" if scheme else VARIABLE))
        elif name.lower() in KEPT:
            kept.append((name, scrubbed(value, secrets)))
    return tuple(kept)


def scrubbed_response(headers: Headers) -> Headers:
    """The response headers without those for one client only."""
    return tuple(pair for pair in headers if pair[0].lower() not in _PRIVATE)


def scrubbed_url(url: str, secrets: Sequence[Secret]) -> str:
    """The URL without user and fragment, and with no value in its query that looks like a credential."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    query = "&".join(
        f"{pair.partition('=')[0]}=***" if _SECRET.search(pair.partition("=")[0]) else pair
        for pair in parts.query.split("&")
    )
    return scrubbed(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, "")), secrets)


def scrubbed(text: str, secrets: Sequence[Secret]) -> str:
    """The text without the credentials."""
    return text and redact(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")


def is_word(secret: str) -> bool:
    """Whether a credential may occur in a response by chance: a placeholder such as ``local-key``."""
    few = len(secret) < _NO_WORD or not any(letter.isdigit() for letter in secret)
    return few and sum(entropy.costs(secret)) < entropy.REPLACED
