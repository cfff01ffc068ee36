"""Affected clients are those that a trial showed, finding by finding, and every report names the same."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.contract.client_evidence import evidence
from conformance.contract.rules import CLIENTS, catalogue, requirement
from conformance.emulator.faults import FAULTS
from conformance.report import github, job_summary, matrix, terminal
from conformance.report.bug import issue
from conformance.report.catalogue import explain
from conformance.report.html.data import document
from conformance.results import affected_clients, score
from conformance.results.affected_clients import with_known_effects
from conformance.results.causes import Cause, causes
from conformance.results.client_trials import effect_rows, effects_by_rule, finding_kind, trials
from conformance.results.grouping import group_by_cause
from conformance.results.records import FindingRecord
from conformance.results.results_file import Results, case_record, in_order
from tests.support.lines import end, head, run
from tests.test_report_texts import Screen
from tools.client_evidence import expected_breaks, findings_in
from tools.fault_matrix import revisions
from tools.in_process import evaluated, violated

TRIALS = list(trials(evidence()))

SAMPLE = sorted(random.Random(12).sample(sorted(FAULTS), 20))


def lines_of(fault: str) -> list[dict[str, Any]]:
    """The case lines of a fault's run, folded."""
    results, recorded = evaluated(FAULTS[fault], revisions(fault)[0])
    return group_by_cause(in_order(case_record(one, recorded, 0) for one in results))


def run_of(fault: str) -> Results:
    return run(*lines_of(fault), first=head(fault))


def found(lines: Sequence[Mapping[str, Any]]) -> set[str]:
    """The clients that any cause names."""
    return set(score.affected_clients(causes(lines)))


# -- what is claimed --------------------------------------------------------------------------------------------------


def test_a_missing_content_part_done_names_exactly_the_clients_that_did_not_cope() -> None:
    fault = "event.content-part-done-never-sent"
    hit = {one.client for one in TRIALS if one.fault == fault and not one.coped}
    assert len([one for one in TRIALS if one.fault == fault]) == 10
    assert found(lines_of(fault)) == hit == set()


@pytest.mark.parametrize(
    ("fault", "clients"),
    [
        ("event.output-item-done-never-sent", {"codex", "ai-sdk", "open-responses"}),
        ("event.content-part-done-without-part", {"openai-node"}),
        ("event.content-part-done-without-item-id", set()),
        ("usage.output-details-empty", {"codex"}),
        ("event.completed-never-sent", {"codex", "openai-python", "agents", "litellm"}),
    ],
)
def test_one_fault_names_the_clients_of_its_trial(fault: str, clients: set[str]) -> None:
    assert found(lines_of(fault)) == clients
    assert {one.client for one in TRIALS if one.fault == fault and not one.coped} == clients


#: Every twelfth: evaluating them all takes minutes, and `make generate` does.
FAULTS_TRIED = sorted({one.fault for one in TRIALS})[::12]


@pytest.mark.parametrize("fault", FAULTS_TRIED)
def test_no_run_of_a_tried_fault_names_a_client_that_coped_with_it(fault: str) -> None:
    """And what the evidence notes of its findings is what the checks find today."""
    revision = revisions(fault)[0]
    results, recorded = violated(FAULTS[fault], revision)
    lines = group_by_cause([case_record(one, recorded, 0) for one in results])
    noted = {row: faults[fault] for row, faults in evidence()["findings"].items() if fault in faults}
    today = findings_in(lines, recorded, revision, list(noted))
    assert today == noted, "a message has changed: run python -m tools.client_evidence --write"
    mine = [one for one in TRIALS if one.fault == fault]
    for line in lines:
        for finding in line.findings:
            pair = (line.requirement, finding_kind(line.requirement, finding.message, finding.pointer))
            modes = {name.endswith(".stream") for name in (finding.scenario, *finding.also)}
            client_input = [one for one in mine if one.streams in modes and pair in one.found]
            each = [{one.client for one in client_input if one.streams == mode} for mode in modes]
            coped = set.intersection(*each) - {one.client for one in client_input if not one.coped}
            assert not coped & set(finding.clients), line.id


