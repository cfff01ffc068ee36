"""What differs between two runs, and what only seems to."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.config.target import resolve
from conformance.emulator import Endpoint, serve
from conformance.emulator.faults import FAULTS
from conformance.judge.cases import all_cases, context_of
from conformance.report import comparison
from conformance.results import results_file
from conformance.results.comparison import Change, Comparison, Figure, compare, group_changes
from conformance.results.measures import measure
from conformance.results.records import CaseRecord
from conformance.results.results_file import Results
from tests.support.lines import case, command, end, head, run, written
from tests.support.runs import folder_at
from tests.test_plugin import KEY, few
from tools.in_process import cases as all_known
from tools.in_process import context, record

KINDS = (
    "failing",
    "newly_evaluated",
    "new_rules",
    "expected",
    "warning",
    "passing",
    "vanished",
    "inconclusive",
    "not_applicable",
    "reworded",
    "changed_outcomes",
)


def kinds(found: Comparison) -> dict[str, list[str]]:
    """The ids of all changed cases by kind."""
    return {name: [one.id for one in getattr(found, name)] for name in KINDS if getattr(found, name)}


NEW = "http.no-stall@all"


@pytest.mark.parametrize(
    ("suite", "verdict", "kind"),
    [
        ("0.1.0", "fail", "new_rules"), ("0.1.0", "warning", "new_rules"), ("0.1.0", "inconclusive", "new_rules"),
        ("0.1.0", "pass", None), ("0.1.0", "not-applicable", None),
        ("0.2.0", "fail", "failing"), ("0.2.1", "fail", "failing"), ("0.10.0", "fail", "failing"),
        ("0.1.0.dev3", "fail", "new_rules"),
    ],
)  # fmt: skip
def test_what_a_new_rule_finds_is_no_regression(suite: str, verdict: str, kind: str | None) -> None:
    """It may be as old as the server; a case of an older rule that the old run has not newly fails."""
    old, new = run(), run(case(NEW, verdict))
    found = compare(replace(old, head=replace(old.head, suite=suite)), new)
    assert kinds(found) == ({kind: [NEW]} if kind else {})
    assert found.regression == (kind == "failing")
    text = comparison.render(found)
    assert ("### New rules (1)" in text) == (kind == "new_rules")
    assert ("1 case of new rules" in text) == (kind == "new_rules")


def test_a_new_rule_that_was_known_before_newly_fails() -> None:
    old = run(case(NEW))
    assert kinds(compare(replace(old, head=replace(old.head, suite="0.1.0")), run(case(NEW, "fail")))) == {
        "failing": [NEW]
    }


def test_a_new_rule_that_a_baseline_lists_is_expected() -> None:
    old = run()
    new = run(case(NEW, "expected", **EXPECTED))
    assert list(kinds(compare(replace(old, head=replace(old.head, suite="0.1.0")), new))) == ["expected"]


def differ(before: CaseRecord | None, now: CaseRecord | None) -> tuple[list[str], bool]:
    """The kinds of change from one case line to another, and whether it is a regression."""
    found = compare(run(*[before] if before else []), run(*[now] if now else []))
    return list(kinds(found)), found.regression


A = "http.status@text"
EXPECTED = {"baseline": {"was": "fail", "entry": "b.toml:2", "reason": "known", "link": ""}}


@pytest.mark.parametrize(
    ("before", "now", "kind", "regression"),
    [
        (case(A), case(A), None, False),
        (case(A), case(A, "fail"), "failing", True),
        (case(A, "inconclusive"), case(A, "fail"), "newly_evaluated", False),
        (None, case(A, "fail"), "failing", True),
        (None, case(A), None, False),
        (case(A), None, "vanished", True),
        (case(A, "fail"), None, "vanished", True),
        (case(A, "fail"), case(A), "passing", False),
        (case(A, "fail"), case(A, "fail"), None, False),
        (case(A), case(A, "warning"), "warning", False),
        (case(A), case(A, "inconclusive"), "inconclusive", False),
        (case(A), case(A, "error"), "inconclusive", False),
        (case(A), case(A, "not-applicable"), "not_applicable", False),
        (case(A), case(A, "expected", **EXPECTED), "expected", False),
        (case(A, "expected", **EXPECTED), case(A, "fail"), None, False),
        (case(A, "expected", **EXPECTED), case(A), "passing", False),
        (case(A, "fail", "HTTP 500"), case(A, "fail", "HTTP 404"), "reworded", False),
        (case(A, "fail", "one"), case(A, "fail", "one", "two"), "reworded", False),
        (case(A, "fail", "event 3 is late"), case(A, "fail", "event 4 is late"), None, False),
        (case(A, "inconclusive", reason="HTTP 429"), case(A, "inconclusive", reason="HTTP 503"), "reworded", False),
        (case(A, observed=["user: filtered"]), case(A, observed=["user: rejected"]), "changed_outcomes", False),
        (case(A, observed=["x_5eed5eed: 1"]), case(A, observed=["x_0badcafe: 1"]), None, False),
        (case(A, observed=["starts at 0"]), case(A, observed=["starts at 1"]), "changed_outcomes", False),
    ],
)
def test_each_kind_of_change(
    before: CaseRecord | None, now: CaseRecord | None, kind: str | None, regression: bool
) -> None:
    assert differ(before, now) == ([kind] if kind else [], regression)


def test_what_follows_is_counted_under_a_changed_case_of_the_same_rule() -> None:
    """The results name of a cause the case with the shortest request, which may have failed before."""
    changes = [
        Change("a.b@long", "pass", "fail"),
        Change("c.d@long", "pass", "fail", cause="a.b@short"),
        Change("e.f@long", "pass", "fail", cause="g.h@short"),
    ]
    assert [(one.id, one.consequences) for one in group_changes(changes)] == [("a.b@long", 1), ("e.f@long", 0)]


def test_what_follows_from_a_new_failure_is_counted_under_it() -> None:
    old = run(case("a.b@1"), case("a.b@2"), case("a.b@3", "fail"), case("a.b@4"))
    new = run(
        case("a.b@1", "fail"),
        case("a.b@2", "fail", cause="a.b@1"),
        case("a.b@3", "fail"),
        case("a.b@4", "fail", cause="a.b@3"),
    )
    found = compare(old, new)
    assert [(one.id, one.consequences) for one in group_changes(found.failing)] == [("a.b@1", 1), ("a.b@4", 0)]


def test_the_headline_and_the_sections_have_the_same_numbers() -> None:
    """Regressions are counted by cause, with their consequences; all other changes by case, grouped or not."""
    old = run(
        case("a.b@1"), case("a.b@2"), case("a.w@1"),
        case("f.x@1", "fail"), case("f.x@2", "fail"), case("f.y@1", "fail", cause="f.x@1"),
    )  # fmt: skip
    new = run(
        case("a.b@1", "fail"), case("a.b@2", "fail", cause="a.b@1"), case("a.w@1", "warning"),
        case("f.x@1"), case("f.x@2"), case("f.y@1"),
    )  # fmt: skip
    told = comparison.render(compare(old, new))
    assert told.startswith("**1 regression with 1 consequence, 3 newly passing, 1 new warning**\n")
    assert re.findall(r"^### (?!Figures)(.*)", told, re.MULTILINE) == [
        "Regressions (1)", "Newly passing (3)", "New warnings (1)",
    ]  # fmt: skip
    assert "- `f.x@1` and 1 more case: was fail, now pass, 1 consequence" in told


def test_a_time_has_three_digits_and_a_number_all() -> None:
    figures = (Figure("first byte", "ms", 15.9412, 0.0244545), Figure("input tokens", "", 100_351, None))
    told = comparison.render(replace(compare(run(), run()), figures=figures))
    assert "- first byte: 15.9 ms, now 0.0245 ms\n- input tokens: 100,351, now unknown\n" in told


def test_what_stays_broken_does_not_hide_behind_what_was_broken_once() -> None:
    new = run(case("a.b@1", "fail"), case("a.b@2", "fail", cause="a.b@1"))
    told = comparison.render(compare(run(case("a.b@1"), case("a.b@2")), new), {"a.b@1": (1, 3)}, {"a.b@2": (3, 3)})
    assert "**1 regression, 1 flaky case**" in told
    assert "- `a.b@2` was pass, now fail, failed 3 of 3 attempts" in told


def test_what_changes_along_in_the_same_answer_is_only_counted() -> None:
    old = run(case("a.b@1"), case("a.c@1", exchange="e1"), case("a.c@2", exchange="e2"))
    gone = [case(f"a.c@{number}", "not-applicable", exchange=f"e{number}") for number in (1, 2)]
    found = compare(old, run(case("a.b@1", "fail", exchange="e1"), *gone))
    assert kinds(found) == {"failing": ["a.b@1"], "not_applicable": ["a.c@2"]}
    assert "1 more case changed in the same responses" in comparison.render(found)


def test_a_file_without_causes_is_read_too() -> None:
    new = case(A, "fail")
    assert differ(case(A), new) == (["failing"], True)


def test_a_case_that_was_flaky_is_news_when_it_fails_again() -> None:
    old, new = run(case(A, "fail")), run(case(A, "fail"))
    assert not compare(old, new).failing
    assert [one.id for one in compare(old, new, {A}).failing] == [A]


def test_a_drift_tells_both_outcomes() -> None:
    (drift,) = compare(
        run(case(A, observed=["a: filtered", "b"])), run(case(A, observed=["a: rejected", "b"]))
    ).changed_outcomes
    assert (drift.previous_message, drift.message) == ("a: filtered", "a: rejected")


def test_the_ids_of_cases_are_the_same_every_night() -> None:
    ids = [one.id for one in all_known()]
    target = resolve({"endpoint": "http://127.0.0.1:9/v1"}, {}, "0badcafe", None)
    assert ids == [one.id for one in all_cases(context_of(target))]
    assert len(set(ids)) == len(ids) > 3000


def test_members_and_events_are_seen_and_times_taken() -> None:
    recorded = record(None, first_byte_ms=20, event_ms=10)
    found = measure(recorded.received(name).exchange for name in ("text", "text.stream", "tools.call.stream"))
    assert {
        "event response.created",
        "response /usage/input_tokens",
        "response.completed /response/output/*/content/*/text",
    } <= found.names
    assert not any("/properties/" in name for name in found.names)
    assert (found.first_byte, found.first_byte_95) == (20.0, 20.0)
    assert found.token is not None
    assert 0 < found.token < 100
    other = record(FAULTS["event.undocumented-type"])
    assert measure(other.received(name).exchange for name in ("text", "text.stream")).names - found.names


def test_two_nights_of_one_endpoint_show_nothing_new() -> None:
    nights = [record(None), record(None)]
    first, second = (measure(night.received(one).exchange for one in context().scenarios) for night in nights)
    assert first.names == second.names


HOSTILE = "<script>x</script> @everyone `code` [link](http://127.0.0.1) | \x1b[2J"


def test_what_a_server_says_stays_text() -> None:
    found = compare(run(case(A)), run(case(A, "fail", HOSTILE)))
    (line,) = [each for each in comparison.render(found).splitlines() if each.startswith(f"- `{A}`")]
    told = line.partition(": ")[2]
    assert told == "``<script>x</script> @everyone `code` [link](http://127.0.0.1) | \\x1b[2J``"


def test_the_command_tells_by_its_exit_code(tmp_path: Path) -> None:
    cases = [case(A), case("a.b@1")]
    old = written(tmp_path / "old.jsonl", head(), *cases, end(cases))
    worse = written(tmp_path / "worse.jsonl", head(), case(A, "fail"), end([case(A, "fail")]))
    same = command("compare", str(old), str(old))
    assert (same.returncode, "no verdict changed" in same.stdout) == (0, True)
    told = command("compare", str(old), str(worse))
    assert told.returncode == 1
    assert "1 regression, 1 missing case" in told.stdout
    broken = written(tmp_path / "broken.jsonl", head(), case(A))
    other = written(tmp_path / "other.jsonl", head(revision="2026-10"), end([]))
    stopped = written(tmp_path / "stopped.jsonl", head(), end([], interrupted=True))
    bare = tmp_path / "bare.jsonl"
    bare.write_text('{"kind": "run", "format": 1}\n')
    for file, says in (
        (broken, "no end line"),
        (stopped, "interrupted run"),
        (other, "different revisions"),
        (bare, "has no member suite"),
        (tmp_path / "no", "cannot be read"),
    ):
        refused = command("compare", str(old), str(file))
        assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
        assert says in refused.stderr


def test_runs_with_their_exchanges_compare_times_and_members(tmp_path: Path) -> None:
    for name, delay in (("old", 0.0), ("new", 150.0)):
        with serve(Endpoint(key=KEY, first_byte_ms=delay, seed=name)) as server:
            assert few("--endpoint", server.url, "--run-dir", str(tmp_path / name)).returncode == 0
    told = command("compare", str(tmp_path / "old"), str(tmp_path / "new"))
    assert told.returncode == 0, told.stdout
    before, now = map(float, re.findall(r"first byte, median: ([\d.]+) ms, now ([\d.]+) ms", told.stdout)[0])
    assert now - before > 50  # Milliseconds; a busy machine adds its own.
    assert "first seen" not in told.stdout
    (tmp_path / "old" / "run.json").write_text(json.dumps({"head": {}}))
    assert "not compared" in command("compare", str(tmp_path / "old"), str(tmp_path / "new")).stdout


def test_what_was_inconclusive_is_newly_evaluated_and_no_regression() -> None:
    old = run(
        case("a.b@1", "inconclusive", reason="received HTTP 500"), case("a.b@2", "inconclusive", reason="HTTP 500")
    )
    found = compare(
        old, run(case("a.b@1", "fail", "the error has no type"), case("a.b@2", "fail", "the error has no type"))
    )
    text = comparison.render(found)
    assert not found.regression
    assert text.startswith("**2 newly evaluated**")
    assert "- `a.b@1` and 1 more case: was inconclusive, now fail: `the error has no type`" in text


def selected(path: Path, *lines: CaseRecord) -> Results:
    """A run that selected only these cases."""
    folder = folder_at(path)
    folder.select(False, [one.id for one in lines])
    written(path / "results.jsonl", head(), *lines, end(list(lines)))
    return results_file.read(path)


def test_a_part_is_compared_with_the_whole_by_common_cases(tmp_path: Path) -> None:
    part = selected(tmp_path, case("a.b@1"))
    whole = run(case("a.b@1", "fail"), case("a.b@2", "fail"))
    forwards, backwards = compare(part, whole), compare(whole, part)
    assert kinds(forwards) == {"failing": ["a.b@1"], "newly_evaluated": ["a.b@2"]}
    assert kinds(backwards) == {"passing": ["a.b@1"]}
    assert "the old run evaluated 1 selected cases; 1 are in both runs" in forwards.notes
    assert "the new run evaluated 1 selected cases; 1 are in both runs" in backwards.notes


def test_random_names_of_the_suite_are_not_shown() -> None:
    found = compare(run(case(A)), run(case(A, "fail", "the error names x_5eed5eed")))
    assert "x_#" in comparison.render(found)


def test_the_comparison_is_written_as_json_and_as_a_page(tmp_path: Path) -> None:
    old = written(tmp_path / "old.jsonl", head(), case(A), end([case(A)]))
    new = written(tmp_path / "new.jsonl", head(), case(A, "fail", "<b>"), end([case(A, "fail")]))
    (tmp_path / "report.html").write_text("")
    told = command("compare", str(old), str(new), "--json", "--html", str(tmp_path / "c.html"))
    assert told.returncode == 1
    document = json.loads(told.stdout)
    assert (document["regression"], document["changes"]["failing"][0]["id"]) == (True, A)
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page
    assert '<a href="report.html">report</a>' in page
    assert "<script" not in page
