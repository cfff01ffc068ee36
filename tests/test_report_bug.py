"""The issue that is written of a broken rule: whole in itself, and safe to post whatever a server sent."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.contract.rules import requirement
from conformance.emulator.faults import FAULTS
from conformance.report.failure import curl
from tests.support import runs
from tests.support.runs import exchange, folder_at, line, written

RULE = "lifecycle.in-progress-second"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    runs.evaluated(path, FAULTS["lifecycle.no-in-progress"])
    return path


def report(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["report-bug", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_issue_holds_all_that_is_needed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = report(capsys, run, f"{RULE}@text.stream")
    assert code == 0
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert head.startswith(f"# `{RULE}`: `event 1 is response.output_item.added, not response.in_progress`\n")
    titles = ["Expected and received", "Evidence", "Reproduction", "Affected clients", "About this report"]
    assert [one.partition("\n")[0] for one in sections] == titles
    for part in (requirement(RULE).says, requirement(RULE).source, "event 1, at `/type`"):
        assert part in head
    for part in (
        "- Expected: `response.in_progress`", "- Received: `response.output_item.added`", "HTTP 200",
        '"stream": true', ">    1 ", "curl -isN", f"--only '{RULE}@text.stream'", "further scenarios: `",
        "- Suite: `0.1.0`", "revision of the contract: `2026-06-24`", "`my proxy`", "`2026-09-01T08:00:00+00:00`",
    ):  # fmt: skip
        assert part in text, part


def test_without_a_rule_the_rules_that_failed_are_listed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, listed, _ = report(capsys, run)
    rules = [line.split()[0] for line in listed.splitlines()]
    assert (code, len(set(rules))) == (0, len(rules))
    assert [report(capsys, run, rule)[0] for rule in rules] == [0] * len(rules)
    assert rules


def test_it_can_be_written_to_a_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = report(capsys, run, RULE)
    assert report(capsys, run, RULE, "--output", tmp_path / "issue.md")[0] == 0
    assert (tmp_path / "issue.md").read_text(encoding="utf-8") == text
    assert report(capsys, run, RULE, "--output", tmp_path / "none" / "issue.md")[0] == 2


def test_what_only_follows_names_its_cause(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = report(capsys, run, "event.seen.response.in_progress")
    assert code == 0
    assert f"This is a consequence of `{RULE}@" in text


def test_affected_clients_are_told_with_version_and_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.evaluated(tmp_path, FAULTS["event.created-never-sent"], "@text.stream")
    text = report(capsys, tmp_path, "lifecycle.created-first")[1]
    assert re.search(r"openai-python \d\S+ stops: RuntimeError: Expected to have received `response.created`", text)


def test_no_client_is_named_that_copes(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No client is known to be affected" in report(capsys, run, RULE)[1]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (RULE[:-1], f"no rule {RULE[:-1]!r} in this run; failed rules with similar names: {RULE}"),
        ("usage.present", "usage.present does not fail in this run (pass"),
        (f"{RULE}@nowhere", "has no case with scenario 'nowhere' in this run; it fails with "),
    ],
)  # fmt: skip
def test_what_does_not_fail_is_one_line(run: Path, rule: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, error = report(capsys, run, rule)
    assert (code, text, len(error.splitlines())) == (2, "", 1)
    assert says in error


def test_a_folder_without_results_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}")
    code, _, error = report(capsys, tmp_path, RULE)
    assert (code, "conformance judge" in error) == (2, True)


HOSTILE = (
    "`````\n</pre><script>alert(1)</script>\n# title\n@everybody \x1b[31m\u202e www.evil.example [x](javascript:y)"
)


def hostile(path: Path, **more: Any) -> Path:
    body = json.dumps({"object": HOSTILE, "output": [{"text": "x" * 5000, "deep": {"wrong": HOSTILE}}]}).encode()
    folder = folder_at(path)
    folder.write(exchange("one", body, HOSTILE.replace("\n", " ")))
    one = line("response.schema@text", message=f"/object is {HOSTILE}", breaks=["codex"])
    finding = replace(one.findings[0], pointer="/output/0/deep/wrong", want=HOSTILE, got=HOSTILE)
    written(folder, [replace(one, findings=(finding,), **more)])
    return path


def test_what_a_server_sent_cannot_break_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = report(capsys, hostile(tmp_path), "response.schema")
    assert code == 0
    assert not any(letter in text for letter in "\x1b\u202e\r")
    assert "The part at `/output/0/deep`" in text
    fence = ""
    for one in text.splitlines():
        mark = re.match(r"(`{3,})(\w*)$", one)
        if mark and (not fence or (len(mark[1]) >= len(fence) and not mark[2])):
            fence = "" if fence else mark[1]
        elif not fence:
            prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", one)
            assert not re.search(r"[<@]|www|script|# title", prose), one
    assert fence == ""


def test_a_key_in_an_old_recording_is_blanked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMO_API_KEY", "sk-left-in-an-old-run-41")
    path = hostile(tmp_path, breaks=[])
    file = next((path / "exchanges").iterdir())
    file.write_text(
        file.read_text(encoding="utf-8").replace("Say hello.", "sk-left-in-an-old-run-41"), encoding="utf-8"
    )
    code, text, _ = report(capsys, path, "response.schema")
    assert (code, "sk-left-in" in text) == (0, False)
    assert "No client is known" in text


def test_results_without_exchanges_still_make_an_issue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = hostile(tmp_path)
    for file in (path / "exchanges").iterdir():
        file.unlink()
    code, text, _ = report(capsys, path, "response.schema")
    assert (code, "exchange is not stored" in text) == (0, True)


def test_only_the_key_is_for_the_shell() -> None:
    from dataclasses import replace

    from conformance.decode.response import Received

    one = exchange("one", b"{}")
    headers = (("Content-Type", "$(touch evil)"), ("Authorization", "Bearer $MIMO_API_KEY"))
    command = curl(Received(replace(one, request=replace(one.request, headers=headers)), "text"))
    assert '-H "Authorization: Bearer $MIMO_API_KEY"' in command
    assert "'Content-Type: $(touch evil)'" in command
    assert "Content-Type: $(touch evil)" in shlex.split(command)
