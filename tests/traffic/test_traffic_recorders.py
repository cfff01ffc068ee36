"""Recordings of HTTP mocks, proxies and API clients, and HTTP messages as text."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.config.target import Misconfigured
from conformance.traffic.capture_files import read_capture, read_folder
from conformance.traffic.captured import Captured
from tests.support.traffic import broken, evaluated, received

HOST, PATH = "https://api.example.com", "/v1/responses"
URL = HOST + PATH
STREAM, PLAIN = received("text.stream"), received("text")

#: The body of a response, its media type, and the request body.
Given = tuple[bytes, str, str]


def _pairs(kind: str) -> list[dict[str, str]]:
    return [{"name": "Content-Type", "value": kind, "key": "Content-Type"}]


def nock(given: Given) -> Any:
    body, kind, sent = given
    said = json.loads(body) if kind == "application/json" else body.decode()
    return [{
        "scope": f"{HOST}:443", "method": "POST", "path": PATH, "body": json.loads(sent), "status": 200,
        "response": said, "rawHeaders": ["Content-Type", kind], "responseIsBinary": False,
    }]  # fmt: skip


def nock_compressed(given: Given) -> Any:
    (one,) = nock(given)
    packed = gzip.compress(given[0])
    return [{
        **one, "response": [packed[:99].hex(), packed[99:].hex()],
        "rawHeaders": ["Content-Type", given[1], "Content-Encoding", "gzip"],
    }]  # fmt: skip


def hoverfly(given: Given) -> Any:
    body, kind, sent = given
    parts = {"scheme": "https", "destination": "api.example.com", "path": PATH, "method": "POST", "body": sent}
    return {"data": {"pairs": [{
        "request": {name: [{"matcher": "exact", "value": value}] for name, value in parts.items()},
        "response": {
            "status": 200, "body": base64.b64encode(body).decode(), "encodedBody": True,
            "headers": {"Content-Type": [kind]},
        },
    }]}, "meta": {"schemaVersion": "v5.2"}}  # fmt: skip


def mountebank(given: Given) -> Any:
    body, kind, sent = given
    wanted = {"deepEquals": {"method": "POST", "path": PATH, "body": sent}}
    said = {"is": {"statusCode": 200, "headers": {"Content-Type": kind}, "body": body.decode(), "_mode": "text"}}
    return {"imposters": [{"protocol": "http", "stubs": [{"predicates": [wanted], "responses": [said]}]}]}


def journal(given: Given) -> Any:
    body, kind, sent = given
    return {"requests": [{
        "request": {"url": PATH, "absoluteUrl": URL, "method": "POST", "headers": {}, "body": sent},
        "response": {"status": 200, "headers": {"Content-Type": kind}, "bodyAsBase64": base64.b64encode(body).decode()},
    }]}  # fmt: skip


def charles(given: Given) -> Any:
    body, kind, sent = given
    return [{
        "status": "COMPLETE", "method": "POST", "scheme": "https", "host": "api.example.com", "path": PATH,
        "query": None, "durations": {}, "request": {"header": {"headers": []}, "body": {"text": sent}},
        "response": {"status": 200, "header": {"headers": _pairs(kind)}, "body": {"text": body.decode()}},
    }]  # fmt: skip


def postman(given: Given) -> Any:
    body, kind, sent = given
    asked = {"method": "POST", "header": [], "body": {"mode": "raw", "raw": sent}, "url": {"raw": URL}}
    example = {"originalRequest": asked, "code": 200, "header": _pairs(kind), "body": body.decode()}
    return {"info": {}, "item": [{"name": "folder", "item": [{"request": asked, "response": [example]}]}]}


def newman(given: Given) -> Any:
    body, kind, sent = given
    url = {"protocol": "https", "host": ["api", "example", "com"], "path": ["v1", "responses"]}
    said = {"code": 200, "header": _pairs(kind), "stream": {"type": "Buffer", "data": list(body)}}
    asked = {"method": "POST", "url": url, "body": {"mode": "raw", "raw": sent}}
    return {"run": {"executions": [{"request": asked, "response": said}]}}


def bruno(given: Given) -> Any:
    body, kind, sent = given
    said = json.loads(body) if kind == "application/json" else body.decode()
    asked = {"method": "POST", "url": URL, "headers": {}, "data": sent}
    response = {"status": 200, "headers": {"content-type": kind}, "data": said}
    return [{"iterationIndex": 0, "results": [{"request": asked, "response": response}]}]


def talkback(given: Given) -> Any:
    body, kind, sent = given
    response = {"status": 200, "headers": {"content-type": [kind]}, "body": base64.b64encode(body).decode()}
    return {"meta": {}, "req": {"url": PATH, "method": "POST", "body": json.loads(sent)}, "res": response}


def easyvcr(given: Given) -> Any:
    body, kind, sent = given
    response = {"Status": {"Code": 200}, "ContentHeaders": {"Content-Type": kind}, "Body": body.decode()}
    return [{"Request": {"Method": "POST", "Uri": URL, "Body": sent}, "Response": response}]


TOOLS: list[Callable[[Given], Any]] = [
    nock, nock_compressed, hoverfly, mountebank, journal, charles, postman, newman, bruno, talkback, easyvcr,
]  # fmt: skip


def head(kind: str, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}\r\n".encode()


def curl(given: Given) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\n" + head(given[1], "transfer-encoding: chunked\r\n") + given[0]


def curl_compressed(given: Given) -> bytes:
    return head(given[1], "content-encoding: gzip\r\n") + gzip.compress(given[0])


def fiddler(given: Given) -> bytes:
    body = given[0]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:300], body[300:]))
    return head(given[1], "Transfer-Encoding: chunked\r\n") + chunks + b"0\r\n\r\n"


def httpie(given: Given) -> bytes:
    body, kind, sent = given
    asked = f"POST {PATH} HTTP/1.1\nHost: api.example.com\n\n{sent}\n\n\n"
    return asked.encode() + head(kind, f"content-length: {len(body)}\r\n").replace(b"\r\n", b"\n") + body + b"\n\n"


MESSAGES: list[Callable[[Given], bytes]] = [curl, curl_compressed, fiddler, httpie]


def given(of_stream: bool, changed: bool) -> Given:
    one = STREAM if of_stream else PLAIN
    body = one.body.replace(b'"total_tokens"', b'"total"') if changed else one.body
    return body, "text/event-stream" if of_stream else "application/json", one.request.body.decode()


def read(path: Path, content: str | bytes) -> tuple[Captured, ...]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_capture(path).captured


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("of_stream", [False, True])
@pytest.mark.parametrize("tool", TOOLS + MESSAGES)
def test_each_form_is_evaluated(tool: Callable[[Given], Any], of_stream: bool, changed: bool, tmp_path: Path) -> None:
    made = tool(given(of_stream, changed))
    (one,) = read(tmp_path / "a.txt", made if isinstance(made, bytes) else json.dumps(made))
    assert not one.unjudged
    assert (one.sent is None) == (tool in (curl, curl_compressed, fiddler))
    found = broken(evaluated([one]))
    assert ("usage.integers" in found) if changed else not found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each member of a JSON value, as its parent and its name."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [one for key in keys for one in places(value[key])]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_member_of_another_type_ends_no_evaluation(tool: Callable[[Given], Any], tmp_path: Path) -> None:
    made = tool((b"{}", "application/json", "{}"))
    for parent, key in places(made):
        kept = parent[key]
        for other in (None, 1, "\ud800", [1], {"a": 1}):
            parent[key] = other
            with contextlib.suppress(Misconfigured):
                assert len([one.unjudged for one in read(tmp_path / "a.json", json.dumps(made))]) < 2
        parent[key] = kept


def test_a_name_that_no_file_has(tmp_path: Path) -> None:
    response = {"status": 200, "bodyFileName": "\ud800\0"}
    mapping = {"request": {"method": "POST", "url": PATH}, "response": response}
    (one,) = read(tmp_path / "a.json", json.dumps(mapping))
    assert one.unjudged == "the body is in another file, which is not there"


def test_the_output_of_a_batch(tmp_path: Path) -> None:
    chat = {"object": "chat.completion", "choices": []}
    bodies = [json.loads(PLAIN.body), chat]
    lines = [{"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None} for body in bodies]
    lines.append({"custom_id": "b", "response": None, "error": {"message": "expired"}})
    (one,) = read(tmp_path / "batch.jsonl", "\n".join(map(json.dumps, lines)))
    assert not broken(evaluated([one]))


@pytest.mark.parametrize(
    ("dated", "created", "is_violation"),
    [
        ("", 1796059363123, True),  # Milliseconds: no time in seconds is that large.
        ("", 1796059363, False),
        ("", 0, False),  # Unknown without a clock.
        ("date: Mon, 30 Nov 2026 17:22:43 GMT\r\n", 1796059363, False),
        ("date: Mon, 30 Nov 2026 17:22:43 GMT\r\n", 1796059363.25, False),
        ("date: Mon, 30 Nov 2026 17:22:43 GMT\r\n", 1796059363123, True),
        ("date: Mon, 30 Nov 2026 17:22:43 GMT\r\n", 0, True),
        ("date: yesterday\r\n", 0, False),
    ],
)
def test_the_time_of_a_saved_response(dated: str, created: float, is_violation: bool, tmp_path: Path) -> None:
    body = json.dumps(json.loads(PLAIN.body) | {"created_at": created}).encode()
    (one,) = read(tmp_path / "a.txt", head("application/json", dated) + body)
    assert ("response.created-at-is-now" in broken(evaluated([one]))) == is_violation


@pytest.mark.parametrize("name", ["a.json", "a.txt"])
def test_the_status_that_curl_adds_is_no_part_of_the_body(name: str, tmp_path: Path) -> None:
    content = PLAIN.body if name == "a.json" else head("application/json") + PLAIN.body
    (one,) = read(tmp_path / name, content + b"\n200\n")
    assert one.exchange.body.strip() == PLAIN.body.strip()
    assert not broken(evaluated([one]))


def test_the_error_that_curl_adds_shows_an_incomplete_body(tmp_path: Path) -> None:
    body = STREAM.body[: STREAM.body.rindex(b"event:")] + b"\ncurl: (18) transfer closed"
    (one,) = read(tmp_path / "a.sse", body)
    assert one.in_part.startswith("the capture ends before the response does")
    assert not broken(evaluated([one]))


def test_bodies_in_files_of_wiremock(tmp_path: Path) -> None:
    for folder in ("mappings", "__files"):
        (tmp_path / folder).mkdir()
    (tmp_path / "__files" / "body.json").write_bytes(PLAIN.body)
    response = {"status": 200, "headers": {"Content-Type": "application/json"}, "bodyFileName": "body.json"}
    mapping = {"request": {"method": "POST", "urlPath": PATH}, "response": response}
    (tmp_path / "mappings" / "a.json").write_text(json.dumps(mapping))
    (one,) = read_folder(tmp_path).captured
    assert not one.unjudged
    assert not broken(evaluated([one]))


def test_lines_of_a_log_are_events(tmp_path: Path) -> None:
    lines = [line for line in STREAM.body.decode().split("\n") if line.startswith("data:")]
    (one,) = read(tmp_path / "a.txt", "\n".join(lines))
    assert not one.in_part
    assert one.received.events[-1].terminal


def test_json_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    lines = [line[6:] for line in STREAM.body.decode().split("\n") if line.startswith("data: ")]
    lines[0] = lines[0].replace('"metadata":null', '"metadata":{"a":"\u2028\u0085"}')
    (one,) = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert "\u2028" in one.exchange.body.decode()


@pytest.mark.parametrize("name", ["events", "chunks"])
def test_the_events_of_a_fixture(name: str, tmp_path: Path) -> None:
    events = [json.loads(line[6:]) for line in STREAM.body.decode().split("\n") if line.startswith("data: ")]
    (one,) = read(tmp_path / "a.json", json.dumps({"name": "a stream", name: events}))
    assert one.received.events[-1].terminal


def test_a_message_without_its_body_is_not_evaluated(tmp_path: Path) -> None:
    asked = f"POST {PATH} HTTP/1.1\n\n{{}}\n\n".encode()
    for body in (b"", b"+----+\n| NOTE: binary data not shown in terminal |\n+----+"):
        (one,) = read(tmp_path / "a.txt", asked + head("application/json") + body)
        assert one.unjudged == "the capture does not contain the body"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (head("application/json") + b'{"object":"list"}', "a raw HTTP response, whose body is none of the Responses"),
        (b"GET / HTTP/1.1\n\n" + head("text/html") + b"\nGET /a HTTP/1.1\n\n", "a raw HTTP request"),
        (b"* Trying 127.0.0.1:80...\n> POST / HTTP/1.1\n", "the log of curl -v or --trace: save the output of curl -i"),
        (b"== Info: Trying 127.0.0.1:80...\n", "the log of curl -v or --trace"),
    ],
)
def test_other_texts_are_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=says):
        read(tmp_path / "a.txt", content)
