"""Connections: what follows on one that a server keeps open, or after one that the client closes, is served like any
other request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from conformance.decode.events import mapping
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.exchange import Attempt
from conformance.exchange.planned import AFTER_CLOSED, CLOSED, MIDWAY, ON_KEPT
from conformance.judge.applicability import UNKNOWN_SENDER
from conformance.judge.common import BUSY, error_detail, scenario_of
from conformance.judge.lockout import lockout
from conformance.judge.samples import response_of
from conformance.judge.selectors import everything
from conformance.judge.verdict import EXAMINED, Case, Examined, Finding, Findings, check


@check(
    "http.connection-reusable", over=everything("kept", where=lambda one: one.reuses), not_for_captured=UNKNOWN_SENDER
)
def test_the_next_request_on_a_connection_is_served(received: Received, case: Case) -> Findings:
    exchange, before = received.exchange, scenario_of(received, case).after
    failed = next((one for one in exchange.attempts if one.detail.startswith(ON_KEPT)), None)
    error_words = _words_on_kept_connection(received, case)
    if not (failed or exchange.connection):
        raise DoesNotApply("the server closed the connection after the previous response")
    if lockout(received, scenario_of(received, case).factors):
        raise DoesNotApply("the valid key was refused, which another rule reports")
    yield EXAMINED
    if failed and exchange.ok:
        got = f"HTTP {failed.status}" if failed.status else f"{failed.ended}: {failed.detail.removeprefix(ON_KEPT)}"
        message = f"{got} on the connection of {before}, HTTP {exchange.status} on a new one{error_words}"
        yield Finding(message, want=exchange.status, got=failed.status or failed.ended)


def _words_on_kept_connection(received: Received, case: Case) -> str:
    """The server's words about the request on the kept connection; they may be about another request."""
    kept = (one for one in received.exchange.retried if one.detail.startswith(ON_KEPT))
    words = next((error_detail(response_of(one, received)) for one in kept), "")
    for one in case.context.scenarios.values():
        named = str(one.body.get("model", "")) if one.about.get("rule") == "unknown-model" else ""
        if named and re.search(rf"{re.escape(named)}(?![\w.-]*\w)", words):
            return f"; the error is that of {one.name}{words}"
    return words


@dataclass(frozen=True)
class _Left:
    """What a request may leave behind: ``of`` is whether the one before has it, ``shown`` how a response that has it
    against its own request differs (empty if it does not), ``most_by_chance`` how many such responses are no proof."""

    of: Callable[[Received], bool]
    shown: Callable[[Received], str]
    most_by_chance: int = 0


def _other_format(received: Received) -> str:
    if not received.exchange.ok or received.looks_like_stream == received.streaming:
        return ""
    kind = "an event stream" if received.looks_like_stream else "no event stream"
    return f"{kind} for a request with{'' if received.streaming else 'out'} stream: true"


def _undeclared_call(received: Received) -> str:
    called = not received.sent.get("tools") and received.items("function_call")
    return "a call although the request declares no tool" if called else ""


def _effort(received: Received) -> object:
    return mapping(received.sent.get("reasoning")).get("effort")


def _not_thinking(received: Received) -> str:
    effort = _effort(received)
    may_reason = effort not in (None, received.contract.effort.off) and received.response
    return f"no reasoning at effort {effort}" if may_reason and not received.has_reasoning else ""


#: A model may now and then not reason though it could: one response without proves nothing.
_LEFT = (
    _Left(lambda before: before.exchange.ok, _other_format),
    _Left(lambda before: bool(before.sent.get("tools")), _undeclared_call),
    _Left(lambda before: _effort(before) == before.contract.effort.off, _not_thinking, 1),
)


@check("http.connection-reusable", over=everything("state"), together=True, not_for_captured=UNKNOWN_SENDER)
def test_nothing_of_a_request_shows_in_the_next_one(responses: list[Received], case: Case) -> Findings:
    firsts = {one.scenario: _first(one) for one in responses}
    kept = [one for one in firsts.values() if one.exchange.connection]
    fresh = [one for one in firsts.values() if one not in kept and scenario_of(one, case).expect == "answer"]
    pairs = [(one, firsts[after]) for one in kept if (after := scenario_of(one, case).after) in firsts]
    yield Examined(len(pairs))
    for left in _LEFT:
        found = [(one, earlier, words) for one, earlier in pairs if left.of(earlier) and (words := _of(left, one))]
        if len(found) > left.most_by_chance and not any(_of(left, one) for one in fresh):
            for one, earlier, words in found:
                message = f"{words}, only on the connection of {earlier.scenario}"
                yield Finding(message, want="the response as on a new connection", scenario=one.scenario)


def _first(received: Received) -> Received:
    """The first sample, which alone is sent on the connection of an earlier request."""
    if received.exchange is received.samples[0]:
        return received
    return response_of(received.samples[0], received)


def _of(left: _Left, received: Received) -> str:
    try:
        return left.shown(received)
    except CannotEvaluate:
        return ""


@check(
    "http.served-after-closed-stream",
    over=everything("closed", where=lambda one: bool(one.closes)),
    without_response=True,
    not_for_captured=UNKNOWN_SENDER,
)
def test_the_request_after_a_closed_stream_is_served(received: Received, case: Case) -> Findings:
    exchange = received.exchange
    if "streaming" in case.context.target.lacks:
        raise DoesNotApply("the profile excludes streaming")
    failed = _after_closed(exchange.attempts)
    yield EXAMINED
    if failed:
        got = f"HTTP {failed.status}" if failed.status else failed.ended
        again = f"HTTP {exchange.status}" if exchange.status else exchange.ended
        message = f"{got} directly after a stream that the client closed, {again} when the same request is sent again"
        yield Finding(message, want=200, got=failed.status or failed.ended)


def _after_closed(attempts: tuple[Attempt, ...]) -> Attempt | None:
    """The failed attempt directly after a stream that was closed in the middle; None if it did not fail."""
    if any(one.detail == CLOSED and one.ended == "clean" and one.status == 200 for one in attempts):
        raise DoesNotApply("the stream was received completely before the client could close it")
    if not any(one.detail == CLOSED + MIDWAY for one in attempts):
        raise CannotEvaluate("the recording contains no stream that the client closed before its end")
    failed = next((one for one in attempts if one.detail.startswith(AFTER_CLOSED)), None)
    if failed and failed.status and (failed.status in BUSY or failed.status < 500):
        # A refusal is about the request, and a busy server may still count the closed stream.
        raise CannotEvaluate(f"received HTTP {failed.status} after the stream that the client closed")
    return failed
