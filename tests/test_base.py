"""The base request: what a server refuses of it is one finding, and every other question is still answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from conformance.config.target import resolve
from conformance.contract.revisions import DEFAULT
from conformance.contract.rules import catalogue
from conformance.decode.response import Received
from conformance.exchange.exchange import Attempt
from conformance.judge.cases import context_of
from conformance.results import results_file
from conformance.results.causes import causes
from conformance.results.grouping import group_by_cause
from conformance.results.records import CaseRecord
from conformance.scenarios.base import BASE, CAP, EFFORT, STRING, Form, form_of, next_form
from conformance.scenarios.plan import Plan
from tests.support.dialects import DIALECTS
from tests.support.runs import exchange
from tools.in_process import evaluated, record, record_of, verdicts

#: The cases that are the causes of a dialect.
CAUSES = {
    "bearer-only": ["auth.api-key-header-accepted@auth.api-key"],
    "api-key-only": ["auth.bearer-accepted@auth.bearer"],
    "no-effort-none": ["effort.none-accepted@effort.none"],
    "no-reasoning": ["request.reasoning.effort-accepted@efforts"],
    "no-cap": ["request.max_output_tokens-accepted@max_output_tokens=1"],
    "messages-only": ["request.input-string@input.string"],
    "no-streams": ["request.stream-accepted@streams", "request.wrong-type@stream=1"],
    "no-plain": ["request.model-accepted@text"],
    "no-tools": ["request.tools-accepted@tools.unused"],
    "breaks-at-low-caps": ["request.max_output_tokens-accepted@max_output_tokens=1"],
}

#: Those whose requests are all sent in another form.
ASKED_OTHERWISE = ("bearer-only", "api-key-only", "no-effort-none", "no-cap", "messages-only", "no-plain")

#: Rules that are about nothing but what the dialect refuses.
UNANSWERED = {
    "bearer-only": {
        "auth.api-key-header-accepted",
        "auth.wrong-api-key-refused",
        "auth.empty-key-refused",
        "auth.one-right-one-wrong",
    },
    "no-plain": {
        "effort.plain-equals-stream",
        "error.streaming-same-status",
        "http.body-is-utf8-json",
        "http.json-content-type",
        "sum.plain-same-kinds",
        "sum.plain-same-shape",
        "tools.called-either-way",
    },
    "no-effort-none": {
        "effort.none-accepted",
        "effort.none-does-not-think",
        "usage.reasoning-not-input",
        "usage.cap-adds-no-tokens",  # It compares responses without reasoning.
    },
}


@cache
def lines(name: str) -> list[CaseRecord]:
    """The case lines of a run against a dialect."""
    results, recorded = evaluated(DIALECTS[name])
    return group_by_cause(results_file.in_order(results_file.case_record(one, recorded, 1.0) for one in results))


@pytest.mark.parametrize("name", DIALECTS)
def test_what_a_server_refuses_of_the_base_is_one_cause(name: str) -> None:
    assert sorted(cause.cases[0].id for cause in causes(lines(name))) == sorted(CAUSES[name])


@pytest.mark.parametrize("name", ASKED_OTHERWISE)
def test_what_could_not_be_evaluated_follows_from_that_cause(name: str) -> None:
    inconclusive = [line for line in lines(name) if line.verdict == "inconclusive"]
    assert {line.cause for line in inconclusive} <= set(CAUSES[name])


@pytest.mark.parametrize("name", UNANSWERED)
def test_every_other_rule_is_evaluated(name: str) -> None:
    usually = {one.case.rule for one in verdicts(None) if one.verdict == "pass"}
    evaluated = {line.requirement for line in lines(name) if line.verdict in ("pass", "fail", "warning")}
    assert usually - evaluated <= UNANSWERED[name]


def test_a_refusal_for_another_reason_is_no_pass() -> None:
    """Where the right key is refused too, a refused wrong key says nothing."""
    told = {line.id: line.verdict for line in lines("bearer-only")}
    assert told["auth.wrong-api-key-refused@auth.refused.api-key-wrong"] == "inconclusive"
    assert told["auth.wrong-bearer-refused@auth.refused.bearer-wrong"] == "pass"


def test_without_reasoning_in_the_profile_no_request_has_the_member() -> None:
    target = resolve({"endpoint": "http://127.0.0.1:9/v1"}, {}, "5eed5eed", None)
    context = context_of(replace(target, lacks=frozenset({"reasoning"})))
    recorded = record_of(context)
    plan = Plan(context, context.scenarios)
    sent = {one.name: Received(recorded.received(one.name).exchange, one.name).sent for one in plan.scenarios}
    own = {name for name in sent if name.startswith("client.")}  # Sent as they were captured.
    assert {name for name, body in sent.items() if "reasoning" in body} <= own


# -- the search --------------------------------------------------------------------------------------------------------


API_KEY, BEARER = "api-key", "bearer"
USUAL = Form(API_KEY)


def refusal(status: int, message: str = "no", **more: Any) -> Any:
    body = f'{{"error":{{"message":"{message}"}}}}'.encode()
    return exchange("text", body, status=status, **more)


def forms(*refused: Any) -> list[Form]:
    """The forms in which the base is sent while these are the responses."""
    tried = [USUAL]
    for number in range(1, len(refused) + 1):
        following = next_form(list(refused[:number]), tried, DEFAULT)
        if following is None:
            return tried
        tried.append(following)
    return tried


def test_a_served_base_is_sent_once() -> None:
    assert forms(exchange("text", b"{}")) == [USUAL]


def test_a_refused_key_is_sent_in_the_other_header_once() -> None:
    assert forms(refusal(401), refusal(401)) == [USUAL, Form(BEARER)]


def test_a_key_that_is_refused_in_a_stream_is_sent_in_the_other_header() -> None:
    refused = refusal(200, "the upstream returned 401: Invalid API Key")
    assert forms(refused, refused) == [USUAL, Form(BEARER)]
    assert form_of(refused, USUAL, DEFAULT) == USUAL
    served = exchange("text", b'{"status": "completed", "output_text": "My API key: 401"}')
    assert forms(served) == [USUAL]


def test_what_the_message_names_is_left_out_first() -> None:
    assert forms(refusal(400, "Unsupported parameter: max_output_tokens"))[-1] == Form(API_KEY, frozenset({CAP}))
    assert forms(refusal(422, "reasoning.effort: bad value"))[-1] == Form(API_KEY, frozenset({EFFORT}))


def test_after_each_alone_several_parts_are_left_out() -> None:
    found = forms(*[refusal(400)] * 9)
    assert [len(form.without) for form in found] == [0, 1, 1, 1, 2, 2, 2, 3]
    assert found[-1].without == {EFFORT, CAP, STRING}


def test_both_the_header_and_a_part_are_found() -> None:
    found = forms(refusal(401), refusal(422, "bad effort"))
    assert found[-1] == Form(BEARER, frozenset({EFFORT}))


@pytest.mark.parametrize("status", [404, 405, 429, 503])
def test_no_other_form_is_tried_where_none_would_do(status: int) -> None:
    assert forms(refusal(status)) == [USUAL]


def test_a_base_that_breaks_every_time_is_sent_in_other_forms() -> None:
    assert len(forms(refusal(500, attempts=(Attempt(500, "clean", 0.1),)))) == 2
    assert forms(refusal(500)) == [USUAL]


def test_the_form_is_read_from_the_served_request() -> None:
    served = exchange("text", b"{}")
    assert form_of(served, USUAL, DEFAULT) == Form(API_KEY, frozenset({EFFORT, CAP}))
    assert form_of(refusal(400), Form(BEARER), DEFAULT) == Form(BEARER)


def test_the_base_is_evaluated_in_the_form_in_which_it_was_served() -> None:
    received = record(DIALECTS["no-effort-none"]).received(BASE)
    assert [one.status for one in received.samples] == [422, 200]
    assert received.exchange.ok
    assert "reasoning" not in received.sent


def test_no_rule_is_evaluated_less_often_by_the_built_in_endpoint() -> None:
    counts = Counter(one.verdict for one in verdicts(None))
    assert set(counts) == {"pass", "not-applicable"}
    rows = {one.case.requirement.id for one in verdicts(None) if one.verdict == "pass"}
    assert rows <= set(catalogue())


def test_where_nothing_streams_a_combination_is_sent_plain() -> None:
    recorded = record(DIALECTS["no-streams"])
    plain, of_an_agent = (recorded.received(f"combination.{number}.stream") for number in (7, 5))
    assert (plain.exchange.status, plain.streaming) == (200, False)
    assert (of_an_agent.exchange.status, of_an_agent.streaming) == (501, True)  # Agents stream.
    assert recorded.received("tools.call.stream").streaming  # tools.call shows the rest.
