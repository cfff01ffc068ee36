"""What is rendered as text: causes, score, terminal, Markdown, badge, annotations. All from results made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.config.target import resolve
from conformance.emulator.faults import FAULTS
from conformance.exchange.run_directory import RunDirectory
from conformance.report import badge, github, job_summary, sources, summary, terminal
from conformance.report.columns import columns, fit, labelled, wrapped
from conformance.report.progress import progress_line
from conformance.results import score
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord, RunEnd, TargetRecord, Tokens
from conformance.results.results_file import Results, case_record
from tests.support import runs
from tests.support.runs import line
from tools.in_process import evaluated

CAUSE, SAME, OTHER = "sum.text-deltas@text.stream", "sum.text-deltas@cut.stream", "sum.part@text.stream"


def some() -> list[CaseRecord]:
    """A cause at two scenarios, what follows from it, a warning, and one of each quiet verdict."""
    return [
        line(CAUSE, message="the text differs", breaks=["openai-python"]),
        line(SAME, message="the text differs", cause=CAUSE),
        line(OTHER, message="the part differs", cause=CAUSE, breaks=["ai-sdk"]),
        line("sse.event-line-present@text.stream", "warning", "no event line", level="SHOULD", breaks=["codex"]),
        line("auth.bearer-accepted@auth.bearer", "pass", level="MUST"),
        line(
            "auth.scheme-case-insensitive@auth.lower", "inconclusive", level="SHOULD", reason="HTTP 503 after 3 tries"
        ),
        line(
            "auth.both-right@auth.both",
            "not-applicable",
            level="MAY",
            reason="excluded by the target's profile: bearer",
        ),
    ]


def found(*lines: CaseRecord) -> list[Cause]:
    return causes(lines)


def test_a_cause_has_its_own_cases_and_what_follows() -> None:
    first, second = causes(some())
    assert (first.rule, first.verdict) == ("sum.text-deltas", "fail")
    assert [one.id for one in first.cases] == [SAME, CAUSE]  # The shorter name is read faster.
    assert [one.id for one in first.consequences] == [OTHER]
    assert (second.rule, second.verdict, second.consequences) == ("sse.event-line-present", "warning", ())


def test_the_worst_cause_comes_first() -> None:
    lines = [
        line("a.b@x", "warning", "m", level="SHOULD", breaks=["codex", "rust"]),
        line("c.d@x", message="m"),
        line("e.f@x", message="m", breaks=["codex"]),
        line("g.h@x", "stale"),
        line("i.j@x", "error", reason="boom"),
    ]
    assert [one.rule for one in causes(lines)] == ["i.j", "c.d", "e.f", "g.h", "a.b"]  # Clients do not count.


@pytest.mark.parametrize("names", [("b.b@x", "a.a@x"), ("a.a@x", "a.a@x"), ("gone.gone@x", "")])
def test_a_cause_that_goes_round_or_is_not_there_hides_nothing(names: tuple[str, str]) -> None:
    lines = [line("a.a@x", message="m", cause=names[0]), line("b.b@x", message="m", cause=names[1])]
    told = [one.id for cause in causes(lines) for one in (*cause.cases, *cause.consequences)]
    assert sorted(told) == ["a.a@x", "b.b@x"]


def test_a_line_without_a_cause_stands_for_itself() -> None:
    old = {name: value for name, value in line("a.a@x", message="m").to_json().items() if name != "cause"}
    assert [one.rule for one in found(CaseRecord.from_json(old))] == ["a.a"]


def test_the_score_counts_what_got_a_verdict() -> None:
    must, should, may = score.scores(some())
    assert (must.passed, must.evaluated, must.rules_passed, must.rules, must.percent) == (1, 4, 1, 3, "25 %")
    assert (should.passed, should.evaluated, should.inconclusive_cases) == (0, 1, 1)
    assert (may.evaluated, may.percent) == (0, "")


def test_a_score_is_never_rounded_up_to_all() -> None:
    lines = [*(line(f"a.a@{n}", "pass") for n in range(9_999)), line("a.a@x", message="m")]
    assert score.scores(lines)[0].percent == "99.9 %"


def test_a_cause_affects_clients_by_its_cases_and_its_consequences_in_the_same_responses() -> None:
    assert score.affected_clients(causes(some())) == {"codex": 1, "openai-python": 1, "ai-sdk": 1}
    far = line("sum.part@count.stream", message="the part differs", cause=CAUSE, breaks=["litellm"])
    assert "litellm" not in score.affected_clients(causes([*some(), far]))
    assert summary.affected_clients(some()) == "Codex CLI 1 · openai-python 1 · Vercel AI SDK 1 (root causes)"
    assert summary.affected_clients([]) == "no client, by the recorded trials"


def test_an_expected_failure_affects_clients_and_an_expected_inconclusive_case_none() -> None:
    known = line("e.f@x", "expected", "m", breaks=["codex"])
    unknown = line("e.g@x", "expected", breaks=["codex"], reason="HTTP 503")
    assert score.affected_clients(causes([known, unknown])) == {"codex": 1}


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["pass"], "conforms"),
        (["pass", "warning"], "conforms"),
        (["pass", "fail"], "fails"),
        (["pass", "stale"], "fails"),
        (["pass", "expected"], "expected failures"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "error"], "no verdict"),
        (["not-applicable"], "nothing evaluated"),
        ([], "nothing evaluated"),
    ],
)
def test_the_verdict_of_a_run(verdicts: list[str], word: str) -> None:
    lines = [line(f"a.{verdict}@x", verdict) for verdict in verdicts]
    end = RunEnd({}, 0, 0, Tokens(), 0, 0)
    assert score.run_verdict(lines, end).word == word
    assert (
        score.run_verdict(lines, None).word
        == score.run_verdict(lines, replace(end, interrupted=True)).word
        == "interrupted"
    )


# -- the terminal -----------------------------------------------------------------------------------------------------


class Screen:
    """What pytest's terminal reporter is to the end of a run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str, **_: Any) -> None:
        self.lines.append(f" {title} ".center(80, "="))

    def line(self, text: str, **_: Any) -> None:
        self.lines.append(text)


