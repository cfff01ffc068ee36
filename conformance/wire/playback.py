"""A recording as an endpoint: responds to each recorded request with the recorded response, for real clients.

A request is identified by its method, its JSON body (ignoring whitespace and order) and the kind of its credential.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from conformance.contract.revisions import DEFAULT
from conformance.emulator import Reply
from conformance.emulator.shapes import Ending, phrase
from conformance.exchange.exchange import Ended, Exchange, Headers, Request
from conformance.wire.replay import Recording

#: How the connection ends after the recorded bytes.
_ENDINGS: dict[Ended, Ending] = {"clean": "clean", "cut": "cut", "reset": "reset", "time-out": "stall"}

#: Headers that distinguish requests with equal method, body and credential.
_TELLING = frozenset({"content-type", "accept", "transfer-encoding", "expect"})

#: The most scenarios in the message for an unknown request.
_NAMED = 12

Pairs = Sequence[tuple[str, str]]


class Playback:
    """An endpoint for the emulator's server.

    ``key`` is the valid key. ``speed`` is the factor by which responses are sent faster than recorded; None: without
    any wait.
    """

    def __init__(self, recording: Recording, key: str, speed: float | None = None) -> None:
        self._recording = recording
        self._key = key
        self._speed = speed
        self._mutex = threading.Lock()
        self._asked: dict[str, int] = defaultdict(int)
        self._known: dict[tuple[str, str, str], dict[str, list[Exchange]]] = defaultdict(lambda: defaultdict(list))
        for (digest, _), exchange in sorted(recording.exchanges.items(), key=lambda pair: pair[1].sent_at):
            if exchange.ended != "not-sent":
                request = exchange.request
                kind = _kind(_recorded_credentials(request.headers))
                self._known[request.method, _same(request.body), kind][digest].append(exchange)

    def respond(self, method: str, path: str, headers: Pairs, body: bytes) -> Reply:
        """The recorded response, several samples of one request in turn; 404 for a request that is not recorded."""
        found = self.find(method, path, headers, body)
        return reply(found, self._speed) if found else self._unknown(method, path, self.kind_of(headers), body)

    def kind_of(self, headers: Pairs) -> str:
        """The kind of the credential of a request."""
        return _kind(_credentials(headers, self._key))

    def kind_of_recorded(self, exchange: Exchange) -> str:
        """The kind of the credential of a recorded request."""
        return _kind(_recorded_credentials(exchange.request.headers))

    def find(self, method: str, path: str, headers: Pairs, body: bytes) -> Exchange | None:
        """The exchange of a recorded request, several samples in turn; None if it is not recorded."""
        sent = _credentials(headers, self._key)
        kind = _kind(sent)
        found = (
            self._known.get((method, _same(body), kind), {})
            if path.partition("?")[0].rstrip("/").endswith(DEFAULT.path)
            else {}
        )
        if not found:
            return None
        with self._mutex:
            query = urlsplit(path).query
            likeness = {one: _match_score(found[one][0].request, query, headers, sent) for one in found}
            # Of equal requests the one that was served least often, so that each recorded response is sent in turn.
            digest = max(found, key=lambda one: (likeness[one], -self._asked[one]))
            turn = self._asked[digest]
            self._asked[digest] += 1
        return found[digest][turn % len(found[digest])]

    def _unknown(self, method: str, path: str, kind: str, body: bytes) -> Reply:
        names = list(dict.fromkeys(one.scenario for one in self._recording.exchanges.values()))
        shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        message = f"{method} {path} with this body and {kind} is not in the recording"
        near = self._nearest(method, kind, body)
        return refusal(404, f"{message}{near}; recorded are {shown}", "not_recorded", recorded=names)

    def _nearest(self, method: str, kind: str, body: bytes) -> str:
        """The recorded request that differs in the fewest members, in words."""
        mine = _members(body)
        differences = {
            exchanges[0].scenario: sorted(
                name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)
            )
            for (other, _, its_kind), found in self._known.items()
            for exchanges in found.values()
            if other == method and its_kind == kind and (theirs := _members(exchanges[0].request.body))
        }
        if not mine or not differences:
            return ""
        name = min(differences, key=lambda one: len(differences[one]))
        return f" (nearest is {name}, which differs in {', '.join(differences[name])})"


def reply(exchange: Exchange, speed: float | None = None) -> Reply:
    """The recorded response: headers, chunks (``speed`` times as fast, or without waits), and the same end."""
    if exchange.status is None and exchange.ended != "time-out":
        message = f"the recording contains no response: {exchange.ended} ({exchange.detail})"
        return refusal(502, message, "recorded_without_answer")
    names = {name.lower(): value.lower() for name, value in exchange.headers}
    status, ending = exchange.status or 0, _ENDINGS.get(exchange.ended, "cut")
    bare = Reply(status, phrase(status), list(exchange.headers), list(_timed(exchange, speed)), ending=ending)
    if "chunked" in names.get("transfer-encoding", ""):
        return _framed(bare, "chunked")
    if "content-length" not in names and bare.chunks:
        return _framed(bare, "close").complete()
    # A redacted body may differ in length from its Content-Length.
    has_length = ending == "clean" and exchange.status not in (204, 304)
    return bare.having("Content-Length", str(len(bare.body))) if has_length else bare


def _timed(exchange: Exchange, speed: float | None) -> Iterator[tuple[float, bytes]]:
    before = 0.0
    for chunk in exchange.chunks:
        yield ((chunk.at - before) / speed if speed else 0.0), chunk.data
        before = chunk.at


def _framed(bare: Reply, framing: Any) -> Reply:
    return Reply(bare.status, bare.reason, bare.headers, bare.chunks, framing, bare.ending)


def refusal(status: int, message: str, kind: str, **more: Any) -> Reply:
    """An error response, in the service's format, with the reason why there is no recorded one."""
    error = {"message": message, "type": kind, "param": "", "code": str(status), **more}
    bare = Reply(status, phrase(status), [("Content-Type", "application/json")], [])
    return bare.saying({"error": error}).complete()


