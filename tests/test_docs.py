"""The commands of the documents about reports are run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from conformance.cli import main
from tests.support import forked, runs
from tests.support.runs import line

ROOT = Path(__file__).parent.parent
REPORTS = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [one for block in blocks for one in block.splitlines() if one and not one.startswith("#")]


@pytest.mark.parametrize("command", commands(REPORTS))
def test_the_commands_of_reports_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = runs.written(runs.folder_at(tmp_path / "reports" / "runs" / "today"), [line("a.a@x", message="m")])
    program, first, *words = shlex.split(command)
    if program == "conformance":
        monkeypatch.chdir(tmp_path)
        assert main([first, *words]) == 0
    else:
        assert program == "pytest"
        # The same from a folder of its own, and for one case.
        more = ["-p", "no:cacheprovider", "--only", "event.has-type@text.stream", "--run-dir", "run"]
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("GITHUB", "MIMO", "PYTEST"))
        }
        done = forked.run(["pytest", str(ROOT / first), *words, *more], environ, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    for name in re.findall(r"(?:--[a-z-]+) ([\w.-]+)", command):
        assert name == "-" or (tmp_path / name).exists()
    assert ("--" in command) or made.path.with_name("report.html").exists()


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_what_is_linked_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\(((?!http)[^)#]+)(?:#([^)]+))?\)", text):
        assert (page.parent / name).exists(), name
        if anchor:
            titles = re.findall(r"^#+ (.*)$", (page.parent / name).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in titles}


def test_the_pictures_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in (ROOT / "docs" / "pictures").glob("*.png")}
    assert set(sizes) == {"terminal.png", "report.png", "case.png"}
    assert max(sizes.values()) < 250_000
