"""The cases of both sides as items of pytest: those of ``conformance proxy``; and how runs end the proxy."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from starting import accepts, free_port, is_gone

from tests.support import forked
from tests.support.running import KEY, ROOT, environment, lines_of

PYTEST = [sys.executable, "-m", "pytest", "conformance"]
PROXY = [sys.executable, "-m", "conformance", "proxy"]
FAULT = "drops-late-system-message"


def words(folder: Path, fault: str = FAULT) -> list[str]:
    """The options for the reference proxy as a command, whose group is written to the file ``pid``."""
    port = free_port()
    emulator = f"{shlex.quote(sys.executable)} -m conformance.emulator.proxy --upstream {{upstream}} --dialect chat"
    start = f"echo $$ > {folder}/pid; UPSTREAM_KEY={{key}} {emulator} --port {port} --fault {fault}"
    return ["--endpoint", f"http://127.0.0.1:{port}/v1", "--dialect", "chat", "--start", start]


def run(command: list[str], folder: Path, *more: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    full = [*command, *words(folder), "--run-dir", str(folder / "run"), "--overwrite", *more]
    return forked.run(full[2:], environment(key))


def verdicts(folder: Path) -> dict[str, tuple[str, str, int]]:
    return {
        one["id"]: (one["verdict"], one["cause"], len(one["findings"]))
        for one in lines_of(folder / "run")
        if one["kind"] == "case"
    }


ONLY = ("--only", "proxy.request.system-texts", "--only", "*@failure.429")


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str, int]]:
    """The verdicts of ``conformance proxy``."""
    folder = tmp_path_factory.mktemp("command")
    assert run(PROXY, folder, *ONLY).returncode == 1
    return verdicts(folder)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one", "two"])
def test_the_cases_are_those_of_the_command(
    workers: tuple[str, ...], by_command: dict[str, tuple[str, str, int]], tmp_path: Path
) -> None:
    junit = tmp_path / "junit.xml"
    done = run(PYTEST, tmp_path, *ONLY, *workers, "-p", "no:cacheprovider", "--junit-xml", str(junit))
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(tmp_path) == by_command
    assert {"fail", "pass"} <= {verdict for verdict, _, _ in by_command.values()}
    assert "upstream received: POST /v1/chat/completions" in done.stdout
    suite = ElementTree.parse(junit).getroot()[0]
    names = {case.get("name"): case for case in suite if len(case)}
    failed = names["both_sides[proxy.request.system-texts@request.system-messages]"].find("failure")
    assert failed is not None
    assert failed.text is not None
    assert "client sent: POST /v1/responses" in failed.text
    assert {"proxy.json", "proxy.html", "proxy.log"} <= {one.name for one in (tmp_path / "run").iterdir()}
    assert KEY not in (tmp_path / "run" / "proxy.json").read_text()
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_recorded_run_is_evaluated_again(by_command: dict[str, tuple[str, str, int]], tmp_path: Path) -> None:
    assert run(PYTEST, tmp_path, *ONLY, "-p", "no:cacheprovider").returncode == 1
    (tmp_path / "run").rename(tmp_path / "first")
    again = [*PYTEST, "-p", "no:cacheprovider", "--replay", str(tmp_path / "first"), "--run-dir", str(tmp_path / "run")]
    done = forked.run(again[2:], environment())
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(tmp_path) == by_command


def test_both_sides_are_reported_if_the_endpoint_cannot_be_checked(tmp_path: Path) -> None:
    """A proxy can refuse all requests after the failures that both sides consist of; here its upstream does."""
    target = tmp_path / "target.toml"
    target.write_text('name = "x"\nendpoint = "http://127.0.0.1:9/v1"\nmodel = "mine"\n[proxy]\nmodel = "theirs"\n')
    only = ("--only", "*@failure.429", "--only", "response.schema@text")  # No rule about the model of the upstream.
    done = run(PYTEST, tmp_path, "--target", str(target), *only)
    assert (done.returncode, "only both sides of the proxy were evaluated" in done.stderr) == (2, True), done.stderr
    assert {one.partition("@")[2] for one in verdicts(tmp_path)} == {"failure.429"}


def test_selections_of_pytest(tmp_path: Path) -> None:
    """``-k`` and ``--lf`` select among the cases, ``-x`` ends at the first failure, and a listing sends nothing."""
    cache = ("-o", f"cache_dir={tmp_path / 'cache'}")
    only = ("--only", "proxy.request.system-texts")
    done = run(PYTEST, tmp_path, *only, *cache, "-x")
    assert (done.returncode, " 1 failed" in done.stdout) == (1, True), done.stdout
    done = run(PYTEST, tmp_path, *only, *cache, "--lf")
    assert (done.returncode, " 1 failed" in done.stdout, "passed" in done.stdout.splitlines()[-1]) == (1, True, False)
    done = run(PYTEST, tmp_path, *only, *cache, "-k", "request.system-messages and not stream")
    assert done.returncode == 1, done.stdout
    assert list(verdicts(tmp_path)) == ["proxy.request.system-texts@request.system-messages"]
    (tmp_path / "pid").unlink()
    done = run(PYTEST, tmp_path, *only, *cache, "--collect-only", "-q")
    assert "both_sides[proxy.request.system-texts@request.system-messages]" in done.stdout
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("endpoint", [(), ("--endpoint", "https://example.com/v1")], ids=["none", "remote"])
def test_an_upstream_needs_a_proxy_on_loopback(endpoint: tuple[str, ...]) -> None:
    command = [*PYTEST, "--dialect", "chat", *endpoint]
    done = forked.run(command[2:], environment(), timeout=60)
    assert done.returncode == 2
    assert "a proxy on loopback" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [PYTEST, PROXY], ids=["pytest", "command"])
def test_a_command_that_ends_at_once_is_one_line(command: list[str], tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/v1"
    options = ["--endpoint", endpoint, "--start", "echo 'error: no port' >&2; exit 4", "--run-dir", str(tmp_path / "r")]
    done = forked.run([*command[2:], *options], environment(), timeout=60)
    assert done.returncode == 2, done.stdout
    assert done.stderr == "conformance: the proxy ended at once with 4: error: no port\n"


#: A reference proxy that exits when it has received so many requests. Its upstream has a fixed port.
_DIES = """
import itertools, os, sys, time
from conformance.emulator.proxy import ReferenceProxy
from conformance.emulator.proxy.habit import Habit

