"""The hook interface with which faults and legal variants change the reference proxy."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..shapes import Dict

T = TypeVar("T")


@dataclass
class Context:
    """One request of a client: its body and headers, whether it streams, and `memory`, which all requests share
    (acquire `lock` to use it)."""

    body: Dict
    headers: dict[str, str]
    stream: bool
    dialect: str
    upstream: str
    keys: dict[str, str]
    memory: Dict
    lock: threading.RLock


@dataclass(eq=False)  # Not frozen: raising an exception sets its traceback.
class Failure(Exception):
    """An error for the client: status, message, headers, and the body in place of the envelope if it is not empty.
    `upstream` is the status of the upstream (0: none)."""

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    upstream: int = 0


Hook = Callable[[Context, T], T]


@dataclass(frozen=True)
class Habit:
    """A named difference from the reference proxy.

    `says` is one sentence; `rules` are the rules that a fault violates, without the area (none for a variant). Hooks:
    `sent` the upstream request body, `headers` its headers, `raw` its bytes, `plain` the client's plain response,
    `events` each event of its stream (none or several in its place), `replied` the headers of the client's response,
    `failure` an error for the client. `settings` change members of `Settings`.
    """

    name: str
    says: str
    rules: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ("responses", "chat")
    sent: Hook[Dict] | None = None
    headers: Hook[dict[str, str]] | None = None
    raw: Hook[bytes] | None = None
    plain: Hook[Dict] | None = None
    events: Callable[[Context, Dict], list[Dict]] | None = None
    replied: Hook[dict[str, str]] | None = None
    failure: Hook[Failure] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What the reference proxy does. `buffers`: the kinds of events (`all`, `text`, `reasoning`, `arguments`,
    `first`, `item`) that are sent only at the end, or with the next event of another kind. `drains`: it reads the
    upstream to its end after the client of a request (`all`, or those with `tools`) has disconnected.
    `time_out`: seconds of silence of the upstream, four times as many at a retry. `retries` attempts after these
    `retried` statuses (0: no response), and after `retries_begun` a broken stream. `completes`: a broken response
    is completed. `ends`: a broken stream ends without a terminal event. `aborts`: the connection is closed
    instead. `hangs`: it is kept open. `caches` responses by body. `checks_key_late`: after the upstream's
    response. `one_at_a_time`: requests wait for each other
    (`all`, or the `plain` ones). `accepts_gzip`, `reader`: the mistakes of a parser
    (`lf`: only line feeds; `text`: splits like `str.splitlines`; `chunks`: one event for each read; `limit`: lines
    to 64 KiB; `shared`: all streams share the rest of a line). `stops_after` a failure of the upstream (`failure`,
    or without a response `failure: silent`) or a disconnected client (`cancel`): all later requests are refused, for
    `stops_for` seconds. `most_requests` are served, and later ones refused with 429.
    `framing` of chunks: their sizes in `characters`, or `endless`, without a last one; `short`: the length of a
    body in characters. `watches`: a disconnected client is noticed while the upstream is silent, with `look`
    seconds between two looks; `watches_streams_alone`: only in streams. `completes_empty`: a stream without an
    event is completed. `skips_invalid`: events that are not JSON are ignored. `needs_http_11`: a response with
    HTTP/1.0 is refused. `takes_interim`: a 103 is taken for the final response. `ends_equally`: a stream ends
    without a terminal event if the upstream ended it so. `header_limit`: the bytes of headers above which the
    response of the upstream is a failure (0: none). `key_status` refuses a key. `passes_cut`: a plain body that
    was cut is passed on as complete. `slots` (0: any number) that requests take, and that a disconnected client
    does not give back. `delimits_by_close`: a stream ends with its connection. `calls_a_chunk`: the tool calls
    that are read of one chunk (None: all). `untyped_errors`: the event of an error in a stream is its object,
    without a type. `hides_key`: the upstream's key is removed from its messages. `limits`: a broken stream is
    incomplete. `packs`: a stream is compressed if the client accepts it, and sent at each of its `events`, or as a
    `whole`; or every `plain` response. `connection`: what is wrong with the next requests on a connection of the
    client: the body of a refused request is left `unread`, it `streams` to the client if it did before, or it
    `buffers` streams; `unchunked`: a chunked body is taken for an empty one. `buffers_over` so many bytes of a
    request, its stream is sent at its end (0: never)."""

    buffers: tuple[str, ...] = ()
    drains: str = ""
    time_out: float = 60.0
    retries: int = 0
    retried: tuple[int, ...] = (0, 429, 502, 503)
    retries_begun: bool = False
    completes: bool = False
    ends: bool = False
    ends_equally: bool = False
    aborts: bool = False
    hangs: bool = False
    caches: bool = False
    checks_key: bool = True
    checks_key_late: bool = False
    one_at_a_time: str = ""
    accepts_gzip: bool = False
    reader: str = "standard"
    stops_after: str = ""
    stops_for: float = math.inf
    framing: str = ""
    begins_at_once: bool = False
    always_streams: bool = False
    sends_twice: bool = False
    heartbeat: bool = False
    needs_done: bool = False
    read_limit: int = 0
    watches: bool = True
    look: float = 0.02
    watches_streams_alone: bool = False
    completes_empty: bool = False
    skips_invalid: bool = False
    needs_http_11: bool = False
    takes_interim: bool = False
    header_limit: int = 0
    key_status: int = 401
    passes_cut: bool = False
    slots: int = 0
    most_requests: int = 0
    delimits_by_close: bool = False
    calls_a_chunk: int | None = None
    untyped_errors: bool = False
    hides_key: bool = True
    limits: bool = False
    packs: str = ""
    connection: str = ""
    buffers_over: int = 0


CLEAN = Habit("clean", "Changes nothing.")
