"""Runs that end before their time: interrupted, or with a run folder that takes nothing more."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from conformance.contract.schemas import schema_dir
from conformance.emulator import Reply
from tests.support.running import ROOT, command, environment, lines_of
from tests.support.stub import Stub, reply


def start(*arguments: str, largest_file: int = 0) -> subprocess.Popen[str]:
    """A run that may write files of so many bytes at most."""

    def limit() -> None:
        if largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    words = command(*arguments, checks=["lifecycle"])
    environ = environment(PYTHONDONTWRITEBYTECODE="1")
    return subprocess.Popen(
        words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit
    )


def responses(number: int, body: bytes) -> Reply:
    """Two answers, then silence: an interrupt must not wait for what is under way."""
    return reply(200) if number < 2 else Reply(200, "OK", [], [], ending="stall")


@pytest.mark.parametrize(
    ("workers", "number"), [("0", "INT"), ("2", "INT"), ("0", "TERM"), ("2", "TERM"), ("0", "HUP")]
)
def test_an_interrupted_run_leaves_results_that_say_so(workers: str, number: str, tmp_path: Path) -> None:
    stub = Stub(responses)
    with stub.serve() as server:
        started = start("--endpoint", server.url, "-n", workers, "--run-dir", str(tmp_path / "run"))
        stub.wait_for(4)
        started.send_signal(signal.Signals[f"SIG{number}"])
        said = started.communicate(timeout=25)[0]  # The time-outs of a silent answer are longer.
    assert started.returncode == 2, said
    assert ("KeyboardInterrupt" in said, "full-trace" in said) == (False, False), said
    assert "!! the run was interrupted !!" in said
    head, *cases, end = lines_of(tmp_path / "run")
    assert (end["interrupted"], end["exit"], end["requests"]) == (True, 2, 2)
    assert sum(end["counts"].values()) == len(cases)
    validator = Draft202012Validator(json.loads((schema_dir() / "results.json").read_text(encoding="utf-8")))
    assert [error.message for line in (head, *cases, end) for error in validator.iter_errors(line)] == []


def told(said: str, folder: Path) -> list[str]:
    """The lines that say that the run folder cannot be written."""
    return [line for line in said.splitlines() if f"run folder {folder} cannot be written" in line]


def test_a_full_disk_is_one_line_of_all_processes(tmp_path: Path) -> None:
    stub = Stub()
    with stub.serve() as server:
        arguments = ("--endpoint", server.url, "--only", "lifecycle.*@*t.stream", "-n", "2")
        started = start(*arguments, "--run-dir", str(tmp_path / "run"), largest_file=4000)
        said = started.communicate(timeout=60)[0]
    assert started.returncode == 3, said  # The results could not be written either.
    assert len(told(said, tmp_path / "run")) == 1, said
    assert "File too large" in told(said, tmp_path / "run")[0]
    assert "Traceback" not in said


def test_a_folder_that_goes_away_is_one_line(tmp_path: Path) -> None:
    def received(number: int, body: bytes) -> Reply:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return reply(200)

    stub = Stub(received)
    with stub.serve() as server:
        started = start("--endpoint", server.url, "--run-dir", str(tmp_path / "run"))
        said = started.communicate(timeout=60)[0]
    assert started.returncode != 0, said
    assert len(told(said, tmp_path / "run")) == 1, said
    assert "Traceback" not in said
    assert len(stub.bodies) <= 5  # Each thread sees it at its own first answer, and asks nothing more.
