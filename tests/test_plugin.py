"""The suite as it is used: letters, exit codes, options, workers, bad configuration. Each run is a real one."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conformance.contract.schemas import schema_dir
from conformance.emulator import Behaviour, Endpoint, Server, serve
from conformance.emulator.faults import FAULTS
from tests.support import forked
from tests.support.running import KEY
from tests.support.running import run as pytest_run

FEW = ("--only", "lifecycle.*@text.stream")


def few(*arguments: str, key: str | None = KEY) -> subprocess.CompletedProcess[str]:
    """One run of a few cases, which collects their file only."""
    return pytest_run(*FEW, *arguments, key=key, checks=["lifecycle"])


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a results file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def server(request: pytest.FixtureRequest, log: io.StringIO) -> Iterator[Server]:
    behaviour = FAULTS[request.param] if hasattr(request, "param") else None
    with serve(Endpoint(key=KEY, behaviour=behaviour, seed=request.node.name), log=log) as one:
        yield one


def test_the_built_in_endpoint_passes_whole(tmp_path: Path) -> None:
    run = pytest_run("--run-dir", str(tmp_path / "run"), key=None)
    assert run.returncode == 0, run.stdout
    head, *cases, end = lines_of(tmp_path / "run" / "results.jsonl")
    assert head["mode"] == "built-in"
    assert {case["verdict"] for case in cases} == {"pass", "not-applicable"}
    assert end["counts"]["pass"] > 3000
    assert end["tokens"]["output"] < 12_000
    schema = json.loads((schema_dir() / "results.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    assert [error.message for line in (head, *cases, end) for error in validator.iter_errors(line)] == []
    covered = forked.run(["conformance", "coverage", str(tmp_path / "run")])
    assert covered.returncode == 0, covered.stdout
    assert "1.api-key: api-key: KEY authenticates." in covered.stdout
    assert covered.stdout.rstrip().endswith("0 gaps")


@pytest.mark.parametrize("workers", ["0", "3"])
def test_any_number_of_workers_sends_each_request_once_and_leaves_no_key(
    server: Server, log: io.StringIO, tmp_path: Path, workers: str
) -> None:
    junit = ("--junitxml", str(tmp_path / "junit.xml"))
    run = pytest_run("--endpoint", server.url, "-n", workers, "--run-dir", str(tmp_path / "run"), *junit)
    assert run.returncode == 0, run.stdout
    logged = len(log.getvalue().splitlines())
    end = lines_of(tmp_path / "run" / "results.jsonl")[-1]
    assert server.requests == logged == end["attempts"] == _planned()
    assert end["requests"] == _planned() - 1  # The stream that the client closes is an attempt of the one after it.
    left = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(left) > 180
    assert not any(KEY.encode() in data for data in [*left, run.stdout.encode(), run.stderr.encode()])


@cache
def _planned() -> int:
    run = pytest_run("--plan", key=None)
    last = next(line for line in run.stdout.splitlines() if "nothing was sent" in line)
    return int(last.split()[0])


def test_a_plan_sends_nothing(server: Server) -> None:
    run = pytest_run("--endpoint", server.url, "--plan", "-n", "2")
    assert run.returncode == 0
    assert "output tokens; nothing was sent" in run.stdout
    assert server.requests == 0


@pytest.mark.parametrize("server", ["lifecycle.no-in-progress"], indirect=True)
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_failure_exits_with_1_and_tells_all(server: Server, tmp_path: Path, workers: str) -> None:
    run = few("--endpoint", server.url, "-n", workers, "--run-dir", str(tmp_path / "run"))
    assert run.returncode == 1
    for part in (
        "lifecycle.in-progress-second@text.stream   MUST",
        "rule      response.in_progress is the second event.",
        "source    doc 2026-06-24",
        "found     event 1 is response.output_item.added",
        "--only 'lifecycle.in-progress-second@text.stream'",
        '-H "api-key: $MIMO_API_KEY"',
    ):
        assert part in run.stdout
    assert KEY not in run.stdout + run.stderr


@pytest.mark.parametrize("server", ["sse.event-lines-missing"], indirect=True)
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_warning_exits_with_0_and_with_strict_1(server: Server, tmp_path: Path, workers: str) -> None:
    only = ("--endpoint", server.url, "--only", "sse.event-line-present@text.stream", "-n", workers)
    run = pytest_run(*only, "--run-dir", str(tmp_path / "a"), checks=["sse"])
    assert (run.returncode, "1 warning" in run.stdout) == (0, True)
    assert pytest_run(*only, "--strict", "--run-dir", str(tmp_path / "b"), checks=["sse"]).returncode == 1


@pytest.mark.parametrize("workers", ["0", "2"])
def test_inconclusive_exits_with_6(tmp_path: Path, workers: str) -> None:
    behaviour = Behaviour(
        "tools.ignored", "tools", "Never calls a tool.", parsed=lambda ctx, parsed: replace(parsed, tools=())
    )
    with serve(Endpoint(key=KEY, behaviour=behaviour)) as one:
        only = ("--only", "tools.call-shape@tools.call", "-n", workers, "--run-dir", str(tmp_path / "run"))
        run = pytest_run("--endpoint", one.url, *only, checks=["tools"])
    assert run.returncode == 6, run.stdout
    assert "tools.call-shape@tools.call" in run.stdout
    assert lines_of(tmp_path / "run" / "results.jsonl")[1]["verdict"] == "inconclusive"


def test_not_applicable_is_neither_passed_nor_failed(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "target.toml"
    target.write_text(f'endpoint = "{server.url}"\nname = "mine"\n[profile]\nlacks = ["tools"]\n')
    run = pytest_run("--target", str(target), "--only", "*@text*", "--run-dir", str(tmp_path / "run"))
    assert run.returncode == 0, run.stdout
    run = pytest_run(
        "--target", str(target), "--only", "tools.*@tools.call", "--run-dir", str(tmp_path / "tools"), checks=["tools"]
    )
    assert run.returncode == 5
    assert {line["verdict"] for line in lines_of(tmp_path / "tools" / "results.jsonl")[1:-1]} == {"not-applicable"}


def test_nothing_selected_is_no_success(server: Server, tmp_path: Path) -> None:
    run = few("--endpoint", server.url, "-k", "nonsense", "--run-dir", str(tmp_path / "run"))
    assert run.returncode == 5


@pytest.mark.parametrize(
    ("arguments", "key", "says"),
    [
        (("--endpoint", "localhost"), KEY, "is not a URL"),
        (("--endpoint", "http://127.0.0.1:9/v1"), KEY, "cannot connect to http://127.0.0.1:9/v1"),
        (("--endpoint", "http://127.0.0.1:9/v1"), None, "MIMO_API_KEY is not set"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--api-key-env", "OTHER_KEY"), KEY, "OTHER_KEY is not set"),
        (("--revision", "2026-09"), KEY, "did you mean"),
        (("--target", "no-such-file.toml"), KEY, "cannot be read"),
        (("--read-timeout", "soon"), KEY, "not a number"),
    ],
)
def test_bad_configuration_is_one_line(arguments: tuple[str, ...], key: str | None, says: str) -> None:
    run = pytest_run(*arguments, key=key)
    said = [line for line in (run.stdout + run.stderr).splitlines() if "conformance: " in line]
    assert run.returncode == 2
    assert len(said) == 1
    assert says in said[0]


def test_a_run_folder_keeps_what_is_not_of_a_run(server: Server, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    arguments = ("--endpoint", server.url, "--run-dir", str(tmp_path), "--overwrite")
    assert [few(*arguments).returncode for _ in range(2)] == [0, 0]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "run.json").unlink()
    run = few(*arguments)
    assert (run.returncode, "that are not from a run" in run.stderr) == (2, True)


def test_results_that_cannot_be_written_are_found_before_the_first_request(server: Server, tmp_path: Path) -> None:
    run = few("--endpoint", server.url, "--run-dir", str(tmp_path / "run"), "--results", str(tmp_path))
    assert (run.returncode, (tmp_path / "run").exists()) == (2, False)
    assert run.stderr == f"conformance: {tmp_path} cannot be written: it is a folder\n"


def test_smoke_is_selected_by_its_mark(server: Server, tmp_path: Path) -> None:
    run = pytest_run("--endpoint", server.url, "-m", "smoke", "--run-dir", str(tmp_path / "run"))
    assert run.returncode == 0
    assert 5 <= server.requests <= 15


def test_the_command_prints_the_pytest_line_it_runs(server: Server, tmp_path: Path) -> None:
    words = ["conformance", "run", server.url, *FEW, "--run-dir", str(tmp_path / "run")]
    run = forked.run(words, {**os.environ, "MIMO_API_KEY": KEY}, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    assert run.stdout.startswith("+ ")
    assert "-m pytest -p conformance.plugin" in run.stdout.splitlines()[0]


@pytest.mark.parametrize("url", ["http://someone:hidden@127.0.0.1:1/v1", "http://127.0.0.1:1/v1?key=hidden"])
def test_the_command_does_not_print_credentials_in_a_url(url: str, tmp_path: Path) -> None:
    for words in ([url], ["--endpoint", url], [f"--endpoint={url}"]):
        run = forked.run(["conformance", "run", *words], {**os.environ, "MIMO_API_KEY": KEY}, cwd=tmp_path)
        assert run.returncode == 2
        assert "hidden" not in run.stdout + run.stderr
