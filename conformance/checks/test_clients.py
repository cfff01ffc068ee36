"""Real clients that receive the recorded bytes end with the text, calls and usage of the recorded Response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.clients.differences import differences, expected
from conformance.contract.clients import Client, client
from conformance.decode.response import DoesNotApply, Received
from conformance.judge.applicability import NEEDS_CLIENTS
from conformance.judge.selectors import responses
from conformance.judge.verdict import EXAMINED, Case, Finding, Findings, Group, check
from conformance.scenarios.context import Context
from conformance.scenarios.tools import turns


def _single_turn_cases(context: Context) -> list[Group]:
    """A case for each client with one turn and each documented request of the kind, plain or streamed, it sends."""
    return [
        replace(group, about={**group.about, "fed": name})
        for name in context.clients
        if not client(name).turns
        for group in _groups(client(name), context)
    ]


def _groups(client: Client, context: Context) -> list[Group]:
    """The requests of which a client reads the responses; in lite mode also those that may be refused."""
    if not client.lite:
        return responses(client.streams)(context)
    return [Group(one.name, (one.name,), one.about) for one in context.scenarios.values() if client.reads(one.body)]


def _two_turn_cases(context: Context) -> list[Group]:
    """A case for each client with two turns and each pair of a call and its follow-up request."""
    return [
        Group(calls, (calls, then), {"fed": name}, requires_all=True)
        for name in context.clients
        if client(name).turns
        for calls, then in turns(context.scenarios).items()
    ]


@check("client.{fed}", over=_single_turn_cases, not_for_captured=NEEDS_CLIENTS)
def test_a_client_ends_with_what_was_sent(received: Received, case: Case) -> Findings:
    name = case.about["fed"]
    if received.exchange.refused:  # Only a request that may be refused.
        raise DoesNotApply("the request was refused")
    outcome = received.ended(name)
    wrong = differences(outcome, expected(received))
    yield EXAMINED
    for one in wrong:
        yield Finding(f"{name} {one.message}", want=one.want, got=one.got)


@check("client.{fed}", over=_two_turn_cases, together=True, not_for_captured=NEEDS_CLIENTS)
def test_a_client_calls_and_goes_on_with_the_next_response(responses: Sequence[Received], case: Case) -> Findings:
    name = case.about["fed"]
    calls, then = responses
    wrong = differences(calls.ended(name), expected(calls, then))
    yield EXAMINED
    for one in wrong:
        yield Finding(f"{name} {one.message}", want=one.want, got=one.got)
