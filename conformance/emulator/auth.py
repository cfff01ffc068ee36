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


def authenticate(headers: Sequence[Header], key: str) -> Refusal | None:
    """None if the request has the valid key, else the refusal.

    A key may be in `api-key` or in `Authorization: Bearer`. Each one present must be valid: a valid credential together
    with an invalid one is refused.
    """
    given: list[str | None] = list(sent(headers, "api-key"))
    given += [_bearer(value) for value in sent(headers, "authorization")]
    if given and all(_same(one, key) for one in given):
        return None
    return REFUSED


def _bearer(value: str) -> str | None:
    scheme, _, credential = value.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


def _same(given: str | None, key: str) -> bool:
    # Constant time, and bytes because compare_digest turns down text beyond ASCII.
    return bool(given) and hmac.compare_digest((given or "").encode("utf-8", "replace"), key.encode())
