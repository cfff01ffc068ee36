"""Errors: an envelope with a real status, the same plain and streaming, and an endpoint that survives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from conformance.answer import Answer, CannotJudge, DoesNotApply
from conformance.checks.common import (
    BUSY,
    between,
    breaks_every_time,
    busy_elsewhere,
    envelope,
    excerpt,
    is_error_body,
    must_be_an_answer,
    must_be_served,
    settled,
)
from conformance.scenarios.scenario import Scenario
from conformance.select import each, everything, pairs, together
from conformance.verdict import Case, Finding, Group, Selector, World, breaks_schema, check


def _with(*tags: str) -> Selector:
    """A case for each scenario with one of the tags."""
    return lambda world: [Group(one.name, (one.name,)) for one in world.scenarios.values() if one.tags & set(tags)]


#: Each request that is wrong on purpose, and the credentials that are: their envelope has a rule of its own.
_strange = _with("bad", "violation", "outside")
_refusals = _with("bad", "violation", "outside", "method", "auth-refused")

#: The label of the case of all other requests: one that is within the contract may be refused too, with an error that
#: is enveloped as any.
_WITHIN = "answers"


def _within(world: World, *tags: str) -> list[Group]:
    """One case for all other requests, but for those with two keys and those with one of these tags."""
    apart = {name for group in _refusals(world) for name in group.scenarios}

    def wanted(one: Scenario) -> bool:
        return one.expect != "refusal" and one.name not in apart and not one.tags & {"auth-both", *tags}

    return everything(_WITHIN, where=wanted)(world)


_INTERNALS = (
    ("a stack trace", re.compile(r"Traceback \(most recent call last\)|^\s+at [\w.$<>]+ ?\(.+:\d+", re.MULTILINE)),
    ("a file path", re.compile(r"(?<![\w:/.])/(?:usr|home|opt|app|srv|var|root|mnt)/[\w.\-/]+|[A-Z]:\\\\\w+")),
    ("a source file", re.compile(r"\w\.(?:py|go|rs|ts|js|java|rb|php|cs):\d+")),
    ("a class of the server's code", re.compile(r"\b[a-z]\w*(?:\.[a-z]\w*)+\.[A-Z]\w+")),
    ("an exception of the server's code", re.compile(
        r"'\w+' object (?:is not|has no|cannot|does not)\b"
        r"|\b(?:Type|Key|Value|Index|Attribute|Reference|Runtime)Error\b"
        r"|\bcannot read propert(?:y|ies) of|\bis not a function\b|\bNullPointerException\b|\bnil pointer\b",
        re.IGNORECASE,
    )),
    ("HTML", re.compile(r"<(?:!doctype html|html|body|title)\b", re.IGNORECASE)),
)  # fmt: skip


@check("error.envelope", over=lambda world: _strange(world) + _within(world))
def test_error_is_enveloped(answer: Answer, case: Case) -> Iterator[Finding]:
    _when_refused(answer, case)
    if case.label == _WITHIN and answer.exchange.status in (401, 403):
        raise DoesNotApply("the envelope of a refused key has a rule of its own")
    try:
        answer.exchange.body.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Finding(
            f"the error is not in UTF-8: {error.reason} at byte {error.start}", want="UTF-8", got=excerpt(answer)
        )
        return
    for problem in case.world.schemas.errors("error.json", envelope(answer)):
        yield breaks_schema(problem)


@check("error.json-content-type", over=lambda world: _refusals(world) + _within(world))
def test_error_is_application_json(answer: Answer, case: Case) -> Iterator[Finding]:
    _when_refused(answer, case)
    if (
        not answer.streaming
        and answer.exchange.body
        and answer.exchange.media_type
        not in (
            "application/json",
            "application/problem+json",
        )
    ):
        got = answer.exchange.header("content-type")
        yield Finding(f"the Content-Type of the error is {got!r}", want="application/json", got=got)


# What a client asks for may be just that, and an error may quote it.
@check("error.no-internals", over=lambda world: _refusals(world) + _within(world, "captured"))
def test_error_shows_no_internals(answer: Answer, case: Case) -> Iterator[Finding]:
    if answer.exchange.ok or (case.label == _WITHIN and not answer.exchange.body):
        raise DoesNotApply("the request was not refused")
    body = answer.exchange.body[:100_000].decode("utf-8", "replace")
    for what, pattern in _INTERNALS:
        if match := pattern.search(body):
            yield Finding(f"the error shows {what}", want="words for a client", got=match[0].strip()[:120])


@check("error.real-status", over=_strange)
def test_error_has_an_error_status(answer: Answer) -> Iterator[Finding]:
    status = settled(answer)
    if status >= 500:
        yield Finding(f"a bad request is answered with HTTP {status}", want="a 4xx status", got=status)
    elif answer.exchange.ok and is_error_body(answer):
        yield Finding(f"an error body under HTTP {status}", "/error", None, "a 4xx status", status)


@check("error.real-status", over=together("bad-requests", "bad", "violation"), together=True)
def test_bad_request_does_not_make_the_server_busy(answers: list[Answer]) -> Iterator[Finding]:
    for answer in answers:
        status = answer.exchange.status
        if status in BUSY and breaks_every_time(answer.exchange) and not busy_elsewhere(answer, answers):
            tries = len(answer.exchange.attempts) + 1
            message = f"a bad request is answered with HTTP {status} in each of {tries} tries, and no other request is"
            yield Finding(message, want="a 4xx status", got=status, scenario=answer.scenario)


@check("error.success-is-no-error", over=everything("answers", where=lambda one: one.expect == "answer"))
def test_answer_is_no_error(answer: Answer) -> Iterator[Finding]:
    if answer.exchange.ok and is_error_body(answer):
        yield Finding(f"an error body under HTTP {answer.arrived}", "/error", None, "a Response", answer.arrived)


def _before_and_after(world: World) -> list[Group]:
    return [replace(group, scenarios=("text", *group.scenarios), whole=True) for group in each("survives")(world)]


@check("error.endpoint-survives", over=_before_and_after, together=True)
def test_endpoint_survives_the_bad_requests(answers: list[Answer]) -> Iterator[Finding]:
    before, after = answers
    if not before.exchange.ok:
        raise CannotJudge("a good request was not served before the bad ones either")
    for one in _served_still(after):
        yield replace(one, scenario=after.scenario)


def _served_still(answer: Answer) -> Iterator[Finding]:
    if answer.exchange.status is None or answer.exchange.status >= 500:
        got = answer.exchange.status or answer.exchange.ended
        yield Finding("a good request after the bad ones is not served, and one before them was", want=200, got=got)
        return
    yield from must_be_served(answer)
    if answer.exchange.ok:
        yield from must_be_an_answer(answer)


def _twins(world: World) -> list[Group]:
    found = [group for tag in ("bad", "violation", "auth-refused") for group in pairs(tag)(world)]
    return list({group.label: group for group in found}.values())


@check("error.streaming-same-status", over=_twins, together=True)
def test_streaming_error_has_the_same_status(given: list[Answer]) -> Iterator[Finding]:
    plain, stream = (settled(answer) for answer in given)
    if plain // 100 != stream // 100:
        message = f"plain HTTP {plain}, with stream: true HTTP {stream}"
        yield between(given[0], given[1], message, "", plain, stream)


def _when_refused(answer: Answer, case: Case) -> None:
    if answer.exchange.ok or (case.label == _WITHIN and not answer.exchange.refused):
        raise DoesNotApply("the request was not refused")
    if not 400 <= settled(answer) < 500:
        raise CannotJudge(f"HTTP {answer.arrived}")
