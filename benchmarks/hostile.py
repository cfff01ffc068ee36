"""Runs with servers that send a very large response to every request, or none: peak memory and duration.

``python -m benchmarks.hostile NAME`` runs one of these servers until it is stopped.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEY = "benchmark-key-0b7e44d1"

#: Bytes of a large body: just below the limit of one body (``--max-body``), and just below the budget of all bodies.
_SIZE, _WITHIN = 15_000_000, 11_500_000

_JSON = "Content-Type: application/json"
_STREAM = "Content-Type: text/event-stream"
_CHUNKED = "Transfer-Encoding: chunked"

#: Runs a command and prints its peak memory and exit code. It is a process of its own, as the peak that the kernel
#: reports for a command includes the memory of the process that started it.
_MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_maxrss, process.returncode)
"""

Script = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Cost:
    """The cost of a run: ``peak`` is the peak memory of its largest process in bytes, ``exit`` the exit code."""

    seconds: float
    peak: int
    exit: int


def run(name: str, folder: Path, workers: int = 0, only: str = "", concurrency: int = 4) -> Cost:
    """A run with a server of :data:`SERVERS`, of all cases or of those that match ``only``."""
    shutil.rmtree(folder, ignore_errors=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CONFORMANCE"))}
    environ["MIMO_API_KEY"] = KEY
    with _serving(name) as url:
        command = [sys.executable, "-m", "pytest", "-q", "conformance", "--endpoint", url, "--run-dir", str(folder)]
        command += ["--concurrency", str(concurrency), *(["-n", str(workers)] if workers else [])]
        command += ["--only", only] if only else []
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _MEASURE, *command], cwd=ROOT, env=environ, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - started
    peak, code = map(int, done.stdout.split())
    return Cost(seconds, peak * (1 if sys.platform == "darwin" else 1024), code)


@contextlib.contextmanager
def _serving(name: str) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.hostile", name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # Because of stdout=PIPE.
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode()


def _says(body: bytes, *headers: str, status: str = "200 OK") -> Script:
    complete = _head(*headers, f"Content-Length: {len(body)}", status=status) + body
    return lambda peer: peer.sendall(complete)


def _response(text: str) -> dict[str, object]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **details}
    return {
        "id": "resp_1", "object": "response", "created_at": int(time.time()), "status": "completed", "error": None,
        "incomplete_details": None, "model": "mimo-v2.5-pro", "metadata": None, "output": [item], "output_text": text,
        "usage": usage,
    }  # fmt: skip


