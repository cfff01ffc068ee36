"""Processes of the suite that start where its modules are imported already.

A Python process needs half a second of processor time until pytest and the suite are imported, and the tests start some
hundred. One process per test process imports them and forks for each run, and the run forks for each of its workers
(``-n 2``). Arguments, environment, working directory, standard streams and exit code are those of ``python -m``; tests
of signals and of the start itself start their own.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

ROOT = Path(__file__).parent.parent.parent


def run(
    words: Sequence[str], environ: Mapping[str, str] = os.environ, timeout: float = 120, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """``python -m`` with these words, as :func:`subprocess.run` returns it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _parent().run(words, environ, timeout, cwd, (out.fileno(), err.fileno()))
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess([sys.executable, "-m", *words], code, *texts)


#: A program that runs ``python -m`` with these words in a forked process, for scripts. Its own start takes 20 ms.
_PROGRAM = """#!{python} -IS
import json, os, signal, socket, sys

one = socket.socket(socket.AF_UNIX)
one.connect({path!r})
request = json.dumps([[{module!r}, *sys.argv[1:]], dict(os.environ), os.getcwd()]).encode()
socket.send_fds(one, [len(request).to_bytes(4)], [0, 1, 2])
one.sendall(request)
pid = int.from_bytes(one.recv(4))
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int.from_bytes(one.recv(4), signed=True)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


def commands(folder: Path) -> None:
    """Write the programs ``conformance`` and ``pytest`` into a folder, for the PATH of scripts."""
    for module in ("conformance", "pytest"):
        text = _PROGRAM.format(python=sys.executable, path=_parent().path, module=module)
        (folder / module).write_text(text)
        (folder / module).chmod(0o755)


class _Parent:
    """The process that forks, seen from the one that asks it to."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory()  # The path of a socket is short.
        self.path = f"{self._folder.name}/commands"
        with socket.socket(socket.AF_UNIX) as listener, theirs:
            listener.bind(self.path)
            listener.listen()
            numbers = [theirs.fileno(), listener.fileno()]
            command = [sys.executable, "-m", "tests.support.forked", *map(str, numbers)]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=numbers, stdin=subprocess.DEVNULL)
        atexit.register(self.close)

    def run(
        self, words: Sequence[str], environ: Mapping[str, str], timeout: float, cwd: Path, streams: tuple[int, int]
    ) -> int:
        request = json.dumps([list(words), dict(environ), str(cwd)]).encode()
        socket.send_fds(self._socket, [len(request).to_bytes(4)], streams)
        self._socket.sendall(request)
        pid = self._number()
        self._socket.settimeout(timeout)
        try:
            return self._number()
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._socket.settimeout(None)
            self._number()
            raise subprocess.TimeoutExpired(list(words), timeout) from None
        finally:
            self._socket.settimeout(None)

    def _number(self) -> int:
        if len(received := self._socket.recv(4)) < 4:
            raise RuntimeError("the process that forks has ended")
        return int.from_bytes(received, signed=True)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()
        self._folder.cleanup()


@functools.cache
def _parent() -> _Parent:
    return _Parent()


def _serve(connection: socket.socket, listener: socket.socket) -> list[str]:
    """Fork for each request; returns in the child, with the words of the request."""
    while True:
        ready = select.select([connection, listener], [], [])[0]
        if listener in ready:
            command = listener.accept()[0]
            if not os.fork():  # One process for each command: several run at once.
                connection.close()
                listener.close()
                words = _forked(command)
                if words is None:
                    os._exit(0)
                return words
            command.close()
        if connection in ready and (words := _forked(connection)) is not None:
            listener.close()
            return words
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _forked(connection: socket.socket) -> list[str] | None:
    """Fork for one request and send the process and then its exit code; returns the words in the child."""
    size, streams, _, _ = socket.recv_fds(connection, 4, 3)
    if not size:  # The process that this one serves has ended.
        sys.exit()
    request = b""
    while len(request) < int.from_bytes(size):
        request += connection.recv(1 << 16)
    if pid := os.fork():
        connection.sendall(pid.to_bytes(4))
        for stream in streams:
            os.close(stream)
        connection.sendall(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]).to_bytes(4, signed=True))
        return None
    connection.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, 3 - len(streams)):
        os.dup2(stream, number)
        os.close(stream)
    words, environ, cwd = json.loads(request)
    os.chdir(cwd)
    sys.path[0] = cwd
    os.environ.clear()
    os.environ.update(environ)
    random.seed()
    return list(words)


def _main() -> None:
    connection, listener = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # It ends with the process that it serves.
    _import()
    gc.collect()
    gc.freeze()
    words = _serve(connection, listener)
    sys.argv[1:] = words[1:]
    _fork_workers(int(count) if (count := _after("-n", words)).isdecimal() else 0)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _after(option: str, words: Sequence[str]) -> str:
    """The value of an option, empty if it is not given."""
    return words[words.index(option) + 1] if option in words else ""


class _Worker:
    """A worker of xdist, with the part of :class:`subprocess.Popen` that execnet uses."""

    def __init__(self, pid: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def _fork_workers(count: int) -> None:
    """Fork the workers while there is one thread; execnet takes them, and starts itself what it needs beyond them."""
    import execnet.gateway_io

    ready: list[_Worker] = []
    for _ in range(count):
        (stdin, to_worker), (from_worker, stdout) = os.pipe(), os.pipe()
        if not (pid := os.fork()):
            for one in ready:  # Held by a process that goes on, they would not end with this one.
                one.stdin.close()
                one.stdout.close()
            _work(stdin, stdout, to_worker, from_worker)
        os.close(stdin)
        os.close(stdout)
        ready.append(_Worker(pid, os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb")))

    class Taken(execnet.gateway_io.Popen2IOMaster):
        def __init__(self, args: Any, execmodel: Any) -> None:
            if ready:
                self.popen = one = ready.pop(0)
                execnet.gateway_io.Popen2IO.__init__(self, one.stdin, one.stdout, execmodel=execmodel)
            else:
                super().__init__(args, execmodel)

    execnet.gateway_io.Popen2IOMaster = Taken  # type: ignore[misc]


def _work(stdin: int, stdout: int, *others: int) -> NoReturn:
    """What ``python -c`` does for execnet; without a first line, as no worker is needed, it ends."""
    for one in others:
        os.close(one)
    for number, stream in enumerate((stdin, stdout)):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv[:] = ["-c"]
    random.seed()
    if line := sys.stdin.readline():
        exec(eval(line), {"__name__": "__main__"})
    sys.exit()


def _import() -> None:
    """Import what a run imports, and read what is read once in a process: the rules, the schemas, the evidence."""
    import allure_pytest.plugin  # noqa: F401
    import httpcore  # noqa: F401
    import pytest  # noqa: F401
    import xdist.looponfail
    import xdist.plugin  # noqa: F401
    from _pytest.assertion.rewrite import AssertionRewritingHook

    import conformance.cli
    import conformance.emulator
    import conformance.plugin
    import conformance.wire.client  # noqa: F401
    from conformance.config.target import resolve
    from conformance.judge.cases import all_cases, context_of, load_checks
    from conformance.results.client_trials import effect_rows
    from conformance.wire.transport import tls

    tls()
    load_checks()
    all_cases(context_of(resolve({}, {}, "00000000", None)))
    effect_rows()
    # pytest warns that it cannot rewrite the asserts of these modules, which have none.
    AssertionRewritingHook._warn_already_imported = lambda self, name: None  # type: ignore[method-assign]


if __name__ == "__main__":
    _main()
