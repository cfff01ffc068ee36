"""The data types of the built-in endpoint, in the order in which they are created.

headers and body -> `ParsedRequest` -> `Item`s -> `Plan` -> dictionaries -> `Frame`s -> `Reply`;
a refused request becomes a `Refusal` and then a `Reply`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal

Header = tuple[str, str]
Dict = dict[str, Any]
Framing = Literal["length", "chunked", "close"]
Ending = Literal["clean", "cut", "reset", "stall", "unread"]
Kind = Literal["reasoning", "message", "function_call", "custom_tool_call"]

EFFORTS = {
    "2026-06-24": ("none", "low", "medium", "high"),
    "2026-10": ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"),
}
MODELS = {
    "2026-06-24": ("mimo-v2.5-pro",),
    "2026-10": (
        "mimo-v2.6-flash",
        "mimo-v2.6-pro",
        "mimo-v2.6-pro-ultraspeed",
        "mimo-v2.5-pro",
        "mimo-v2.5",
    ),
}
REVISIONS = tuple(MODELS)
MOST_TOKENS = 131072


def to_json(value: object) -> str:
    """JSON as the endpoint writes it: compact, with characters beyond ASCII left as they are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair can arrive as an escape in the request, but UTF-8 has no bytes for it.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True)
class Tool:
    """One callable of the request: `kind` is `function` or `custom`, `namespace` the one it lives in."""

    kind: str
    name: str
    parameters: Dict = field(default_factory=dict)
    namespace: str | None = None


@dataclass(frozen=True)
class Turn:
    """One input item reduced to what the model reads; `who` is a role, `call` or `output`."""

    who: str
    text: str


@dataclass(frozen=True)
class ParsedRequest:
    """The parsed request; every field has a usable value even for an invalid body."""

    model: str = ""
    instructions: str = ""
    turns: tuple[Turn, ...] = ()
    thinking: bool = True
    cap: int | None = None
    tools: tuple[Tool, ...] = ()
    json_object: bool = False
    input_tokens: int = 0


@dataclass(frozen=True)
class Item:
    """One output item. `texts`: the parts' texts; of a call, one text: its arguments or its input."""

    kind: Kind
    id: str
    texts: tuple[str, ...]
    status: str = "completed"
    name: str = ""
    call_id: str = ""
    namespace: str | None = None

    @property
    def is_call(self) -> bool:
        return self.kind in ("function_call", "custom_tool_call")


@dataclass(frozen=True)
class Usage:
    """Token counts; `reasoning` is part of `output`, `cached` part of `input`."""

    input: int
    output: int
    reasoning: int = 0
    cached: int = 0


@dataclass(frozen=True)
class Plan:
    """The complete response, from which the plain and the streamed form are rendered."""

    items: tuple[Item, ...]
    usage: Usage
    cut: bool = False

    @property
    def status(self) -> str:
        return "incomplete" if self.cut else "completed"


@dataclass(frozen=True)
class Refusal:
    """A request turned down; `members` is the content of the envelope's `error` object."""

    status: int
    members: Dict
    headers: tuple[Header, ...] = ()

    def envelope(self) -> Dict:
        return {"error": dict(self.members)}


@dataclass(frozen=True)
class Frame:
    """One event on its way to bytes: the `event` itself and the lines it is to be written as."""

    event: Dict
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """A response ready for a transport.

    `headers` contains all headers except those of the framing, which `complete` adds; `chunks` are pairs (milliseconds
    to wait before sending, bytes, encoded if there is a Content-Encoding); `ending` is the end of the connection after
    the last chunk: `clean` by the framing of HTTP, `cut` closes without it, `reset` resets the connection, `stall`
    sends no more and keeps it open (without chunks nothing is sent, not even the status line), `unread` is clean, but
    the request was not read completely, so that the next one on the connection is not understood.
    """

    status: int
    reason: str
    headers: list[Header]
    chunks: list[tuple[float, bytes]]
    framing: Framing = "length"
    ending: Ending = "clean"

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return b"".join(data for _, data in self.chunks)

    def header(self, name: str) -> str | None:
        """The first value of a header, the name in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def without(self, name: str) -> Reply:
        """The same reply with no header of this name."""
        return replace(self, headers=[pair for pair in self.headers if pair[0].lower() != name.lower()])

    def having(self, name: str, value: str) -> Reply:
        """The same reply with this header, in place of any of the same name."""
        bare = self.without(name)
        return replace(bare, headers=[*bare.headers, (name, value)])

    def saying(self, body: bytes | str | Dict) -> Reply:
        """The same reply with another body, sent as one chunk; a dictionary is encoded as JSON."""
        if isinstance(body, dict):
            body = to_json(body)
        data = body.encode() if isinstance(body, str) else body
        wait = self.chunks[0][0] if self.chunks else 0.0
        return replace(self, chunks=[(wait, data)])

    def coded(self, status: int) -> Reply:
        """The same reply under another status."""
        return replace(self, status=status, reason=phrase(status))

    def complete(self) -> Reply:
        """The reply with the headers its framing needs, unless it carries them already."""
        if self.ending == "stall" and not self.chunks:
            return self
        if self.framing == "chunked" and self.header("transfer-encoding") is None:
            return self.having("Transfer-Encoding", "chunked")
        if self.framing == "length" and self.header("content-length") is None:
            return self.having("Content-Length", str(len(self.body)))
        if self.framing == "close" and self.header("connection") is None:
            return self.having("Connection", "close")
        return self


def phrase(status: int) -> str:
    """The standard reason phrase of a status, or a neutral word for an unknown one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"


def sent(headers: Sequence[Header], name: str) -> list[str]:
    """All values of a request header, with case-insensitive name, without surrounding whitespace."""
    return [value.strip() for key, value in headers if key.lower() == name.lower()]
