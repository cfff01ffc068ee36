"""Run the drivers of clients: write jobs, read results. A driver that exits or hangs gives an outcome with an error."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import emulator
from conformance.clients.server import Record, base
from conformance.contract.clients import Client
from conformance.decode.response import Received
from conformance.exchange.client_outcomes import Outcome, Outcomes, Ran
from conformance.exchange.exchange import Exchange

DRIVERS = Path(__file__).parent / "drivers"

#: Seconds for one response, the additional time of the driver, and the time for its start.
SECONDS, _GRACE, _START = 20.0, 10.0, 60.0

#: Maximum number of starts of a driver that exits; the remaining jobs of its client then fail.
_STARTS = 20

#: Only loopback is reachable: the proxy for all other hosts does not exist. The clients' telemetry is disabled.
_NO_PROXY = "http://127.0.0.1:9"
_ENVIRONMENT = {
    "MIMO_API_KEY": "built-in-key",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _NO_PROXY),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    "DO_NOT_TRACK": "1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "AI_SDK_TELEMETRY_DISABLED": "1",
}
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")


@dataclass(frozen=True)
class ClientInput:
    """The input of a client: the exchange and the JSON body of its request.

    ``then`` is the exchange of the next turn, for clients of two turns.
    """

    key: str
    exchange: Exchange
    request: Mapping[str, Any]
    then: Exchange | None = None


class NotInstalled(Exception):
    """The client is not installed; the message names what is missing."""


def client_input(key: str, exchange: Exchange, then: Exchange | None = None) -> ClientInput:
    """The input of clients for an exchange."""
    return ClientInput(key, exchange, Received(exchange, exchange.scenario).sent, then)


def words(client: Client, install: Path) -> list[str]:
    """The command of a client's driver. Raises NotInstalled if its interpreter or packages are missing."""
    if client.runs == "python":
        python = install / "venv" / "bin" / "python"
        if not python.exists():
            raise NotInstalled(f"no {python}")
        return [str(python), str(DRIVERS / client.driver)]
    if not (install / "node_modules").exists():
        raise NotInstalled(f"no {install / 'node_modules'}")
    interpreter = sys.executable if client.runs == "self" else shutil.which("node")
    if interpreter is None:
        raise NotInstalled("no node")
    return [interpreter, str(DRIVERS / client.driver), str(install.absolute())]


def drive(
    clients: Sequence[Client],
    given: Sequence[ClientInput],
    install: Path,
    seconds: float = SECONDS,
    command: Callable[[Client, Path], list[str]] = words,
) -> Outcomes:
    """Replay these exchanges to these clients, each those of its mode, and return the outcomes.

    Different clients run concurrently, the modes of one client in turn. A server on loopback serves the exchanges.
    """
    then = {_then(one): one.then for one in given if one.then}
    record = Record({one.key: one.exchange for one in given} | then)
    by_driver: dict[str, list[Client]] = {}
    for one in clients:
        by_driver.setdefault(one.driver, []).append(one)
    ran: dict[str, Ran] = {}
    found: list[Outcome] = []
    with emulator.serve(record) as server, tempfile.TemporaryDirectory(prefix="clients-") as home:

        def run(modes: list[Client]) -> tuple[list[Ran], list[Outcome]]:
            return _run(modes, given, _Lane(install, Path(home), server.url, record, seconds, command))

        with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
            for some_ran, some in pool.map(run, by_driver.values()):
                ran |= {one.client: one for one in some_ran}
                found += some
    order = {one.name: place for place, one in enumerate(clients)}
    return Outcomes(ran, tuple(sorted(found, key=lambda one: order[one.client])))


@dataclass(frozen=True)
class _Lane:
    install: Path
    home: Path
    url: str
    record: Record
    seconds: float
    command: Callable[[Client, Path], list[str]]


def _run(modes: Sequence[Client], given: Sequence[ClientInput], lane: _Lane) -> tuple[list[Ran], list[Outcome]]:
    try:
        driver = Driver(lane.command(modes[0], lane.install), lane.home, lane.seconds)
    except NotInstalled as error:
        return [Ran(one.name, reason=f"not installed: {error}") for one in modes], []
    try:
        ran = [Ran(one.name, driver.version) for one in modes]
        return ran, [_outcome(one, what, driver, lane) for one in modes for what in given if _takes(one, what)]
    finally:
        driver.close()


