"""What a run says last: a line a cause in plain words, what was not evaluated because of it, and the profile."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.config.target import resolve
from conformance.emulator import Endpoint, serve
from conformance.results.causes import causes
from conformance.results.plain_words import listed, not_evaluated, refused_in_words
from conformance.results.proposals import as_toml, proposals
from conformance.results.records import CaseRecord, FindingRecord
from tests.support.dialects import DIALECTS
from tests.support.lines import case, command
from tests.support.running import KEY


def having(line: CaseRecord, **more: Any) -> CaseRecord:
    """The case with more in its first finding."""
    first, *others = line.findings
    return replace(line, findings=(replace(first, **more), *others))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (case("effort.none-accepted@effort.none", "fail", "received HTTP 422: no such effort"),
         'effort "none" is refused with 422: no such effort'),
        (case("request.top_p-accepted@top_p=1.0", "fail", "received HTTP 500"), "top_p=1.0 ends in 500"),
        (case("request.instructions-accepted@instructions=Be-brief.", "fail", "received HTTP 400: x"),
         "instructions=Be-brief. is refused with 400: x"),
        (case("request.stream-accepted@streams", "fail", "no request with stream: true is served: HTTP 501: not here"),
         "stream: true ends in 501: not here"),
        (case("request.temperature-accepted@temperature=0", "fail", "received HTTP 400: temperature must be a float"),
         "temperature=0, as an integer, is refused with 400: temperature must be a float"),
        (case("request.temperature-accepted@temperature=0", "fail", "received HTTP 400: temperature must be above 0"),
         "temperature=0 is refused with 400: temperature must be above 0"),
        (case("request.tools-accepted@tools.no-arguments.stream", "fail", "received HTTP 400: description is required"),
         "a tool without parameters and without description is refused with 400: description is required"),
        (having(case("request.missing-input@input=missing", "fail", "received HTTP 200: hello"), want="a 4xx"),
         "input=missing receives 200, expected a 4xx: hello"),
        (having(case("request.body-not-an-object@bad.body-not-an-object", "fail", "received HTTP 500: x"), want="4xx"),
         "an array nested 5,000 times as body receives 500, expected 4xx: x"),
        (case("error.streaming-same-status@a", "fail", "HTTP 400 for the plain request, HTTP 200 with stream: true"),
         "an invalid request has another status with stream: true: HTTP 400 for the plain request, HTTP 200 with"
         " stream: true (in scenario a)"),
        (having(case("error.endpoint-survives@x", "fail", "the last request is not served, the first was: HTTP 500"),
                want=200, scenario="x"),
         "the last request is not served, the first was: HTTP 500 (in scenario x)"),
        (case("sum.part@text.stream", "fail", "content_part.done: the text differs"),
         "content_part.done: the text differs (in scenario text.stream)"),
    ],
)  # fmt: skip
def test_a_cause_in_plain_words(line: CaseRecord, words: str) -> None:
    assert refused_in_words(line) == words


def test_a_request_of_a_real_client_is_named_as_one() -> None:
    line = case("http.client-request-answered@client.ai-sdk", "fail", "received HTTP 500: Internal Server Error")
    line = having(line, scenario="client.ai-sdk", want="200 or a 4xx status")
    assert refused_in_words(line).startswith("the request of the client ai-sdk receives 500, expected 200 or a 4xx")


def test_the_end_of_a_long_message_is_shown() -> None:
    long = f"received HTTP 500: the beginning {'and so on ' * 40} the end"
    words = refused_in_words(case("request.model-accepted@text", "fail", long))
    assert words.startswith("the simplest request ends in 500: the beginning")
    assert words.endswith("the end")
    assert len(words) < 240


def some() -> list[CaseRecord]:
    first = case("effort.none-accepted@effort.none", "fail", "received HTTP 422: no")
    root = first.id
    return [
        first,
        case("effort.none-accepted@effort.none.stream", "fail", "received HTTP 422: no", cause=root),
        case("http.success-is-200@x", "fail", "received HTTP 422: no", cause=root),
        case("sum.part@effort.none", "inconclusive", reason="HTTP 422", cause=root),
        case("sum.item@effort.none", "inconclusive", reason="HTTP 422", cause=root),
        case("sum.item@other", "inconclusive", reason="the model called no tool"),
        case("auth.scheme-case-insensitive@y", "warning", "received HTTP 401"),
    ]


def test_each_cause_is_a_line_with_what_follows_from_it() -> None:
    assert list(listed(some())) == [
        '1  effort "none" is refused with 422: no (2 cases, 1 consequence, 2 not evaluated)',
        "2  warning: received HTTP 401 (in scenario y) (1 case)",
    ]


@pytest.mark.parametrize(
    ("rule", "messages", "line"),
    [
        ("request.malformed-json",
         {"a": "received HTTP 200", "b": "received HTTP 200", "c": "received HTTP 500: Internal Server Error"},
         "1  received HTTP 200 (in scenario a); also HTTP 500: Internal Server Error (in scenario c) (3 cases)"),
        ("error.real-status",
         {"a": "invalid request: received HTTP 502: one", "b": "invalid request: received HTTP 502: another",
          "c.stream": "an error with HTTP 200: the stream ends in response.failed"},
         "(in scenario a); also HTTP 200: the stream ends in response.failed (in scenario c.stream) (3 cases)"),
        ("proxy.request.parameters",
         {"a": "top_p: the client sent 0.8, the upstream received no such parameter",
          "b": "top_p: the client sent 0.9, the upstream received no such parameter",
          "c": "effort: the client sent 'low', the upstream received 'high'"},
         "received no such parameter (in scenario a); also effort (3 cases)"),
        ("request.tools-accepted",
         {"tools.rich": "received HTTP 502: no", "tools.long-name": "received HTTP 502: no"},
         "1  a tool with parameters of each type ends in 502: no; also a tool whose name has 64 characters (2 cases)"),
        ("proxy.failure.honest",
         {"a": "the upstream responded with 400, and the client received HTTP 200",
          "b": "the upstream responded with 401, and the client received HTTP 200",
          "c": "the upstream sent an HTML page, and the client received a completed response"},
         "HTTP 200 (in scenario a); also the client received a completed response (in scenario c) (3 cases)"),
        ("proxy.response.finish",
         {"a": "the upstream's response is incomplete: max_output_tokens, the client's is completed",
          "b": "the upstream's response is incomplete: content_filter, the client's is completed",
          "c": "the upstream's response is completed, the client's is unfinished"},
         "also the upstream's response is completed, the client's is unfinished (in scenario c) (3 cases)"),
        ("request.malformed-json",
         {"a": "a completed response has no output item", "c": "received HTTP 500: Internal Server Error"},
         "no output item (in scenario a); also HTTP 500: Internal Server Error (in scenario c) (2 cases)"),
    ],
    ids=[
        "another status", "an error of another kind", "the other parameters that a proxy drops", "another tool",
        "what else a proxy does with failures", "what else a proxy does with the end",
        "a 5xx beside no status",
    ],
)  # fmt: skip
def test_another_outcome_of_a_rule_is_shown_beside_that_of_most_cases(
    rule: str, messages: dict[str, str], line: str
) -> None:
    (told,) = listed([case(f"{rule}@{name}", "fail", message) for name, message in messages.items()])
    assert told == line if line.startswith("1  ") else told.endswith(line)


def test_what_was_not_evaluated_is_counted_by_cause() -> None:
    assert not_evaluated(some()) == "3 cases not evaluated: 2 because of cause 1, 1 for other reasons"
    assert not_evaluated([case("a.b@c")]) == ""


# -- the profile -------------------------------------------------------------------------------------------------------


def test_a_profile_has_a_reason_for_each_line() -> None:
    denied = having(case("auth.api-key-header-accepted@auth.api-key", "fail", "received HTTP 401: no\nkey"), got=401)
    found = proposals([denied, case("auth.bearer-accepted@auth.bearer")])
    text = as_toml("mine", "http://127.0.0.1:1/v1", "m", found)
    assert "# the api-key header is refused with 401: no key\n" in text
    assert tomllib.loads(text)["profile"] == {"lacks": ["api-key"]}


def test_nothing_is_proposed_where_nothing_is_refused() -> None:
    assert proposals([case("auth.bearer-accepted@auth.bearer")]) == []
    assert tomllib.loads(as_toml("mine", "http://127.0.0.1:1/v1", "m", []))["profile"] == {"lacks": []}


def test_nothing_is_proposed_for_a_malformed_response() -> None:
    """HTTP 200 with a stream that has no terminal event shows no missing feature."""
    rules = ("request.input-messages@x", "request.untyped-message@input.untyped-message",
             "request.text.format-accepted@text.format.type=json_object")  # fmt: skip
    served = [
        having(case(name, "fail", "HTTP 200, but the stream has no terminal event"), got="event") for name in rules
    ]
    assert proposals(served) == []
    refused = [having(case(name, "fail", "received HTTP 400: no"), got=400) for name in rules]
    assert [one.lacks for one in proposals(refused)] == ["json-object", "input-array"]


@pytest.mark.parametrize(
    ("name", "lacks"), [("bearer-only", ["api-key"]), ("no-tools", ["tools"]), ("no-streams", ["streaming"])]
)
def test_the_command_writes_a_target_file(
    name: str, lacks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMO_API_KEY", KEY)
    file = tmp_path / "mine.toml"
    with serve(Endpoint(key=KEY, behaviour=DIALECTS[name])) as server:
        done = command("profile", server.url, "--output", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        again = command("profile", server.url, "--output", str(file))
    assert sorted(resolve({}, {}, "nonce", file).lacks) == lacks
    assert (again.returncode, again.stderr) == (2, f"conformance: {file} already exists; name another file\n")


def test_the_command_says_in_one_line_why_there_is_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIMO_API_KEY", raising=False)
    done = command("profile", "http://127.0.0.1:9/v1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "MIMO_API_KEY is not set" in done.stderr


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (("response.completed: /response/created_at is missing", "response.completed: /response/output is missing"),
         "response.completed: /response/created_at and /response/output are missing (in scenario x)"),
        (("response.completed: /response/id is missing", "response.incomplete: /response/id is missing"),
         "response.completed: /response/id is missing (in scenario x)"),
        (("the Response has no error; expected null or an object",
          "the Response has no incomplete_details; expected null or an object"),
         "the Response has no error or incomplete_details; expected null or an object (in scenario x)"),
        (("/id is 3, not a string", "/object is missing", "/model is missing"),
         "/id is 3, not a string (in scenario x)"),
    ],
)  # fmt: skip
def test_members_that_are_absent_together_are_named_together(messages: tuple[str, ...], words: str) -> None:
    assert refused_in_words(case("response.schema@x", "fail", *messages)) == words


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("bad.unknown-model", "a model that does not exist"),
        ("bad.not-utf8", "a body that is not UTF-8"),
        ("undocumented.input_file", "a content part of the undocumented type input_file"),
        ("undocumented.store", "a request with the undocumented parameter store"),
        ("bad.input-empty", "an empty array as input"),
        ("bad.unknown-model.stream", "a model that does not exist with stream: true"),
        ("bad.of-another-version", "scenario bad.of-another-version"),
    ],
)
def test_an_invalid_request_is_described(scenario: str, words: str) -> None:
    line = having(case(f"request.x@{scenario}", "fail", "received HTTP 200"), want="a 4xx status", scenario=scenario)
    assert refused_in_words(line) == f"{words} receives 200, expected a 4xx status"


@pytest.mark.parametrize(
    ("special", "ordinary"),
    [
        ("request.unknown-model@bad.empty-model", "request.unknown-model@bad.unknown-model"),
        ("sequence.present@lenient.stream", "sequence.present@text.stream"),
    ],
)
def test_a_cause_is_shown_at_an_ordinary_request(special: str, ordinary: str) -> None:
    lines = [
        having(case(name, "fail", "received HTTP 200"), request_bytes=size)
        for name, size in ((special, 80), (ordinary, 120))
    ]
    (cause,) = causes(lines)
    assert [one.id for one in cause.cases] == [ordinary, special]


def test_a_failure_of_the_simplest_request_is_not_one_of_its_model() -> None:
    finding = FindingRecord("received HTTP 502: upstream error", want=200, got=502, scenario="text")
    case = CaseRecord("request.model-accepted@text", "request.model-accepted", "text", "request", "MUST", "fail",
                      findings=(finding,))  # fmt: skip
    assert refused_in_words(case) == "the simplest request ends in 502: upstream error"
    refused = replace(case, findings=(replace(finding, message="received HTTP 404: no such model", got=404),))
    assert refused_in_words(refused) == "model is refused with 404: no such model"
