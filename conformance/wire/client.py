"""Sends one request and records what comes back. The only module that imports httpx.

Nothing is judged and nothing is raised here: whatever the peer does ends in an :class:`Exchange`.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import string
import threading
import time
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from conformance import __version__
from conformance.target import Target, is_loopback
from conformance.wire.exchange import Attempt, Chunk, Ended, Exchange, Headers, Request
from conformance.wire.redact import RANDOM_PREFIX, blank, blank_answer

#: Statuses of a passing trouble: asked again after a wait (RFC 9110 15.5, 15.6; RFC 6585 4).
PASSING = frozenset({429, 500, 502, 503, 504, 529})

#: Seconds before the second, third and fourth try, where the server does not say.
BACK_OFF = (0.2, 0.6, 1.5)

#: The longest Retry-After that is honoured, in seconds.
LONGEST_WAIT = 60.0

#: Seconds a stream may stay open after its terminal event before we hang up.
LINGER = 5.0

#: Bytes of the reads before that are looked at again: a terminal event may be cut in two.
_TAIL = 64

_TERMINAL = re.compile(
    rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"|^data: ?\[DONE\]', re.MULTILINE
)

_SCHEMES = ("Bearer", "bearer", "Basic")

_AS_SHELL = {
    "": "$KEY",
    "wrong": "sk-wrong",
    "last-character": "${KEY%?}_",
    "prefix": "${KEY%?}",
    "suffix": "${KEY}0",
    "empty": "",
}

_LETTERS = string.ascii_letters + string.digits

_BASE_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("User-Agent", f"mimo-responses-conformance/{__version__}"),
)


@dataclass(frozen=True)
class Outgoing:
    """A request ready to be sent: ``auth`` names a way of :func:`credentials`, ``headers`` come on top."""

    key: str
    scenario: str
    sample: int
    method: str
    body: bytes
    auth: str
    headers: Headers
    tries: int


def wrong_keys(key: str) -> dict[str, str]:
    """Credentials that must be refused, by name; those of ``almost`` differ from the key in one place only."""
    last = "a" if key[-1] != "a" else "b"
    return {
        "wrong": RANDOM_PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(40)),
        "last-character": key[:-1] + last,
        "prefix": key[:-1] or key + "-",
        "suffix": key + "0",
        "empty": "",
    }


def credentials(auth: str, key: str) -> Headers:
    """The auth headers of a variant such as ``bearer`` or ``api-key:wrong`` or ``api-key+bearer:wrong``.

    Each way is ``<header>[:<credential>]``, several joined by ``+``; ``none`` sends no credential.
    """
    if auth == "none":
        return ()
    known = {"right": key, **wrong_keys(key)}
    headers: list[tuple[str, str]] = []
    for way in auth.split("+"):
        header, _, name = way.partition(":")
        value = known[name or "right"]
        headers.append(
            {
                "api-key": ("api-key", value),
                "API-KEY": ("API-KEY", value),
                "bearer": ("Authorization", f"Bearer {value}".strip()),
                "lower-header": ("authorization", f"Bearer {value}"),
                "upper-header": ("AUTHORIZATION", f"Bearer {value}"),
                "lower-scheme": ("Authorization", f"bearer {value}"),
                "other-scheme": ("Authorization", f"Basic {value}"),
                "no-scheme": ("Authorization", value),
            }[header]
        )
    return tuple(headers)


class Client:
    """Sends requests to one target over kept connections; safe to use from several threads."""

    def __init__(self, target: Target, key: str) -> None:
        self._target = target
        self._key = key
        self._http = httpx.Client(
            follow_redirects=False,
            # Every exchange stands alone: what one answer sets must not travel with the next request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            event_hooks={"response": [_keep_location]},
            # A proxy from the environment is for the world outside, never for loopback.
            trust_env=not is_loopback(target.endpoint),
            timeout=httpx.Timeout(target.read_timeout, connect=target.connect_timeout),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def send(self, outgoing: Outgoing) -> Exchange:
        """Send, and send again after a passing trouble (at most ``outgoing.tries`` times in all)."""
        attempts: list[Attempt] = []
        while True:
            exchange = self._once(outgoing, tuple(attempts))
            if len(attempts) + 1 >= outgoing.tries or not _passing(exchange):
                return exchange
            wait = _wait(exchange, len(attempts))
            attempts.append(Attempt(exchange.status, exchange.ended, wait))
            time.sleep(wait)

    def _once(self, outgoing: Outgoing, attempts: tuple[Attempt, ...]) -> Exchange:
        auth = credentials(outgoing.auth, self._key)
        sent = tuple(value.partition(" ")[2] or value for _, value in auth)
        own = {name.lower() for name, _ in outgoing.headers}
        headers = [pair for pair in _BASE_HEADERS if pair[0].lower() not in own]
        if outgoing.body and "content-type" not in own:
            headers.append(("Content-Type", "application/json"))
        headers += [pair for pair in outgoing.headers if pair[1]]
        request = self._http.build_request(
            outgoing.method,
            self._target.url,
            headers=[*headers, *auth],
            content=outgoing.body if outgoing.method == "POST" else None,
        )
        # httpx adds what it finds missing; a header that a scenario leaves out on purpose is taken out again.
        for name, value in outgoing.headers:
            if not value:
                request.headers.pop(name, None)
        sent_at, started = time.time(), time.monotonic()
        taken = _Taken()
        ended, detail = self._receive(request, taken, started)
        elapsed = (time.monotonic() - started) * 1000
        secret = [self._key, *sent]
        kept_headers, chunks, leaks = blank_answer(taken.headers, tuple(taken.chunks), secret)
        return Exchange(
            key=outgoing.key,
            scenario=outgoing.scenario,
            sample=outgoing.sample,
            request=Request(
                outgoing.method,
                self._target.url,
                (*headers, *_described(auth, outgoing.auth, self._target.api_key_env)),
                outgoing.body,
            ),
            status=taken.status,
            headers=kept_headers,
            chunks=chunks,
            ended=ended,
            detail=blank(detail.encode(), secret).decode(errors="replace"),
            sent_at=sent_at,
            elapsed=elapsed,
            leaks=leaks,
            attempts=attempts,
        )

    def _receive(self, request: httpx.Request, taken: _Taken, started: float) -> tuple[Ended, str]:
        try:
            response = self._http.send(request, stream=True)
            with contextlib.closing(response), _HangUp(response) as hang_up:
                hang_up.after(
                    self._target.total_timeout, f"the whole answer took over {self._target.total_timeout:g} s"
                )
                try:
                    return self._read(response, taken, started, hang_up)
                except httpx.TransportError:
                    if hang_up.reason:
                        return "time-out", hang_up.reason
                    raise
        except httpx.ConnectError as error:
            return "unreachable", str(error)
        except httpx.TimeoutException as error:
            return "time-out", f"{type(error).__name__} after {time.monotonic() - started:.1f} s"
        except httpx.RemoteProtocolError as error:
            return _broken(taken, str(error)), str(error)
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            return "reset", str(error) or type(error).__name__
        except (httpx.HTTPError, ValueError) as error:
            return "invalid", str(error) or type(error).__name__

    def _read(self, response: httpx.Response, taken: _Taken, started: float, hang_up: _HangUp) -> tuple[Ended, str]:
        taken.status = response.status_code
        raw = [*response.headers.raw, *response.extensions.get("location", ())]
        taken.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
        size, tail = 0, b""
        for data in response.iter_raw():
            now = time.monotonic()
            taken.chunks.append(Chunk((now - started) * 1000, data))
            size += len(data)
            if size > self._target.max_body:
                return "oversize", f"more than {self._target.max_body} bytes of body"
            tail = (tail + data)[-_TAIL - len(data) :]
            if _TERMINAL.search(tail):
                tail = b""
                hang_up.after(LINGER, f"still open {LINGER:g} s after the terminal event")
        if hang_up.reason:
            return "time-out", hang_up.reason
        return "clean", ""


def _keep_location(response: httpx.Response) -> None:
    """Take Location out of httpx's hands: it would parse it, though no redirect is ever followed."""
    found = [pair for pair in response.headers.raw if pair[0].lower() == b"location"]
    if found:
        del response.headers["location"]
        response.extensions["location"] = found


