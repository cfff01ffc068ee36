"""A run and ``conformance judge`` on what it recorded agree, rule by rule."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from conformance.decode.events import mapping
from conformance.emulator import Behaviour, Context, Endpoint, Reply, serve
from conformance.emulator.faults import FAULTS
from conformance.exchange.exchange import Exchange
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import FAIL, WARNING
from conformance.traffic import evaluation
from conformance.traffic.captured import Captured, is_ours, unavailable_in
from conformance.traffic.evaluation import Part, Work
from conformance.traffic.passive_rules import is_passive
from tests.support.lines import command
from tests.test_plugin import KEY, lines_of, pytest_run
from tools.fault_matrix import revisions
from tools.in_process import cases, clean, context, evaluated, target, verdicts, violated

#: One fault in forty, of every area: they stand by area.
SOME = list(FAULTS)[::40]

#: Rules of which one of the two says more, and why.
MORE_IN_A_RUN = {
    "http.success-is-200": "in traffic nobody knows whether a request that was refused had to be served",
    "http.no-redirect": "in a run GET and other methods are checked for it too",
    "http.body-complete": "in traffic it is read of served requests only",
    "tools.arguments-fit-schema": "in traffic no tool with a reference in its parameters is read",
    "sum.no-replacement-characters": "its check reads all streams of a run side by side, and traffic has no such case",
    "auth.key-never-echoed": "the refusal of two keys is in traffic one of a key: auth.refusal-never-echoes-key",
    "tools.none-declared-none-called": "in traffic an undocumented tool_choice may ask for a call",
    "truncation.incomplete": "in traffic nobody knows whether a response that used up its cap was cut",
    "response.schema": "an error body under 200 is no Response in traffic: error.success-is-no-error reports it",
    "response.nullable-members-present": "as response.schema",
    "response.output-text-present": "as response.schema",
    "usage.present": "as response.schema",
    "response.ends-final": "in traffic an error that the response reports may be temporary, as a 5xx",
    "effort.tokens-agree": "that a few responses hide their reasoning shows beside the others of a run only",
}
MORE_IN_TRAFFIC = {
    "tools.arguments-are-json": "a run reads it where a call must be whole: tools.cut is about a call that is cut",
    "tools.call-shape": "a call where no tool is declared is tools.none-declared-none-called in a run",
    "error.success-is-no-error": "in a run a bad request that is answered with 200 breaks error.real-status",
    "response.output-text-present": "as error.success-is-no-error: what is answered is no Response",
    "response.schema": "as error.success-is-no-error, for a request that must be refused",
    "event.response.created.schema": "as response.schema",
    "event.response.in_progress.schema": "as response.schema",
    "response.id-unique": "in a run the requests that must be refused are left out",
    "usage.present": "as error.success-is-no-error; and a response in the background is not final in a run",
}

#: Cases of requests that are no POST, and of responses that are retried: judge leaves both aside.
LEFT_ASIDE = ("http.get", "retried")


def refuses_json(context: Context, reply: Reply) -> Reply:
    """Answers a documented request with 400 and an error that is a string."""
    if mapping(context.body.get("text")).get("format") != {"type": "json_object"}:
        return reply
    return reply.coded(400).having("Content-Type", "application/json").saying(
        {"error": "'response_format.type' must be 'json_schema' or 'text'"}
    )  # fmt: skip


REFUSAL = Behaviour("answers.documented-refused", "answers", "Refuses what is documented, without envelope.",
                reply=refuses_json)  # fmt: skip


def captured(recorded: Recorded, revision: str) -> list[Captured]:
    """The recorded exchanges as ``conformance judge`` reads them from a run folder."""
    found = {
        exchange.key: exchange
        for name in context(revision).scenarios
        for exchange in recorded.received(name).samples
        if exchange.ended != "not-sent" and is_ours(exchange.request.method, exchange.request.url)
    }
    return [Captured(key, exchange, unavailable_in(exchange)) for key, exchange in found.items()]


@cache
def rules(revision: str) -> frozenset[str]:
    """The rules that a run evaluates."""
    return frozenset(case.rule for case in cases(revision))


def failing(lines: Iterable[tuple[str, str]]) -> set[str]:
    return {rule for rule, verdict in lines if verdict in (FAIL, WARNING)}


@cache
def of_clean(revision: str) -> dict[str, tuple[Exchange, Part]]:
    """What judge makes of each exchange with the clean endpoint, by its key."""
    work = Work([one.by(target(revision).contract) for one in captured(clean(revision), revision)],
                           target(revision), ())  # fmt: skip
    return {one.label: (one.exchange, work.exchange(place)) for place, one in enumerate(work._captured)}


class Remembering(Work):
    """Judge evaluates exchange by exchange: those that equal the clean ones are not evaluated again."""

    def exchange(self, place: int) -> Part:
        one = self._captured[place]
        same, part = of_clean(self._target.contract.revision).get(one.label, (None, None))
        return part if part and one.exchange == same else super().exchange(place)


def compared(behaviour: Behaviour, revision: str, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], set[str]]:
    """The rules that fail in a run only, and those that fail in traffic only; of those that both judge."""
    both = {rule for rule in rules(revision) if is_passive(rule)}
    results, recorded = violated(behaviour, revision, both)
    run = failing((one.case.rule, one.verdict) for one in results if one.case.label not in LEFT_ASIDE)
    monkeypatch.setattr(evaluation, "Work", Remembering)
    lines = evaluation.evaluate_captures(captured(recorded, revision), target(revision)).cases
    traffic = failing((line.requirement, line.verdict) for line in lines)
    return run & both - traffic - MORE_IN_A_RUN.keys(), traffic & both - run - MORE_IN_TRAFFIC.keys()


@pytest.mark.parametrize("fault", SOME)
def test_they_agree_on_faults(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(FAULTS[fault], revisions(fault)[0], monkeypatch) == (set(), set())


def test_they_agree_on_the_refusal_of_a_documented_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(REFUSAL, "2026-06-24", monkeypatch) == (set(), set())
    results, _ = evaluated(REFUSAL)
    told = {one.case.id: one for one in results}
    envelope = told["error.envelope@answers"]
    assert (envelope.verdict, envelope.findings[0].scenario) == (FAIL, "json")
    assert told["error.json-content-type@answers"].verdict == "pass"


def test_where_nothing_is_refused_there_is_nothing_to_judge() -> None:
    told = {one.case.id: one.verdict for one in verdicts(FAULTS["usage.null-streaming"])}
    names = ("error.envelope", "error.json-content-type", "error.no-internals")
    assert {told[f"{name}@answers"] for name in names} <= {"pass", "not-applicable"}


def test_a_run_folder_is_judged_as_its_run_was(tmp_path: Path) -> None:
    only = ("--only", "error.*@answers", "--only", "http.success-is-200@json*")
    with serve(Endpoint(key=KEY, behaviour=REFUSAL)) as server:
        run = pytest_run("--endpoint", server.url, *only, "--run-dir", str(tmp_path / "run"), checks=["errors", "http"])
    assert run.returncode == 1, run.stdout
    lines = lines_of(tmp_path / "run" / "results.jsonl")
    mine = failing((one["requirement"], one["verdict"]) for one in lines if one["kind"] == "case")
    judged_again = command("judge", str(tmp_path / "run"), "--json")
    theirs = failing(
        (one["requirement"], one["verdict"])
        for one in map(json.loads, judged_again.stdout.splitlines())
        if one["kind"] == "case"
    )
    assert (mine, theirs) == ({"error.envelope", "http.success-is-200"}, {"error.envelope"})
    # The refusal is a cause of its own, beside that the request was refused.
    assert {one["requirement"] for one in lines[1:-1] if one["verdict"] == FAIL and not one["cause"]} == mine
