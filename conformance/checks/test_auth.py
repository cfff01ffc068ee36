"""Authentication: each documented way is accepted, everything else is refused with a 401 that says nothing secret."""

from __future__ import annotations

from conformance.decode.response import Answer, CannotJudge, DoesNotApply
from conformance.judge.applicability import REQUEST, RETRIED_APART, UNKNOWN_SENDER, Where
from conformance.judge.common import envelope, must_be_served, retried, said, scenario_of, settled
from conformance.judge.selectors import Wanted, each, everything
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, breaks_schema, check

_REFUSED = each("auth-refused")


@check("{accepted}", over=each("auth-accepted"), aside=UNKNOWN_SENDER)
def test_documented_way_is_accepted(answer: Answer) -> Findings:
    yield from must_be_served(answer)


@check(
    "{refused}",
    over=each("auth-refused", where=lambda one: "auth-first" not in one.tags),
    aside=UNKNOWN_SENDER,
)
def test_credential_is_refused(answer: Answer) -> Findings:
    status = settled(answer)
    yield EXAMINED
    if status not in (401, 403):
        yield Finding(f"answered with HTTP {status}{said(answer)}", want=401, got=status)


def _denied(answer: Answer) -> int:
    """The status of a refused key; ``DoesNotApply`` where it was not refused."""
    if (status := settled(answer)) not in (401, 403):
        raise DoesNotApply(f"HTTP {status} is no refusal of a key")
    return status


@check("auth.refused-with-401", over=_REFUSED, aside=UNKNOWN_SENDER)
def test_refusal_is_401(answer: Answer) -> Findings:
    status = _denied(answer)
    yield EXAMINED
    if status == 403:
        yield Finding("refused with HTTP 403", want=401, got=403)


@check("auth.refused-before-body-is-judged", over=each("auth-first"), aside=UNKNOWN_SENDER)
def test_key_is_judged_before_the_body(answer: Answer) -> Findings:
    status = settled(answer)
    yield EXAMINED
    if status not in (401, 403):
        yield Finding(f"a wrong key with a malformed body is answered with HTTP {status}", want=401, got=status)


@check("auth.refusal-is-enveloped", over=_REFUSED, where=Where("denials", reads=REQUEST))
def test_refusal_has_an_error_envelope(answer: Answer, case: Case) -> Findings:
    _denied(answer)
    yield EXAMINED
    for problem in case.world.schemas.errors("error.json", envelope(answer)):
        yield breaks_schema(problem)


@check("auth.refusal-never-echoes-key", over=_REFUSED, where=Where("denials"))
def test_refusal_does_not_echo_the_credential(answer: Answer) -> Findings:
    yield EXAMINED
    for place in answer.exchange.leaks:
        yield Finding(f"the credential that was sent comes back in the {place}", want="nowhere", got=place)


@check(
    "auth.key-never-echoed",
    over=everything("answers", where=lambda one: "auth-refused" not in one.tags),
    where=Where("others", elsewhere=False),
)
def test_answer_does_not_echo_the_key(answer: Answer) -> Findings:
    yield EXAMINED
    for place in answer.exchange.leaks:
        yield Finding(f"the key comes back in the {place}", want="nowhere", got=place)


@check(
    "auth.right-key-never-401",
    over=lambda world: everything("requests", where=lambda one: one.auth == world.contract.way.name)(world),
    together=True,
    aside=UNKNOWN_SENDER,
)
def test_nothing_but_the_key_brings_a_401(answers: list[Answer], case: Case) -> Findings:
    if not any(one.exchange.ok for one in answers):
        raise CannotJudge("no request with the key was served")
    for answer in answers:
        yield Examined(answer.exchange.status is not None)
        if answer.exchange.status == 401 and scenario_of(answer, case).expect != "answer":
            message = f"HTTP 401, though the key is right and served elsewhere{said(answer)}"
            yield Finding(message, want="another 4xx status", got=401, scenario=answer.scenario)


@check("auth.refusal-names-scheme", over=each("auth-refused", stream=False))
def test_refusal_names_the_scheme(answer: Answer) -> Findings:
    said = answer.exchange.header("www-authenticate")
    yield Finding(f"WWW-Authenticate: {said}" if said else "no WWW-Authenticate")


@check("{of}", over=each("auth-both"), aside=UNKNOWN_SENDER)
def test_both_headers(answer: Answer) -> Findings:
    yield Finding(f"HTTP {answer.arrived}")


def _wrong_key(wrong: bool) -> Wanted:
    return lambda one: ("auth-refused" in one.tags) is wrong


def _echoed_before_a_retry(answer: Answer, what: str) -> Findings:
    for one in retried(answer):
        yield EXAMINED
        for place in one.exchange.leaks:
            message = f"HTTP {one.exchange.status}, which is retried: {what} comes back in the {place}"
            yield Finding(message, want="nowhere", got=place)


@check("auth.key-never-echoed", over=everything("retried", where=_wrong_key(False)), aside=RETRIED_APART)
def test_response_that_is_retried_does_not_echo_the_key(answer: Answer) -> Findings:
    yield from _echoed_before_a_retry(answer, "the key")


@check("auth.refusal-never-echoes-key", over=everything("retried", where=_wrong_key(True)), aside=RETRIED_APART)
def test_refusal_that_is_retried_does_not_echo_the_credential(answer: Answer) -> Findings:
    yield from _echoed_before_a_retry(answer, "the credential")
