"""The workflow, the action, the image and the Job: what they run is what there is, and does what they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.config.target import resolve
from conformance.version import __version__
from tests.test_readme import ROOT, conformance

WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"
TESTS = ROOT / ".github" / "workflows" / "test.yml"
ACTION = ROOT / "action.yml"
JOB = ROOT / "deploy" / "kubernetes-job.yaml"
BIN = Path(sys.executable).parent


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All steps of a workflow or an action."""
    jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
    return [step for job in jobs for step in job["steps"]]


def step(file: Path, name: str) -> str:
    """The script of a step."""
    (found,) = [one for one in steps(yaml.safe_load(file.read_text(encoding="utf-8"))) if one.get("name") == name]
    script: str = found["run"]
    return script


SCRIPTS = [
    pytest.param(one["run"], id=f"{file.name}: {one['name']}")
    for file in (WORKFLOW, TESTS, ACTION)
    for one in steps(yaml.safe_load(file.read_text(encoding="utf-8")))
    if "run" in one
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_pass_shellcheck_and_expand_nothing_before_the_shell_does(script: str) -> None:
    checked = subprocess.run([BIN / "shellcheck", "--shell=bash", "-"], input=script, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert "${{" not in script


def bash(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A step as a runner starts it."""
    given = {"PATH": f"{folder / 'bin'}:{BIN}:{os.environ['PATH']}", "HOME": str(folder), **environ}
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=120)


def program(folder: Path, name: str, script: str) -> None:
    """A stand-in for a program, found first."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
    (folder / "bin" / name).chmod(0o755)


def test_a_newly_failing_case_gets_one_issue_and_never_a_second(tmp_path: Path) -> None:
    program(
        tmp_path, "gh",
        'if [ "$2" = list ]; then cat open; else echo "$4" >> open; cat > "body-$(wc -l < open)"; fi',
    )  # fmt: skip
    (tmp_path / "open").write_text("a.b@1 fails at another\n")
    (tmp_path / "out").mkdir()
    issues = [
        {"title": "a.b@1 fails at mine", "body": "it $(touch no) `touch no`"},
        {"title": '"x" $(touch no) @2', "body": "b"},
    ]
    (tmp_path / "out" / "issues.jsonl").write_text("".join(json.dumps(one) + "\n" for one in issues))
    script = step(WORKFLOW, "Open an issue for each new failure")
    for _ in range(2):
        done = bash(script, tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "open").read_text().splitlines() == [
        "a.b@1 fails at another",
        "a.b@1 fails at mine",
        '"x" $(touch no) @2',
    ]
    assert (tmp_path / "body-2").read_text() == "it $(touch no) `touch no`\n"
    assert not (tmp_path / "no").exists()
    (tmp_path / "out" / "issues.jsonl").unlink()
    assert bash(script, tmp_path).returncode == 0


def test_the_targets_are_those_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    for name in ("b", "a"):
        (tmp_path / "targets" / f"{name}.toml").touch()
    (tmp_path / "targets" / "started.toml").write_text("[server]\n")
    assert bash(step(WORKFLOW, "List"), tmp_path, GITHUB_OUTPUT="output").returncode == 0
    assert (tmp_path / "output").read_text() == 'files=["a","b"]\n'
    for file in (ROOT / "targets").glob("*.toml"):
        assert resolve({}, {}, "00000000", file).name == file.stem


def test_a_night_of_the_workflow_leaves_its_summary(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "built-in.toml").write_text((ROOT / "targets" / "built-in.toml").read_text())
    more = {
        "TARGET": "built-in",
        "GITHUB_STEP_SUMMARY": "summary",
        "PYTEST_ADDOPTS": "--only http.*",
    }
    night = bash(step(WORKFLOW, "Run"), tmp_path, **more)
    assert night.returncode == 0, night.stdout + night.stderr
    assert bash(step(WORKFLOW, "Summarize"), tmp_path, **more).returncode == 0
    assert "the first nightly run" in (tmp_path / "summary").read_text()
    assert {one.name for one in (tmp_path / "out").iterdir()} == {
        "night.md",
        "night.json",
        "issues.jsonl",
        "results.jsonl",
    }
    (tmp_path / "results").mkdir()
    (tmp_path / "out").rename(tmp_path / "results" / "built-in")
    render = bash(step(WORKFLOW, "Render"), tmp_path, **more)
    assert render.returncode == 0, render.stderr
    assert "| area | built-in |" in (tmp_path / "summary").read_text()


@pytest.mark.parametrize(("options", "want"), [("--only 'http.*@text'", 0), ("-k 'nosuchword and other'", 5)])
def test_the_action_judges_and_ends_as_the_run_does(tmp_path: Path, options: str, want: int) -> None:
    (tmp_path / "conformance" / "bin").mkdir(parents=True)
    for name in ("conformance", "python"):
        (tmp_path / "conformance" / "bin" / name).symlink_to(BIN / name)
    empty = ("ENDPOINT", "TARGET", "BASELINE", "MODEL", "REVISION")
    given = dict.fromkeys(empty, "") | {"OPTIONS": options, "RUN_DIR": "my run", "WAIT": "0", "KEY_VARIABLE": "K"}
    files = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary", "RUNNER_TEMP": str(tmp_path)}
    done = bash(step(ACTION, "Run"), tmp_path, **given, **files)
    assert done.returncode == want, done.stdout + done.stderr
    assert (tmp_path / "output").read_text().splitlines() == [
        f"verdict={'nothing-evaluated' if want else 'conforms'}", "run-dir=my run",
        "results=my run/results.jsonl", "report=my run/report.html",
    ]  # fmt: skip
    assert (tmp_path / "summary").read_text().startswith("#")


def test_the_inputs_of_the_action_reach_its_script() -> None:
    document = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    (evaluate,) = [one for one in document["runs"]["steps"] if one.get("name") == "Run"]
    used = {value.removeprefix("${{ inputs.").removesuffix(" }}") for value in evaluate["env"].values()}
    assert used == set(document["inputs"]) - {"artifact"}
    assert all(f"${name}" in evaluate["run"] for name in evaluate["env"])


def test_the_image_copies_what_is_there_and_all_that_the_build_needs() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert set(copied) == set(allowed)
    assert all((ROOT / one).exists() for one in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        project["project"]["readme"],
        *project["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }
    assert needed <= set(copied)


def test_the_job_runs_a_command_that_there_is_as_the_image_s_user() -> None:
    objects = list(yaml.safe_load_all(JOB.read_text(encoding="utf-8")))
    (pod,) = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Job"]
    (container,) = pod["containers"]
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod['securityContext']['runAsUser']}\n" in image
    assert (
        f"WORKDIR {next(one['mountPath'] for one in container['volumeMounts'] if one['name'] == 'history')}\n" in image
    )
    help_text = conformance(container["args"][0], "--help").stdout
    assert all(word in help_text for word in container["args"][1:] if word.startswith("--"))
    (target,) = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    assert set(target) == {"target.toml"}
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert container["envFrom"] == [{"secretRef": {"name": "mimo-api-key"}}]


def test_the_cron_job_runs_the_pod_of_the_job() -> None:
    objects = [one for one in yaml.safe_load_all(JOB.read_text(encoding="utf-8")) if one["kind"] == "Job"]
    cron = yaml.safe_load((ROOT / "deploy" / "kubernetes-cronjob.yaml").read_text(encoding="utf-8"))
    assert cron["spec"]["jobTemplate"]["spec"]["template"] == objects[0]["spec"]["template"]


def test_every_text_states_the_version_of_the_package() -> None:
    (pod,) = [
        one["spec"]["template"]["spec"]
        for one in yaml.safe_load_all(JOB.read_text(encoding="utf-8"))
        if one["kind"] == "Job"
    ]
    assert pod["containers"][0]["image"] == f"conformance:{__version__}"
    nightly = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
    assert set(re.findall(r"conformance:([\d.]+)", nightly)) == {__version__}
    upgrading = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    assert re.findall(r"^## From [\d.]+ to ([\d.]+)$", upgrading, re.MULTILINE)[0] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["version"] == {"path": "conformance/version.py"}


def test_the_shell_example_checks_what_it_starts(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "check.sh"
    assert subprocess.run([BIN / "shellcheck", script], capture_output=True).returncode == 0
    program(tmp_path, "conformance", 'echo "$@"; exit 6')
    words = ["bash", str(script), "http://127.0.0.1:9/v1", "sleep", "30"]
    given = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(words, env=given, capture_output=True, text=True, timeout=20)
    assert done.returncode == 6
    assert done.stdout.split() == [
        "run", "http://127.0.0.1:9/v1", "--wait", "60", "--run-dir", "conformance-run", "--overwrite",
    ]  # fmt: skip


def test_the_gitlab_job_runs_options_that_there_are() -> None:
    job = yaml.safe_load((ROOT / "deploy" / "gitlab-ci.yml").read_text(encoding="utf-8"))["conformance"]
    (line,) = [one for one in job["script"] if "conformance run" in one]
    said = conformance("run", "--help").stdout
    assert all(word in said for word in re.findall(r"--[a-z-]+", line))


def test_the_target_of_the_job_is_a_target(tmp_path: Path) -> None:
    (target,) = [
        one["data"]["target.toml"]
        for one in yaml.safe_load_all(JOB.read_text(encoding="utf-8"))
        if one["kind"] == "ConfigMap"
    ]
    (tmp_path / "target.toml").write_text(target)
    assert resolve({}, {}, "00000000", tmp_path / "target.toml").name == "my proxy"


@pytest.mark.parametrize("file", [WORKFLOW, TESTS, ACTION], ids=lambda file: file.name)
def test_every_action_is_pinned_by_commit_and_one_version_each(file: Path) -> None:
    pins = re.findall(r"uses: +(.*)", file.read_text(encoding="utf-8"))
    assert [one for one in pins if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
    everywhere = "".join(one.read_text(encoding="utf-8") for one in (WORKFLOW, TESTS, ACTION))
    versions = set(re.findall(r"uses: +([\w-]+/[\w-]+)[\w./-]*@(\w+) # (\S+)", everywhere))
    assert len(versions) == len({name for name, _, _ in versions})


def test_every_supported_python_is_tested() -> None:
    matrix = yaml.safe_load(TESTS.read_text(encoding="utf-8"))["jobs"]["check"]["strategy"]["matrix"]["python"]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    named = [one.rpartition(" ")[2] for one in classifiers if re.search(r":: 3\.\d+$", one)]
    assert matrix == named == ["3.11", "3.12", "3.13", "3.14"]


@pytest.mark.parametrize("file", [WORKFLOW, TESTS, ACTION, JOB, ROOT / "Dockerfile"], ids=lambda file: file.name)
def test_secrets_are_named_and_nothing_else_of_them_is_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    hosts = {
        word for line in text.splitlines() for word in shlex.split(line, comments=False, posix=False) if "://" in word
    }
    assert all(fnmatch(word, "*http://my-proxy:8080/v1*") for word in hosts)
    assert "secrets." not in text or text.count("secrets.") == text.count("secrets.MIMO_API_KEY")
