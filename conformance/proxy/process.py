"""Starts the proxy under test with a command, and ends its process group."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

#: File of the proxy's output in the run folder.
OUTPUT = "proxy.log"

#: Seconds for the proxy to listen.
STARTUP = 60.0

#: Seconds to exit after SIGTERM.
_END = 5.0


class NotStarted(Exception):
    """The proxy does not listen; the message is one line."""


@contextlib.contextmanager
def started(command: str, values: Mapping[str, str], endpoint: str, folder: Path, seconds: float) -> Iterator[None]:
    """Run a shell command, with ``{name}`` replaced by its value, until the endpoint accepts connections.

    Its output is appended to :data:`OUTPUT` in the folder. On exit its process group is ended, also when this process
    receives SIGTERM, which raises ``KeyboardInterrupt`` meanwhile, and when it is killed. Raises :class:`NotStarted` if
    the port is in use before, or if nothing listens on it after ``seconds``.
    """
    if listens(endpoint):
        raise NotStarted(f"{endpoint} is in use before the proxy is started")
    for name, value in values.items():
        command = command.replace("{" + name + "}", value)
    log = folder / OUTPUT
    with log.open("ab") as out, _interrupted_by_sigterm():
        process = subprocess.Popen(
            command, shell=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        guard = _guard(process.pid)
        try:
            _await(process, endpoint, log, seconds)
            yield
        finally:
            _end(process)
            guard.kill()
            guard.communicate()


#: Ends the group $1 when the standard input ends.
_GUARD = f'read -r _; kill -s TERM -- "-$1"; sleep {_END:g}; kill -s KILL -- "-$1"'


def _guard(group: int) -> subprocess.Popen[bytes]:
    """A process that ends the group if this one ends without doing so: the pipe to the guard is then closed."""
    command = ["sh", "-c", _GUARD, "sh", str(group)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM raises ``KeyboardInterrupt``, as SIGINT does, so that the proxy is ended and files are complete."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread receives signals.
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def listens(endpoint: str) -> bool:
    """Whether something accepts connections at the endpoint."""
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), 1).close()
    except OSError:
        return False
    return True


def wait_for(endpoint: str, seconds: float) -> None:
    """Wait until the endpoint accepts connections. Raises :class:`NotStarted` after ``seconds``."""
    until = time.monotonic() + seconds
    while not listens(endpoint):
        if time.monotonic() >= until:
            raise NotStarted(f"{endpoint} does not accept connections: start the proxy first, or with --start COMMAND")
        time.sleep(0.05)


@contextlib.contextmanager
def listening(
    command: str | None, values: Mapping[str, str], endpoint: str, folder: Path, wait: float
) -> Iterator[None]:
    """Within it the proxy listens: :func:`started` by the command, or, without one, waited for."""
    if not command:
        wait_for(endpoint, wait)
        yield
        return
    with started(command, values, endpoint, folder, STARTUP):
        yield


def _await(process: subprocess.Popen[bytes], endpoint: str, log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not listens(endpoint):
        if process.poll() is not None and process.returncode != 0:
            raise NotStarted(f"the proxy ended at once with {process.returncode}: {_last(log)}")
        if time.monotonic() >= until:
            raise NotStarted(f"the proxy did not listen on {endpoint} after {seconds:g} s: {_last(log)}")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END)
        if not _alive(process.pid):
            return


def _alive(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _last(log: Path) -> str:
    """The last line of a log with the word error, or else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    relevant = [line for line in lines if "error" in line.lower()] or lines
    return relevant[-1][:200] if relevant else "it wrote nothing"
