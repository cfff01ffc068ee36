"""What real runs leave for machines and people, and the command that makes it once more."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from hashlib import md5
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.emulator import Endpoint, Server, serve
from conformance.emulator.faults import FAULTS
from conformance.report import allure
from tests.support import runs
from tests.support.running import ROOT
from tests.support.runs import line
from tests.test_plugin import KEY, lines_of, pytest_run

SECOND = "lifecycle.in-progress-second@text.stream"


@pytest.fixture
def server(request: pytest.FixtureRequest) -> object:
    with serve(
        Endpoint(key=KEY, behaviour=FAULTS["lifecycle.no-in-progress"], seed=request.node.name, event_ms=25)
    ) as one:
        yield one


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_leaves_what_machines_read(server: Server, tmp_path: Path, workers: str) -> None:
    files = {name: tmp_path / name for name in ("junit.xml", "allure", "page.html", "page.md", "badge.json", "steps")}
    run = pytest_run(
        "--endpoint", server.url, "--only", "*@text.stream", "-n", workers, "--run-dir", str(tmp_path / "run"),
        "--junitxml", str(files["junit.xml"]), "--alluredir", str(files["allure"]), "--html", str(files["page.html"]),
        "--markdown", str(files["page.md"]), "--badge", str(files["badge.json"]),
        GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(files["steps"]),
    )  # fmt: skip
    assert run.returncode == 1, run.stdout
    lines = {one["id"]: one for one in lines_of(tmp_path / "run" / "results.jsonl")[1:-1]}
    _junit(files["junit.xml"], lines)
    _allure(files["allure"], lines)
    assert "because of" in files["page.html"].read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "report.html").exists()
    markdown = files["page.md"].read_text(encoding="utf-8")
    assert f"--only '{SECOND}'" in markdown
    assert files["steps"].read_text(encoding="utf-8") == markdown
    assert json.loads(files["badge.json"].read_text())["color"] == "red"
    said = run.stdout.splitlines()
    stopped, goes_on, *errors = [number for number, one in enumerate(said) if one.startswith("::")]
    assert said[stopped].removeprefix("::stop-commands::") == said[goes_on].strip(":")
    assert stopped < next(number for number, one in enumerate(said) if SECOND in one) < goes_on
    assert [said[number].partition("::event")[0] for number in errors] == [
        "::error title=lifecycle.in-progress-second (MUST)"
    ]
    # The command to see it again names nothing that belongs to this run only.
    assert f"pytest conformance -p no:cacheprovider --endpoint {server.url} --only '{SECOND}'" in run.stdout


def _junit(file: Path, lines: dict[str, dict[str, object]]) -> None:
    found = {}
    for case in ET.parse(file).iter("testcase"):
        given = {one.get("name"): one.get("value") for one in case.iter("property")}
        found[re.sub(r"^[^\[]*\[|\]$", "", case.get("name", ""))] = (given, case.find("failure") is not None)
    assert set(found) == set(lines)
    for name, (given, failed) in found.items():
        assert given == {part: lines[name][part] for part in ("requirement", "level", "verdict")}
        assert failed == (given["verdict"] == "fail")


def _allure(folder: Path, lines: dict[str, dict[str, object]]) -> None:
    found = {one["name"]: one for one in (json.loads(file.read_text()) for file in folder.glob("*-result.json"))}
    assert set(found) == set(lines)
    assert {name: one["historyId"] for name, one in found.items()} == {
        name: md5(name.encode()).hexdigest() for name in lines
    }
    tags = {name: {label["value"] for label in one["labels"] if label["name"] == "tag"} for name, one in found.items()}
    assert [name for name in lines if lines[name]["verdict"] not in tags[name]] == []
    result = found[SECOND]
    labels = {one["name"]: one["value"] for one in result["labels"]}
    wanted = {"feature": "lifecycle", "story": "lifecycle.in-progress-second", "severity": "critical"}
    assert labels.items() >= wanted.items()
    assert (result["status"], result.get("parameters", [])) == ("failed", [])
    assert "  curl      curl -isN" in result["statusDetails"]["trace"]  # It stands for itself.
    assert result["statusDetails"]["message"] == "event 1 is response.output_item.added, not response.in_progress"
    attached = {one["name"]: (folder / one["source"]).read_text() for one in result["attachments"]}
    assert set(attached) == {"request", "response", "timeline", "reproduce", "finding"}
    assert "data: {" in attached["response"]
    assert any(one.startswith(">    1 ") for one in attached["timeline"].splitlines())
    assert '-H "api-key: $MIMO_API_KEY"' in attached["reproduce"]
    assert "cause lifecycle.in-progress-second" in tags[SECOND]
    assert labels["package"] == "lifecycle.in-progress-second"
    (category, *_) = json.loads((folder / "categories.json").read_text())
    message = result["statusDetails"]["message"]
    assert category["name"] == f"MUST lifecycle.in-progress-second: {message}"
    assert re.fullmatch(category["traceRegex"], result["statusDetails"]["trace"], re.DOTALL)
    assert all(one["start"] <= one["stop"] for one in found.values())
    assert "model = mimo-v2.5-pro" in (folder / "environment.properties").read_text().splitlines()
    assert json.loads((folder / "executor.json").read_text())["type"] == "conformance"
    sse = next(one for name, one in found.items() if name.startswith("sse.event-line-present"))
    assert sse["links"][0]["url"].startswith("https://platform.openai.com/")
    assert "attachments" not in sse  # It passed.
    assert not any(KEY.encode() in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("pass", "passed"), ("warning", "passed"), ("fail", "failed"), ("stale", "failed"), ("expected", "skipped"),
     ("inconclusive", "skipped"), ("not-applicable", "skipped"), ("error", "broken")],
)  # fmt: skip
def test_each_verdict_has_its_status_in_allure(verdict: str, status: str) -> None:
    result = allure.TestResult(name="x", labels=[allure.Label("tag", "smoke"), allure.Label("host", "here")])
    allure.fill(result, line("auth.bearer-accepted@x", verdict, level="SHOULD", reason="why"), "2026-06-24")
    assert result.status == status
    assert [one.value for one in result.labels if one.name in ("tag", "severity")] == ["normal", "SHOULD", verdict]
    assert not {one.name for one in result.labels} & {"host", "thread", "language"}
    assert result.statusDetails.message == "why"


@pytest.mark.parametrize("colour", [True, False])
def test_there_is_colour_at_a_terminal_unless_it_is_not_wanted(server: Server, tmp_path: Path, colour: bool) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "PY_COLORS", "TERM")}
    environ = kept | {"MIMO_API_KEY": KEY, "TERM": "xterm", "COLUMNS": "80"} | ({} if colour else {"NO_COLOR": "1"})
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "conformance", "-p", "no:cacheprovider", "--endpoint", server.url]
    command += ["--only", SECOND, "--run-dir", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:
        pass  # The other end is closed.
    assert process.wait(30) == 1
    text = said.decode()
    assert ("\x1b[1m  found" in text) == colour
    assert ("\x1b[1m" in text or "\x1b[31m" in text) == colour
    assert "of 2 responses received" in text


def test_a_report_that_cannot_be_written_is_found_before_the_first_request(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    page, folder = tmp_path / "file" / "page.html", tmp_path / "run"
    run = pytest_run("--endpoint", server.url, "--only", SECOND, "--run-dir", str(folder), "--html", str(page))
    assert (run.returncode, folder.exists()) == (2, False)
    assert run.stderr == f"conformance: {page} cannot be written: {tmp_path / 'file'} is not a folder\n"


def test_a_report_that_can_no_longer_be_written_is_no_success(server: Server, tmp_path: Path) -> None:
    run = pytest_run(
        "--endpoint", server.url, "--only", SECOND, "--run-dir", str(tmp_path / "run"), "--html", "/dev/full"
    )
    assert run.returncode == 3
    assert "NOT WRITTEN" in run.stdout


# -- conformance report -----------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = runs.folder_at(tmp_path / "run")
    folder.write(runs.exchange("one", b"{}"))
    return runs.written(folder, [line("a.a@x", message="m"), line("b.b@y", "pass")]).path.parent


def test_a_report_is_made_from_a_finished_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "conformance run http://127.0.0.1:9/v1 --model mimo-v2.5-pro --revision 2026-06-24" in page
    assert main(["report", str(run / "results.jsonl")]) == 0
    assert (run / "report.html").read_text(encoding="utf-8") == page


def test_only_what_is_asked_for_is_made(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    badge = tmp_path / "new" / "badge.json"
    assert main(["report", str(run), "--markdown", "-", "--badge", str(badge)]) == 0
    assert capsys.readouterr().out.startswith("## ❌ Fails: `my proxy`")
    assert json.loads(badge.read_text())["schemaVersion"] == 1
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-run"], "no-such-run cannot be read"),
        (["."], "results.jsonl cannot be read"),
        (["{run}", "--html", "{run}/results.jsonl/x"], "cannot be written"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    run: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    assert main(["report", *(one.format(run=run) for one in arguments)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert says in said
