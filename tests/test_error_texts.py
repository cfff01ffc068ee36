"""Errors that are the text of a completed Response, and texts that only look like one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from conformance.emulator import Context, Reply
from conformance.emulator.hooks import fault
from conformance.emulator.shapes import Refusal
from conformance.results.across_sides import with_causes_across
from tests.test_fold import line
from tools.in_process import evaluated

CASE = "error.real-status@texts"


def _verdict(**hooks: Any) -> str:
    results, _ = evaluated(fault("texts.behaviour", "Serves invalid requests.", **hooks))
    [found] = [one.verdict for one in results if f"{one.case.requirement.id}@{one.case.label}" == CASE]
    return found


def _served(ctx: Context, usual: Refusal | None) -> None:
    """Serves each request that can be read."""


def _says(words: Callable[[Context], str]) -> Callable[[Context, Reply], Reply]:
    """The text of plain responses, whatever the model says."""

    def hook(ctx: Context, reply: Reply) -> Reply:
        if not ctx.served or ctx.stream:
            return reply
        body = json.loads(reply.body)
        body["output_text"] = words(ctx)
        for item in body["output"]:
            for part in item.get("content", []):
                part["text"] = words(ctx)
        return reply.saying(body)

    return hook


@pytest.mark.parametrize(
    "words",
    [
        lambda ctx: f"You sent {json.dumps(ctx.body)}",
        lambda ctx: "Note: max_output_tokens, top_p and other values are reduced to what the model supports.",
        lambda ctx: "Error: no.",
    ],
    ids=["repeats the request", "states what it changes", "names nothing"],
)
def test_a_server_that_serves_invalid_requests_is_not_said_to_send_errors(words: Callable[[Context], str]) -> None:
    assert _verdict(validate=_served, reply=_says(words)) == "pass"


def test_a_refusal_that_both_sides_show_is_one_cause() -> None:
    honest = line("proxy.failure.honest@failure.400", "the upstream responded with 400, and the client received ...")
    error = line("error.real-status@texts", "an error with HTTP 200 is the text of a completed Response: Error: no")
    assert with_causes_across([honest], [error])[1].cause == honest.id
    broken = line("proxy.failure.honest@failure.html", "the upstream sent an HTML page, and the client received ...")
    assert with_causes_across([broken], [error])[1].cause == ""
