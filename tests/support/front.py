"""A port in front of the built-in endpoint that lets so many connections through, and then none."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Literal

from conformance.emulator import Endpoint, Server, serve
from tests.support.running import KEY

After = Literal["close", "reset", "hang"]


class Front:
    """``after``: what happens then: the port is closed, each connection is reset, as by a container's proxy, or
    none is ever answered, as by a stopped process."""

    def __init__(self, connections: int, after: After) -> None:
        self._left = connections
        self._after = after
        self._hanging: list[socket.socket] = []
        self._server: Server = serve(Endpoint(key=KEY))
        self._port = int(self._server.url.rsplit(":", 1)[1].partition("/")[0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._server.close()
        for connection in self._hanging:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while self._left or self._after != "close":
                connection, _ = self._listener.accept()
                if not self._left and self._after == "hang":
                    self._hanging.append(connection)
                    continue
                if not self._left:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()
                    continue
                self._left -= 1
                behind = socket.create_connection(("127.0.0.1", self._port))
                for one, other in ((connection, behind), (behind, connection)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()
        self._listener.close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