@pytest.mark.parametrize("fault", [name for name in FAULTS if name.startswith("auth.") and "let-in" in name])
def test_a_wrong_key_that_is_accepted_stops_nobody(fault: str) -> None:
    assert found(lines_of(fault)) == set()


def test_a_key_that_is_refused_as_a_bearer_token_stops_who_sends_it_so() -> None:
    lines = lines_of("auth.bearer-not-accepted")
    assert {"codex", "openai-python", "openai-node", "ai-sdk", "agents"} <= found(lines)
    told = affected_clients.sentences(next(one for one in lines if one.id == "auth.bearer-accepted@auth.bearer.stream"))
    assert "not tested: trials replay responses" in told[0]
    plain = next(one for one in lines if one.id == "auth.bearer-accepted@auth.bearer")
    assert "codex" not in plain.breaks  # It only streams.


def test_a_request_that_a_client_sends_and_that_is_not_answered_affects_that_client() -> None:
    assert found(lines_of("clients.client-metadata-is-500")) == {"codex"}


def test_an_event_that_is_missing_is_known_by_the_rule_that_explains_it() -> None:
    rows = {rule for rule, _ in effect_rows() if rule.startswith("event.seen.")}
    assert rows == set()  # Trials of missing events have other causes: an item left open, no terminal event.


def test_an_undocumented_type_is_known_by_its_name() -> None:
    rule = "response.documented-items-only"
    one = affected_clients.LocatedFinding(
        "an output item has the undocumented type 'tool_call'", "", frozenset((False,))
    )
    other = affected_clients.LocatedFinding(
        "an output item has the undocumented type 'other_call'", "", frozenset((False,))
    )
    assert [bool(hit) for hit in affected_clients.affected(rule, [one, other])] == [True, False]


def test_what_was_never_tried_affects_nobody() -> None:
    one = affected_clients.LocatedFinding("nobody has tried this", "", frozenset((True, False)))
    assert all(
        affected_clients.affected(row.id, [one]) == ({},) for row in catalogue().values() if row.area != "client"
    )


@pytest.mark.parametrize(
    ("message", "does"),
    [
        ("codex raised turn.failed: stream closed", {"codex": "stops"}),
        ("codex ended with other text", {"codex": "ends with other text"}),
        ("codex ended with other usage", {}),
    ],
)
def test_a_client_of_the_lane_is_its_own_trial(message: str, does: dict[str, str]) -> None:
    (hit,) = affected_clients.affected(
        "client.codex", [affected_clients.LocatedFinding(message, "", frozenset((True,)))]
    )
    assert {name: effect.does for name, effect in hit.items()} == does


# -- how trials are read ----------------------------------------------------------------------------------------------


def known(**faults: tuple[dict[str, str], dict[str, list[str]], dict[str, list[str]]]) -> dict[str, Any]:
    """Evidence about one rule: by fault the outcomes, and the kinds that stand for themselves and that follow."""
    rule = "sum.text-deltas"
    named = {name.replace("_", "-"): one for name, one in faults.items()}
    return {
        "versions": {"codex": "1.2"},
        "rules": {rule: {name: outcomes for name, (outcomes, _, _) in named.items()}},
        "findings": {
            rule: {name: {"stream": {"causes": own, "follows": also}} for name, (_, own, also) in named.items()}
        },
    }


def hit(evidence: dict[str, Any]) -> list[tuple[list[str], str, bool]]:
    rows = effects_by_rule(evidence).get(("sum.text-deltas", True), ())
    return [(sorted(row.kinds), row.effect.client, row.follows) for row in rows]


RULE, ELSEWHERE = "sum.text-deltas", "sum.part"


def test_a_kind_at_which_a_client_once_coped_does_not_affect_it() -> None:
    stops, copes = {"codex": "turn.failed: x"}, {"codex": "other usage"}
    assert hit(known(a=(stops, {RULE: ["k"]}, {}))) == [(["k"], "codex", True)]
    assert hit(known(a=(stops, {RULE: ["k"]}, {}), b=(copes, {RULE: ["k"]}, {}))) == []
    assert hit(known(a=(copes, {RULE: ["k"]}, {}))) == []


