"""A run with a baseline, as a user starts it: letters, exit codes, workers, JUnit, the file made from a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from conformance.contract.schemas import schema_dir
from conformance.emulator import Endpoint, Server, serve
from conformance.emulator.faults import FAULTS
from conformance.results.baseline_format import format_entry
from tests.support.lines import command
from tests.test_plugin import KEY, few, lines_of, pytest_run

PASSES = "lifecycle.created-first@text.stream"
FAILS = "lifecycle.in-progress-second@text.stream"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(Endpoint(key=KEY, behaviour=FAULTS["lifecycle.no-in-progress"])) as one:
        yield one


def of(server: Server, folder: Path, *more: str) -> tuple[str, ...]:
    return ("--endpoint", server.url, "--run-dir", str(folder), *more)


@pytest.fixture(scope="module")
def first(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with failures."""
    folder = tmp_path_factory.mktemp("baseline") / "first"
    run = few(*of(server, folder))
    assert run.returncode == 1
    (ready,) = [each for each in run.stdout.splitlines() if each.startswith("  expect these failures")]
    assert f"conformance baseline {folder} --output" in ready
    return folder


def test_a_baseline_made_from_a_run_makes_the_next_one_green(server: Server, first: Path, tmp_path: Path) -> None:
    file = tmp_path / "expected.toml"
    redact = command("baseline", "--from", str(first), "--write", str(file))
    assert (redact.returncode, "before the file can be used" in redact.stderr) == (0, True)
    refused = few(*of(server, tmp_path / "run", "--baseline", str(file)))
    assert (refused.returncode, "needs a reason" in refused.stderr) == (2, True)
    file.unlink()
    assert command("baseline", "--from", str(first), "--write", str(file), "--reason", "see 17").returncode == 0
    green = few(*of(server, tmp_path / "run", "--baseline", str(file), f"--junitxml={tmp_path / 'junit.xml'}"))
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


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """An endpoint with a fault that leaves most cases inconclusive, and the baseline of a run against it."""
    folder = tmp_path_factory.mktemp("listed")
    file = folder / "b.toml"
    with serve(Endpoint(key=KEY, behaviour=FAULTS["sse.json-lines"])) as server:
        first = ("--endpoint", server.url, "-m", "smoke", "--run-dir", str(folder / "first"))
        assert pytest_run(*first).returncode == 1
        made = command("baseline", "--from", str(folder / "first"), "--write", str(file))
        assert (made.returncode, "before the file can be used" in made.stderr) == (0, True)
        made = command("baseline", "--from", str(folder / "first"), "--write", str(file), "--reason", "known")
        assert (made.stderr, "completed with the reason" in made.stdout) == ("", True)
        yield server, file