def shown(lines: list[CaseRecord], **written: str) -> list[str]:
    screen = Screen()
    end = RunEnd({}, 3, 4, Tokens(5000, 7), 1.5, 1)
    run = Results(Path("results.jsonl"), runs.HEAD, lines, end)
    terminal.show(screen, "my proxy", run, lambda one: f"{one.id}   {one.level}", "pytest conformance", written)
    return screen.lines


def test_only_what_stands_for_itself_is_rendered() -> None:
    rendered: list[str] = []

    def text(one: CaseRecord) -> str:
        rendered.append(one.id)
        return one.id

    run = Results(Path("results.jsonl"), runs.HEAD, some(), RunEnd({}, 3, 4, Tokens(5000, 7), 1.5, 1))
    terminal.show(Screen(), "my proxy", run, text, "pytest conformance", {})
    assert rendered == [SAME, "sse.event-line-present@text.stream"]


def test_the_end_of_a_run_tells_all() -> None:
    text = "\n".join(shown(some(), html="/tmp/a run/report.html", results="/tmp/a run/results.jsonl"))
    for part in (
        "sum.text-deltas@cut.stream   MUST",
        "  also in   1 further scenario: text.stream",
        "  grouped   1 consequence: sum.part",
        "auth.scheme-case-insensitive@auth.lower: HTTP 503 after 3 tries",
        "sum                  .       3       .             .               .",
        "1 fault; 2 MUST rules fail because of it, in 3 cases.",
        "MUST        1 of     4 cases    25 %     1 of   3 rules passed",
        "affects   openai-python, Vercel AI SDK (conformance explain sum.text-deltas)",
        "affects   Codex CLI 1 · openai-python 1 · Vercel AI SDK 1 (root causes)",
        "run       3 requests (4 attempts), 5,000 input tokens, 7 output tokens, 1.5 s,",
        "rerun the first case   pytest conformance --only 'sum.text-deltas@cut.stream'",
        "'/tmp/a run/report.html'",
    ):
        assert part in text
    assert text.index("failures") < text.index("warnings") < text.index("inconclusive") < text.index("by area")


def test_the_end_of_a_run_is_80_columns_wide() -> None:
    wide = "一" * 70 + " " + "long " * 60
    lines = [line(f"area{n}.rule@s{n}.stream", message=f"{n} {wide}", breaks=["codex"]) for n in range(40)]
    lines += [line(f"a.a@{'s' * 30}{n}", message=f"{wide} {n // 3}") for n in range(40)]
    lines += [line("b.b@x", "inconclusive", reason=wide), line("c.c@x", "expected", "m")]
    lines += [line("c.d@x", message="m", cause="area1.rule@s1.stream") for n in range(40)]
    for one in shown(lines, html="report.html"):
        assert columns(one) <= 80 or one.startswith(("  rerun the first case", "  expect these failures")), one


def test_the_header_names_what_is_not_the_default() -> None:
    target = resolve({"endpoint": "http://127.0.0.1:9/v1", "rpm": "7"}, {}, "", None)
    short, every = (terminal.header(target, RunDirectory(Path("run")), one) for one in (False, True))
    assert [line.split()[0] for line in short] == ["conformance:", "endpoint", "rpm", "run"]
    assert len(every) > len(short) + 8


def test_the_progress_has_the_time_left() -> None:
    assert progress_line(3, 200, 1234, 2.0) == "3 of 200 responses received, 1,234 output tokens"
    assert progress_line(100, 200, 0, 50.0).endswith("0 output tokens, about 50 s left")
    assert progress_line(20, 200, 0, 60.0).endswith("about 9 min left")
    assert progress_line(200, 200, 0, 60.0).endswith("; evaluating")


def test_causes_beyond_a_dozen_are_told_in_a_line_each() -> None:
    lines = [line(f"a.r{n:02}@x", message=f"says {n}") for n in range(15)]
    text = shown(lines)
    assert "12. a.r11@x   MUST" in text
    assert "a.r12@x   MUST" not in "\n".join(text)
    assert "  a.r12@x  says 12" in text


