"""The guide for proxy authors: its commands run as they stand there, and its CI job has at most ten lines."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conformance import cli
from conformance.proxy import profile
from conformance.proxy.setup import DEFAULT_UPSTREAM_KEY
from conformance.pytest_plugin.options import OF_PYTEST, options
from tests.support import forked

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "proxies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_job_has_ten_lines_and_runs_the_command_of_the_guide(tmp_path: Path) -> None:
    """The command is run with a stand-in for the author's proxy, and the first probes."""
    (job,) = blocks("yaml")
    assert len(job.splitlines()) == 10
    steps = yaml.safe_load(job)["jobs"]["proxy"]["steps"]
    command = steps[-1]["run"]
    guide = re.search(r"conformance proxy --endpoint .*?my-proxy --port 8080'", blocks("sh")[1], re.DOTALL)
    assert guide is not None
    assert shlex.split(command) == shlex.split(guide[0].replace("\\\n", " "))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    proxy = tmp_path / "my-proxy"
    proxy.write_text(
        f"#!/bin/sh\nexec {sys.executable} -m conformance.emulator.proxy "
        f'--upstream "$UPSTREAM" --dialect chat --port {port}\n'
    )
    proxy.chmod(0o755)
    words = f"{command.replace('8080', str(port))} --only '*@request.string' --run-dir {tmp_path / 'run'}"
    environ = {**os.environ, "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environ |= {"MIMO_API_KEY": "sk-client", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", words], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sk-client" not in done.stdout


def test_a_run_of_the_suite_through_a_proxy(tmp_path: Path) -> None:
    """The important cases, with the built-in endpoint as the upstream of a translator."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    start = (
        f"UPSTREAM_KEY={{key}} {sys.executable} -m conformance.emulator.proxy --upstream {{upstream}} --dialect chat"
    )
    words = ["--endpoint", f"http://127.0.0.1:{port}/v1", "--dialect", "chat", "--start", f"{start} --port {port}"]
    command = ["pytest", "conformance", "-q", "-m", "smoke", *words, "--run-dir", str(tmp_path / "r")]
    done = forked.run(command, {**os.environ, "MIMO_API_KEY": "sk-client"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{port}/v1" in (tmp_path / "r" / "proxy.log").read_text()


def test_the_commands_of_the_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["proxy", "--help"])
    shown = capsys.readouterr().out
    of_pytest = {option.name for option in (*options(), *OF_PYTEST)}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE)) - of_pytest
    assert [option for option in sorted(named) if option not in shown] == []
    assert DEFAULT_UPSTREAM_KEY in PAGE
    for list_ in ("--list-rules", "--list-faults", "--list-variants"):
        assert cli.main(["proxy", list_]) == 0
    assert "drops-late-system-message" in capsys.readouterr().out


def test_the_profile_of_the_guide_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    file = tmp_path / "profile.toml"
    file.write_text(text, encoding="utf-8")
    found = profile.read(file)
    assert (found.key, found.silence, found.effort) == ("pass-through", 6, {"none": "minimal"})
