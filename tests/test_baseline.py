"""Expected failures: what an entry covers, what it does not, what is said of one that does not hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.config.target import Misconfigured
from conformance.judge.normalise import message_pattern
from conformance.results import baseline_file
from conformance.results.baseline import Problem, apply
from conformance.results.baseline_format import format_entry, format_record
from conformance.results.records import BaselineMark, CaseRecord

TODAY = date(2026, 6, 24)
RULE = "http.status@text"


def line(case_id: str = RULE, verdict: str = "fail", *messages: str, **more: Any) -> CaseRecord:
    """A case with as many findings as messages."""
    found = [{"message": one} for one in messages or (["HTTP 500"] if verdict in ("fail", "warning") else [])]
    rule = case_id.partition("@")[0]
    given = {"id": case_id, "requirement": rule, "area": "a", "level": "MUST", "verdict": verdict, "findings": found}
    return CaseRecord.from_json(given | more)


def evaluated(text: str, *lines: CaseRecord, known: tuple[str, ...] = ()) -> tuple[dict[str, str], list[Problem]]:
    """The verdict of each line under a baseline, and the entries that do not hold."""
    made, problems = apply(lines, baseline_file.parse(text, "b.toml"), known, TODAY)
    return {one.id: one.verdict for one in made}, problems


def entry(case: str = RULE, message: str = '"HTTP 500"', more: str = "") -> str:
    return f'[expected]\n"{case}" = {{ message = {message}, reason = "known"{more} }}\n'


def test_a_failure_that_is_listed_is_expected() -> None:
    assert evaluated(entry(), line()) == ({RULE: "expected"}, [])


def test_the_mark_keeps_the_verdict_that_counts_and_the_reason() -> None:
    made, _ = apply([line()], baseline_file.parse(entry(more=', link = "L"'), "b.toml"), (), TODAY)
    assert made[0].baseline == BaselineMark("fail", "b.toml:2", "known", "L")


def test_what_a_baseline_made_of_a_case_can_be_taken_off() -> None:
    entries = baseline_file.parse(entry(), "b.toml")
    once = apply([line()], entries, (), TODAY)
    assert [one.without_baseline() for one in once[0]] == [line()]


@pytest.mark.parametrize("verdict", ["warning", "inconclusive"])
def test_other_verdicts_are_expected_by_name(verdict: str) -> None:
    one = line(RULE, verdict, reason="HTTP 500") if verdict == "inconclusive" else line(RULE, verdict)
    assert evaluated(entry(more=f', verdict = "{verdict}"'), one) == ({RULE: verdict and "expected"}, [])
    verdicts, problems = evaluated(entry(), one)
    assert verdicts == {RULE: verdict}
    assert [one.kind for one in problems] == (["changed"] if verdict == "warning" else [])


def test_a_listed_case_that_passes_is_stale() -> None:
    verdicts, (problem,) = evaluated(entry(), line(RULE, "pass"))
    assert (verdicts, problem.kind, problem.entry.place) == ({RULE: "stale"}, "stale", "b.toml:2")
    assert "delete the line" in problem.message


def test_another_message_is_no_expected_failure_and_the_new_line_is_told() -> None:
    verdicts, (problem,) = evaluated(entry(more=", until = 2026-12-31"), line(RULE, "fail", "HTTP 404"))
    assert (verdicts, problem.kind) == ({RULE: "fail"}, "changed")
    new = problem.message.rpartition("\n")[2]
    assert evaluated(f"[expected]\n{new}", line(RULE, "fail", "HTTP 404")) == ({RULE: "expected"}, [])
    assert "known" in new
    assert "2026-12-31" in new


def test_a_second_finding_does_not_hide_behind_the_first() -> None:
    both = line(RULE, "fail", "HTTP 500", "no body")
    assert evaluated(entry(), both)[0] == {RULE: "fail"}
    assert evaluated(entry(message='["HTTP 500", "no body"]'), both) == ({RULE: "expected"}, [])


@pytest.mark.parametrize("message", ["event 7 is late", "event 12 is late"])
def test_the_number_of_an_event_may_differ_from_night_to_night(message: str) -> None:
    assert evaluated(entry(message='"event 7 is"'), line(RULE, "fail", message)) == ({RULE: "expected"}, [])


def test_a_glob_holds_while_one_case_fails_as_listed() -> None:
    lines = [line("a.b@1"), line("a.b@2", "pass"), line("a.b@3", "fail", "HTTP 404")]
    verdicts, problems = evaluated(entry("a.b@*"), *lines)
    assert (verdicts, problems) == ({"a.b@1": "expected", "a.b@2": "pass", "a.b@3": "fail"}, [])


def test_a_glob_whose_cases_all_pass_is_stale() -> None:
    verdicts, (problem,) = evaluated(entry("a.b@*"), line("a.b@1", "pass"), line("a.b@2", "not-applicable"))
    assert (verdicts, problem.kind) == ({"a.b@1": "pass", "a.b@2": "not-applicable"}, "stale")


@pytest.mark.parametrize("case", ["a.b@1", "a.b@*"])
def test_a_partial_run_calls_nothing_stale_that_it_did_not_judge(case: str) -> None:
    assert evaluated(entry(case), line("a.b@2", "pass"), known=("a.b@1", "a.b@2"))[1] == []


def test_a_case_that_could_not_be_judged_keeps_its_entry() -> None:
    assert evaluated(entry(), line(RULE, "inconclusive", reason="HTTP 429")) == ({RULE: "inconclusive"}, [])


def test_an_inconclusive_case_is_expected_for_its_reason_only() -> None:
    listed = entry(message='"HTTP 503 after"', more=', verdict = "inconclusive"')
    busy = line(RULE, "inconclusive", reason="HTTP 503 after 4 tries")
    assert evaluated(listed, busy) == ({RULE: "expected"}, [])
    other = line(RULE, "inconclusive", reason="no response: reset")
    assert evaluated(listed, other) == ({RULE: "inconclusive"}, [])
    verdicts, (problem,) = evaluated(listed, line())
    assert (verdicts, problem.kind) == ({RULE: "fail"}, "changed")


def test_an_inconclusive_case_that_passes_is_no_problem() -> None:
    """A model that called no tool last night may call one tonight."""
    listed = entry(message='"HTTP 503"', more=', verdict = "inconclusive"')
    assert evaluated(listed, line(RULE, "pass")) == ({RULE: "pass"}, [])
    made = baseline_file.rewrite(listed, "b.toml", [line(RULE, "pass")], (), ["fail", "inconclusive"], "")
    assert (made.removed, RULE in made.text) == (1, False)
    busy = line(RULE, "inconclusive", reason="HTTP 429 after 4 tries")
    made = baseline_file.rewrite(listed, "b.toml", [busy], (), ["fail", "inconclusive"], "")
    assert (made.changed, "HTTP 429 after" in made.text) == (1, True)


def test_what_could_not_be_judged_follows_too() -> None:
    lines = [line(), line("a.b@1", "inconclusive", reason="HTTP 500", cause=RULE)]
    made, problems = apply(lines, baseline_file.parse(entry(), "b.toml"), (), TODAY)
    assert ([one.verdict for one in made], problems) == (["expected", "expected"], [])
    assert made[1].own_verdict == "inconclusive"


def test_brackets_of_a_case_are_no_glob() -> None:
    """``[5]`` as a glob is the letter 5: the case of another value would hide behind it."""
    lines = [line("a.b@input=[5]"), line("a.b@input=5")]
    assert evaluated(entry("a.b@input=[5]"), *lines) == ({"a.b@input=[5]": "expected", "a.b@input=5": "fail"}, [])
    assert evaluated(entry("a.b@input=[56]"), lines[1], known=("a.b@input=[5]",))[0] == {"a.b@input=5": "expected"}


def test_an_entry_for_no_case_is_unmatched_and_the_nearest_is_named() -> None:
    _, (problem,) = evaluated(entry("http.statsu@text"), line())
    assert problem.kind == "unmatched"
    assert f"did you mean {RULE!r}" in problem.message


def test_an_entry_past_its_date_holds_no_more() -> None:
    verdicts, (problem,) = evaluated(entry(more=", until = 2026-06-23"), line())
    assert (verdicts, problem.kind) == ({RULE: "fail"}, "expired")
    assert evaluated(entry(more=", until = 2026-06-24"), line()) == ({RULE: "expected"}, [])


def test_two_entries_for_one_case_are_one_too_many() -> None:
    text = entry() + '"http.*" = { message = "HTTP 500", reason = "known" }\n'
    verdicts, (problem,) = evaluated(text, line())
    assert (verdicts, problem.kind, problem.entry.line) == ({RULE: "expected"}, "duplicate", 3)
    assert "b.toml:2" in problem.message


def test_what_follows_from_an_expected_failure_is_expected() -> None:
    lines = [line(), line("a.b@1", "fail", "no body", cause=RULE), line("a.b@2", "fail", "no body", cause="")]
    assert evaluated(entry(), *lines) == ({RULE: "expected", "a.b@1": "expected", "a.b@2": "fail"}, [])


def test_nothing_is_said_without_a_baseline() -> None:
    assert evaluated("", line()) == ({RULE: "fail"}, [])


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[expected", "is not TOML"),
        (entry() + entry().split("\n")[1], "is not TOML"),
        ("[expcted]", "unknown key 'expcted'"),
        ('[expected]\n"a@b" = "x"', "b.toml:2: a@b: expected an inline table"),
        ('[expected]\n"a@b" = { message = "x" }', "needs a reason"),
        ('[expected]\n"a@b" = { message = "x", reason = " " }', "needs a reason"),
        ('[expected]\n"a@b" = { reason = "x" }', "needs a message"),
        ('[expected]\n"a@b" = { message = "", reason = "x" }', "needs a message"),
        (entry(more=', verdict = "pass"'), "expected one of fail, warning, inconclusive"),
        (entry(more=', untill = "x"'), "unknown key 'untill'"),
        (entry(more=', until = "2026-12-31"'), "expected a date without quotes"),
        (entry(more=", until = 2026-12-31T00:00:00Z"), "expected a date without quotes"),
        (entry(more=", link = 3"), "link is not a string"),
    ],
)
def test_a_bad_file_is_one_line(text: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=r"^baseline b\.toml") as told:
        baseline_file.parse(text, "b.toml")
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        baseline_file.read([tmp_path / "none.toml"])


TEXTS = st.text(st.characters(), min_size=1, max_size=300)


@given(case=TEXTS, messages=st.lists(TEXTS, min_size=1, max_size=4), reason=TEXTS.filter(str.strip))
def test_a_ready_line_expects_just_what_it_was_made_of(case: str, messages: list[str], reason: str) -> None:
    case = "a@" + "".join(letter for letter in case if letter not in "*?[" and not "\ud800" <= letter <= "\udfff")
    messages = [one for one in messages if not "\ud800" <= one[0] <= "\udfff"] or ["x"]
    one = line(case, "fail", *messages)
    text = f"[expected]\n{format_entry(case, 'fail', messages, reason)}\n"
    verdicts, problems = evaluated(text, one)
    assert (verdicts, problems) == ({case: "expected"}, [])
    assert baseline_file.parse(text, "b.toml")[0].line == 2


def test_the_shape_of_a_message_keeps_what_it_says() -> None:
    assert message_pattern("HTTP 500 at event 7") == "HTTP 500 at event #"
    assert message_pattern("id is resp_0a1b2c3d4e, not resp_ffffffffff") == "id is #, not #"
    assert message_pattern("the value 'zebra-5eed5eed' comes back") == "the value 'zebra-#' comes back"
    assert message_pattern("the text 'It is sunny.' is not 'It was sunny.'") == "the text _ is not _"
    assert message_pattern("event 1 is response.created") != message_pattern("event 1 is response.completed")


# -- making and trimming -----------------------------------------------------------------------------------------------

OLD = """# ours
[expected]
# the proxy, see 17
"a.b@holds" = { message = "HTTP 500", reason = "known", until = 2020-01-01 }   # stays
"a.b@gone" = { message = "HTTP 500", reason = "known" }
"a.b@other" = { message = "HTTP 404", reason = "because", link = "L" } # {kept}

