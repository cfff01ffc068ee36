"""Every command in the guides is run as it stands there, and every path named is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conformance.emulator import Endpoint, Server, serve
from conformance.results.baseline_file import parse
from tests.support import forked
from tests.support.lines import end
from tests.test_readme import ROOT

DOCS = [
    ROOT / "docs" / f"{name}.md"
    for name in ("nightly", "security", "disputing", "schemas", "adding-a-rule", "upgrading", "guides")
]
KEY = "docs-key-7d20b8aa41"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, indented ones too."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(body) for _, body in found]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(Endpoint(key=KEY)) as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """A checkout as the pages see it, with a proxy to judge, and stand-ins for what needs a cluster and for what takes
    long to start."""
    for name in ("schemas", "conformance", "Dockerfile", "deploy", "targets"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "my-proxy.toml").write_text(f'name = "my proxy"\nendpoint = "{server.url}"\n')
    examples = json.loads((ROOT / "tests/schemas/2026-06-24/response.examples.json").read_text(encoding="utf-8"))
    (tmp_path / "response.json").write_text(json.dumps(examples["valid"][0]["instance"]))
    (tmp_path / "end.json").write_text(json.dumps(end([]).to_json()))
    (tmp_path / "bin").mkdir()
    for name in ("docker", "kubectl"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/called"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    forked.commands(tmp_path / "bin")
    return tmp_path


def run(script: str, folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A script as a reader would run it, over the smallest part of the suite: seven cases of one scenario."""
    environ = {
        "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MIMO_API_KEY": KEY,
        "CHECKS": str(ROOT / "conformance" / "checks"),
        "PYTEST_ADDOPTS": "-k '(test_event_line or contiguous or one_more or http) and text.stream'",
    }
    command = ["bash", "-e", "-u", "-o", "pipefail", "-c", script, *arguments]
    return subprocess.run(command, cwd=folder, env=environ | more, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_command_runs(page: Path, folder: Path) -> None:
    script = "\n".join(blocks(page.read_text(encoding="utf-8"), "sh"))
    done = run(f"set -x\n{script}", folder)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert KEY not in done.stdout


def test_the_schemas_in_python(folder: Path) -> None:
    (program,) = blocks((ROOT / "docs" / "schemas.md").read_text(encoding="utf-8"), "python")
    for name, said in (("valid", ""), ("invalid", "$ ")):
        examples = json.loads((ROOT / "tests/schemas/2026-06-24/response.examples.json").read_text(encoding="utf-8"))
        (folder / "one.json").write_text(json.dumps(examples[name][1]["instance"]))
        done = run('python3 -c "$0" < one.json', folder, program)
        assert (done.returncode, done.stdout[:2]) == (0, said), done.stderr


def test_the_command_for_schemas_refuses_what_is_wrong(folder: Path) -> None:
    (folder / "response.json").write_text('{"object": "response"}')
    (script,) = blocks((ROOT / "docs" / "schemas.md").read_text(encoding="utf-8"), "sh")
    done = run(script, folder)
    assert (done.returncode, "'id' is a required property" in done.stdout) == (1, True)


def test_the_baseline_shown_is_one() -> None:
    (shown,) = blocks((ROOT / "docs" / "nightly.md").read_text(encoding="utf-8"), "toml")
    assert [(one.exact, len(one.messages)) for one in parse(shown, "b.toml")] == [(True, 1), (False, 2)]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_path_and_rule_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:conformance|schemas|tests|deploy|targets|\.github)/[\w./-]*)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / name).exists(), name


def test_the_ten_lines_of_the_readme_are_a_job_with_our_inputs() -> None:
    (shown,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "yaml")
    assert len(shown.splitlines()) <= 12
    (step,) = [one for one in yaml.safe_load(shown)["jobs"]["conformance"]["steps"] if "with" in one]
    assert set(step["with"]) <= set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"])