def _same(body: bytes) -> str:
    """The same text for bodies that are the same JSON."""
    try:
        return json.dumps(json.loads(body), sort_keys=True)
    except (ValueError, RecursionError):
        return body.hex()


def _members(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


#: Credentials: header, scheme, and whether the key is valid, empty or another one.
_Sent = tuple[tuple[str, str, str], ...]

_VALID, _EMPTY, _OTHER = "valid", "empty", "other"


def _credentials(headers: Pairs, key: str) -> _Sent:
    found = []
    for name, value in headers:
        if name.lower() == "api-key":
            found.append(("api-key", "", _state(value.strip(), key)))
        elif name.lower() == "authorization":
            scheme, _, credential = value.strip().rpartition(" ")
            found.append(("authorization", scheme.lower(), _state(credential, key)))
    return tuple(sorted(found))


def _state(credential: str, key: str) -> str:
    return (_VALID if credential == key else _OTHER) if credential else _EMPTY


def _recorded_credentials(headers: Headers) -> _Sent:
    """The same for a recorded request, in which the valid key is a reference to an environment variable."""
    bare = [(name, value) for name, value in headers if value.rpartition(" ")[2].startswith("$")]
    key = next((word for _, value in bare if "{" not in (word := value.rpartition(" ")[2])), "$")
    return _credentials(headers, key)


def _kind(sent: _Sent) -> str:
    if not sent:
        return "no credential"
    schemes = {"authorization": "bearer", "api-key": ""}
    usual = all(state == _VALID and scheme == schemes[name] for name, scheme, state in sent)
    return "a valid key" if usual else "an invalid credential"


def _match_score(recorded: Request, query: str, headers: Pairs, sent: _Sent) -> tuple[bool, bool, int]:
    """How well a recorded request matches a received one: by its query, its way to authenticate, then by the other
    headers."""
    mine = {name.lower(): value for name, value in headers if name.lower() in _TELLING}
    theirs = {name.lower(): value for name, value in recorded.headers if name.lower() in _TELLING}
    equal = sum(mine.get(name) == theirs.get(name) for name in _TELLING)
    return urlsplit(recorded.url).query == query, _recorded_credentials(recorded.headers) == sent, equal
