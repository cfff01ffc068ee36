"""From findings to verdicts, exit codes, the results file's line, and the failure on one screen."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.config.target import resolve
from conformance.contract.revisions import DEFAULT
from conformance.contract.rules import Requirement, requirement
from conformance.contract.schemas import SchemaProblem, Schemas
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.decode.violation import Violation
from conformance.exchange.credential_forms import filler
from conformance.exchange.exchange import Chunk, Ended, Exchange, Request
from conformance.exchange.redaction import redact_response
from conformance.exchange.run_directory import RunDirectory
from conformance.judge import registry
from conformance.judge.reasons import NOTHING_EXAMINED, Reason
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import (
    EXAMINED,
    MISSING,
    Case,
    Check,
    Finding,
    Findings,
    Group,
    Result,
    cases,
    check,
    evaluate,
    finding_at,
    finding_from_schema,
    finding_from_violation,
    merge,
)
from conformance.report import failure
from conformance.report.failure import curl, show
from conformance.results.records import CaseRecord
from conformance.results.results_file import case_record, error_record, exit_code
from conformance.scenarios.context import Context
from conformance.scenarios.scenario import Scenario
from tests.support.runs import text_of
from tests.support.streams import Stream, chunks, decoded, message, stream

Judge = Callable[..., Findings]

KEY = "sk-canary-4f7a91c2e8d05b63"
HEADERS = (("Accept", "*/*"), ("Content-Type", "application/json"), ("api-key", "$MIMO_API_KEY"))


def exchange(
    scenario: str = "one", events: Stream | None = None, ended: Ended = "clean", body: bytes = b'{"input":"it\'s"}'
) -> Exchange:
    return Exchange(
        key=f"{scenario}-0a1b",
        scenario=scenario,
        sample=0,
        request=Request("POST", "http://127.0.0.1:8080/v1/responses", HEADERS, body),
        status=200,
        headers=(("content-type", "text/event-stream"),),
        chunks=chunks(stream(message()) if events is None else events),
        ended=ended,
        detail="the reason",
        sent_at=0.0,
        elapsed=0.0,
    )


class Responder:
    """A record that holds these exchanges."""

    def __init__(self, *exchanges: Exchange) -> None:
        self._answers = {one.scenario: Received(one, one.scenario) for one in exchanges}

    def received(self, scenario: str) -> Received:
        return self._answers[scenario]


def planned(key_of: dict[str, str]) -> Any:
    """A plan of which only the keys are asked for."""
    return SimpleNamespace(key_of=key_of, scenarios=[], contract=DEFAULT)


def recorded(*exchanges: Exchange) -> Recorded:
    by_key = {one.key: (one,) for one in exchanges}
    return Recorded(planned({one.scenario: one.key for one in exchanges}), by_key.__getitem__)


def _body(streaming: bool) -> dict[str, Any]:
    return {"stream": streaming, "input": "Hello."}


def context(lacks: str = "", claims: Mapping[str, str] | None = None, streaming: bool = True) -> Context:
    target = resolve({}, {}, "nonce", None)
    object.__setattr__(target, "lacks", frozenset(lacks.split()))
    claimed = claims or {}
    named = {
        name: Scenario(
            name, name, {"stream": streaming, "input": "Hello."}, claims=frozenset(claimed.get(name, "").split())
        )
        for name in ("one", "two")
    }
    return Context(named, Schemas(), target)


def case(
    evaluated: Judge,
    *names: str,
    level: str = "MUST",
    together: bool = False,
    takes_case: bool = False,
    requires_all: bool = False,
    where: Context | None = None,
    **row: Any,
) -> Case:
    rule = Requirement("area.rule", level, "What must hold.", "rfc 1, section 2", **row)
    bare = Check(rule.id, lambda context: [], evaluated, together, takes_case)
    return Case(rule, rule.id, "label", names or ("one",), {}, bare, where or context(), requires_all)


def result(evaluated: Judge, *names: str, **options: Any) -> Result:
    return evaluate(case(evaluated, *names, **options), Responder(exchange("one"), exchange("two")))


def clean(_: Any) -> Findings:
    yield EXAMINED


def empty(_: Any) -> Findings:
    yield from ()


def broken(_: Any) -> Iterator[Finding]:
    yield Finding("it is wrong")


def blocked(_: Any) -> Iterator[Finding]:
    raise CannotEvaluate("nothing there")
    yield


def idle(_: Any) -> Iterator[Finding]:
    raise DoesNotApply("it did not happen")
    yield


def differing(**by_scenario: Judge) -> Judge:
    """Judges each scenario in its own way."""
    return lambda received: by_scenario[received.scenario](received)


# -- verdicts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "verdict"), [("MUST", "fail"), ("SHOULD", "warning"), ("MAY", "pass")])
def test_level_turns_a_finding_into_a_verdict(level: str, verdict: str) -> None:
    got = result(broken, level=level)
    assert got.verdict == verdict
    assert got.findings == (() if level == "MAY" else (Finding("it is wrong", scenario="one"),))
    assert got.observed == (("it is wrong",) if level == "MAY" else ())
    assert got.reason.text == ""


@pytest.mark.parametrize("level", ["MUST", "SHOULD", "MAY"])
def test_nothing_found_is_a_pass(level: str) -> None:
    got = result(clean, level=level)
    assert (got.verdict, got.findings, got.observed, got.reason.text) == ("pass", (), (), "")


@pytest.mark.parametrize("level", ["MUST", "SHOULD", "MAY"])
def test_nothing_examined_is_no_pass(level: str) -> None:
    got = result(empty, level=level)
    assert (got.verdict, got.reason.code) == ("not-applicable", NOTHING_EXAMINED)


def test_what_was_examined_before_a_check_gave_up_is_no_evidence() -> None:
    def gives_up(received: Received) -> Findings:
        yield EXAMINED
        raise CannotEvaluate("nothing there")

    assert result(gives_up).verdict == "inconclusive"


@pytest.mark.parametrize("ended", ["unreachable", "reset", "time-out"])
@pytest.mark.parametrize("together", [False, True])
def test_an_exchange_without_a_response_is_no_evidence(ended: Ended, together: bool) -> None:
    silent = Responder(replace(exchange(), status=None, chunks=(), ended=ended, detail="refused"))
    got = evaluate(case(clean, together=together), silent)
    assert (got.verdict, got.reason.text) == ("inconclusive", f"no response: {ended} (refused)")


@pytest.mark.parametrize("level", ["MUST", "SHOULD"])
def test_what_cannot_be_judged_is_inconclusive(level: str) -> None:
    got = result(blocked, level=level)
    assert (got.verdict, got.findings, got.reason.text) == ("inconclusive", (), "nothing there")


def test_what_does_not_apply_is_not_applicable() -> None:
    got = result(idle)
    assert (got.verdict, got.reason.text) == ("not-applicable", "it did not happen")


def test_excluded_rule_is_not_judged() -> None:
    got = result(broken, excluded="nobody knows")
    assert (got.verdict, got.findings, got.reason.text) == ("not-applicable", (), "nobody knows")


def test_request_that_was_not_sent_is_inconclusive() -> None:
    got = evaluate(case(broken), Responder(exchange(ended="not-sent")))
    assert (got.verdict, got.reason.text) == ("inconclusive", "the reason")


def test_check_that_takes_the_case_gets_it() -> None:
    def evaluated(received: Received, one: Case) -> Iterator[Finding]:
        yield Finding(f"{received.scenario} {one.id}")

    assert [one.message for one in result(evaluated, takes_case=True).findings] == ["one area.rule@label"]


def test_finding_names_its_scenario_unless_it_has_one() -> None:
    def evaluated(received: Received) -> Iterator[Finding]:
        yield Finding("a")
        yield Finding("b", scenario="elsewhere")

    assert [one.scenario for one in result(evaluated).findings] == ["one", "elsewhere"]


# -- groups ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "verdict", "reason"),
    [
        (clean, clean, "pass", ""),
        (clean, broken, "fail", ""),
        (broken, blocked, "fail", ""),
        (blocked, clean, "pass", ""),
        (clean, idle, "pass", ""),
        (clean, empty, "pass", ""),
        (empty, empty, "not-applicable", "the responses contain nothing that this rule is about"),
        (empty, idle, "not-applicable", "it did not happen"),
        (empty, blocked, "inconclusive", "two: nothing there"),
        (blocked, blocked, "inconclusive", "one: nothing there; two: nothing there"),
        (blocked, idle, "inconclusive", "one: nothing there"),
        (idle, broken, "fail", ""),
        (idle, idle, "not-applicable", "it did not happen"),
    ],
)
def test_group_is_judged_by_what_can_be(one: Judge, two: Judge, verdict: str, reason: str) -> None:
    got = result(differing(one=one, two=two), "one", "two")
    assert (got.verdict, got.reason.text) == (verdict, reason)


def test_group_counts_the_same_finding_once() -> None:
    got = result(broken, "one", "two")
    assert got.findings == (Finding("it is wrong", scenario="one", count=2, also=("two",)),)


def test_together_gets_all_answers_at_once() -> None:
    def evaluated(responses: Sequence[Received]) -> Iterator[Finding]:
        yield Finding(" and ".join(one.scenario for one in responses))

    got = result(evaluated, "one", "two", together=True)
    assert got.findings == (Finding("one and two", scenario="one"),)


@pytest.mark.parametrize(
    ("evaluated", "verdict"),
    [(clean, "pass"), (broken, "fail"), (blocked, "inconclusive")],
    ids=["clean", "broken", "blocked"],
)
def test_together_is_one_judgement(evaluated: Judge, verdict: str) -> None:
    assert result(evaluated, "one", "two", together=True).verdict == verdict


# -- the profile -------------------------------------------------------------------------------------------------------


def test_what_the_profile_lacks_is_not_applicable() -> None:
    got = result(broken, where=context("auth tools", {"one": "tools bearer"}))
    assert (got.verdict, got.reason.text) == ("not-applicable", "the target's profile excludes tools")


def test_what_the_profile_has_is_judged() -> None:
    assert result(broken, where=context("auth", {"one": "tools"})).verdict == "fail"


def test_group_leaves_out_what_the_profile_lacks() -> None:
    where = context("tools", {"two": "tools"})
    assert result(differing(one=clean, two=broken), "one", "two", where=where).verdict == "pass"
    assert result(differing(one=blocked, two=clean), "one", "two", where=where).verdict == "inconclusive"


def test_group_that_is_lacked_whole_names_everything() -> None:
    got = result(broken, "one", "two", where=context("tools auth", {"one": "tools", "two": "auth"}))
    assert (got.verdict, got.reason.text) == ("not-applicable", "the target's profile excludes auth, tools")


@pytest.mark.parametrize("together", [False, True])
def test_whole_group_needs_all_of_its_scenarios(together: bool) -> None:
    where = context("tools", {"two": "tools"})
    got = result(broken, "one", "two", together=together, requires_all=True, where=where)
    assert (got.verdict, got.reason.text) == ("not-applicable", "the target's profile excludes tools")
    assert result(broken, "one", "two", together=together, where=where).verdict == "fail"


# -- merging -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Finding("event 3 is late"), Finding("event 41 is late")),
        (Finding("id 'a' is not 'b'"), Finding("id 'c' is not 'd e'")),
        (Finding('says "a"'), Finding('says "b"')),
        (Finding("msg_0a1b2c3d was"), Finding("msg_ffffff99 was")),
        (Finding("m", "/output/0/id"), Finding("m", "/output/12/id")),
        (Finding("m", "", 3, 1, 2, "one"), Finding("m", "", 4, 5, 6, "two")),
        (Finding("a call has no name", "/item"), Finding("a call has no name", "/response/output/0")),
    ],
)
def test_findings_that_differ_in_place_are_one(first: Finding, second: Finding) -> None:
    (got,) = merge([first, second])
    assert got.count == 2
    assert (got.message, got.pointer, got.event, got.scenario) == (
        first.message, first.pointer, first.event, first.scenario,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Finding("it is late"), Finding("it is early")),
        (Finding("/a is late"), Finding("/b is late")),
    ],
)
def test_findings_that_differ_in_kind_stay_apart(first: Finding, second: Finding) -> None:
    assert merge([first, second]) == [first, second]


def test_counts_add_up_in_order_of_first_sight() -> None:
    got = merge([Finding("a 1"), Finding("b"), Finding("a 2", count=3), Finding("b", count=2)])
    assert [(one.message, one.count) for one in got] == [("a 1", 4), ("b", 3)]


def test_nothing_merges_to_nothing() -> None:
    assert merge([]) == []


# -- making findings ---------------------------------------------------------------------------------------------------


def test_findings_are_made_of_what_is_reported() -> None:
    event = decoded(stream(message()))[2]
    name = "response.output_item.added"
    assert finding_at(event, "is odd", "/item", 1, 2) == Finding(f"{name}: is odd", "/item", 2, 1, 2)
    assert finding_at(event, "is odd") == Finding(f"{name}: is odd", "", 2, MISSING, MISSING)
    assert finding_from_violation(Violation("r", "m", event, "/p", 0, False)) == Finding("m", "/p", 2, 0, False)
    assert finding_from_violation(Violation("r", "m")) == Finding("m", "", None, MISSING, MISSING)
    problem = SchemaProblem("/id", "type", "is 7, not a string", "string", 7)
    assert finding_from_schema(problem, "/item", event) == Finding(
        f"{name}: /item/id is 7, not a string", "/item/id", 2, "string", 7
    )
    assert finding_from_schema(SchemaProblem("", "type", "is 7", "object", 7)) == Finding(
        "the body is 7", "", None, "object", 7
    )
    assert finding_from_schema(SchemaProblem("/id", "minLength", "is empty", 1, "")).want == "not empty"


# -- the registry ------------------------------------------------------------------------------------------------------


def test_check_registers_the_bare_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHECKS", [])

    def everywhere(_: Context) -> list[Group]:
        return [Group("a", ("one",)), Group("b", ("one", "two"), {"type": "response.created"})]

    @check("http.success-is-200", everywhere)
    def test_alone(received: Received) -> Iterator[Finding]:
        """Said."""
        yield Finding("found")

    @check("event.seen.{type}", lambda context: everywhere(context)[1:], together=True)
    def test_with_case(responses: list[Received], case: Case) -> Iterator[Finding]:
        yield Finding("found")

    first, second = registry.CHECKS
    assert (first.rule, first.together, first.takes_case) == ("http.success-is-200", False, False)
    assert (second.rule, second.together, second.takes_case) == ("event.seen.{type}", True, True)
    assert [one.message for one in first.evaluate(None)] == ["found"]
    assert (test_alone.__name__, test_alone.__doc__) == ("test_alone", "Said.")
    (some,) = cases(second, context())
    with pytest.raises(NotImplementedError):  # Only the plugin judges; called by itself it must not seem to pass.
        test_alone(some)
    assert repr(some) == some.id
    assert (some.id, some.rule, some.scenarios) == (
        "event.seen.response.created@b", "event.seen.response.created", ("one", "two"),
    )  # fmt: skip
    assert some.requirement == requirement("event.seen.response.created")
    assert [one.id for one in cases(first, context())] == ["http.success-is-200@a", "http.success-is-200@b"]


# -- exit codes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "code", "strict"),
    [
        ("", 5, 5),
        ("pass", 0, 0),
        ("pass pass not-applicable", 0, 0),
        ("not-applicable", 5, 5),
        ("warning", 0, 1),
        ("pass warning", 0, 1),
        ("pass fail", 1, 1),
        ("fail warning inconclusive", 1, 1),
        ("inconclusive", 6, 6),
        ("pass inconclusive", 6, 6),
        ("warning inconclusive", 6, 1),
        ("not-applicable inconclusive", 6, 6),
        ("error", 3, 3),
        ("error fail pass", 3, 3),
        ("error inconclusive warning", 3, 3),
    ],
)
def test_exit_code(verdicts: str, code: int, strict: int) -> None:
    assert exit_code(verdicts.split(), strict=False) == code
    assert exit_code(iter(verdicts.split()), strict=True) == strict


# -- the line of a case ------------------------------------------------------------------------------------------------


def line(*findings: Finding, verdict: str = "fail", record: Recorded | None = None, **options: Any) -> CaseRecord:
    evaluated = Result(case(broken, "one", **options), verdict, findings, Reason("no-evidence", "why"), ("seen",))
    told = case_record(evaluated, record or recorded(exchange("one"), exchange("two")), 1.23456)
    assert CaseRecord.from_json(json.loads(json.dumps(told.to_json()))) == told
    return told


def test_line_says_everything() -> None:
    found = Finding("m", "/p", 7, 1, None, "two", 3, ("one",))
    assert line(verdict="pass", breaks=("codex",)).breaks == ("codex",)
    assert line(found, breaks=("codex",)).to_json() == {
        "kind": "case",
        "id": "area.rule@label",
        "requirement": "area.rule",
        "scenario": "label",
        "area": "area",
        "level": "MUST",
        "verdict": "fail",
        "breaks": [],  # No client was tried with this.
        "findings": [
            {"message": "m", "pointer": "/p", "event": 7, "want": 1, "got": None, "scenario": "two",
             "also": ["one"], "exchange": "two-0a1b", "request_bytes": 16, "count": 3, "clients": {}},
        ],
        "observed": ["seen"],
        "reason": "why",
        "reason_code": "no-evidence",
        "examined": 0,
        "exchange": "one-0a1b",
        "cause": "",
        "ms": 1.235,
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "text", "x" * 2000, [1, "a"], {"a": {"b": None}}, []])
def test_short_values_are_kept(value: object) -> None:
    found = line(Finding("m", want=value, got=value, scenario="one")).findings[0]
    assert (found.want, found.got) == (value, value)
    assert type(found.got) is type(value)


def test_long_values_are_cut() -> None:
    found = line(Finding("m", want="x" * 2001, got=["y" * 5000], scenario="one")).findings[0]
    assert found.want == "x" * 2000 + "..."
    assert found.got == '["' + "y" * 1998 + "..."


def test_what_is_no_json_is_its_text() -> None:
    found = line(Finding("m", want=("a", "b"), got=Path("c"), scenario="one")).findings[0]
    assert (found.want, found.got) == ('["a", "b"]', '"c"')


def test_what_is_not_said_is_left_out() -> None:
    found = line(Finding("m", got=1, scenario="one")).findings[0]
    assert found.compared == {"got": 1}


@pytest.mark.parametrize(("streaming", "breaks"), [(True, ("codex", "rust")), (False, ("rust",))])
def test_plain_answers_do_not_break_codex(streaming: bool, breaks: tuple[str, ...]) -> None:
    one = case(broken, where=context(streaming=streaming), breaks=("codex", "rust"))
    assert one.breaks == breaks
    assert line(breaks=("codex", "rust"), where=context(streaming=streaming), verdict="pass").breaks == breaks


def test_line_names_the_sample_that_was_judged() -> None:
    both = (exchange("one"), Exchange(**{**vars(exchange("one")), "key": "one-0a1b-2", "sample": 1}))
    record = Recorded(planned({"one": "one-0a1b"}), lambda key: both)
    assert line(record=record).exchange == "one-0a1b"
    record.received("one")
    assert line(record=record).exchange == "one-0a1b-2"


def test_line_of_a_scenario_that_was_not_planned_has_no_exchange() -> None:
    assert line(record=recorded()).exchange == ""


def test_line_of_a_broken_check_names_the_case() -> None:
    got = error_record("area.rule@label", Reason("internal-error", "KeyError: 'x'"))
    assert (got.verdict, got.id, got.requirement, got.scenario) == (
        "error", "area.rule@label", "area.rule", "label",
    )  # fmt: skip
    assert (got.area, got.reason.text, set(got.to_json())) == ("area", "KeyError: 'x'", set(line().to_json()))


# -- the failure on one screen -----------------------------------------------------------------------------------------


def shown(*findings: Finding, tmp_path: Path, body: bytes = b"{}", **options: Any) -> str:
    evaluated = Result(case(broken, "one", **options), "fail", findings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failure, "requirement", lambda rule: evaluated.case.requirement)
        return text_of(evaluated, recorded(exchange("one", escaping(), body=body)), RunDirectory(tmp_path))


def escaping() -> Stream:
    """A stream whose texts would move the cursor, change the colours and the direction of a terminal."""
    return stream(message(texts=("\x1b[31mred\x07\r\n" + "long " * 100,), item_id="\x1b[2J\x9b2J\u202e\x7f"))


ODD = "\x1b]0;title\x07 \x9b31m \r\n\t \u202e \u2028 \x00 \ud800"


def test_failure_says_what_by_which_rule_and_how_to_see_it_again(tmp_path: Path) -> None:
    found = Finding("it is wrong", "/delta", 4, "what was due", "what came", "one", 3)
    text = shown(found, tmp_path=tmp_path, breaks=("codex", "ai-sdk"))
    lines = [one.split(maxsplit=1) for one in text.splitlines()]
    told = {one[0]: one[1] for one in lines}
    assert text.splitlines()[0] == "area.rule@label   MUST"
    assert told["rule"] == "What must hold."
    assert told["source"] == "rfc 1, section 2"
    assert told["found"] == "it is wrong (3 occurrences, this is the first)"
    assert told["where"] == "in scenario one, event 4, at /delta"
    assert (told["expected"], told["received"]) == ("what was due", "what came")
    assert "affects" not in told  # No trial shows it.
    assert told["rerun"] == "pytest conformance --only 'area.rule@label'"
    assert told["exchange"] == str(tmp_path / "exchanges" / "one-0a1b.json")
    assert told["curl"].startswith("curl -isN http://127.0.0.1:8080/v1/responses ")


def test_failure_lists_the_other_scenarios_of_a_finding(tmp_path: Path) -> None:
    others = tuple(f"s{number}" for number in range(1, 8))
    text = shown(Finding("m", scenario="one", count=8, also=others), tmp_path=tmp_path)
    assert "in scenario one; also in s1, s2, s3, s4, s5 and 2 more" in " ".join(text.split())


def test_failure_shows_the_events_around(tmp_path: Path) -> None:
    text = shown(Finding("m", event=4, scenario="one"), tmp_path=tmp_path)
    around = [one for one in text.splitlines() if " ms  response." in one]
    assert [one[:8].split() for one in around] == [["3"], [">", "4"], ["5"]]
    assert "ms  response.output_text.delta {" in around[1]
    assert "40 ms" in around[1]


@pytest.mark.parametrize(("event", "numbers"), [(0, ["0", "1"]), (9, ["8", "9"])])
def test_failure_at_an_edge_shows_what_is_there(event: int, numbers: list[str], tmp_path: Path) -> None:
    text = shown(Finding("m", event=event, scenario="one"), tmp_path=tmp_path)
    assert [one[3:8].strip() for one in text.splitlines() if " ms  response." in one] == numbers


def test_what_is_not_said_takes_no_lines(tmp_path: Path) -> None:
    text = shown(Finding("m", scenario="one"), tmp_path=tmp_path)
    assert "  expected " not in text
    assert "  received " not in text
    assert "occurrences" not in text
    assert "  affects" not in text


@pytest.mark.parametrize("value", [None, 0, False, ""])
def test_empty_got_is_shown(value: object, tmp_path: Path) -> None:
    text = shown(Finding("m", got=value, scenario="one"), tmp_path=tmp_path)
    assert f"in scenario one\n  received  {show(value) or '(empty string)'}\n" in text


def test_failure_fits_on_a_screen(tmp_path: Path) -> None:
    found = [
        Finding(f"{name} is wrong", "/response/output/0/content/0/text", 4, "w" * 5000, {"g": ["x"] * 999}, "one")
        for name in ("a", "b", "c", "d", "e")
    ]
    lines = shown(*found, tmp_path=tmp_path, breaks=("codex", "rust")).splitlines()
    assert len(lines) <= 40
    assert max(len(one) for one in lines if not one.startswith(("  rerun", "  exchange", "  curl", "  baseline"))) <= 80
    assert "  ... and 2 more findings, in the results file" in lines
    assert [one for one in lines if one.startswith("  found")] == [f"  found     {name} is wrong" for name in "abc"]
    assert "  expected  " + "w" * 68 in lines
    assert " " * 12 + "w" * 32 + "..." in lines  # The results keep 2,000 characters of it.


def test_failure_holds_no_control_characters(tmp_path: Path) -> None:
    found = [Finding(f"the server said {ODD}", f"/{ODD}", event, ODD, {ODD: [ODD]}, "one") for event in (4, 6)]
    text = shown(*found, tmp_path=tmp_path)
    assert [one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs")] == []
    assert r"\x1b]0;title\x07" in text
    assert len(text.splitlines()) == len(text.split("\n")) <= 40
    text.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (None, "null"),
        (7, "7"),
        ({"ä": [1]}, '{"ä": [1]}'),
        ("\x1b[0m", r"\x1b[0m"),
        ("a\nb\u2028c\x85", r"a\nb\u2028c\x85"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 100 + "... (101 characters)"),
        ({"a"}, "\"{'a'}\""),
    ],
)
def test_value_is_one_safe_line(value: object, text: str) -> None:
    assert show(value) == text


def test_curl_of_a_large_body_is_cut_at_the_terminal(tmp_path: Path) -> None:
    lines = shown(Finding("m", scenario="one"), tmp_path=tmp_path, body=b'{"input":' + b"[" * 10_000).splitlines()
    (line,) = [each for each in lines if each.startswith("  curl")]
    assert line.startswith("  curl      curl -isN http://127.0.0.1:8080/v1/responses ")
    assert '{"input":[[[' in line
    assert line.endswith("[... (cut: the body has 10,009 bytes, the exchange file contains all of it)")
    assert len(line) < 700
    assert lines[lines.index(line) + 1] == f"  exchange  {tmp_path / 'exchanges' / 'one-0a1b.json'}"


def test_curl_can_be_run_and_keeps_the_key_out() -> None:
    assert curl(Received(exchange(), "one")) == (
        "curl -isN http://127.0.0.1:8080/v1/responses -H 'Content-Type: application/json' "
        '-H "api-key: $MIMO_API_KEY" -d \'{"input":"it\'"\'"\'s"}\''
    )


def test_curl_of_captured_traffic_names_no_variable_but_the_key() -> None:
    headers = (("Content-Type", "$HOME"), ("Accept", "$HOME"), ("Authorization", "Bearer $KEY"))
    sent = replace(exchange(), request=replace(exchange().request, headers=headers))
    shown = curl(Received(sent, "entry 1"))
    assert "-H 'Content-Type: $HOME' -H 'Accept: $HOME' -H \"Authorization: Bearer $KEY\"" in shown


def test_curl_of_a_get_has_no_body() -> None:
    asked = Exchange(**{**vars(exchange()), "request": Request("GET", "http://h/v1/responses?a=b&c", (), b"")})
    assert curl(Received(asked, "one")) == "curl -isN -X GET 'http://h/v1/responses?a=b&c'"


def test_curl_as_a_shell_reads_it_sends_the_key(tmp_path: Path) -> None:
    line = curl(Received(exchange(), "one")).replace("curl", "printf '%s\\n'", 1)
    told = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, check=True, env={"MIMO_API_KEY": KEY}
    )
    assert told.stdout.splitlines() == [
        "-isN", "http://127.0.0.1:8080/v1/responses", "-H", "Content-Type: application/json",
        "-H", f"api-key: {KEY}", "-d", '{"input":"it\'s"}',
    ]  # fmt: skip


def test_redacted_bytes_stay_redacted_in_every_report(tmp_path: Path) -> None:
    _, kept, leaks = redact_response((), (Chunk(0.0, f'{{"error":{{"message":"bad {KEY}"}}}}'.encode()),), [KEY])
    said = b"".join(one.data for one in kept).decode()
    found = Finding(f"answered: {said}", got=said, scenario="one")
    assert leaks
    for text in (json.dumps(line(found).to_json()), shown(found, tmp_path=tmp_path)):
        assert filler(KEY.encode()).decode() in text
        assert KEY[-8:] not in text
