"""Authentication: each documented way is accepted; everything else is refused with 401, without credentials in it."""

from __future__ import annotations

from dataclasses import replace

from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.judge.applicability import REQUEST, RETRIES, UNKNOWN_SENDER, Where
from conformance.judge.common import (
    BUSY,
    always_busy,
    definite_status,
    error_detail,
    must_be_served,
    retried,
    scenario_of,
)
from conformance.judge.envelopes import envelope_findings
from conformance.judge.selectors import Wanted, beside, each, everything, together
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, Group, check
from conformance.scenarios.context import Context

_REFUSED = each("auth-refused")

#: The rule that reports a status with which every invalid credential is refused.
_EVERY = "auth.wrong-bearer-refused"


#: The least number of invalid keys in one header that must receive the same.
_SEVERAL = 3


def _wrong_keys(context: Context) -> list[Group]:
    """For each rule about an invalid credential all of them, beside valid ones."""
    wrong = beside(together("wrong-keys", "auth-refused", stream=False), "text", "text.stream", "auth.bearer")(context)
    names = {name for group in wrong for name in group.scenarios}
    rules = {context.scenarios[name].about["refused"] for name in names} - {"-"}
    return [replace(group, about={"refused": rule}) for group in wrong for rule in sorted(rules)]


@check("{accepted}", over=each("auth-accepted"), not_for_captured=UNKNOWN_SENDER)
def test_documented_way_is_accepted(received: Received) -> Findings:
    yield from must_be_served(received)


@check(
    "{refused}",
    over=each("auth-refused", where=lambda one: "auth-first" not in one.tags),
    not_for_captured=UNKNOWN_SENDER,
)
def test_credential_is_refused(received: Received, case: Case) -> Findings:
    status = definite_status(received)
    yield EXAMINED
    if status not in (401, 403):
        behind = f"401, also behind the valid key of {scenario_of(received, case).after} on one connection"
        want = behind if received.exchange.connection else 401
        yield Finding(f"received HTTP {status}{error_detail(received)}", want=want, got=status)


@check("{refused}", over=_wrong_keys, together=True, not_for_captured=UNKNOWN_SENDER)
def test_refusal_has_no_busy_status(responses: list[Received], case: Case) -> Findings:
    wrong = [one for one in responses if one.scenario in case.scenarios]
    yield Examined(sum(one.exchange.status is not None for one in wrong))
    busy = [one for one in wrong if one.exchange.status in BUSY]
    if not (way := _only_way(busy, wrong, case)):  # A limit of their rate is legal: only some receive 429.
        busy = [one for one in busy if one.exchange.status != 429]
    many = f"every {way}" if way else f"{len(busy)} requests"
    kind, some = ("every", wrong) if len(busy) in (0, len(wrong)) else (f"{many} with an", busy)
    owner = _EVERY if some is wrong else scenario_of(some[0], case).about["refused"]
    others = [one for one in responses if one not in some]
    if len(some) > 1 and case.rule == owner and (status := always_busy(some, others)):
        rest = f"none of the {'valid' if some is wrong else 'other'} keys did{error_detail(some[0])}"
        message = f"{kind} invalid key received HTTP {status}, and {rest}"
        names = tuple(one.scenario for one in some)
        yield Finding(message, want=401, got=status, scenario=names[0], also=names[1:])


def _only_way(busy: list[Received], wrong: list[Received], case: Case) -> str:
    """The way to authenticate of which every invalid key, however often it was sent, received a busy status, if none of
    another way did: a limit of the rate counts both. Empty if there is none."""
    auth = {one.scenario: scenario_of(one, case).auth.partition(":") for one in wrong}
    busy_ways, ways = ({auth[one.scenario][0] for one in some} for some in (busy, wrong))
    rest = [one for one in wrong if one not in busy]
    spared = any(auth[one.scenario][0] in busy_ways and auth[one.scenario][2] != "empty" for one in rest)
    sure = len(busy_ways) == 1 and len(ways) > 1 and not spared and len(busy) >= _SEVERAL
    return busy_ways.pop() if sure else ""


