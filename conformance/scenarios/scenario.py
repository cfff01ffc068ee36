"""A scenario: one named request, its purpose, and what the response must contain to be evaluated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from conformance.contract.revisions import Contract
from conformance.contract.schemas import schemas_of
from conformance.decode.response import Received
from conformance.exchange.exchange import Headers
from conformance.scenarios.templates import MODEL

Expect = Literal["answer", "refusal", "either"]
"""``answer``: the contract requires 2xx. ``refusal``: it requires 4xx. ``either``: it allows both."""

#: The tag of the requests that are sent at the same moment.
TOGETHER = "together"

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

    ``name`` is unique and made to be searched for. ``asks`` describes what is sent. ``body`` is the JSON body;
    ``raw`` takes its place where bytes that are no JSON object are sent on purpose; the model is in it as
    :data:`~conformance.scenarios.templates.MODEL`. ``auth`` is a variant of
    :func:`conformance.wire.client.credentials`, empty for the contract's usual way. A scenario with ``after`` is built
    by ``follow`` from the response to that one (None: it gives nothing to build on). One ``within`` another is sent
    only where that other, which contains the same and more, was not served: a served one speaks for all in it. One with
    a ``need`` is repeated up to ``tries`` times until it is met. ``about`` fills the placeholders of rule ids. ``tags``
    is what checks select by, ``claims`` what a server must offer. ``wrong`` marks a request that breaks the request
    schema on purpose. ``last`` is sent after all others; ``escaped`` with all but ASCII as JSON escapes. ``suffix`` is
    added to the endpoint's URL. A body with ``Content-Encoding: gzip`` among its ``headers`` is compressed, one with
    ``Transfer-Encoding: chunked`` sent in chunks. One that ``searches`` has no body: its requests follow from earlier
    responses (:class:`conformance.scenarios.plan.Search`), and the last of them is evaluated. One that
    ``reuses`` is sent on the connection of the one it is ``after``, if the server keeps it open. ``factors`` are those
    of a combination (:mod:`conformance.scenarios.combinations`): if it is refused, it is sent again with fewer of them.
    ``closes`` is the body of a streaming request that is sent before it and closed by the client in mid-stream.
    ``needless`` is the status of the request that it is ``within`` with which that one, too, speaks for it.
    """

    name: str
    description: str
    body: Body = field(default_factory=dict)
    raw: bytes | None = None
    method: str = "POST"
    auth: str = ""
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
    searches: bool = False
    reuses: bool = False
    factors: Mapping[str, str] = field(default_factory=dict)
    closes: Body = field(default_factory=dict)
    needless: int = 0

    @property
    def must_fit_schema(self) -> bool:
        """Whether its body must fit the request schema; otherwise the suite has a defect."""
        return self.method == "POST" and self.raw is None and not self.wrong

    @property
    def streaming(self) -> bool:
        """Whether the body has ``stream: true``."""
        return self.body.get("stream") is True

    def raw_for(self, model: str) -> bytes | None:
        """``raw`` with a model filled in; None if the scenario has none."""
        return None if self.raw is None else self.raw.replace(MODEL, json.dumps(model, ensure_ascii=False).encode())

    def digest(self, model: str) -> str:
        """Identifies the request: scenarios with equal requests have equal digests, and share one exchange."""
        # Its body is known only when it is sent.
        built = self.name if self.after or self.within or self.searches else None
        parts = [
            self.method,
            encode(self.body, model, self.escaped),
            self.raw_for(model),
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


def same_body(body: Body, received: Received) -> Body:
    """The body of a request that does not depend on the response that it follows."""
    return body


@lru_cache(maxsize=1024)
def schema_violation(contract: Contract, body: bytes) -> str:
    """How a request that is meant to be right breaks the request schema of a contract; empty if it does not."""
    problems = schemas_of(contract).errors("request.json", json.loads(body))
    return f"{problems[0].pointer or 'the body'} {problems[0].message}" if problems else ""


def encode(body: Body, model: str, escaped: bool = False) -> bytes:
    """The bytes of the body: JSON in UTF-8, with ``model`` unless the body has one (None: omit it); ``escaped``: in
    ASCII, with ``\\u`` escapes."""
    full = {"model": model, **body}
    if full["model"] is None:
        del full["model"]
    return json.dumps(full, ensure_ascii=escaped, separators=(",", ":")).encode()