"a.b@not-judged" = { message = "HTTP 500", reason = "known" }
"""


def rewritten(text: str, *lines: CaseRecord, known: tuple[str, ...] = ()) -> baseline_file.Rewritten:
    return baseline_file.rewrite(text, "b.toml", lines, [*known, "a.b@not-judged"], ["fail"], "new")


def test_a_baseline_is_trimmed_line_by_line() -> None:
    new = line("a.b@new", "fail", "no id")
    lines = [line("a.b@holds"), line("a.b@gone", "pass"), line("a.b@other"), new, line("a.b@w", "warning")]
    made = rewritten(OLD, *lines)
    assert (made.added, made.changed, made.removed, made.kept, made.notes) == (1, 1, 1, 2, ())
    assert made.text.splitlines() == [
        *OLD.splitlines()[:4],
        '"a.b@other" = { message = "HTTP 500", reason = "because", link = "L" } # {kept}',
        "",
        '"a.b@not-judged" = { message = "HTTP 500", reason = "known" }',
        '"a.b@new" = { message = "no id", reason = "new" }',
    ]
    again = rewritten(made.text, *lines)
    assert (again.added, again.changed, again.removed, again.text) == (0, 0, 0, made.text)


def test_a_new_baseline_covers_its_run_and_lists_no_followers() -> None:
    lines = [line(), line("a.b@1", "fail", "no body", cause=RULE), line("a.b@2", "pass")]
    made = rewritten("", *lines)
    assert made.added == 1
    assert evaluated(made.text, *lines) == ({RULE: "expected", "a.b@1": "expected", "a.b@2": "pass"}, [])


def test_a_run_of_some_cases_knows_the_failures_of_the_complete_one() -> None:
    """A root cause is listed once, as a case that the smaller run need not have: its other cases and its consequences
    are expected there, by rule and message, and nothing else is."""
    lines = [
        line(),
        line("http.status@other", cause=RULE),
        line("a.b@1", "fail", "no body", cause=RULE),
        line("a.c@1", "inconclusive", reason="no Response object", cause=RULE),
    ]
    made = rewritten("", *lines)
    assert (
        f'"{RULE}" = {{ message = "HTTP 500", reason = "new", also = {{ "a.b" = "no body" }}, '
        'not_evaluated = ["no Response object"] }\n'
    ) in made.text
    some = [
        line("http.status@other"), line("a.b@2", "fail", "no body"), line("a.b@3", "fail", "another"),
        line("x.y@1", "fail", "no body"), line("http.status@third", "fail", "HTTP 404"),
        line("a.d@1", "inconclusive", reason="no Response object"), line("a.d@2", "inconclusive", reason="HTTP 503"),
    ]  # fmt: skip
    verdicts, problems = evaluated(made.text, *some, known=tuple(one.id for one in lines))
    assert [case for case, verdict in verdicts.items() if verdict == "expected"] == [
        "http.status@other", "a.b@2", "a.d@1",
    ]  # fmt: skip
    assert problems == []
    # In a complete run the listed case has passed, and the others are new.
    verdicts, _ = evaluated(made.text, line(RULE, "pass"), *some)
    assert "expected" not in verdicts.values()


def test_the_users_reason_is_for_failures() -> None:
    busy = line("a.b@2", "inconclusive", reason="HTTP 503")
    entries = baseline_file.parse(
        baseline_file.rewrite("", "b.toml", [line(), busy], (), ["fail", "inconclusive"], "new").text, "b.toml"
    )
    assert [one.reason for one in entries] == ["new", baseline_file.INCONCLUSIVE_REASON]


def test_what_is_inconclusive_is_listed_unless_it_follows() -> None:
    lines = [
        line(),
        line("a.b@1", "inconclusive", reason="HTTP 500", cause=RULE),
        line("a.b@2", "inconclusive", reason="HTTP 503"),
        line("a.b@3", "warning"),
        line("a.b@4", "inconclusive", reason="HTTP 503", cause="a.b@3"),
    ]
    made = baseline_file.rewrite("", "b.toml", lines, (), ["fail", "inconclusive"], "new")
    assert [one.case for one in baseline_file.parse(made.text, "b.toml")] == [RULE, "a.b@2", "a.b@4"]
    verdicts, problems = evaluated(made.text, *lines)
    assert (verdicts.pop("a.b@3"), set(verdicts.values()), problems) == ("warning", {"expected"}, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{ message = "x", reason = "" }  # why', '{ message = "x", reason = "new" }  # why'),
        ('{message="x",reason=""}', '{message="x",reason = "new"}'),
        ("{ message = 'x', reason = '', link = 'L' }", "{ message = 'x', reason = \"new\", link = 'L' }"),
        ('{ message = "x" }', '{ message = "x", reason = "new" }'),
        ('{ message = "x", reason = "old" }', '{ message = "x", reason = "old" }'),
        ("""{ message = 'say reason = "" }', reason = "" }""", """{ message = 'say reason = "" }', reason = "new" }"""),
    ],
)
def test_a_reason_is_given_to_entries_that_have_none(before: str, after: str) -> None:
    text = f'[expected]\n# ours\n"{RULE}" = {before}\n'
    made = baseline_file.rewrite(text, "b.toml", [], (RULE,), ["fail"], " new ")
    assert made.text == f'[expected]\n# ours\n"{RULE}" = {after}\n'
    assert made.filled == (before != after)
    assert baseline_file.rewrite(text, "b.toml", [], (RULE,), ["fail"], "").text == text


def test_what_cannot_be_rewritten_is_left_to_a_person() -> None:
    table = '[expected."a.b@gone"]\nmessage = "HTTP 500"\nreason = "known"\n'
    with pytest.raises(Misconfigured, match="is not on one line"):
        rewritten(table, line("a.b@gone", "pass"))
    glob = entry("a.b@*", '"HTTP 404"')
    made = rewritten(glob, line("a.b@1"))
    assert (made.kept, len(made.notes)) == (1, 1)


def test_the_ready_line_of_a_case_is_by_its_own_verdict() -> None:
    one = line(RULE, "expected", "HTTP 500", baseline={"was": "warning"})
    assert format_record(one) == f'"{RULE}" = {{ verdict = "warning", message = "HTTP 500", reason = "" }}'