def _denied(received: Received) -> int:
    """The status, 401 or 403; :class:`DoesNotApply` for any other."""
    if (status := definite_status(received)) not in (401, 403):
        raise DoesNotApply(f"HTTP {status} does not refuse the key")
    return status


@check("auth.refused-with-401", over=_REFUSED, not_for_captured=UNKNOWN_SENDER)
def test_refusal_is_401(received: Received) -> Findings:
    status = _denied(received)
    yield EXAMINED
    if status == 403:
        yield Finding("refused with HTTP 403", want=401, got=403)


@check("auth.refused-before-body-is-judged", over=each("auth-first"), not_for_captured=UNKNOWN_SENDER)
def test_key_is_checked_before_the_body(received: Received) -> Findings:
    status = definite_status(received)
    yield EXAMINED
    if status not in (401, 403):
        yield Finding(f"invalid key with a malformed body: received HTTP {status}", want=401, got=status)


@check("auth.refusal-is-enveloped", over=_REFUSED, where=Where("denials", reads=REQUEST))
def test_refusal_has_an_error_envelope(received: Received, case: Case) -> Findings:
    _denied(received)
    yield EXAMINED
    yield from envelope_findings(received, case)


@check("auth.refusal-never-echoes-key", over=_REFUSED, where=Where("denials"))
def test_refusal_does_not_echo_the_credential(received: Received) -> Findings:
    yield EXAMINED
    for place in received.exchange.leaks:
        yield Finding(f"the response contains the credential that was sent, in the {place}", want="nowhere", got=place)


@check(
    "auth.key-never-echoed",
    over=everything("answers", where=lambda one: "auth-refused" not in one.tags),
    where=Where("others", other_scenarios=False),
)
def test_response_does_not_echo_the_key(received: Received) -> Findings:
    yield EXAMINED
    for place in received.exchange.leaks:
        yield Finding(f"the response contains the key, in the {place}", want="nowhere", got=place)


@check(
    "auth.right-key-never-401",
    over=lambda context: everything("requests", where=lambda one: one.auth == context.contract.way.name)(context),
    together=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_nothing_but_the_key_brings_a_401(responses: list[Received], case: Case) -> Findings:
    if not any(one.exchange.ok for one in responses):
        raise CannotEvaluate("no request with the valid key was served")
    for received in responses:
        yield Examined(received.exchange.status is not None)
        if received.exchange.status == 401 and scenario_of(received, case).expect != "answer":
            message = f"a valid key, with which other requests were served, received HTTP 401{error_detail(received)}"
            yield Finding(message, want="another 4xx status", got=401, scenario=received.scenario)


@check("auth.refusal-names-scheme", over=each("auth-refused", stream=False))
def test_refusal_names_the_scheme(received: Received) -> Findings:
    error_detail = received.exchange.header("www-authenticate")
    yield Finding(f"WWW-Authenticate: {error_detail}" if error_detail else "no WWW-Authenticate")


@check("{of}", over=each("auth-both"), not_for_captured=UNKNOWN_SENDER)
def test_both_headers(received: Received) -> Findings:
    yield Finding(f"HTTP {received.arrived}")


def _wrong_key(wrong: bool) -> Wanted:
    return lambda one: ("auth-refused" in one.tags) is wrong


def _echoed_before_a_retry(received: Received, what: str) -> Findings:
    for one in retried(received):
        yield EXAMINED
        for place in one.exchange.leaks:
            message = f"HTTP {one.exchange.status}, which is retried: the response contains {what}, in the {place}"
            yield Finding(message, want="nowhere", got=place)


@check("auth.key-never-echoed", over=everything("retried", where=_wrong_key(False)), not_for_captured=RETRIES)
def test_response_that_is_retried_does_not_echo_the_key(received: Received) -> Findings:
    yield from _echoed_before_a_retry(received, "the key")


@check(
    "auth.refusal-never-echoes-key",
    over=everything("retried", where=_wrong_key(True)),
    not_for_captured=RETRIES,
)
def test_refusal_that_is_retried_does_not_echo_the_credential(received: Received) -> Findings:
    yield from _echoed_before_a_retry(received, "the credential")
