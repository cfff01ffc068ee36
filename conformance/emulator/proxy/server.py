"""The reference proxy as a server: one thread for each connection of a client, one upstream connection a request."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from ..hooks import through
from ..shapes import Dict, phrase, to_json
from . import translate
from .build import Builder, Frames, Unreadable, parse
from .client_side import ClientSide, Listener
from .habit import CLEAN, Context, Failure, Habit, Settings
from .interim import FinalResponse

#: Statuses of the upstream that are passed on; every other failure is a 502.
_PASSED_ON = (400, 404, 408, 409, 413, 421, 422, 429, 500, 503, 504)


class ReferenceProxy:
    """A running proxy on loopback; a context manager. `url` is the base for clients, ending in /v1. `upstream` is the
    base URL of the upstream; clients need `key`, the upstream receives `upstream_key`."""

    def __init__(
        self, upstream: str, dialect: str, key: str, upstream_key: str, habit: Habit = CLEAN, port: int = 0
    ) -> None:
        self._tcp = Listener(("127.0.0.1", port), _Handler)
        self._tcp.upstream, self._tcp.dialect = upstream, dialect
        self._tcp.keys = {"client": key, "upstream": upstream_key}
        self._tcp.habit = habit
        self._tcp.settings = replace(Settings(), **habit.settings)
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._tcp.server_address[1]}/v1"

    def close(self) -> None:
        """Stops listening."""
        self._tcp.shutdown()
        self._tcp.server_close()
        self._thread.join()

    def __enter__(self) -> ReferenceProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Gone(Exception):
    """The client has disconnected."""


class _Handler(ClientSide):
    def do_POST(self) -> None:
        settings = self.server.settings
        self._begun = self._over = False
        try:
            with self.server.slot():
                self._serve(settings)
        except Failure as failure:
            self.server.stop_after("failure" if failure.status >= 500 else "")
            self._fail(failure)
        except (_Gone, OSError):
            self.server.stop_after("cancel")
            self.close_connection = True

    def _serve(self, settings: Settings) -> None:
        raw = self.read_body()
        if 0 < settings.slots < self.server.taken:
            raise Failure(503, "every slot is taken")
        if settings.read_limit and len(raw) > settings.read_limit:
            raise Failure(413, "the body is too large")
        if time.monotonic() < self.server.stopped_until:
            time.sleep(60 * (settings.stops_after == "failure: silent"))
            raise Failure(503, "the proxy has stopped")
        if not self.path.partition("?")[0].endswith("/responses"):
            raise Failure(404, "there is no such endpoint")
        allowed = self.allowed() or not settings.checks_key
        if not allowed and not settings.checks_key_late:
            raise Failure(settings.key_status, "invalid key")
        body = None
        with contextlib.suppress(ValueError, RecursionError):
            body = json.loads(raw)
        if not isinstance(body, dict):
            raise Failure(400, "the body is not a JSON object")
        headers = {name.lower(): value for name, value in self.headers.items()}
        server, stream = self.server, self.streams(body)
        self.ctx = Context(
            body, headers, stream, server.dialect, server.upstream, server.keys, server.memory, server.lock
        )
        cached = server.memory.get(f"cache {raw!r}") if settings.caches else None
        if cached:
            self._json(200, cached)
            return
        waits = settings.one_at_a_time in (("all",) if stream else ("all", "plain"))
        with self.server.turn if waits else contextlib.nullcontext():
            self._exchange(settings, allowed, raw)

    def _exchange(self, settings: Settings, allowed: bool, raw: bytes) -> None:
        ctx, habit = self.ctx, self.server.habit
        made = translate.request(ctx.body) if ctx.dialect == "chat" else dict(ctx.body)
        if settings.always_streams:
            made["stream"] = True
            made |= {"stream_options": {"include_usage": True}} if ctx.dialect == "chat" else {}
        made = through(habit.sent, ctx, made)  # type: ignore[arg-type]
        if ctx.stream and settings.begins_at_once:
            self._begin()
        for attempt in range(settings.retries + 1):
            self._tried = attempt
            data = through(habit.raw, ctx, to_json(made).encode())  # type: ignore[arg-type]
            try:
                self._attempt(settings, data, allowed, raw, made.get("stream") is True)
                return
            except Failure as failure:
                broken = dict(failure.headers).get("broken")
                again = settings.retries_begun if broken else (failure.upstream or failure.status) in settings.retried
                if attempt == settings.retries or self._begun or not again:
                    raise

    def _attempt(self, settings: Settings, data: bytes, allowed: bool, raw: bytes, streams: bool) -> None:
        connection, response = self._open(settings, data)
        try:
            with self._watching(connection):
                if not allowed:
                    raise Failure(401, "invalid key")
                if response.status != 200:
                    self._refused(settings, response)
                if settings.sends_twice and not self.ctx.stream:
                    with contextlib.suppress(http.client.HTTPException):
                        self._open(settings, data)[1].read()
                if self.ctx.stream and streams:
                    self._stream(settings, response)
                elif self.ctx.stream:
                    self._stream_of_plain(self._final_response(settings, response, False))
                else:
                    made = through(self.server.habit.plain, self.ctx, self._final_response(settings, response, streams))  # type: ignore[arg-type]
                    if settings.caches:
                        self.server.memory[f"cache {raw!r}"] = made
                    self._json(200, made)
        finally:
            connection.close()

    def _open(self, settings: Settings, data: bytes) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        parts = urlsplit(self.server.upstream)
        wait = settings.time_out * 4**self._tried
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=wait)
        if not settings.takes_interim:
            connection.response_class = FinalResponse
        key = self.server.keys["upstream"]
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", "User-Agent": "proxy/1"}
        headers["Accept-Encoding"] = "gzip" if settings.accepts_gzip else "identity"
        headers = through(self.server.habit.headers, self.ctx, headers)  # type: ignore[arg-type]
        path = parts.path + ("/chat/completions" if self.ctx.dialect == "chat" else "/responses")
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.request("POST", path, data, headers)
            self._socket = connection.sock
            with self._watching(connection):
                response = connection.getresponse()
            if settings.needs_http_11 and response.version != 11:
                raise Failure(502, "the upstream does not send HTTP/1.1")
            if settings.header_limit and len(str(response.headers)) > settings.header_limit:
                raise Failure(502, "the headers of the upstream are too large")
            return connection, response
        except TimeoutError:
            raise Failure(504, "the upstream did not respond in time") from None
        except (OSError, http.client.HTTPException):
            connection.close()
            if self._over:
                raise _Gone from None
            raise Failure(502, "no response from the upstream") from None

    def _refused(self, settings: Settings, response: http.client.HTTPResponse) -> None:
        """Raise the failure for an error status of the upstream."""
        text = response.read().decode("utf-8", "replace")
        try:
            message = json.loads(text)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = phrase(response.status)
        kept = [(name, value) for name, value in response.getheaders() if name.lower() == "retry-after"]
        status = response.status if response.status in _PASSED_ON else 502
        hidden = self.server.keys["upstream"] if settings.hides_key else "\0"
        raise Failure(status, str(message).replace(hidden, "(hidden)"), tuple(kept), upstream=response.status)

    def _read(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """The reads of a body, decoded; `Failure` if it is interrupted."""
        packed = gzip if response.getheader("Content-Encoding") == "gzip" else None
        parts = []
        try:
            while data := response.read1(65536):
                if packed:
                    parts.append(data)
                else:
                    yield data
            if response.length:
                raise http.client.IncompleteRead(b"")
        except TimeoutError:
            raise Failure(504, "the upstream sent nothing more in time", (("broken", "1"),)) from None
        except (OSError, http.client.HTTPException, ValueError):
            if self._over:
                raise _Gone from None
            raise Failure(502, "the upstream interrupted its response", (("broken", "1"),)) from None
        if packed:
            self.ctx.body["_packed"] = True
            yield gzip.decompress(b"".join(parts))

    def _final_response(self, settings: Settings, response: http.client.HTTPResponse, streams: bool) -> Dict:
        """The final Response of a plain or streamed response."""
        chat = self.ctx.dialect == "chat"
        builder = Builder(str(self.ctx.body.get("model")))
        final: Dict = {}
        body = b""
        try:
            for data in self._read(response):
                body += data
            objects = (
                [parse(one) for one in self._events(body) if one != "[DONE]"] if streams else [parse(body.decode())]
            )
            for one in objects:
                if chat:
                    list(builder.feed(one))
                elif streams:
                    final = one.get("response", final)
            final = builder.response() if chat else final if streams else objects[0]
            if chat and not builder.finished:
                raise Unreadable("the upstream sent no finish reason")
            if not chat and "output" not in final:
                raise Unreadable("the upstream sent no Response")
        except (Unreadable, UnicodeDecodeError, Failure) as error:
            if settings.completes:
                return builder.response()
            if settings.passes_cut and isinstance(error, Failure):
                raise Failure(200, error.message, (("Content-Type", "application/json"),), body) from None
            if isinstance(error, Failure):
                raise
            raise Failure(502, str(error), (("broken", "1"),)) from None
        return final

    def _events(self, body: bytes) -> Iterator[str]:
        frames = Frames(self.server.settings.reader)
        yield from frames.feed(body)
        yield from frames.feed(b"")

    # -- the client's stream ---------------------------------------------------------------------------------------

    def _stream(self, settings: Settings, response: http.client.HTTPResponse) -> None:
        from .relay import relay

        self._out = relay(self, settings, response)
        try:
            for event in self._out:
                self._write(event)
            self._finish()
        except Failure as failure:
            if not self._begun:
                raise
            self._end_interrupted(settings, failure)
        except OSError:
            if self.drains(settings):
                for _ in self._out:
                    pass
            raise

    def _stream_of_plain(self, final: Dict) -> None:
        from .relay import events_of

        for event in events_of(final):
            self._write(event)
        self._finish()

    def _end_interrupted(self, settings: Settings, failure: Failure) -> None:
        """End a stream that the upstream interrupted."""
        if settings.aborts:
            raise _Gone
        if settings.hangs:
            time.sleep(60)
            raise _Gone
        if not settings.ends:
            failure = through(self.server.habit.failure, self.ctx, failure)  # type: ignore[arg-type]
            self._send_error(failure)
        self._finish()

    @contextlib.contextmanager
    def _watching(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Close the upstream connection when the client disconnects."""
        over, settings = threading.Event(), self.server.settings
        upstream = self._socket

        def look() -> None:
            poll = select.poll()
            with contextlib.suppress(OSError, ValueError):  # The connection was closed.
                poll.register(self.connection, select.POLLIN)
                while not over.wait(settings.look):
                    if poll.poll(0) and not self.connection.recv(1, socket.MSG_PEEK):
                        self._over = True
                        upstream.shutdown(socket.SHUT_RDWR)
                        return

        if self.drains(settings) or not settings.watches or (settings.watches_streams_alone and not self.ctx.stream):
            yield
            return
        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
