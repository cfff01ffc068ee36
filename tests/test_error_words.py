"""The message of an error body, in whichever form a server writes it."""

from __future__ import annotations

import json

import pytest

from conformance.decode.response import Received
from conformance.exchange.exchange import Chunk, Exchange, Request
from conformance.judge.common import ends_in_failure, error_detail
from conformance.judge.control import shortened
from conformance.judge.error_words import failure_detail

#: Bodies of refusals as servers send them, and the words that findings repeat.
WORDS = {
    "of the contract": ({"error": {"message": "no", "param": "top_p"}}, ": no / top_p"),
    "of the contract, beginning with the place": (
        {"error": {"message": "top_p: Extra inputs are not permitted", "param": "top_p"}},
        ": top_p: Extra inputs are not permitted",
    ),
    "with details": (
        {"error": {"message": "validation failed", "details": [{"message": "Invalid value", "param": "$.top_p"}]}},
        ": validation failed / Invalid value ($.top_p)",
    ),
    "of FastAPI": ({"detail": [{"loc": ["body", "top_p"], "msg": "too small"}]}, ": too small (body.top_p)"),
    "a detail as a string": ({"detail": "Not\nserved"}, ": Not served"),
    "a detail without words": ({"detail": [5]}, ': {"detail": [5]}'),
    "another form": ({"code": 4}, ': {"code": 4}'),
}


def refusal(body: bytes) -> Received:
    chunks = (Chunk(1.0, body),)
    request = Request("POST", "http://127.0.0.1:1/v1/responses", (), b"{}")
    one = Exchange("a-0", "a", 0, request, 400, (), chunks, "clean", "", 0.0, 0.0)
    return Received(one, "a")


@pytest.mark.parametrize("name", WORDS)
def test_the_words_of_an_error_are_found(name: str) -> None:
    body, words = WORDS[name]
    assert error_detail(refusal(json.dumps(body).encode())) == words


def test_of_a_long_message_start_and_end_are_kept() -> None:
    words = error_detail(refusal(json.dumps({"detail": "a" * 300 + " the cause"}).encode()))
    assert words.startswith(": aaa")
    assert words.endswith("a the cause")
    assert len(words) <= 202


def test_a_body_that_is_no_json_is_shown() -> None:
    assert error_detail(refusal(b"<h1>no</h1>")) == ": <h1>no</h1>"
    trace = b'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no such model\n'
    assert error_detail(refusal(trace)) == ": ValueError: no such model"


def test_a_failed_response_states_its_error() -> None:
    assert failure_detail({"status": "failed", "error": {"message": "no\nmodel"}}) == ": no model"
    assert failure_detail({"status": "queued", "error": None}) == ""


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"type": "response.failed", "response": {"error": {"message": "no"}}}, "response.failed: no"),
        (
            {"type": "response.completed", "response": {"status": "failed", "error": {"message": "no"}}},
            "response.completed with status 'failed': no",
        ),
        ({"type": "response.completed", "response": {"status": "completed"}}, None),
    ],
)
def test_a_stream_that_ends_in_a_failure_is_recognised(end: dict[str, object], words: str | None) -> None:
    event = f"data: {json.dumps(end)}\n\n".encode()
    request = Request("POST", "http://127.0.0.1:1/v1/responses", (), b'{"stream": true}')
    headers = (("content-type", "text/event-stream"),)
    one = Exchange("a-0", "a", 0, request, 200, headers, (Chunk(1.0, event),), "clean", "", 0.0, 0.0)
    assert ends_in_failure(Received(one, "a")) == (words and f"the stream ends in {words}")


def test_no_word_or_number_is_divided_where_a_text_is_shortened() -> None:
    text = "first difference at character 77 " + "of these words " * 20 + "at offset 1234567"
    for size in range(60, 120):
        before, _, after = shortened(text, size).partition(" ... ")
        assert f"{text} ".startswith(f"{before} ")
        assert f" {text}".endswith(f" {after}")


@pytest.mark.parametrize("text", ["y" * 200, "\u5024" * 200, "the words " + "y" * 200])
def test_a_long_word_is_divided(text: str) -> None:
    short = shortened(text, 90)
    assert 80 < len(short) <= 90
    assert shortened(text, 300) == text