class _HangUp:
    """Shuts the connection down from outside when a time has passed: a read that trickles has no other end."""

    def __init__(self, response: httpx.Response) -> None:
        self._stream = response.extensions.get("network_stream")
        self._timer: threading.Timer | None = None
        self.reason = ""

    def __enter__(self) -> _HangUp:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()

    def after(self, seconds: float, reason: str) -> None:
        """Hang up in so many seconds, in place of what was set before."""
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, self._now, (reason,))
        self._timer.daemon = True
        self._timer.start()

    def _now(self, reason: str) -> None:
        self.reason = reason
        connection = self._stream.get_extra_info("socket") if self._stream else None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Taken:
    """What has arrived so far; kept apart so that it survives an exception."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Headers = ()
        self.chunks: list[Chunk] = []


def _broken(taken: _Taken, message: str) -> Ended:
    if taken.status is not None:
        return "cut"
    return "reset" if "disconnected" in message.lower() else "invalid"


def _passing(exchange: Exchange) -> bool:
    if exchange.status is None:
        return exchange.ended in ("unreachable", "reset")
    # An error whose body a closing connection took away is asked for again: it was not the server's last word.
    return exchange.status in PASSING or (exchange.status >= 400 and exchange.ended in ("cut", "reset"))


def _wait(exchange: Exchange, done: int) -> float:
    asked = exchange.header("retry-after") or ""
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), LONGEST_WAIT)
    return BACK_OFF[min(done, len(BACK_OFF) - 1)]


def _described(auth: Headers, variant: str, variable: str) -> Headers:
    """The auth headers as they are kept: credentials as a shell makes them from the variable that holds the key."""
    described: list[tuple[str, str]] = []
    for (name, value), way in zip(auth, variant.split("+"), strict=False):
        scheme = next((word + " " for word in _SCHEMES if value.startswith(word)), "")
        described.append((name, scheme + _AS_SHELL[way.partition(":")[2]].replace("KEY", variable)))
    return tuple(described)
