"""The two doors: who is let in, and which bodies are taken."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_asks import GROUPS, HISTORY, KEY, PATH, bearer, body, endpoint, parsed, post, refusal

from conformance.emulator import Endpoint


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((("API-KEY", KEY),), 200),
        (bearer(f"bEARER {KEY}"), 200),
        ((("api-key", KEY), *bearer(f"Bearer {KEY}")), 200),
        ((("api-key", KEY), *bearer("Bearer nope")), 401),
        ((("api-key", "ключ"),), 401),
        (bearer(KEY), 401),
        ((), 401),
        ((("api-key", ""),), 401),
    ],
)
def test_who_is_let_in(headers: tuple[tuple[str, str], ...], status: int) -> None:
    for raw in (body(), body(stream=True)):
        assert endpoint().respond("POST", PATH, headers, raw).status == status
    if status == 401:
        assert endpoint().respond("POST", PATH, headers, b"{").status == 401


def test_a_refused_key_is_answered_in_the_dialect_and_not_repeated() -> None:
    reply = endpoint().respond("POST", PATH, (("api-key", "secret-123"),), body(stream=True))
    assert reply.body.startswith(b'data:{"error":')
    assert refusal(reply)["type"] == "invalid_key"
    assert reply.header("www-authenticate")
    assert "secret-123" not in repr(reply)


def test_other_paths_and_methods() -> None:
    server = endpoint()
    gone = server.respond("POST", "/v1/chat/completions", (("api-key", KEY),), b"{}")
    assert (gone.status, refusal(gone)["code"]) == (404, "404")
    wrong = server.respond("GET", PATH, (("api-key", KEY),), b"")
    assert (wrong.status, wrong.header("allow"), refusal(wrong)["code"]) == (405, "POST", "405")
    assert server.respond("HEAD", PATH, (("api-key", KEY),), b"").body == b""
    assert server.respond("POST", PATH + "?a=b", (("api-key", KEY),), body()).status == 200


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"model": ...}, "model"), ({"model": 5}, "model"), ({"model": None}, "model"), ({"input": ...}, "input"),
        ({"input": None}, "input"), ({"input": 5}, "input"), ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "reasoning", "content": "x"}]}, "input[0].content"),
        ({"instructions": 5}, "instructions"), ({"stream": "true"}, "stream"), ({"stream": 1}, "stream"),
        ({"max_output_tokens": 0}, "max_output_tokens"), ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"), ({"temperature": -0.1}, "temperature"),
        ({"temperature": "1"}, "temperature"), ({"temperature": True}, "temperature"), ({"top_p": 0}, "top_p"),
        ({"reasoning": "low"}, "reasoning"), ({"reasoning": {}}, "reasoning.effort"),
        ({"reasoning": {"effort": None}}, "reasoning.effort"), ({"reasoning": {"effort": "max!"}}, "reasoning.effort"),
        ({"text": "x"}, "text"), ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"tool_choice": 5}, "tool_choice"), ({"tools": {}}, "tools"), ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{"type": "function", "name": "a b", "parameters": {}}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "a"}]}, "tools[0].parameters"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(members: dict[str, Any], named: str) -> None:
    for streaming in ({}, {"stream": True}):
        reply = parsed(endpoint(), **{**streaming, **members})
        assert reply.status == 400
        assert refusal(reply)["param"].split()[0] == named
        assert reply.body.startswith(b"data:") == bool(streaming and members.get("stream", True) is True)


@pytest.mark.parametrize("raw", [b"", b" ", b"{", b"[]", b'"x"', b"null", b"\xff", b'{"a":NaN}', b"[" * 9000,
                                 b'{"a":' * 300 + b"1" + b"}" * 300])  # fmt: skip
def test_bodies_that_are_no_objects(raw: bytes) -> None:
    reply = endpoint().respond(*post(raw))
    assert reply.status == 400
    assert "body" in refusal(reply)["param"]


def test_unknown_models_and_features_and_media() -> None:
    assert refusal(parsed(endpoint(), model="gpt-9"))["message"] == "Unsupported model gpt-9"
    assert parsed(endpoint(model="my-model"), model="my-model").status == 200
    assert parsed(endpoint(revision="2026-06-24"), model="mimo-v2.6-pro").status == 400
    schema = parsed(endpoint(), text={"format": {"type": "json_schema"}})
    assert refusal(schema)["code"] == "responses_feature_not_supported"
    picture = [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.invalid/a.png"}]}]
    assert parsed(endpoint(), input=picture).status == 404
    assert parsed(endpoint(), input=picture, model="mimo-v2.5").status == 200


@pytest.mark.parametrize(
    "members",
    [
        {"temperature": 0}, {"temperature": 1.5}, {"top_p": 0.01}, {"top_p": 1}, {"max_output_tokens": 131072},
        {"max_output_tokens": 16.0}, {"stream": False}, {"tool_choice": "auto"}, {"tool_choice": "required"},
        {"tool_choice": {"type": "function"}}, {"text": {"format": {"type": "text"}}}, {"text": {}},
        {"background": True, "store": False, "metadata": {}, "zebra": [1]}, {"reasoning": None, "tools": None},
        {"input": [{"role": "developer", "content": "x"}]}, {"input": HISTORY}, {"input": []},
        {"tools": [{"type": "function", "name": "a", "parameters": {}}]},
    ],
)  # fmt: skip
def test_what_is_right_or_filtered_is_served(members: dict[str, Any]) -> None:
    assert parsed(endpoint(), **members).status == 200


def test_efforts_follow_the_revision() -> None:
    june = endpoint(revision="2026-06-24")
    assert [parsed(june, reasoning={"effort": one}).status for one in ("high", "ultra")] == [200, 400]


def test_an_unknown_revision_is_an_error() -> None:
    with pytest.raises(ValueError, match="2026-06-24"):
        Endpoint(key=KEY, revision="2020")


def test_nothing_in_the_groups_is_a_failure_of_the_endpoint() -> None:
    server = endpoint()
    assert {server.respond(*one).status for group in GROUPS.values() for one in group} == {200, 400, 401, 404, 405, 415}