def test_kinds_that_no_trial_tells_apart_affect_only_together() -> None:
    stops, copes = {"codex": "turn.failed: x"}, {"codex": ""}
    both = {RULE: ["k", "l"]}
    assert hit(known(a=(stops, both, {}))) == [(["k", "l"], "codex", True)]
    assert hit(known(a=(stops, both, {}), b=(copes, {RULE: ["k"]}, {}))) == [(["l"], "codex", True)]
    assert hit(known(a=(stops, both, {}), b=(stops, {RULE: ["k"]}, {}))) == [(["k"], "codex", True)]


def test_a_consequence_at_which_a_client_copes_affects_it_only_where_it_stands_for_itself() -> None:
    stops, copes = {"codex": "turn.failed: x"}, {"codex": ""}
    evidence = known(a=(stops, {RULE: ["k"]}, {}), b=(copes, {RULE: ["m"]}, {RULE: ["k"]}))
    assert hit(evidence) == [(["k"], "codex", False)]
    beside = known(a=(stops, {RULE: ["k"], ELSEWHERE: ["x"]}, {}), b=(copes, {RULE: ["m"]}, {RULE: ["k"]}))
    assert hit(beside) == []  # It may as well have been the other defect.


def test_the_worse_mode_of_a_client_counts() -> None:
    modes = {"openai-python-plain": "", "openai-python-strict": "ValidationError: x"}
    evidence = {**known(a=(modes, {}, {})), "findings": {RULE: {"a": {"plain": {"causes": {RULE: ["k"]}}}}}}
    (one,) = trials(evidence)
    assert (one.client, one.mode, one.coped) == ("openai-python", "openai-python-strict", False)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("received HTTP 401: Invalid API Key", "received HTTP refusal"),
        ("received HTTP 500: boom 17", "received HTTP failure"),
        ("the stream ends in error: out of memory", "the stream ends in error"),
        ("the body ends in a cut after 12 events (in process: cut)", "the body ends in a cut after # events"),
        (
            "the body ends in a cut after 3 events (peer closed (incomplete read))",
            "the body ends in a cut after # events",
        ),
        ("/output_index is '0', not an integer", "/output_index is _, not an integer"),
    ],
)
def test_a_kind_is_the_message_without_what_varies(message: str, says: str) -> None:
    assert finding_kind("http.success-is-200", message) == says
    assert finding_kind("identity.name", message, "/item/3/name") == f"{says} at /item/#/name"


# -- the evidence is that of today ------------------------------------------------------------------------------------


def test_every_trial_has_findings_of_its_row() -> None:
    tried = {(one.row, one.fault) for one in TRIALS}
    listed = {(row, fault) for row, faults in evidence()["rules"].items() for fault in faults}
    # A row that is only recorded has no findings; what it records is shown as allowed.
    # An effort at which the model does not reason is reported by effort.values-alike since it reasons at others.
    listed = {pair for pair in listed if pair[0] != "effort.{value}-thinks" or pair in tried}
    assert {pair for pair in listed if requirement(pair[0]).level != "MAY"} == tried


def test_the_catalogue_names_the_clients_that_some_finding_affects() -> None:
    expected = expected_breaks(effect_rows())
    judged_rows = {row.id: row.breaks for row in catalogue().values() if row.level != "MAY"}
    assert judged_rows == {row: clients for row, clients in expected.items() if row in judged_rows}


# -- every report names the same --------------------------------------------------------------------------------------


def blocks(found: Sequence[Cause]) -> Counter[str]:
    return Counter(name for one in found for name in one.clients)


def names(text: str) -> list[str]:
    """The short names of the clients in a text."""
    return [short for short, name in CLIENTS.items() if name in text]


