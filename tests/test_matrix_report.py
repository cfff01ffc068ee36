"""Several runs side by side, from results files alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from conformance.config.target import PROFILE_FEATURES
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.cases import all_cases, context_of
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import evaluate
from conformance.report import html, job_summary
from conformance.report.markdown import cell
from conformance.report.matrix import markdown, matrix, page
from conformance.results.results_file import case_record
from tests.support.lines import case, command, end, head, run, written
from tests.test_report_texts import shown
from tools.in_process import context

GOOD = run(case("a.b@1"), case("a.b@2"), case("x.y@1", "not-applicable"), first=head("good"))
BAD = run(case("a.b@1", "fail"), case("a.b@2"), case("x.y@1", "inconclusive", reason="HTTP 429"), first=head("bad"))


def test_targets_stand_beside_each_other_by_area_and_broken_rule() -> None:
    assert markdown(matrix([GOOD, BAD])) == (
        "| target | run at | contract | suite | requests | levels passed | MUST rules passed | SHOULD rules passed "
        "| affected clients (root causes) |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| good | 2026-06-24 02:00 UTC | 2026-06-24 | 0.1.0 | 10 | unknown | 1 of 1 |  |  |\n"
        "| bad | 2026-06-24 02:00 UTC | 2026-06-24 | 0.1.0 | 10 | unknown | 0 of 1 |  |  |\n"
        "\n| area | good | bad |\n| --- | --- | --- |\n"
        "| a | ✅ all 2 pass | ❌ 1 fail of 2 |\n"
        "| x | not applicable | ⚠️ 1 inconclusive |\n"
        "\nThe first root cause in each failed area:\n\n- **bad**\n  - a: a.b: HTTP 500\n"
        "\nRules that a target violates:\n\n"
        "| rule | good | bad |\n| --- | --- | --- |\n"
        "| a.b | ✅ all 2 pass | ❌ 1 fail of 2 |\n"
    )


def test_an_expected_failure_is_a_failure_here_too() -> None:
    mark = {"was": "fail", "entry": "b.toml:2", "reason": "known", "link": ""}
    assert "1 fail of 1" in markdown(matrix([run(case("a.b@1", "expected", baseline=mark))]))


def test_a_row_of_one_target_only_is_said_to_be_not_judged() -> None:
    other = run(case("z.z@1"), first=head("other"))
    assert "| z | not evaluated | ✅ all 1 pass |" in markdown(matrix([GOOD, other]))


def test_inconclusive_cases_are_not_of_the_evaluated_ones() -> None:
    lines = [case("a.b@1"), case("a.b@2"), case("a.b@3", "inconclusive", reason="HTTP 429")]
    assert "| a | ⚠️ all 2 pass, 1 inconclusive |" in markdown(matrix([run(*lines)]))
    lines.append(case("a.b@4", "fail"))
    assert "| a | ❌ 1 fail of 3, 1 inconclusive |" in markdown(matrix([run(*lines)]))


def test_a_column_has_the_name_that_is_given(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", GOOD.head, *GOOD.cases, end(GOOD.cases))
    told = command("matrix", f"before={good}", f"after={good}")
    assert "| area | before | after |" in told.stdout


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
    told = markdown(found).splitlines()
    assert told[2].startswith(r"| \<img src=x\> \| \`x\`")
    assert told[4] == r"| area | \<img src=x\> \| \`x\` \*\*b\*\* \[l\](u)\\n\@everyone |"


def test_the_command_reads_files_from_anywhere_and_names_a_run_that_broke_off(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", GOOD.head, *GOOD.cases, end(GOOD.cases))
    broken = written(tmp_path / "broken.jsonl", BAD.head, *BAD.cases)
    told = command("matrix", str(good), str(good), "--html", str(tmp_path / "m.html"))
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "m.html").read_text(encoding="utf-8").count("<th scope") == 16
    told = command("matrix", str(good), str(broken))
    assert (told.returncode, "bad was interrupted" in told.stdout) == (2, True)
    told = command("matrix", str(good), str(tmp_path / "none.jsonl"))
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (2, "", 1)


def test_a_red_area_names_its_own_cause_before_one_it_follows_from() -> None:
    lines = (
        case("a.b@1", "fail", "no key is needed"),
        case("x.y@1", "fail", "the status is wrong", cause="a.b@1"),
        case("z.z@1", "fail", "it is null", cause="a.b@1"),
        case("z.own@2", "fail", "it is empty"),
    )
    (why,) = matrix([run(*lines)]).why
    assert why == {
        "a": "a.b: no key is needed",
        "x": "consequence of a.b: no key is needed",
        "z": "z.own: it is empty",
    }


LEFT = run(
    case("auth.a@1", "not-applicable", reason="the target's profile lacks auth"),
    case("auth.a@2", "not-applicable", reason="the target's profile lacks auth, tools"),
    case("tools.b@1", "not-applicable", reason="the target's profile lacks tools"),
    case("tools.b@2"),
    case("x.y@1", "not-applicable", reason="it did not come up"),
    first=head("mock"),
)


def test_what_a_profile_leaves_out_is_listed() -> None:
    says = (
        "auth (any authentication): 2 cases not evaluated, 1 rule completely",
        "tools (function tools): 2 cases not evaluated, 1 rule completely and 1 rule in part",
    )
    found = matrix([LEFT, GOOD])
    assert found.left == (says, ())
    for text in (markdown(found), page(found)):
        assert "Excluded by a profile" in text
        assert "any authentication" in text
    assert "Not claimed" not in markdown(matrix([GOOD]))
    for one in says:
        assert f"- {cell(one)}" in job_summary.render(LEFT, "again").splitlines()
        assert f">excluded {one}</p>" in html.render(LEFT, RunDirectory(Path("nowhere")), "again")


def test_what_a_profile_leaves_out_is_told_at_the_end_of_a_run() -> None:
    """A server without tools and reasoning, that knows one header and takes text alone."""
    lacked = {
        "api-key": "auth.api-key-header-accepted",
        "input-array": "request.input-messages",
        "reasoning": "effort.high-thinks",
        "tools": "tools.call-shape",
    }
    here = context_of(replace(context().target, lacks=frozenset(lacked)))
    asked = [one for one in all_cases(here) if one.rule in lacked.values() and one.where is None]
    nothing = cast(Recorded, SimpleNamespace(key=lambda _: ""))  # No answer is looked at.
    lines = [case_record(evaluate(one, nothing), nothing, 0) for one in asked]
    assert {line.verdict for line in lines} == {"not-applicable"}
    screen = " ".join("\n".join(shown(lines)).split())
    for name, rule in lacked.items():
        left = [line for line in lines if name in line.reason.text]
        rules = len({line.requirement for line in left})
        assert rule in {line.requirement for line in left}
        cases = f"{len(left)} case{'s' * (len(left) > 1)} not evaluated, {rules} rule"
        says = f"excluded {name} ({PROFILE_FEATURES[name]}): {cases}"
        assert says in screen
    assert "excluded" not in "\n".join(shown([case("a.b@1")]))


def test_notes_come_first_and_both_forms_can_be_written(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", GOOD.head, *GOOD.cases, end(GOOD.cases))
    files = [tmp_path / "m.md", tmp_path / "m.html"]
    told = command("matrix", str(good), "--note", "one <b>", "--markdown", str(files[0]), "--html", str(files[1]))
    assert (told.returncode, told.stdout) == (0, "")
    assert files[0].read_text(encoding="utf-8").startswith("one \\<b\\>\n\n| target |")
    assert '<p class="aside">one &lt;b&gt;</p>' in files[1].read_text(encoding="utf-8")