@pytest.mark.parametrize("more", [(), ("-n", "2"), ("--alluredir", "{}")], ids=["alone", "two workers", "with Allure"])
def test_letters_counts_and_junit_say_what_the_results_say(
    listed: tuple[Server, Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    """What only follows from a listed failure, or could not be judged for it, is expected in every report."""
    junit = tmp_path / "junit.xml"
    server, file = listed
    given = ("--endpoint", server.url, "-m", "smoke", "--baseline", str(file), f"--junitxml={junit}")
    run = pytest_run(*given, "--run-dir", str(tmp_path / "second"), *(one.format(tmp_path) for one in more))
    assert run.returncode == 0, run.stdout
    lines = lines_of(tmp_path / "second" / "results.jsonl")
    counts = lines[-1]["counts"]
    assert counts.keys() == {"pass", "expected", "not-applicable"}
    assert sum(one.get("baseline", {}).get("was") == "inconclusive" for one in lines[1:-1]) > 100
    last = run.stdout.splitlines()[-1]
    assert f"{counts['pass']} passed" in last
    assert f"{counts['expected']} expected" in last
    assert not any(word in last for word in ("failed", "inconclusive", "error"))
    rows = [
        row for row in (each.split(" ")[0] for each in run.stdout.splitlines()) if row and set(row) <= set(".sxFIWEX")
    ]
    assert Counter("".join(rows)) == {".": counts["pass"], "x": counts["expected"], "s": counts["not-applicable"]}
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(suite.get("skipped", 0)) == counts["expected"] + counts["not-applicable"]
    assert int(suite.get("tests", 0)) == sum(counts.values()) == len(suite.findall("testcase"))
    noted = Counter(each.get("value") for each in suite.iter("property") if each.get("name") == "verdict")
    assert noted == counts
    by_name = {(each.get("name") or "")[:-1].partition("[")[2]: each for each in suite.iter("testcase")}
    assert len(by_name) == sum(counts.values())
    for file in tmp_path.glob("*-result.json"):
        result = json.loads(file.read_text(encoding="utf-8"))
        (verdict,) = {each["value"] for each in result["labels"] if each["name"] == "tag"} & noted.keys()
        assert result["status"] == ("passed" if verdict == "pass" else "skipped")
    assert len(list(tmp_path.glob("*-result.json"))) == ("--alluredir" in more) * len(by_name)
    for one in lines[1:-1]:
        assert (by_name[one["id"]].find("skipped") is not None) == (one["verdict"] != "pass"), one["id"]


def test_a_new_failure_shows_beside_the_expected_ones(server: Server, first: Path, tmp_path: Path) -> None:
    file = tmp_path / "expected.toml"
    failed = [one["id"] for one in lines_of(first / "results.jsonl")[1:-1] if one["verdict"] == "fail"]
    file.write_text(f"[expected]\n{format_entry(failed[0], 'fail', ['another'], 'known')}\n")
    run = few(*of(server, tmp_path / "run", "--baseline", str(file), f"--junitxml={tmp_path / 'junit.xml'}"))
    assert run.returncode == 1
    assert f"{len(failed)} failed" in run.stdout.splitlines()[-1]
    assert f'failures="{len(failed)}"' in (tmp_path / "junit.xml").read_text(encoding="utf-8")


def test_entries_that_do_not_hold_fail_the_run_with_their_lines(server: Server, first: Path, tmp_path: Path) -> None:
    failed = [one for one in lines_of(first / "results.jsonl")[1:-1] if one["verdict"] == "fail"]
    assert FAILS in [one["id"] for one in failed]
    entries = [
        format_entry(one["id"], "fail", ["another"] if one["id"] == FAILS else [one["findings"][0]["message"]], "known")
        for one in failed
    ]
    (tmp_path / "a.toml").write_text(
        "\n".join(["[expected]", *entries, format_entry(PASSES, "fail", ["x"], "known"), ""]), encoding="utf-8"
    )
    (tmp_path / "b.toml").write_text(
        "[expected]\n"
        '"lifecycle.created-first@txt.stream" = { message = "x", reason = "known" }\n'
        f'"{FAILS}" = {{ message = "x", reason = "known", until = 2020-01-01 }}\n'
        '"http.*" = { message = "x", reason = "not asked in this run" }\n'
    )
    both = ("--baseline", str(tmp_path / "a.toml"), "--baseline", str(tmp_path / "b.toml"))
    run = few(*of(server, tmp_path / "run", *both, "-n", "2"))
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
    run = few(*arguments, key=None)
    assert (run.returncode, "X" in run.stdout, "delete the line" in run.stdout) == (1, True, True)


@pytest.mark.parametrize("run", ["none", "broken.jsonl"])
def test_no_baseline_is_made_of_what_is_no_whole_run(tmp_path: Path, run: str) -> None:
    head = {"kind": "run", "format": 1, "revision": "2026-06-24"}
    (tmp_path / "broken.jsonl").write_text(json.dumps(head) + "\n")
    made = command("baseline", "--from", str(tmp_path / run))
    assert (made.returncode, made.stdout, len(made.stderr.splitlines())) == (2, "", 1)