count = itertools.count(1)

def sent(ctx, body):
    if next(count) > 30:
        os._exit(3)
    return body

port, upstream, key, upstream_key = sys.argv[1:]
proxy = ReferenceProxy(upstream, "chat", key, upstream_key, Habit("dies", "Exits.", sent=sent), port=int(port))
time.sleep(300)
"""


@pytest.mark.parametrize("command", [PYTEST, PROXY], ids=["pytest", "command"])
def test_a_proxy_that_ends_during_the_run_is_one_failure(command: list[str], tmp_path: Path) -> None:
    """Without ``--start`` it cannot be started again: what was recorded before is evaluated."""
    port, upstream = free_port(), free_port()
    words = [str(port), f"http://127.0.0.1:{upstream}/v1", KEY, "upstream-key"]
    proxy = subprocess.Popen([sys.executable, "-c", _DIES, *words], cwd=ROOT)
    try:
        options = ["--endpoint", f"http://127.0.0.1:{port}/v1", "--dialect", "chat", "--upstream-port", str(upstream)]
        only = ["--only", "proxy.*"] + ["--only", "response.schema@text"] * (command == PYTEST)
        folder = ["--run-dir", str(tmp_path / "run"), "--wait", "5"]
        done = forked.run([*command[2:], *options, *only, *folder], environment(UPSTREAM_KEY="upstream-key"))
        assert proxy.wait(timeout=10) == 3
    finally:
        proxy.kill()
        proxy.wait()
    assert done.returncode == 1, done.stdout + done.stderr
    assert ("only both sides of the proxy were evaluated" in done.stderr) == (command == PYTEST)
    cases = {name: found for name, found in verdicts(tmp_path).items() if found[0] in ("fail", "warning")}
    roots = [name for name, (_, cause, _) in cases.items() if not cause]
    assert roots == ["proxy.failure.survives@stopped"], cases
    assert "no longer accepts connections since the request of" in done.stdout
    assert sum(found[0] == "pass" for found in verdicts(tmp_path).values()) > 30


ENDED = [(PYTEST, signal.SIGTERM), (PROXY, signal.SIGINT), (PROXY, signal.SIGTERM), (PROXY, signal.SIGKILL)]


@pytest.mark.parametrize(("command", "number"), ENDED, ids=lambda one: getattr(one, "name", ""))
def test_a_run_that_is_ended_ends_the_group_of_the_proxy(
    command: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    full = [*command, *words(tmp_path), "--run-dir", str(tmp_path / "run")]
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(full, cwd=ROOT, env=environment(), stdout=quiet, stderr=subprocess.PIPE, text=True)
    port = int(full[full.index("--endpoint") + 1].rpartition(":")[2].partition("/")[0])
    until = time.monotonic() + 60
    while not accepts(port):
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(started.pid, number)
    shown = started.communicate(timeout=30)[1]
    assert is_gone(int((tmp_path / "pid").read_text()))
    if number != signal.SIGKILL:
        assert (started.returncode, shown) == (2, "conformance: the run was interrupted\n")