def test_columns_are_those_of_a_terminal() -> None:
    assert (columns("abc"), columns("二个"), columns("e\u0301")) == (3, 4, 1)
    assert fit("二" * 50, 11) == "二" * 5 + "…"
    assert list(wrapped("one two three", 7)) == ["one two", "three"]
    assert list(wrapped("x" * 10, 4)) == ["xxxx", "xxxx", "xx"]
    assert list(wrapped("", 4)) == [""]
    assert list(labelled("got", "")) == ["  got"]


# -- machines ---------------------------------------------------------------------------------------------------------

HOSTILE = "a`b``c | <b>x</b> @someone #1 [link](http://x) \u2028\n::error::x %0A\u202e"


@pytest.fixture
def hostile(tmp_path: Path) -> Any:
    lines = [line("a.a@x", message=HOSTILE), line("b.b@x", "inconclusive", reason=HOSTILE)]
    head = replace(runs.HEAD, target=TargetRecord(HOSTILE, "http://127.0.0.1:9/v1", HOSTILE))
    return runs.written(runs.folder_at(tmp_path), lines, head)


def test_the_markdown_tells_the_causes(tmp_path: Path) -> None:
    text = job_summary.render(runs.written(runs.folder_at(tmp_path), some()), "pytest conformance")
    for part in (
        "## ❌ Fails: `my proxy`",
        "| MUST | 1 of 4 | 25 % | 1 of 3 |",
        "### ❌ `sum.text-deltas` MUST",
        "- found `the text differs`",
        "- in `cut.stream`, `text.stream`",
        "- 1 consequence: `sum.part`",
        "- rerun `pytest conformance --only 'sum.text-deltas@cut.stream'`",
        "### ⚠️ `sse.event-line-present` SHOULD",
        "- 1 case: `HTTP 503 after 3 tries`, `auth.scheme-case-insensitive@auth.lower`",
    ):
        assert part in text


def test_the_markdown_keeps_hostile_text_in_code(hostile: Any) -> None:
    text = job_summary.render(hostile, "pytest conformance")
    assert "```a`b``c | <b>x</b> @someone #1 [link](http://x) \\u2028\\n::error::x %0A\\u202e```" in text
    outside = "".join(part for number, part in enumerate(text.split("```")) if number % 2 == 0)
    assert "<b>" not in outside
    assert "@someone" not in outside


def test_the_badge_is_one_of_the_endpoint_form(tmp_path: Path) -> None:
    made = json.loads(badge.render(runs.written(runs.folder_at(tmp_path), some())))
    assert made == {
        "schemaVersion": 1, "label": "Responses API 2026-06-24", "message": "fails, MUST 25 %", "color": "red",
        "isError": True,
    }  # fmt: skip
    good = runs.written(runs.folder_at(tmp_path), [line("a.a@x", "pass")])
    assert json.loads(badge.render(good))["color"] == "brightgreen"


def test_annotations_are_ten_at_most_and_one_line_each() -> None:
    lines = [line(f"a.r{n:02}@x", message=HOSTILE) for n in range(15)]
    said = list(github.render(causes([*lines, line("b.b@x", "warning", "m", level="SHOULD")])))
    assert len(said) == 10
    assert all(one.startswith("::error title=a.r") and one.count("\n") == 0 and "%250A" in one for one in said)
    warned = list(github.render(found(line("b.b@x", "warning", "m", level="SHOULD", breaks=["codex"]))))
    assert warned == ["::warning title=b.b (SHOULD)::m; affects Codex CLI; in b.b@x"]


def test_renderings_are_the_same_each_time(hostile: Any) -> None:
    assert job_summary.render(hostile, "x") == job_summary.render(hostile, "x")
    assert badge.render(hostile) == badge.render(hostile)


def test_sources_have_the_address_of_their_section() -> None:
    assert sources.link("rfc 9110 11.6.1") == "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1"
    assert sources.link("rfc 8259") == "https://www.rfc-editor.org/rfc/rfc8259"
    assert sources.link("sse 9.2.5; x").startswith("https://html.spec.whatwg.org/")
    assert sources.link("openai, Response").startswith("https://platform.openai.com/")
    assert sources.link("doc 2026-06-24, response.created") == ""


def test_what_the_contract_allows_and_a_client_stops_at_is_said() -> None:
    results, recorded = evaluated(FAULTS["usage.input-details-empty"])
    lines = [case_record(result, recorded, 0) for result in results]
    assert [line.id for line in lines if line.verdict in ("fail", "warning")] == []
    (said,) = score.allowed_deviations(lines)
    assert said.startswith("input_tokens_details has no cached_tokens (")
    assert said.endswith("): the contract allows it, and it stops Codex CLI")
    # Not "no client" in the line above it.
    assert summary.affected_clients(lines) == "no client by a violation; Codex CLI by what the contract allows"
    results, recorded = evaluated(None)
    assert list(score.allowed_deviations([case_record(result, recorded, 0) for result in results])) == []