def _takes(client: Client, what: ClientInput) -> bool:
    if client.turns and what.then is None:
        return False
    return client.reads(what.request)


def _then(what: ClientInput) -> str:
    """The key under which the replay server has the exchange of the next turn."""
    return f"{what.key}/then"


def _outcome(client: Client, what: ClientInput, driver: Driver, lane: _Lane) -> Outcome:
    job = f"{client.name}:{what.key}"
    keys = [what.key, _then(what)] if client.turns else [what.key]
    line = driver.planned(
        {"id": job, "mode": client.mode, "base_url": base(lane.url, keys, job), "request": dict(what.request)}
    )
    seen = {name: line.get(name) for name in ("text", "calls", "reasoning", "usage", "shown", "error")}
    return Outcome(client.name, what.key, **seen, asked=lane.record.requests_for(job))


class Driver:
    """A running driver process; ``version`` is the version of its client, as the driver reports it."""

    def __init__(self, words: Sequence[str], home: Path, seconds: float) -> None:
        self._words = list(words)
        self._limit = seconds + _GRACE
        self._home = Path(tempfile.mkdtemp(dir=home))
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._environ = {
            **kept,
            **_ENVIRONMENT,
            **dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CODEX_HOME"), str(self._home)),
            "CLIENT_TIMEOUT": f"{seconds:g}",
        }
        self._starts = 0
        self.version = ""
        self._start()

    def planned(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """The driver's result for a job; without one, a result with the member ``error``."""
        try:
            if self._process.poll() is not None:
                self._start()
            self._write(job)
            line = self._read(self._limit)
            if line.get("id") != job["id"]:
                raise _InvalidResult(f"the driver sent the result of job {line.get('id')!r}")
            return line
        except (_InvalidResult, NotInstalled, OSError) as error:
            self._kill()
            return {"error": {"type": "DriverError", "message": str(error)}}

    def close(self) -> None:
        """Stop the driver and all processes that it started."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait(2)
        self._kill()

    def _start(self) -> None:
        self._starts += 1
        if self._starts > _STARTS:
            raise _InvalidResult(f"the driver ended {_STARTS} times")
        self._stderr = (self._home / "stderr").open("w+b")
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=self._environ,
            cwd=self._home, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=_pass_on, args=(self._process.stdout, self._lines), daemon=True).start()
        try:
            self.version = str(self._read(_START).get("version", ""))
        except _InvalidResult as error:
            self._kill()
            raise NotInstalled(str(error)) from None

    def _write(self, job: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self, limit: float) -> Mapping[str, Any]:
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            raise _InvalidResult(f"the driver sent no result for {limit:g} s") from None
        try:
            read = json.loads(line)
        except ValueError:
            raise _InvalidResult(f"the driver ended{self._last_words()}") from None
        if not isinstance(read, dict):
            raise _InvalidResult("the result of the driver is not a JSON object")
        return read

    def _last_words(self) -> str:
        self._stderr.seek(0)
        printed = self._stderr.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        return f": {printed[-1][:300]}" if printed else ""

    def _kill(self) -> None:
        """Kill the process group, so that no process of the driver is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._stderr):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()


class _InvalidResult(Exception):
    """The driver did not send a valid result; the message gives the reason."""


def _pass_on(stream: Any, lines: queue.Queue[bytes]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(b"")  # End of the output.


def feedable(exchanges: Mapping[str, Exchange], turns: Mapping[str, str]) -> list[ClientInput]:
    """The inputs of clients among these exchanges: 2xx responses to a POST with a JSON object that did not time out.

    ``exchanges`` are by scenario. ``turns`` maps the scenario of a call to that of the next turn.
    """
    usable = {name: one for name, one in exchanges.items() if one.ok and one.ended != "time-out"}
    found = {one.key: client_input(one.key, one, usable.get(turns.get(name, ""))) for name, one in usable.items()}
    return [one for one in found.values() if one.request]
