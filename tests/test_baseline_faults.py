"""A baseline made from a run makes the next run green, whatever is wrong with the endpoint; and what is wrong beside it
still fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pytest

from conformance.emulator import Behaviour, Context, Reply, combine
from conformance.emulator.faults import FAULTS
from conformance.judge.reasons import Reason
from conformance.judge.verdict import EXPECTED, FAIL, INCONCLUSIVE, PASS, WARNING
from conformance.results import baseline, baseline_file, baseline_format, results_file
from conformance.results.causes import causes, with_representative_causes
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord, Obstacle
from conformance.results.score import affected_clients, scores
from tools.fault_matrix import revisions
from tools.in_process import cases, evaluated

TODAY = date(2026, 6, 24)

#: One fault in sixty, of every area: they stand by area.
SOME = list(FAULTS)[::60]

#: What `conformance baseline` lists.
LISTED = (FAIL, INCONCLUSIVE)


@cache
def known(revision: str) -> tuple[str, ...]:
    return tuple(case.id for case in cases(revision))


@cache
def told(fault: str) -> tuple[CaseRecord, ...]:
    """The case lines of a run against an endpoint with this fault, not yet folded."""
    found, recorded = evaluated(FAULTS[fault], revisions(fault)[0])
    return tuple(results_file.in_order(results_file.case_record(one, recorded, 0) for one in found))


@cache
def written(fault: str) -> tuple[CaseRecord, ...]:
    """The lines of a run without a baseline, as they are written."""
    return tuple(with_representative_causes(group_by_cause(told(fault))))


def applied(lines: Iterable[CaseRecord], text: str, fault: str) -> tuple[list[CaseRecord], list[baseline.Problem]]:
    """The lines of a run with this baseline, as they are written."""
    entries = baseline_file.parse(text, "b.toml")
    made, problems = baseline.apply(group_by_cause(lines), entries, known(revisions(fault)[0]), TODAY)
    return with_representative_causes(made), problems


@cache
def made_of(fault: str) -> baseline_file.Rewritten:
    """The baseline that is made from a run without one."""
    return baseline_file.rewrite("", "b.toml", written(fault), known(revisions(fault)[0]), LISTED, "known")


def code(lines: Iterable[CaseRecord]) -> int:
    return results_file.exit_code((one.counted for one in lines), strict=False)


@pytest.mark.parametrize("fault", SOME)
def test_the_next_run_is_green(fault: str) -> None:
    lines = told(fault)
    text = made_of(fault).text
    made, problems = applied(lines, text, fault)
    assert problems == []
    assert code(made) == results_file.EXIT_OK
    # To bring it up to date changes nothing, whether the run was with it or without.
    for again in (made, written(fault)):
        same = baseline_file.rewrite(text, "b.toml", again, known(revisions(fault)[0]), LISTED, "")
        assert (same.text, same.added, same.changed, same.removed, same.notes) == (text, 0, 0, 0, ())


@pytest.mark.parametrize("fault", SOME[::4])
def test_so_it_is_with_globs(fault: str) -> None:
    lines = told(fault)
    entries = baseline_file.parse(made_of(fault).text, "b.toml")
    messages: dict[tuple[str, str], dict[str, None]] = {}
    for one in entries:
        messages.setdefault((one.case.partition("@")[0], one.verdict), {}).update(dict.fromkeys(one.messages))
    rules = [rule for rule, _ in messages]
    globs = [
        baseline_format.format_entry(f"{rule}@*", verdict, list(parts), "known")
        for (rule, verdict), parts in messages.items()
        if rules.count(rule) == 1
    ]
    exact = [
        baseline_format.format_entry(one.case, one.verdict, one.messages, "known")
        for one in entries
        if rules.count(one.case.partition("@")[0]) > 1
    ]
    made, problems = applied(lines, "\n".join(["[expected]", *globs, *exact, ""]), fault)
    assert problems == []
    assert code(made) == results_file.EXIT_OK


@pytest.mark.parametrize(("listed", "new"), list(zip(SOME, SOME[7:], strict=False))[::5])
def test_a_new_defect_beside_the_listed_ones_fails(listed: str, new: str) -> None:
    """An endpoint with both faults, and the baseline of the first: what only the second breaks fails."""
    if {revisions(listed)[0], revisions(new)[0]} != {"2026-06-24"}:
        pytest.skip("they are of two revisions")
    found, recorded = evaluated(combine([FAULTS[listed], FAULTS[new]]))
    both = results_file.in_order(results_file.case_record(one, recorded, 0) for one in found)
    made, _ = applied(both, made_of(listed).text, listed)
    by_id = {one.id: one for one in made}
    before = {one.id: one.verdict for one in told(listed)}
    fails_alone = {one.id for one in told(new) if one.verdict == FAIL}
    fresh = [one.id for one in both if one.verdict == FAIL and before[one.id] == PASS]
    hidden = {case: by_id[case].cause for case in fresh if by_id[case].verdict == EXPECTED}
    assert {case: cause for case, cause in hidden.items() if before[cause] != FAIL} == {}
    if fails_alone & set(fresh) - hidden.keys():
        assert code(made) == results_file.EXIT_FAILED
    # Of what only the new fault keeps from being judged, nothing is expected that the listed one does not explain.
    unjudged = [one for one in made if one.verdict == EXPECTED and one.own_verdict == INCONCLUSIVE]
    known_causes = {one.id for one in made if one.verdict == EXPECTED or (one.verdict == before[one.id] == WARNING)}
    assert [one.id for one in unjudged if one.cause and one.cause not in known_causes] == []


def busy(context: Context, reply: Reply) -> Reply:
    """Has no time for whoever asks for a JSON object."""
    return reply.coded(503) if context.body.get("text") == {"format": {"type": "json_object"}} else reply


@pytest.mark.parametrize("listed", ["usage.null-streaming", "http.body-with-comment", "lifecycle.no-created"])
def test_what_the_listed_failures_do_not_explain_stays_inconclusive(listed: str) -> None:
    found, recorded = evaluated(combine([FAULTS[listed], Behaviour("busy", "busy", "Is busy.", reply=busy)]))
    both = results_file.in_order(results_file.case_record(one, recorded, 0) for one in found)
    made, _ = applied(both, made_of(listed).text, listed)
    left = {one.scenario for one in made if one.verdict == INCONCLUSIVE}
    assert {"json", "json.stream", "json.thinking"} <= left
    # That no request of this class is served, and every other is, is a defect of its own.
    assert {one.requirement for one in made if one.verdict == FAIL} == {"request.text.format-accepted"}


def line(case: str, verdict: str, scenario: str, **more: Any) -> CaseRecord:
    """A case line: broken at a scenario with a status, or not judged for an obstacle."""
    rule = case.partition("@")[0]
    broken = [{"message": "m", "pointer": "", "event": None, "scenario": scenario, "also": [], **more}]
    blocked = [{"by": more.get("by", ""), "scenarios": [scenario], **({"any": True} if "any" in more else {})}]
    return CaseRecord.from_json({
        "id": case, "requirement": rule, "area": rule.partition(".")[0], "verdict": verdict, "breaks": [],
        "scenario": scenario, "level": "MUST", "reason": "r" if verdict == INCONCLUSIVE else "",
        **({"findings": [], "blocked": blocked} if verdict == INCONCLUSIVE else {"findings": broken}),
    })  # fmt: skip


REFUSED = line("request.top_p-accepted@t", FAIL, "t", got=400)
UNREADABLE = line("http.body-is-utf8-json@t", FAIL, "t", got="{")
MISSHAPEN = line("item.message.schema@t", FAIL, "t", got=None)


@pytest.mark.parametrize(
    ("broken", "by", "where", "explained"),
    [
        (REFUSED, "HTTP 400", "t", True),
        (REFUSED, "HTTP 400", "u", False),  # Another response.
        (REFUSED, "HTTP 503", "t", False),  # Another status.
        (REFUSED, "body", "t", False),
        (REFUSED, "need", "t", False),  # The model did not do it, whatever else is wrong.
        (UNREADABLE, "body", "t", True),
        (UNREADABLE, "earlier", "t", True),
        (UNREADABLE, "HTTP 503", "t", False),
        (MISSHAPEN, "body", "t", False),  # No consequence: counters are not in the item.
        (MISSHAPEN, "earlier", "t", True),
        (MISSHAPEN, "time-out", "t", False),
    ],
)
def test_a_case_that_was_not_judged_follows_only_from_what_kept_it_from_being_judged(
    broken: CaseRecord, by: str, where: str, explained: bool
) -> None:
    unjudged = line("usage.present@t", INCONCLUSIVE, where, by=by)
    made = {one.id: one.cause for one in group_by_cause([broken, unjudged])}
    assert made["usage.present@t"] == (broken.id if explained else "")


def test_each_obstacle_must_be_explained() -> None:
    unjudged = line("usage.present@both", INCONCLUSIVE, "t", by="HTTP 400")
    unjudged = replace(unjudged, blocked=(*unjudged.blocked, Obstacle("HTTP 500", ("u",))))
    assert [one.cause for one in group_by_cause([REFUSED, unjudged])] == ["", ""]
    other = line("request.temperature-accepted@u", FAIL, "u", got=500)
    assert group_by_cause([REFUSED, other, unjudged])[-1].cause != ""


#: A server that refuses the key header is evaluated with the other one, so that few cases are inconclusive.
@pytest.mark.parametrize(("fault", "most"), [("auth.api-key-not-accepted", 20), ("sse.json-lines", 1000)])
def test_what_is_inconclusive_as_expected_counts_nowhere(fault: str, most: int) -> None:
    lines = told(fault)
    plain = written(fault)
    made, _ = applied(lines, made_of(fault).text, fault)
    assert sum(one.verdict == EXPECTED for one in made) > most
    assert scores(made) == scores(plain)
    assert affected_clients(causes(made)) == affected_clients(causes(plain))


def test_a_run_in_which_nothing_was_judged_is_not_green() -> None:
    """A server that is down would else be green with the baseline of the day it was down."""
    one = CaseRecord("a.b@c", "a.b", "c", "a", "MUST", INCONCLUSIVE, reason=Reason("no-evidence", "no answer"))
    entries = baseline_file.parse(f"[expected]\n{baseline_format.format_record(one, 'known')}\n", "b.toml")
    made, problems = baseline.apply([one], entries, (), TODAY)
    assert (made[0].verdict, problems, code(made)) == (EXPECTED, [], results_file.EXIT_NOTHING)
