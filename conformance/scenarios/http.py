"""HTTP: other methods, and forms of requests that clients and proxies send but the documentation does not show.
Variants of optional headers are sent with the concurrent requests."""

from __future__ import annotations

from typing import Any

from conformance.contract.revisions import Contract, Way
from conformance.exchange.exchange import Headers
from conformance.scenarios.ordinary import SHORT
from conformance.scenarios.scenario import Scenario

#: The headers of a WebSocket handshake (RFC 6455 4.1); the key is the example of the RFC.
_WEBSOCKET: Headers = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)

_UNUSUAL = frozenset({"unusual-form"})

_CHARSET: Headers = (("Content-Type", "application/json; charset=utf-8"),)
_FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
_CHUNKED: Headers = (("Transfer-Encoding", "chunked"),)
_EXPECT: Headers = (("Expect", "100-continue"),)

#: Name of the request that combines several forms; each is sent alone only if it is not served.
COMBINED = "http.combined"


def scenarios(contract: Contract) -> list[Scenario]:
    """The scenarios about HTTP."""
    return [
        Scenario("http.get", "GET on the endpoint", method="GET", expect="refusal", tags=frozenset({"method"})),
        Scenario(
            "http.put", "PUT with a valid body", _body("rivers"), method="PUT", expect="refusal",
            tags=frozenset({"method"}),
        ),
        _unusual("http.head", "HEAD on the endpoint", method="HEAD"),
        _unusual("http.options", "OPTIONS on the endpoint", method="OPTIONS"),
        _unusual("http.websocket", "GET with a WebSocket handshake", method="GET", headers=_WEBSOCKET),
        _unusual("http.trailing-slash", "a path with a trailing slash", _body("lakes"), suffix="/"),
        _unusual("http.no-content-type", "no Content-Type", _body("hills"), headers=(("Content-Type", ""),)),
        _unusual("http.other-content-type", "the Content-Type of a form", _body("caves"), headers=_FORM),
        _unusual("http.gzip-body", "a gzip body", _body("fields"), headers=(("Content-Encoding", "gzip"),)),
        *_repeated(contract.key_way),
        *_combined(f"?api-version={contract.root.revision}"),
    ]  # fmt: skip


def _repeated(way: Way | None) -> list[Scenario]:
    """The header of the key twice, where the contract has one of its own."""
    if way is None:
        return []
    description, claims = f"the {way.header} header twice", frozenset({way.name})
    return [_unusual("http.repeated-key", description, _body("dunes"), auth=f"{way.name}+{way.name}", claims=claims)]


def _body(topic: str) -> dict[str, Any]:
    return {**SHORT, "input": f"Name one word about {topic}."}


def _unusual(name: str, description: str, body: dict[str, Any] | None = None, **more: Any) -> Scenario:
    return Scenario(name, description, body or {}, expect="either", tags=_UNUSUAL | {"tolerated"}, **more)


def _combined(query: str) -> list[Scenario]:
    """A charset, chunks, Expect and a query in one request, and each alone in case that one is not served."""
    forms: dict[str, tuple[str, Headers, str]] = {
        "charset": ("a charset in the Content-Type", _CHARSET, ""),
        "chunked": ("a chunked body", _CHUNKED, ""),
        "expect-continue": ("Expect: 100-continue", _EXPECT, ""),
        "query": ("a URL with a query", (), query),
    }
    combined = Scenario(
        COMBINED, "a charset in the Content-Type, a chunked body, Expect: 100-continue and a query at once",
        _body("clouds"), headers=(*_CHARSET, *_CHUNKED, *_EXPECT), suffix=query, expect="either",
        tags=_UNUSUAL | {"combined"},
    )  # fmt: skip
    return [
        combined,
        *(
            Scenario(
                f"http.{name}", description, _body("clouds"), headers=headers, suffix=suffix, expect="either",
                within=COMBINED, tags=_UNUSUAL | {"combined", "tolerated" if name == "query" else "request-form"},
            )
            for name, (description, headers, suffix) in forms.items()
        ),
    ]  # fmt: skip
