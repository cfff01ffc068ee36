"""Several runs side by side, from results files alone."""

from __future__ import annotations

from pathlib import Path

from conformance.report.matrix import markdown, matrix, page
from tests.support.lines import case, command, end, head, run, written

GOOD = run(case("a.b@1"), case("a.b@2"), case("x.y@1", "not-applicable"), first=head("good"))
BAD = run(case("a.b@1", "fail"), case("a.b@2"), case("x.y@1", "inconclusive", reason="HTTP 429"), first=head("bad"))


def test_targets_stand_beside_each_other_by_area_and_broken_rule() -> None:
    assert markdown(matrix([GOOD, BAD])) == (
        "| area | good | bad |\n| --- | --- | --- |\n"
        "| a | ✅ all 2 pass | ❌ 1 fail of 2 |\n"
        "| x | not applicable | ⚠️ 1 inconclusive |\n"
        "\nRules that any of them breaks:\n\n"
        "| rule | good | bad |\n| --- | --- | --- |\n"
        "| a.b | ✅ all 2 pass | ❌ 1 fail of 2 |\n"
    )


def test_an_expected_failure_is_a_failure_here_too() -> None:
    mark = {"was": "fail", "entry": "b.toml:2", "reason": "known", "link": ""}
    assert "1 fail of 1" in markdown(matrix([run(case("a.b@1", "expected", baseline=mark))]))


def test_a_row_of_one_target_only_is_said_to_be_not_judged() -> None:
    other = run(case("z.z@1"), first=head("other"))
    assert "| z | not judged | ✅ all 1 pass |" in markdown(matrix([GOOD, other]))


def test_runs_of_one_target_are_told_apart() -> None:
    later = run(case("a.b@1"), first=head("good", started_at="2026-06-25T02:00:00+00:00"))
    assert matrix([GOOD, later]).heads == (
        "good, 2026-06-24T02:00:00+00:00",
        "good, 2026-06-25T02:00:00+00:00",
    )
    assert len(set(matrix([GOOD, GOOD]).heads)) == 1  # The same file twice is the same.


HOSTILE = "<img src=x> | `x` **b** [l](u)\n@everyone"


def test_a_name_stays_a_name() -> None:
    found = matrix([run(case("a.b@1", "fail"), first=head(HOSTILE))])
    assert "<img" not in page(found)
    told = markdown(found).splitlines()[0]
    assert told == r"| area | \<img src=x\> \| \`x\` \*\*b\*\* \[l\](u)\\n\@everyone |"


def test_the_command_reads_files_from_anywhere_and_names_a_run_that_broke_off(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", GOOD.head, *GOOD.cases, end(GOOD.cases))
    broken = written(tmp_path / "broken.jsonl", BAD.head, *BAD.cases)
    told = command("matrix", str(good), str(good), "--html", str(tmp_path / "m.html"))
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "m.html").read_text(encoding="utf-8").count("<th scope") == 5
    told = command("matrix", str(good), str(broken))
    assert (told.returncode, "bad broke off" in told.stdout) == (2, True)
    told = command("matrix", str(good), str(tmp_path / "none.jsonl"))
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (2, "", 1)
