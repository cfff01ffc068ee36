"""Third-party servers: install each into a directory, start it on a free loopback port, and stop it.

A file in ``targets/`` describes a server in the table ``[server]``: ``pip`` or ``npm`` (one pinned package), ``start``
(the command), ``environ``, ``files`` (written into its directory). ``{port}``, ``{upstream}`` (base URL without
``/v1``), ``{key}`` (the key that clients send), ``{upstream_key}``, ``{model}`` and ``{folder}`` are replaced in them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from targets.upstream import KEY

#: Timeouts in seconds: to install, to listen, and to exit after SIGTERM.
INSTALL, LISTEN, END = 900.0, 90.0, 5.0

_KEYS = {"pip", "npm", "start", "environ", "files"}


class Unusable(Exception):
    """A server that cannot be checked; the message is the reason, one line."""


@dataclass(frozen=True)
class Recipe:
    """A target file with ``[server]``; ``path`` is the path of its endpoint URL, ``package`` the pinned requirement,
    ``revision`` that of the contract (empty: the default)."""

    name: str
    path: str
    model: str
    profile: Mapping[str, Any]
    installer: str
    package: str
    start: tuple[str, ...]
    environ: Mapping[str, str]
    files: Mapping[str, str]
    revision: str = ""

    @property
    def version(self) -> str:
        """The version of the package."""
        return self.package.replace("==", "@").rpartition("@")[2]


def recipe(file: Path) -> Recipe | None:
    """The server of a target file; None if it has no ``[server]``. Raises ValueError if that is invalid."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    server = document.get("server")
    if server is None:
        return None
    if unknown := set(server) - _KEYS:
        raise ValueError(f"{file}, [server]: unknown key {', '.join(sorted(unknown))}")
    named = [name for name in ("pip", "npm") if name in server]
    if len(named) != 1 or "start" not in server:
        raise ValueError(f"{file}, [server]: expected start and either pip or npm")
    package = server[named[0]]
    if "@" not in package.replace("==", "@")[1:]:
        raise ValueError(f"{file}, [server]: {package} has no version")
    return Recipe(
        document["name"],
        urlsplit(document["endpoint"]).path,
        document["model"],
        document.get("profile", {}),
        named[0],
        package,
        tuple(server["start"]),
        server.get("environ", {}),
        server.get("files", {}),
        document.get("revision", ""),
    )


def install(one: Recipe, folder: Path) -> None:
    """Install the package, unless it is installed already. Raises :class:`Unusable` if that fails."""
    marker = folder / "installed"
    if marker.is_file() and marker.read_text(encoding="utf-8") == one.package:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if one.installer == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise Unusable("npm is not installed")
        _command([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), one.package], folder)
    else:
        _command([sys.executable, "-m", "venv", str(folder / "venv")], folder)
        python, quiet = str(folder / "venv" / "bin" / "python"), "--disable-pip-version-check"
        _command([python, "-m", "pip", "install", "--quiet", quiet, one.package], folder)
    marker.write_text(one.package, encoding="utf-8")


def _command(words: list[str], folder: Path) -> None:
    log = folder / "install.log"
    with log.open("wb") as out, _group(words, folder, dict(os.environ), out) as process:
        try:
            code = process.wait(INSTALL)
        except subprocess.TimeoutExpired:
            raise Unusable(f"not installed after {INSTALL:g} s") from None
    if code:
        raise Unusable(f"not installed: {_last(log)}")


@contextmanager
def running(one: Recipe, folder: Path, upstream: str, key: str) -> Iterator[str]:
    """Run the server; the value is its endpoint. On exit, the server and all processes that it started are stopped."""
    port = _free_port()
    values = {
        "port": str(port), "upstream": upstream, "key": key, "upstream_key": KEY, "model": one.model,
        "folder": str(folder.absolute()),
    }  # fmt: skip
    for name, text in one.files.items():
        (folder / name).write_text(filled(text, values), encoding="utf-8")
    own = {name: filled(text, values) for name, text in one.environ.items()}
    path = os.pathsep.join([str(folder.absolute() / "venv" / "bin"), os.environ.get("PATH", "")])
    environ = {**plain_environment(os.environ), "PATH": path, "HOME": str(folder.absolute()), **own}
    words = [filled(word, values) for word in one.start]
    words[0] = shutil.which(words[0], path=path) or words[0]
    log = folder / "server.log"
    with log.open("wb") as out, _group(words, folder, environ, out) as process:
        _await(process, port, log)
        yield f"http://127.0.0.1:{port}{one.path}"


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without variables that may be secrets, proxies or a virtual environment."""
    return {
        name: value
        for name, value in environ.items()
        if not any(word in name.upper() for word in ("KEY", "TOKEN", "SECRET", "PASSWORD", "PROXY", "VIRTUAL_ENV"))
    }


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with each ``{name}`` replaced by its value."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def _group(words: list[str], folder: Path, environ: Mapping[str, str], out: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a separate process group, which is stopped on exit."""
    try:
        process = subprocess.Popen(
            words, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    except OSError as error:
        raise Unusable(f"{words[0]} cannot be started: {error.strerror}") from None
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            continue
    process.wait(END)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + LISTEN
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Unusable(f"ended at once with {process.returncode}: {_last(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Unusable(f"did not listen after {LISTEN:g} s: {_last(log)}")


def _last(log: Path) -> str:
    """The last line of a log with the word error, or else its last line that is not empty."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    relevant = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
    return relevant[-1][:200] if relevant else "empty log"
