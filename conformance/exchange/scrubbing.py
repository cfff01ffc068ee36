"""What must not be kept of requests that others made: their credentials, found by where they stand.

Of a request's headers only those are kept that decide what is answered; of a response's, all except cookies. Wherever
else a credential is found, it is replaced in what is kept or shown (see :mod:`conformance.exchange.redaction`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from conformance.exchange import entropy
from conformance.exchange.exchange import Headers
from conformance.exchange.redaction import PART, Cookie, Secret, redact

#: Stands where a credential stood, as a shell makes it from the usual variable.
VARIABLE = "$MIMO_API_KEY"

#: Request headers that are kept as they are; every other may be private, and none decides what is judged.
_KEPT = ("accept", "accept-encoding", "content-encoding", "content-type", "user-agent")

#: Of these the value is the key, after a scheme if there is one.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")

_SECRET = re.compile(r"auth|key|token|secret|password|cookie|signature|credential", re.IGNORECASE)

_SCHEME = re.compile(r"(?i)(bearer|basic|token)\s+")

#: Headers of answers that are for one client only.
_PRIVATE = ("set-cookie", "set-cookie2", "proxy-authenticate", "authentication-info")

#: A key at least so long, with a digit in it, is no word that an honest response may hold, however it is made up.
_NO_WORD = 16


def secrets_of(headers: Headers, url: str = "", named: Sequence[str] = ()) -> tuple[Secret, ...]:
    """The credentials in the headers and the query of a request, except those too short to be told from words;
    ``named`` are further headers (lower case) that a profile says hold one."""
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
    """The keys among the credentials of a request: what the endpoint must not give back."""
    those = (*_CREDENTIALS, *named)
    found = [_SCHEME.sub("", value.strip(), count=1) for name, value in headers if name.lower() in those]
    return tuple(one for one in found if not is_word(one))


def _cookies(value: str) -> list[str]:
    return [pair.partition("=")[2].strip() for pair in value.split(";")]


def scrubbed_request(headers: Headers, secrets: Sequence[Secret], named: Sequence[str] = ()) -> Headers:
    """The request's headers as they may be kept: the usual ones, and for a key where it stood."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() in (*_CREDENTIALS, *named):
            scheme = _SCHEME.match(value)
            kept.append((name, f"{scheme[1]} {VARIABLE}" if scheme else VARIABLE))
        elif name.lower() in _KEPT:
            kept.append((name, scrubbed(value, secrets)))
    return tuple(kept)


def scrubbed_response(headers: Headers) -> Headers:
    """The answer's headers without what is for one client only."""
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
    """Whether a credential may stand in an honest response by chance: a stand-in such as ``local-key``."""
    few = len(secret) < _NO_WORD or not any(letter.isdigit() for letter in secret)
    return few and sum(entropy.costs(secret)) < entropy.REPLACED
