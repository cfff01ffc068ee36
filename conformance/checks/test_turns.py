"""Structure and turns: JSON on demand, conversations, and concurrent requests that do not mix."""

from __future__ import annotations

from conformance.decode.response import Answer, CannotJudge, DoesNotApply
from conformance.judge.applicability import COMPARES, NEEDS_A_CAUSE, UNKNOWN_SENDER
from conformance.judge.common import must_be_served, must_be_served_or_refused, scenario_of, unless_for_its_size
from conformance.judge.selectors import each
from conformance.judge.selectors import together as all_of
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check
from conformance.scenarios.ordinary import IS_JSON


@check("format.json-object", over=each("json"), aside=NEEDS_A_CAUSE)
def test_json_object_is_one(answer: Answer) -> Findings:
    if answer.response.get("status") != "completed":
        raise DoesNotApply("the answer did not end completed")
    yield EXAMINED
    if not IS_JSON.met(answer):
        message = f"in {len(answer.samples)} tries the text was no JSON object"
        yield Finding(message, answer.pointer + "/output", answer.event, "a JSON object", answer.words[:160])


@check("turns.history-accepted", over=each("turns", where=lambda one: "returned" not in one.tags), aside=UNKNOWN_SENDER)
def test_history_is_accepted(answer: Answer, case: Case) -> Findings:
    unless_for_its_size(answer, case)
    yield from must_be_served(answer)


@check("turns.full-output-returned", over=each("returned"), aside=UNKNOWN_SENDER)
def test_returned_output_is_accepted(answer: Answer) -> Findings:
    yield from must_be_served(answer)


@check("parallel.requests-do-not-mix", over=all_of("parallel", "parallel"), together=True, aside=COMPARES)
def test_concurrent_requests_keep_to_themselves(given: list[Answer], case: Case) -> Findings:
    words = {answer.scenario: scenario_of(answer, case).about["codeword"] for answer in given}
    served = [answer for answer in given if answer.exchange.ok]
    if len(served) < 2:
        raise CannotJudge(f"{len(served) or 'none'} of {len(given)} requests at once was served")
    for answer in served:
        body = answer.exchange.body
        yield Examined(bool(body))
        for other, word in words.items():
            if other != answer.scenario and word.encode() in body:
                message = f"the answer holds {word!r}, which only {other} asked for"
                yield Finding(message, want=words[answer.scenario], got=word, scenario=answer.scenario)


@check("turns.unusual-history", over=each("unusual"), without_response=True, aside=UNKNOWN_SENDER)
def test_unusual_history_does_no_harm(answer: Answer) -> Findings:
    yield from must_be_served_or_refused(answer)
