"""A scenario: one named request, its purpose, and what the response must contain to be evaluated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from conformance.contract.schemas import Schemas
from conformance.decode.response import Received
from conformance.exchange.exchange import Headers

Expect = Literal["answer", "refusal", "either"]
"""``answer``: the contract requires 2xx. ``refusal``: it requires 4xx. ``either``: it allows both."""

Body = Mapping[str, Any]
Follow = Callable[[Body, Received], Body | None]


@dataclass(frozen=True)
class Need:
    """What the model must do for a response to be evaluated: a clause for messages, and a predicate of the response."""

    says: str
    met: Callable[[Received], bool]


@dataclass(frozen=True)
class Scenario:
    """One request of the plan.

    ``name`` is unique. ``description`` is for people. ``body`` is the JSON body; ``raw`` replaces it by bytes that are
    no JSON object. ``auth`` is a variant of :func:`conformance.wire.client.credentials`. ``expect``: the status that
    the contract requires. A scenario with ``after`` is built by ``follow`` from the response of that scenario (None:
    the response does not contain what it needs). One ``within`` another is sent only if that other, which contains it,
    is not served. One with a ``need`` is repeated up to ``tries`` times until the need is met. ``about`` fills the
    placeholders of rule ids. Checks select by ``tags``; ``claims`` are the features that the server must support.
    ``wrong`` marks a request that violates the request schema on purpose. ``last`` is sent after all others;
    ``escaped`` with JSON escapes for all characters outside ASCII. ``suffix`` is appended to the endpoint's URL. A
    body with ``Content-Encoding: gzip`` in its ``headers`` is compressed, one with ``Transfer-Encoding: chunked`` sent
    chunked.
    """

    name: str
    description: str
    body: Body = field(default_factory=dict)
    raw: bytes | None = None
    method: str = "POST"
    auth: str = "api-key"
    headers: Headers = ()
    expect: Expect = "answer"
    need: Need | None = None
    tries: int = 1
    after: str | None = None
    follow: Follow | None = None
    within: str | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    claims: frozenset[str] = frozenset()
    wrong: bool = False
    last: bool = False
    escaped: bool = False
    suffix: str = ""

    @property
    def must_fit_schema(self) -> bool:
        """Whether its body must fit the request schema; otherwise the suite has a defect."""
        return self.method == "POST" and self.raw is None and not self.wrong

    @property
    def streaming(self) -> bool:
        """Whether the body has ``stream: true``."""
        return self.body.get("stream") is True

    def digest(self, model: str) -> str:
        """Identifies the request: scenarios with equal requests have equal digests, and share one exchange."""
        built = self.name if self.after or self.within else None  # Its body is known only when it is sent.
        parts = [
            self.method,
            encode(self.body, model, self.escaped),
            self.raw,
            self.auth,
            self.headers,
            built,
            self.last,
            # Added later: without it the digest is that of earlier recordings.
            *([self.suffix] if self.suffix else []),
        ]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def streamed(self, **changes: Any) -> Scenario:
        """The same request with ``stream: true``; its name ends in ``.stream``."""
        return replace(
            self,
            name=self.name + ".stream",
            description=self.description + ", streaming",
            body={**self.body, "stream": True},
            tags=self.tags - {"plain"},
            claims=self.claims | {"streaming"},
            **changes,
        )


@lru_cache(maxsize=1024)
def schema_violation(revision: str, body: bytes) -> str:
    """The first violation of a revision's request schema by this body; empty if it is valid."""
    problems = Schemas(revision).errors("request.json", json.loads(body))
    return f"{problems[0].pointer or 'the body'} {problems[0].message}" if problems else ""


def encode(body: Body, model: str, escaped: bool = False) -> bytes:
    """The bytes of the body: JSON in UTF-8, with ``model`` unless the body has one (None: omit it); ``escaped``: in
    ASCII, with ``\\u`` escapes."""
    full = {"model": model, **body}
    if full["model"] is None:
        del full["model"]
    return json.dumps(full, ensure_ascii=escaped, separators=(",", ":")).encode()