def _event(kind: str, number: int, **members: object) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": number, **members})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _deltas(size: int) -> bytes:
    members = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "x"}
    one = len(_event("response.output_text.delta", 100_000, **members))
    opening = [
        _event("response.created", 0, response={**_response(""), "status": "in_progress", "output": []}),
        _event("response.in_progress", 1, response={**_response(""), "status": "in_progress", "output": []}),
    ]
    deltas = [_event("response.output_text.delta", number + 2, **members) for number in range(size // one)]
    end = _event("response.completed", len(deltas) + 2, response=_response("x" * len(deltas)))
    return b"".join([*opening, *deltas, end])


def _silent(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.recv(1)


def _silent_after(data: bytes) -> Script:
    def script(peer: socket.socket) -> None:
        peer.sendall(data)
        _silent(peer)

    return script


def _forever(begin: bytes, piece: bytes, pause: float = 0.0) -> Script:
    def script(peer: socket.socket) -> None:
        peer.sendall(begin)
        while True:
            peer.sendall(piece)
            time.sleep(pause)

    return script


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_DELTA = _event("response.output_text.delta", 5, item_id="msg_1", output_index=0, content_index=0, delta="x")

#: The servers: name -> factory of the response to every request, called when the server starts.
SERVERS: dict[str, Callable[[], Script]] = {
    "a Response of 15 MB": lambda: _says(json.dumps(_response("sea " * (_SIZE // 8))).encode(), _JSON),
    "a Response of 11 MB": lambda: _says(json.dumps(_response("sea " * (_WITHIN // 8))).encode(), _JSON),
    "15 MB of empty arrays": lambda: _says(b"[" + b"[]," * (_SIZE // 3) + b"[]]", _JSON),
    "15 MB of numbers": lambda: _says(b"[" + b"1.5," * (_SIZE // 4) + b"1]", _JSON),
    "one string of 15 MB": lambda: _says(b'{"status":"' + b"x" * _SIZE + b'"}', _JSON),
    "one string of 15 MB beyond ASCII": lambda: _says(
        json.dumps({"id": "\U0001f600" * (_SIZE // 4)}, ensure_ascii=False).encode(), _JSON
    ),
    "a stream of 15 MB in deltas": lambda: _says(_deltas(_SIZE), _STREAM),
    "a stream of 11 MB in deltas": lambda: _says(_deltas(_WITHIN), _STREAM),
    "a stream of 11 MB in one event": lambda: _says(
        _event("response.completed", 0, response=_response("sea " * (_WITHIN // 8))), _STREAM
    ),
    "a stream of 15 MB in one event": lambda: _says(
        _event("response.completed", 0, response=_response("sea " * (_SIZE // 8))), _STREAM
    ),
    "a stream of 15 MB of nothing": lambda: _says(b"data:{}\n\n" * (_SIZE // 9), _STREAM),
    "a Response of 15 MB, gzip": lambda: _says(
        gzip.compress(json.dumps(_response("sea " * (_SIZE // 8))).encode()), _JSON, "Content-Encoding: gzip"
    ),
    "gzip bombs": lambda: _says(gzip.compress(bytes(200_000_000)), _JSON, "Content-Encoding: gzip"),
    "60 kB of headers": lambda: _says(b"{}", _JSON, *(f"X-{number}: {'x' * 6000}" for number in range(10))),
    "refusals of 15 MB": lambda: _says(
        json.dumps({"error": {"message": "x" * _SIZE}}).encode(), _JSON, status="400 Bad Request"
    ),
    "overload of 15 MB": lambda: _says(b"x" * _SIZE, _JSON, status="503 Service Unavailable"),
    "bodies of 250 kB in deltas": lambda: _says(_deltas(250_000), _STREAM),
    "bodies of 60 kB of nothing": lambda: _says(b"data:{}\n\n" * 6600, _STREAM),
    "no head": lambda: _silent,
    "a head and nothing": lambda: _silent_after(_head(_STREAM, _CHUNKED)),
    "an endless stream": lambda: _forever(_head(_STREAM, _CHUNKED), _chunk(_DELTA) * 50),
    "an endless slow stream": lambda: _forever(_head(_STREAM, _CHUNKED), _chunk(_DELTA), 0.1),
    "a stream left open": lambda: _silent_after(_head(_STREAM, _CHUNKED) + _chunk(_deltas(2_000))),
    "429 for ever": lambda: _says(b'{"error":{"message":"later"}}', _JSON, "Retry-After: 60", status="429 Later"),
    "closes at once": lambda: lambda peer: None,
}


#: Maximum seconds of a run, with a server that responds at once and with one that needs timeouts.
QUICK, WAITED_FOR = 120, 300

#: Maximum peak memory of a single process, in bytes.
MOST_MEMORY = 400_000_000

#: The servers of the table, with the maximum seconds of a run.
ROWS = {
    "a Response of 15 MB": QUICK,
    "a Response of 11 MB": QUICK,
    "15 MB of empty arrays": QUICK,
    "a stream of 15 MB in deltas": QUICK,
    "a stream of 11 MB in deltas": QUICK,
    "a stream of 11 MB in one event": QUICK,
    "gzip bombs": QUICK,
    "no head": WAITED_FOR,
    "an endless stream": WAITED_FOR,
    "an endless slow stream": WAITED_FOR,
    "429 for ever": WAITED_FOR,
}


def _serve(name: str) -> None:
    script = SERVERS[name]()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_respond, args=(peer, script), daemon=True).start()


def _respond(peer: socket.socket, script: Script) -> None:
    with contextlib.suppress(OSError), peer:
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := peer.recv(65536))
            if not more:
                return
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < sum(lengths):
            body += (more := peer.recv(65536))
            if not more:
                return
        script(peer)


if __name__ == "__main__":
    _serve(sys.argv[1])
