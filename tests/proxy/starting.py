"""Ports and process groups of proxies that tests start."""

from __future__ import annotations

import os
import signal
import socket
import time


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether a server listens at the port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def is_gone(group: int) -> bool:
    """Whether no process of a group is left; ended ones stay in it for a moment."""
    for _ in range(100):
        try:
            os.killpg(group, signal.SIGCONT)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
