"""A loopback server that reads one request a connection, keeps its bytes, and lets a script answer by hand."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable

_PATIENCE = 5.0


class Peer:
    """One accepted connection: the request it sent, and the means to answer it badly."""

    def __init__(self, connection: socket.socket, request: bytes, over: threading.Event) -> None:
        self.request = request
        self._connection = connection
        self._over = over

    def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Send piece by piece, with so many seconds after each."""
        for piece in pieces:
            self._connection.sendall(piece)
            self._over.wait(pause)

    def wait(self) -> None:
        """Say nothing more until the client has hung up or the test is over."""
        self._connection.settimeout(0.01)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                if not self._connection.recv(1):
                    return

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    @property
    def over(self) -> bool:
        """Whether the test is over."""
        return self._over.is_set()


Script = Callable[[Peer], None]


class RawServer:
    """Answers the first connection by the first script, and so on; the last script answers all that follow."""

    def __init__(self, *scripts: Script) -> None:
        self.requests: list[bytes] = []
        self._scripts = scripts
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_PATIENCE)
        self.port: int = self._listener.getsockname()[1]
        self._workers: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        """The base that a target takes."""
        return f"http://127.0.0.1:{self.port}/v1"

    def head(self, number: int = 0) -> list[bytes]:
        """The lines of a request's head as they came, without the blank one."""
        return self.requests[number].partition(b"\r\n\r\n")[0].split(b"\r\n")

    def close(self) -> None:
        """Stop, and let every script end."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._acceptor, *self._workers):
            thread.join(_PATIENCE)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            worker = threading.Thread(target=self._serve, args=(connection, len(self._workers)), daemon=True)
            self._workers.append(worker)
            worker.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(_PATIENCE)
        with contextlib.suppress(OSError), connection:
            request = _read(connection)
            self.requests.append(request)
            self._scripts[min(number, len(self._scripts) - 1)](Peer(connection, request, self._over))


def _read(connection: socket.socket) -> bytes:
    """The head and the body of a request with Content-Length, or what came before the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    size = re.search(rb"(?im)^content-length: (\d+)", head)
    while size and len(body) < int(size[1]):
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    """A chunk of the chunked transfer coding; the empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(*headers: str, status: str = "200 OK") -> bytes:
    """The status line and the headers, up to and with the blank line."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def received(body: bytes, *headers: str, status: str = "200 OK") -> Script:
    """The script of a whole answer with Content-Length."""
    return lambda peer: peer.send(head(*headers, f"Content-Length: {len(body)}", status=status) + body)
