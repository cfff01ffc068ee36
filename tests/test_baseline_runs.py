"""A run with a baseline, as a user starts it: letters, exit codes, workers, JUnit, the file made from a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from conformance.baseline import ready
from conformance.emulator import Endpoint, Server, serve
from conformance.emulator.faults import FAULTS
from conformance.schemas import schema_dir
from tests.support.lines import command
from tests.test_plugin import FEW, KEY, lines_of, pytest_run

PASSES = "lifecycle.created-first@text.stream"
FAILS = "lifecycle.in-progress-second@text.stream"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(Endpoint(key=KEY, twist=FAULTS["lifecycle.no-in-progress"])) as one:
        yield one


def of(server: Server, folder: Path, *more: str) -> tuple[str, ...]:
    return ("--endpoint", server.url, *FEW, "--run-dir", str(folder), *more)


@pytest.fixture(scope="module")
def first(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with failures."""
    folder = tmp_path_factory.mktemp("baseline") / "first"
    run = pytest_run(*of(server, folder))
    assert run.returncode == 1
    (ready,) = [each for each in run.stdout.splitlines() if each.startswith(f'  expect  "{FAILS}"')]
    assert ready.endswith('reason = "" }')
    return folder


def test_a_baseline_made_from_a_run_makes_the_next_one_green(server: Server, first: Path, tmp_path: Path) -> None:
    file = tmp_path / "expected.toml"
    blank = command("baseline", "--from", str(first), "--write", str(file))
    assert (blank.returncode, "need a reason" in blank.stderr) == (0, True)
    refused = pytest_run(*of(server, tmp_path / "run", "--baseline", str(file)))
    assert (refused.returncode, "needs a reason" in refused.stderr) == (2, True)
    file.unlink()
    assert command("baseline", "--from", str(first), "--write", str(file), "--reason", "see 17").returncode == 0
    green = pytest_run(*of(server, tmp_path / "run", "--baseline", str(file), f"--junitxml={tmp_path / 'junit.xml'}"))
    assert green.returncode == 0, green.stdout
    assert "see 17" in green.stdout
    assert any("x" in (marks := each.split(" ")[0]) and set(marks) <= set(".xsF") for each in green.stdout.splitlines())
    assert 'name="verdict" value="expected"' in (tmp_path / "junit.xml").read_text(encoding="utf-8")
    lines = lines_of(tmp_path / "run" / "results.jsonl")
    schema = Draft202012Validator(json.loads((schema_dir() / "results.json").read_text(encoding="utf-8")))
    assert [error.message for each in lines for error in schema.iter_errors(each)] == []
    assert lines[-1]["counts"]["expected"] >= 1
    assert "fail" not in lines[-1]["counts"]
    assert " failed" not in green.stdout.splitlines()[-1]


def test_entries_that_do_not_hold_fail_the_run_with_their_lines(server: Server, first: Path, tmp_path: Path) -> None:
    failed = [one for one in lines_of(first / "results.jsonl")[1:-1] if one["verdict"] == "fail"]
    assert FAILS in [one["id"] for one in failed]
    entries = [
        ready(one["id"], "fail", ["another"] if one["id"] == FAILS else [one["findings"][0]["message"]], "known")
        for one in failed
    ]
    (tmp_path / "a.toml").write_text(
        "\n".join(["[expected]", *entries, ready(PASSES, "fail", ["x"], "known"), ""]), encoding="utf-8"
    )
    (tmp_path / "b.toml").write_text(
        "[expected]\n"
        '"lifecycle.created-first@txt.stream" = { message = "x", reason = "known" }\n'
        f'"{FAILS}" = {{ message = "x", reason = "known", until = 2020-01-01 }}\n'
        '"http.*" = { message = "x", reason = "not asked in this run" }\n'
    )
    both = ("--baseline", str(tmp_path / "a.toml"), "--baseline", str(tmp_path / "b.toml"))
    run = pytest_run(*of(server, tmp_path / "run", *both, "-n", "2"))
    assert run.returncode == 1
    *cases, end = lines_of(tmp_path / "run" / "results.jsonl")[1:]
    verdicts = {one["id"]: one["verdict"] for one in cases}
    assert (verdicts[FAILS], verdicts[PASSES]) == ("fail", "stale")
    assert sorted(one["kind"] for one in end["baseline"]) == ["changed", "duplicate", "expired", "stale", "unmatched"]
    assert f"{tmp_path / 'a.toml'}:{len(failed) + 2}: stale: {PASSES}" in run.stdout
    assert f'  - "{PASSES}" = {{ message = "x", reason = "known" }}' in run.stdout
    assert f'  + "{FAILS}" = {{ message = "' in run.stdout


def test_a_stale_entry_alone_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "expected.toml"
    file.write_text(f'[expected]\n"{FAILS}" = {{ message = "x", reason = "known" }}\n')
    arguments = ("--run-dir", str(tmp_path / "run"), "--baseline", str(file))
    run = pytest_run(*FEW, *arguments, key=None)
    assert (run.returncode, "X" in run.stdout, "delete the line" in run.stdout) == (1, True, True)


@pytest.mark.parametrize("run", ["none", "broken.jsonl"])
def test_no_baseline_is_made_of_what_is_no_whole_run(tmp_path: Path, run: str) -> None:
    head = {"kind": "run", "format": 1, "revision": "2026-06-24"}
    (tmp_path / "broken.jsonl").write_text(json.dumps(head) + "\n")
    made = command("baseline", "--from", str(tmp_path / run))
    assert (made.returncode, made.stdout, len(made.stderr.splitlines())) == (2, "", 1)
