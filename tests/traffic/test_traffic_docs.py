"""The commands of the page about traffic, and of the README, are run as they stand there."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.emulator import Endpoint, serve
from tests.support import runs
from tests.support.running import ROOT, environment
from tests.support.runs import line
from tests.support.traffic import entry, har, responses

PAGE = (ROOT / "docs" / "traffic.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    found = [shlex.split(one, comments=True) for block in blocks for one in block.splitlines()]
    return [
        words[1:] for words in found if words[:1] == ["conformance"] and words[1] in ("judge", "watch", "report-bug")
    ]


ALL = list(map(list, dict.fromkeys(map(tuple, [*commands(PAGE), *commands(README)]))))


@pytest.mark.parametrize("words", [one for one in ALL if one[0] != "watch"], ids=" ".join)
def test_the_commands_run(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exchanges = responses("text", "text.stream")
    har(tmp_path / "traffic.har", *(entry(one, "chrome") for one in exchanges))
    folder = runs.folder_at(tmp_path / "reports" / "runs" / "today")
    for one in exchanges:
        folder.write(one)
    head = runs.HEAD
    (folder.path / "run.json").write_text(f'{{"head": {{"revision": "{head.revision}", "target": {{}}}}}}')
    runs.written(folder, [line("lifecycle.in-progress-second@text.stream", message="m")])
    assert main(words) == 0
    for name in re.findall(r"--(?:output|results) (\S+)", " ".join(words)):
        assert (tmp_path / name).exists()


@pytest.mark.parametrize("words", [one for one in ALL if one[0] == "watch"][:1], ids=" ".join)
def test_the_watcher_starts_and_ends(words: list[str], tmp_path: Path) -> None:
    with serve(Endpoint(key="k")) as server:
        words = [server.url if one.startswith("https://") else one for one in words]
        words = ["0" if before == "--port" else one for before, one in zip(["", *words], words, strict=False)]
        command = [sys.executable, "-m", "conformance", *words]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment(None, PYTHONPATH=str(ROOT)), stdout=-1, text=True
        ) as watcher:
            assert watcher.stdout is not None
            begun = "".join(watcher.stdout.readline() for _ in range(3))
            watcher.send_signal(signal.SIGTERM)
            said = watcher.communicate(timeout=20)[0]
    assert begun.startswith("watching")
    assert "client base URL" in begun
    assert "No case was evaluated" in said
    assert watcher.returncode == 5


def test_the_page_shows_a_provider_and_what_is_there() -> None:
    shown = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    document = tomllib.loads(shown)
    assert document["model_providers"][document["model_provider"]]["wire_api"] == "responses"
    for name in re.findall(r"`((?:conformance|schemas)/[\w./]*)`", PAGE) + re.findall(r"\]\(\.\./([^)]+)\)", PAGE):
        assert (ROOT / name).exists()
