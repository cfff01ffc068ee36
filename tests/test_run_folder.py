"""A run folder belongs to one run: locked while it lasts, kept until somebody says otherwise, named by nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.config.target import Misconfigured
from conformance.engine import setup
from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.exchange.run_lock import Claim
from tests.support.running import ROOT, environment, run
from tests.support.runs import HEAD

FEW = ("--only", "lifecycle.created-first@text.stream")

_HOLD = """
import sys, time
from pathlib import Path
from conformance.exchange.run_directory import RunDirectory
folder = RunDirectory(Path(sys.argv[1]))
folder.create({}, "nonce", [], "either")
print("held", flush=True)
time.sleep(60)
"""


def begin(path: Path, overwrite: bool = False) -> RunDirectory:
    folder = RunDirectory(path)
    folder.create(HEAD.to_json(), "nonce", [], "either", overwrite)
    return folder


@pytest.fixture
def held(tmp_path: Path) -> Iterator[RunDirectory]:
    """A folder that this process holds, with what a run left in it."""
    folder = begin(tmp_path / "run")
    (folder.exchanges / "one.json").write_text("{}")
    yield folder
    folder.close()


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--overwrite", "-n", "2")])
def test_a_second_run_in_a_folder_is_one_line_that_names_the_process(held: RunDirectory, more: tuple[str, ...]) -> None:
    said = one_line(run(*FEW, "--run-dir", str(held.path), *more, key=None))
    assert f"run folder {held.path} is in use by another run (pid {os.getpid()})" in said
    assert (held.exchanges / "one.json").exists()


def test_a_plan_needs_no_lock(held: RunDirectory) -> None:
    assert run("--plan", *FEW, "--run-dir", str(held.path), key=None).returncode == 0


def test_a_recording_that_is_being_written_is_not_replayed(held: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=rf"still being written \(pid {os.getpid()}\)"):
        setup.create_session({}, None, tmp_path / "again", plan_only=False, replay=held.path)


def test_a_killed_process_lets_the_folder_go(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Misconfigured, match=f"pid {process.pid}"):
            begin(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    begin(tmp_path).close()


def test_workers_that_outlive_their_controller_keep_the_next_run_out(held: RunDirectory) -> None:
    worker = Claim(held.path)
    worker.join()
    held.close()
    with pytest.raises(Misconfigured, match=f"in use by workers of the run that pid {os.getpid()} began"):
        begin(held.path, overwrite=True)
    worker.release()
    begin(held.path, overwrite=True).close()


def test_an_earlier_run_is_replaced_only_when_asked(held: RunDirectory) -> None:
    held.close()
    said = one_line(run(*FEW, "--run-dir", str(held.path), key=None))
    assert (
        f"run folder {held.path} contains the run of {HEAD.started_at}: "
        "replace it with --overwrite, or choose another folder" in said
    )
    assert (held.exchanges / "one.json").exists()
    assert run(*FEW, "--run-dir", str(held.path), "--overwrite", key=None).returncode == 0
    assert not (held.exchanges / "one.json").exists()
    assert (held.path / "results.jsonl").exists()


def test_watch_keeps_an_earlier_run_too(held: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    held.close()
    assert main(["watch", "--upstream", "http://127.0.0.1:9/v1", "--run-dir", str(held.path)]) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err


def test_a_run_that_evaluated_nothing_is_no_loss(held: RunDirectory) -> None:
    held.stop("the key is not accepted")
    held.close()
    assert held.stopped() == "the key is not accepted"
    begin(held.path).close()
    begin(held.path).close()  # The one before received nothing.
    (held.path / "results.jsonl").write_text("")
    with pytest.raises(Misconfigured, match="contains the run of"):
        begin(held.path)
    (held.path / "run.json").write_text("[")
    with pytest.raises(Misconfigured, match="contains a run that cannot be read"):
        begin(held.path)


def test_fresh_folders_never_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: setup.create_run_folder(), range(48)))
    assert len(set(made)) == 48
    assert all(path.is_dir() for path in made)


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIMO_API_KEY", "some-key")
    with pytest.raises(Misconfigured, match="cannot connect to"):
        setup.create_session({"endpoint": "http://127.0.0.1:9/v1"}, None, None, plan_only=False)
    setup.create_session({}, None, None, plan_only=True)
    assert list((tmp_path / "reports" / "runs").iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reports").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match="cannot be written"):
        setup.create_session({}, None, None, plan_only=False)


def test_a_file_to_write_is_replaced_unless_it_is_a_pipe_or_a_link(tmp_path: Path) -> None:
    """Root could replace /dev/null and /dev/stdout by a file; a folder left a file ``.part`` behind."""
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for path in (file, link, pipe):
        write_atomically(path, f"to {path.name}")
    assert (os.read(reader, 99), pipe.is_fifo(), link.is_symlink()) == (b"to pipe", True, True)
    os.close(reader)
    assert file.read_text() == "to link"
    with pytest.raises(IsADirectoryError, match=f"'{tmp_path}'"):
        write_atomically(tmp_path, "to a folder")
    assert list(tmp_path.parent.glob("*.part")) == []