@pytest.mark.parametrize("fault", SAMPLE)
def test_counts_are_those_of_the_blocks_in_all_renderings(fault: str) -> None:
    results = run_of(fault)
    found = causes(results.cases)
    counts = blocks(found)
    assert score.affected_clients(found) == counts
    _in_the_terminal(results, counts)
    _in_the_page(results, counts)
    _in_markdown(results, found, counts)
    row = next(line for line in matrix.markdown(matrix.matrix([results])).splitlines() if f"| {fault} |" in line)
    told = row.split("|")[9]
    assert {name: int(re.search(rf"{re.escape(CLIENTS[name])} (\d+)", told)[1]) for name in names(told)} == counts  # type: ignore[index]  # It is there.
    for one, said in zip(found, github.render(found), strict=False):
        part = re.search(r"; affects ([^;]*);", said)
        assert names(part[1] if part else "") == one.clients
    for one in found[:3]:
        text = issue(results, one.cases[0], one, "") if one.cases[0].findings else ""
        assert not text or names(text.partition("## Affected clients")[2].partition("## ")[0]) == one.clients


def _in_the_terminal(results: Results, counts: Counter[str]) -> None:
    screen = Screen()
    run = replace(results, end=end([*results.cases]))

    terminal.show(screen, "it", run, lambda line: line.id, "again", {})
    text = "\n".join(screen.lines)
    text, _, last = text.partition(" by area ")
    text = re.sub(r" \(conformance\s+explain\s+\S+\)", "", text)
    end_line = " ".join(re.search(r"^  affects +(.*(?:\n {12}.*)*)", last, re.MULTILINE)[1].split())  # type: ignore[index]  # It is there.
    pairs = dict(re.findall(r"([^·]+?) (\d+)(?= ·| \(|$)", end_line))
    assert {name.strip(): int(number) for name, number in pairs.items()} == {
        CLIENTS[name]: number for name, number in counts.items()
    }
    told = re.sub(r"\n {12}(?! )", " ", text)
    found = Counter(name for line in told.splitlines() if line.startswith("  affects ") for name in names(line))
    assert found == counts


def _in_the_page(results: Results, counts: Counter[str]) -> None:
    shown = document(results, results.folder, "again")
    assert shown["breaks"] == counts
    assert Counter(name for *_, clients in shown["causes"] for name in clients) == counts


def _in_markdown(results: Results, found: Sequence[Cause], counts: Counter[str]) -> None:
    text = job_summary.render(results, "again")
    affects = [line for line in text.splitlines() if re.match(r"- (`[^`]*` )?affects ", line)]
    assert Counter(name for line in affects for name in names(line)) == counts
    head = next(line for line in text.splitlines() if line.startswith("Affects "))
    assert {name: int(re.search(rf"{re.escape(CLIENTS[name])} (\d+)", head)[1]) for name in names(head)} == counts  # type: ignore[index]  # It is there.
    assert len(found) <= 20 or "more broken rules" in text


# -- results of earlier versions, and the explanation -----------------------------------------------------------------


def test_results_of_an_earlier_version_name_what_trials_show(tmp_path: Path) -> None:
    lines = lines_of("event.content-part-done-never-sent")
    old = [
        replace(
            line,
            findings=tuple(replace(one, clients=None) for one in line.findings),
            breaks=("codex", "litellm") if line.findings else line.breaks,
        )
        for line in lines
    ]
    assert [with_known_effects(line) for line in old] == lines
    unknown = replace(old[0], requirement="gone.rule", findings=(FindingRecord("m"),))
    assert with_known_effects(unknown) == replace(unknown, findings=(FindingRecord("m", clients={}),))


def test_a_rule_is_explained_with_client_version_finding_and_trial() -> None:
    text = " ".join((explain("event.response.content_part.done.schema", "2026-06-24") or "").split())
    assert "a stream with 'response.content_part.done: /part is missing' affects: - openai-node 6.49.0 stops: " in text
    assert "trial: event.content-part-done-without-part" in text
    assert "response.content_part.done: /item_id is missing" in text
    assert "not test" in (explain("auth.missing-key-refused", "2026-06-24") or "")
    assert "by the client's source" in (explain("auth.bearer-accepted", "2026-06-24") or "")
