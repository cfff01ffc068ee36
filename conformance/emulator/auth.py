"""Authentication: the two documented ways to send a key, and the refusal."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from .shapes import Header, Refusal, sent

REFUSED = Refusal(
    401,
    {
        "message": "Invalid API Key",
        "param": "Please provide valid API Key",
        "code": "401",
        "type": "invalid_key",
    },
    (("WWW-Authenticate", 'Bearer realm="mimo"'),),
)


#: The documented ways to present a key: a header, and the scheme before the key (empty: the key alone).
WAYS = (("api-key", ""), ("authorization", "bearer"))


def authenticate(headers: Sequence[Header], key: str, ways: Sequence[tuple[str, str]] = WAYS) -> Refusal | None:
    """None when the request carries the key, else the refusal.

    A key may be in `api-key` or in `Authorization: Bearer`. Each one present must be valid: a valid credential together
    with an invalid one is refused.
    """
    given = [_credential(value, scheme) for header, scheme in ways for value in sent(headers, header)]
    if given and all(_same(one, key) for one in given):
        return None
    return REFUSED


def _credential(value: str, scheme: str) -> str | None:
    if not scheme:
        return value
    given, _, credential = value.partition(" ")
    return credential.strip() if given.lower() == scheme else None


def _same(given: str | None, key: str) -> bool:
    # Constant time, and bytes because compare_digest turns down text beyond ASCII.
    return bool(given) and hmac.compare_digest((given or "").encode("utf-8", "replace"), key.encode())
