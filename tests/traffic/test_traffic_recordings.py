"""Recordings in the forms in which public projects keep them: cassettes, files of events and of single bodies."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.cli import main
from conformance.config.target import Misconfigured
from conformance.traffic.capture_files import read_capture, read_folder
from conformance.traffic.har import Har
from tests.support.traffic import broken, evaluated, received

JSON = {"content-type": ["application/json"]}
SSE = {"Content-Type": ["text/event-stream"]}
URL = "https://api.example.com/v1/responses"
STREAM, PLAIN = received("text.stream"), received("text")
SENT = STREAM.request.body.decode()
DATA = [line.removeprefix("data: ") for line in STREAM.body.decode().splitlines() if line.startswith("data: ")]
EVENTS = [json.loads(line) for line in DATA]


def interaction(body: Any, **request: Any) -> dict[str, Any]:
    """An interaction as vcrpy writes it."""
    return {
        "request": {"method": "POST", "uri": URL, "headers": JSON, "body": SENT, **request},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["text/event-stream"], "content-encoding": ["gzip"]},
            "body": body,
        },
    }  # fmt: skip


TEXT = STREAM.body.decode()
PACKED = gzip.compress(STREAM.body)
RUBY = {
    "request": {"method": "post", "uri": URL, "body": {"encoding": "UTF-8", "string": SENT}, "headers": {}},
    "response": {
        "status": {"code": 200},
        "headers": {"Content-Type": ["text/event-stream"]},
        "body": {"encoding": "ASCII-8BIT", "string": TEXT},
    },
}
#: name of the file -> its content, and the parts that its record does not contain
FORMS: dict[str, tuple[str | bytes, set[str]]] = {
    "vcrpy.yaml": (yaml.safe_dump({"interactions": [interaction({"string": TEXT})], "version": 1}), {"bytes"}),
    "packed.yaml": (yaml.safe_dump({"interactions": [interaction({"string": PACKED})]}), set()),
    "packed.json": (
        json.dumps({"interactions": [interaction({"base64_string": base64.b64encode(PACKED).decode()})]}),
        set(),
    ),
    "whole.yaml.gz": (
        gzip.compress(yaml.safe_dump({"interactions": [interaction({"string": TEXT})]}).encode()),
        {"bytes"},
    ),
    "ruby.yml": ("---\n" + yaml.safe_dump({"http_interactions": [RUBY], "recorded_with": "VCR 6"}), {"bytes"}),
    "tagged.yml": (
        yaml.safe_dump(
            {"http_interactions": [{**RUBY, "response": {**RUBY["response"], "body": {"string": STREAM.body}}}]}
        ).replace("!!binary", "!binary"),
        set(),
    ),
    "go.yaml": (
        yaml.safe_dump({"version": 2, "interactions": [{
            "request": {"method": "POST", "url": URL, "body": SENT},
            "response": {"status": "200 OK", "code": 200, "body": TEXT, "headers": SSE},
        }]}),
        {"bytes"},
    ),
    "plain.json": (
        json.dumps({"version": 1, "interactions": [{
            "request": {"method": "POST", "url": URL, "headers": {}, "body": SENT},
            "response": {"status": 200, "headers": {"content-type": "text/event-stream"}, "body": TEXT},
        }]}),
        {"bytes"},
    ),
    "one.json": (json.dumps(interaction({"string": TEXT})), {"bytes"}),
    "a.chunks.txt": ("\n".join(DATA), {"bytes", "lines", "deltas", "headers", "request"}),
    "a.jsonl": ("\n".join(f"data: {line}" for line in DATA) + "\ndata: [DONE]\n", {"bytes", "lines", "deltas"}),
    "list.json": (json.dumps(EVENTS), {"bytes", "lines", "deltas", "headers", "request"}),
    "wiremock.json": (
        json.dumps({"mappings": [{"request": {"method": "POST", "url": "/v1/responses"}, "response": {
            "status": 200, "headers": {"Content-Type": "application/json"}, "jsonBody": json.loads(PLAIN.body),
        }}]}),
        {"bytes", "request"},
    ),
    "wiremock-base64.json": (
        json.dumps({"request": {"method": "POST", "url": "/v1/responses"}, "response": {
            "status": 200, "headers": SSE, "base64Body": base64.b64encode(STREAM.body).decode(),
        }}),
        {"request"},
    ),
    "responses.jsonl": (json.dumps(json.loads(PLAIN.body)), {"bytes", "headers", "request"}),
    "raw.sse": (STREAM.body, {"bytes", "headers", "request"}),
    "raw.txt": (STREAM.body, {"bytes", "headers", "request"}),
    "body.json": (PLAIN.body, {"bytes", "headers", "request"}),
}  # fmt: skip


def test_a_stream_after_a_mark_and_with_carriage_returns_is_read(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\xef\xbb\xbf"
    (one,) = read_capture(written(tmp_path / "a.txt", head + STREAM.body.replace(b"\n", b"\r"))).captured
    assert one.received.events[-1].terminal


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, name: str) -> Har:
    return read_capture(written(path / name, FORMS[name][0]))


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_read_and_passes(name: str, tmp_path: Path) -> None:
    (one,) = read(tmp_path, name).captured
    assert one.unavailable >= FORMS[name][1] | {"framing", "clock"}
    assert ("bytes" in one.unavailable) == ("bytes" in FORMS[name][1])
    plain = one.exchange.media_type == "application/json"
    assert json.loads(one.exchange.body) == json.loads(PLAIN.body) if plain else one.received.events[-1].terminal
    found = evaluated([one])
    assert broken(found) <= {"event.arguments-done-names-function"}
    assert sum(line.verdict == "pass" for line in found.cases) > 10


@pytest.mark.parametrize("name", sorted(FORMS))
def test_each_form_shows_a_violation(name: str, tmp_path: Path) -> None:
    content, _ = FORMS[name]
    if isinstance(content, bytes) and name != "raw.sse" and name != "raw.txt" and name != "body.json":
        pytest.skip("compressed as a whole")
    text = content if isinstance(content, str) else content.decode()
    changed = text.replace('"total_tokens"', '"total"').replace('\\"total_tokens\\"', '\\"total\\"')
    if changed == text:
        pytest.skip("the body is compressed")
    (one,) = read_capture(written(tmp_path / name, changed)).captured
    assert "usage.integers" in broken(evaluated([one]))


def test_a_request_beside_a_body_is_read(tmp_path: Path) -> None:
    written(tmp_path / "response.txt", STREAM.body)
    written(tmp_path / "request.json", SENT)
    written(tmp_path / "other.json", json.dumps({"model": "m", "input": "i"}))
    found = read_folder(tmp_path)
    (one,) = found.captured
    assert one.sent == json.loads(SENT)
    assert one.label == "response.txt"
    assert found.unread == {"other.json": "is no capture: it contains a request body, without a response beside it"}


def test_several_responses_in_one_file_are_several_exchanges(tmp_path: Path) -> None:
    again = [re.sub(r"(resp_|msg_)\w\w", r"\1ff", json.dumps(one)) for one in EVENTS]
    found = read_capture(written(tmp_path / "two.chunks.txt", "\n".join([*DATA, *again])))
    assert [one.label for one in found.captured] == ["response 0", "response 1"]
    assert not broken(evaluated(list(found.captured)))


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda events: [*events[:5], *events[8:]], "the file leaves out events"),
        (lambda events: [{k: v for k, v in one.items() if k != "sequence_number"} for one in events], "no event"),
    ],
)
def test_a_shortened_file_of_events_is_evaluated_in_part(edit: Any, why: str, tmp_path: Path) -> None:
    (one,) = read_capture(written(tmp_path / "a.chunks.txt", "\n".join(map(json.dumps, edit(EVENTS))))).captured
    assert one.in_part.startswith(why)
    assert not broken(evaluated([one]))


def test_the_same_gap_in_a_stream_as_received_is_a_violation(tmp_path: Path) -> None:
    frames = STREAM.body.split(b"\n\n")
    (one,) = read_capture(written(tmp_path / "a.sse", b"\n\n".join([*frames[:5], *frames[8:]]))).captured
    assert "sequence.contiguous" in broken(evaluated([one]))


def test_a_stream_whose_last_frame_is_not_ended_is_evaluated_in_part(tmp_path: Path) -> None:
    (one,) = read_capture(written(tmp_path / "a.sse", STREAM.body.rstrip())).captured
    assert one.in_part.startswith("the capture ends before the response does")
    assert not broken(evaluated([one]))


def test_events_whose_last_line_is_cut_are_evaluated_in_part(tmp_path: Path) -> None:
    (one,) = read_capture(written(tmp_path / "a.jsonl", "\n".join([*DATA[:7], DATA[7][:-9]]))).captured
    assert one.in_part.startswith("the capture ends before the response does")
    assert not broken(evaluated([one]))


@pytest.mark.parametrize(
    ("name", "body", "rule"),
    [
        ("a.sse", STREAM.body.replace(b'"delta":"', b'"delta":"\xff', 1), "sse.utf8"),
        ("a.sse", STREAM.body.replace(b'"delta":"', b'"delta":"\\ud83c', 1), "sum.no-replacement-characters"),
        (
            "a.json",
            PLAIN.body.replace(b'"output_text":"', b'"output_text":"\\ud83c').replace(b'"text":"', b'"text":"\\ud83c'),
            "response.text-intact",
        ),
        ("a.json", PLAIN.body.replace(b'"output_text":"', b'"output_text":"\xff', 1), "http.body-is-utf8-json"),
        ("a.json", PLAIN.body.strip() + b"\n{}", "http.body-is-utf8-json"),
        ("a.json", PLAIN.body.strip() + b" 1", "http.body-is-utf8-json"),
        ("a.json", PLAIN.body.replace(b'"output":', b"'output':", 1), "http.body-is-utf8-json"),
    ],
)
def test_invalid_characters_of_a_body_are_a_violation(name: str, body: bytes, rule: str, tmp_path: Path) -> None:
    assert body not in (STREAM.body, PLAIN.body)
    (one,) = read_capture(written(tmp_path / name, body)).captured
    assert rule in broken(evaluated([one]))


def test_response_objects_as_json_lines_are_several_exchanges(tmp_path: Path) -> None:
    found = read_capture(written(tmp_path / "two.jsonl", b"\n".join([json.dumps(json.loads(PLAIN.body)).encode()] * 2)))
    assert [one.label for one in found.captured] == ["response 0", "response 1"]


def test_a_response_with_a_number_of_thousands_of_digits_is_read(tmp_path: Path) -> None:
    body = PLAIN.body.replace(b'"total_tokens":', b'"total_tokens":' + b"9" * 5_000 + b',"more":')
    (one,) = read_capture(written(tmp_path / "a.json", body)).captured
    assert broken(evaluated([one])) <= {"usage.total-is-sum", "usage.integers"}
    assert one.exchange.body == body


@pytest.mark.parametrize(("content", "verdict"), [("{", "evaluated in part"), ('{"log": {"entries": []}}', "conforms")])
def test_a_har_that_cannot_be_read_is_no_conformance(
    content: str, verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "a.json", PLAIN.body)
    written(tmp_path / "b.har", content)
    assert main(["judge", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f" {verdict} =" in said
    assert ("1 file not readable" in said) == (verdict != "conforms")


def test_ids_are_compared_within_a_file_only(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        written(tmp_path / name, PLAIN.body)
    assert not broken(evaluated(list(read_folder(tmp_path).captured)))
    twice = {"interactions": [interaction({"string": TEXT}), interaction({"string": TEXT + "\n"})]}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(twice))
    assert "response.id-unique" in broken(evaluated(list(read_folder(tmp_path).captured)))


OTHERS: dict[str, tuple[str | bytes, str]] = {
    "chat.sse": ('data: {"object": "chat.completion.chunk"}\n\n', "an event stream without an event of the Resp"),
    "chat.json": ('{"choices": []}', "a response of Chat Completions"),
    "error.json": ('{"error": {"message": "m"}}', "an error body, whose status is not recorded"),
    "other.json": ('{"a": 1}', "a JSON object that is no recording"),
    "notes.txt": ("notes", "text that is no event stream, JSON or YAML of a recording"),
    "curl-i.txt": ("HTTP/2 200 \r\ncontent-type: text/event-stream\r\n\r\n", "a raw HTTP response"),
    "mitm.txt": ("1234:4:type;4:http;", "a flow file of mitmproxy: write a HAR of it with"),
    "latin.txt": ("é".encode("latin-1"), "bytes that are not UTF-8"),
    "empty.txt": ("", "nothing"),
    "bad.yaml": ("interactions: [", "invalid YAML at line 2"),
    "tag.yaml": ("interactions: !!python/object:os.system {}", "invalid YAML at line 1"),
    "deep.yaml": ("interactions: " + "[" * 50_000, "invalid YAML at line 1"),
    "none.yaml": ("interactions: []", "a cassette without an interaction"),
    "cut.gz.yaml.gz": (gzip.compress(b"interactions:")[:-6], "no readable text"),
    "zip.json": (b"PK\x03\x04\xff", "a ZIP archive"),
    "broken.jsonl": ("\n".join([*DATA[:4], DATA[4][:-9], *DATA[5:]]), "JSON lines of which line 5 is not valid JSON"),
    "cut-after-the-end.jsonl": ("\n".join([*DATA, DATA[0][:-9]]), f"JSON lines of which line {len(DATA) + 1} is not"),
    "numbers.json": ("[1, 2]", "JSON values that are no events of the Responses API"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_each_other_file_is_one_line(name: str, tmp_path: Path) -> None:
    content, says = OTHERS[name]
    with pytest.raises(Misconfigured) as error:
        read_capture(written(tmp_path / name, content))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_is_one_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    for name in FORMS:
        written(tmp_path / "deep" / name, FORMS[name][0])
    for name in OTHERS:
        written(tmp_path / name, OTHERS[name][0])
    written(tmp_path / "code.py", "x = 1")
    assert main(["judge", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{len(FORMS)} exchanges with POST .../responses" in said
    assert "code.py" not in said
    assert [name for name in OTHERS if name not in said] == []


def test_an_alias_that_repeats_itself_is_survived(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"] + [
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    cassette = "interactions:\n- request: {method: POST, uri: 'http://h/v1/responses', parsed_body: *i}\n"
    cassette += "  response: {status: {code: 200}, headers: {}, parsed_body: *i}\n"
    (one,) = read_capture(written(tmp_path / "bomb.yaml", "\n".join(lines) + "\n" + cassette)).captured
    assert one.unjudged == "the capture does not contain the body"
