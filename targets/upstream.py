"""A chat-completions endpoint for servers that translate the Responses API to chat completions.

:mod:`targets.chat` makes its responses; only ids and times differ between runs. ``python -m targets.upstream --port
9000`` runs it alone; the key is ``upstream-key``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from targets.chat import MODEL, Json, Refused, check, chunks, plain, reply

KEY = "upstream-key"

#: Seconds between two chunks.
_PAUSE = 0.002


class Upstream(ThreadingHTTPServer):
    """The endpoint on 127.0.0.1; ``url`` is its base URL without ``/v1``."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.numbers = count(1)

    @property
    def url(self) -> str:
        """The base URL without ``/v1``."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log."""

    def do_GET(self) -> None:
        """The list of models."""
        if not self.path.endswith("/models"):
            self._refuse(Refused(404, "GET is supported only for /models"))
            return
        self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "x"}]})

    def do_POST(self) -> None:
        """A chat completion."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = self._checked(raw)
        except Refused as error:
            self._refuse(error)
            return
        number = next(self.server.numbers)
        base = {"id": f"chatcmpl-{number:032x}", "created": int(time.time()), "model": MODEL}
        call_ids = (f"call_{number:016x}{at:08x}" for at in count())
        received = reply(body)
        if body.get("stream"):
            self._stream(chunks(received, base, call_ids))
        else:
            self._json(200, plain(received, base, call_ids))

    def _checked(self, raw: bytes) -> Json:
        if not self.path.endswith("/chat/completions"):
            raise Refused(404, "POST is supported only for /chat/completions")
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            raise Refused(401, "Invalid API Key")
        try:
            return check(json.loads(raw))
        except ValueError:
            raise Refused(400, "the body is not JSON") from None

    def _refuse(self, error: Refused) -> None:
        body = {"message": str(error), "type": "invalid_request_error", "param": None, "code": str(error.status)}
        self._json(error.status, {"error": body})

    def _json(self, status: int, value: Json) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, values: Iterator[Json]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # A translator closes a stream that its client closed.
            for at, value in enumerate(values):
                self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
                if at < 100:  # Limits the total delay of a long stream.
                    time.sleep(_PAUSE)
            self.wfile.write(b"data: [DONE]\n\n")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m targets.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    with Upstream(parser.parse_args().port) as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
