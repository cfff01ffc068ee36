"""The page's own example: no rule fails or warns on it, whatever a client makes of it."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from conformance.exchange.exchange import Chunk, Exchange, Request
from conformance.traffic.captured import Captured
from conformance.traffic.evaluation import evaluate_captures
from tools.in_process import target

#: doc 2026-06-24, Example: the request and the Response, their texts shortened to our own.
SENT = {
    "model": "mimo-v2.5-pro", "instructions": "You are an assistant.", "input": "please introduce yourself",
    "max_output_tokens": 1024, "stream": False, "reasoning": {"effort": "none"},
}  # fmt: skip
CREATED = 1782215659


def example() -> dict[str, Any]:
    part = {"type": "output_text", "text": "Hello! I am a model.", "annotations": []}
    message = {
        "id": "msg_1fa8f5011ebf47adb158ecf13c99d06c", "type": "message", "status": "completed",
        "role": "assistant", "content": [part],
    }  # fmt: skip
    usage = {
        "input_tokens": 57, "input_tokens_details": {}, "output_tokens": 46,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 103,
    }  # fmt: skip
    return {
        "id": "resp_5fcaac1af26a4b449f30e1eeeaa8c48f", "object": "response", "created_at": CREATED,
        "status": "completed", "error": None, "incomplete_details": None, "model": "mimo-v2.5-pro", "metadata": None,
        "output": [message], "output_text": part["text"], "usage": usage,
    }  # fmt: skip


def evaluated(response: dict[str, Any]) -> dict[str, str]:
    """The rules that fail or warn on a plain Response, each with its verdict."""
    return {rule: verdict for rule, verdict, _ in found(response)}


def found(response: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What is found in a plain Response: rule, verdict and message."""
    headers = (("Content-Type", "application/json"), ("api-key", "$MIMO_API_KEY"))
    request = Request("POST", "https://api.example.com/v1/responses", headers, json.dumps(SENT).encode())
    exchange = Exchange(
        "example", "example", 0, request, 200, (("content-type", "application/json"),),
        (Chunk(5.0, json.dumps(response).encode()),), "clean", "", float(CREATED), 5.0,
    )  # fmt: skip
    lines = evaluate_captures([Captured("example", exchange)], target()).cases
    return {
        (line.requirement, line.verdict, one.message)
        for line in lines
        if line.verdict in ("fail", "warning")
        for one in line.findings
    }


def test_no_rule_fails_or_warns_on_the_example() -> None:
    assert evaluated(example()) == {}


def _without(*paths: tuple[str, ...]) -> dict[str, Any]:
    response = example()
    for path in paths:
        holder = response
        for name in path[:-1]:
            holder = holder[name]
        del holder[path[-1]]
    return response


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("usage", "output_tokens_details", "reasoning_tokens"), {"usage.reasoning-tokens-present": "fail"}),
        (("usage", "output_tokens_details"), {"usage.details-present": "warning"}),
        (("usage", "input_tokens_details"), {"usage.details-present": "warning"}),
        (("error",), {"response.nullable-members-present": "warning"}),
        (("incomplete_details",), {"response.nullable-members-present": "warning"}),
        (("metadata",), {}),
        (("output_text",), {"response.output-text-present": "warning"}),
    ],
)
def test_what_is_missing_has_a_rule_of_its_own(path: tuple[str, ...], expected: dict[str, str]) -> None:
    assert evaluated(_without(path)) == expected


MISSING = [
    ("usage", "output_tokens_details", "reasoning_tokens"), ("usage", "input_tokens_details"),
    ("usage", "total_tokens"), ("error",), ("incomplete_details",), ("output_text",), ("created_at",), ("status",),
    ("id",),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(combinations(MISSING, 2)), ids=lambda path: "/".join(path))
def test_no_finding_hides_another(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Two defects give the findings of each: no rule reports one of them only."""
    assert found(_without(one)) | found(_without(other)) <= found(_without(one, other))
