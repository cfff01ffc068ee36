"""The ways in which HAR writers keep what passed: bodies, statuses, headers, times, what is there twice, WebSockets."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.emulator.faults import FAULTS
from conformance.exchange.exchange import Exchange
from conformance.traffic.captured import Captured
from conformance.traffic.har import Har, read_har
from tests.support.traffic import broken, entry, evaluated, har, received, responses

PLAIN, STREAM = responses("text", "text.stream")
Change = Callable[[dict[str, Any]], Any]


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def read(tmp_path: Path, *entries: dict[str, Any]) -> Har:
    return read_har(har(tmp_path / "a.har", *entries))


def changed(exchange: Exchange, change: Change, **content: Any) -> dict[str, Any]:
    made = entry(exchange, "firefox", **content)
    change(made)
    return made


def one_of(tmp_path: Path, made: dict[str, Any]) -> Captured:
    (one,) = read(tmp_path, made).captured
    return one


def coded(coding: str) -> Change:
    return lambda made: made["response"]["headers"].append({"name": "Content-Encoding", "value": coding})


@pytest.mark.parametrize(
    "text",
    [
        base64_of(PLAIN.body),
        base64_of(PLAIN.body).rstrip("="),
        base64.urlsafe_b64encode(PLAIN.body).decode(),
        base64.encodebytes(PLAIN.body).decode(),
    ],
)
@pytest.mark.parametrize("encoding", ["base64", "BASE64", None])
def test_base64_in_its_forms_marked_or_not(text: str, encoding: str | None, tmp_path: Path) -> None:
    one = one_of(tmp_path, entry(PLAIN, "firefox", text=text, encoding=encoding))
    assert (one.exchange.body, one.missing) == (PLAIN.body, "")
    assert "bytes" not in one.unavailable
    assert broken(evaluated([one])) == set()


@pytest.mark.parametrize(
    ("chunks", "form"),
    [
        ([PLAIN.body[:40].hex(), PLAIN.body[40:].hex()], {"_isBinary": True}),
        ([base64_of(PLAIN.body[:40]), base64_of(PLAIN.body[40:])], {"encoding": "base64"}),
    ],
)
def test_chunks_of_polly(chunks: list[str], form: dict[str, Any], tmp_path: Path) -> None:
    one = one_of(tmp_path, entry(PLAIN, "firefox", text=json.dumps(chunks), size=0, **form))
    assert (one.exchange.body, one.missing) == (PLAIN.body, "")
    assert broken(evaluated([one])) == set()


@pytest.mark.parametrize("text", ['["zz"]', "[1]", "[", '["7b", "7d'])
def test_binary_text_that_is_no_chunks_of_polly_is_text(text: str, tmp_path: Path) -> None:
    one = one_of(tmp_path, entry(PLAIN, "firefox", text=text, size=0, _isBinary=True))
    assert one.exchange.body == text.encode()


def test_text_that_only_could_be_base64_is_text(tmp_path: Path) -> None:
    for text in ("true", "1234", "abcd", "ZGF0YQ=="):
        assert one_of(tmp_path, entry(PLAIN, "firefox", text=text, size=0)).exchange.body == text.encode()
    other = changed(PLAIN, lambda made: made["response"].update(headers=[]), text=base64_of(b"{}"), mimeType="text/css")
    assert one_of(tmp_path, other).exchange.body == base64_of(b"{}").encode()


def test_text_that_is_marked_as_base64_and_is_none_stands_aside(tmp_path: Path) -> None:
    found = evaluated([one_of(tmp_path, entry(PLAIN, "firefox", encoding="base64"))])
    assert (found.cases, found.unjudged) == ([], {"entry 2": "the body is declared as base64, but is not valid base64"})


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate),
     ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data)))],
)  # fmt: skip
@pytest.mark.parametrize("exchange", [PLAIN, STREAM], ids=["plain", "stream"])
def test_bodies_that_are_still_compressed_are_decoded(
    exchange: Exchange, coding: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    packed = pack(exchange.body)
    made = changed(exchange, coded(coding), text=base64_of(packed), encoding="base64", size=len(exchange.body))
    one = one_of(tmp_path, made)
    assert one.exchange.body == exchange.body
    assert broken(evaluated([one])) == set()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress", "aws-chunked", "UTF-8"])
@pytest.mark.parametrize("encoding", ["base64", None])
def test_bodies_that_are_decoded_already_are_not_decoded_again(
    coding: str, encoding: str | None, tmp_path: Path
) -> None:
    text = base64_of(STREAM.body) if encoding else STREAM.body.decode()
    one = one_of(tmp_path, changed(STREAM, coded(coding), text=text, encoding=encoding))
    assert (one.exchange.body, one.unjudged) == (STREAM.body, "")
    assert broken(evaluated([one])) == set()


def test_a_coding_that_is_not_known_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = changed(PLAIN, coded("compress"), text=base64_of(b"\x1f\x9d\x90\0\1\2" * 9), encoding="base64", size=54)
    assert main(["judge", str(har(tmp_path / "a.har", made))]) == 5
    assert "entry 2: Content-Encoding compress is not decoded here" in capsys.readouterr().out


def test_a_compressed_body_kept_as_text(tmp_path: Path) -> None:
    packed = gzip.compress(PLAIN.body)
    letters = changed(PLAIN, coded("gzip"), text=packed.decode("latin-1"), size=len(packed))
    assert one_of(tmp_path, letters).exchange.body == PLAIN.body
    mangled = one_of(tmp_path, changed(PLAIN, coded("gzip"), text=packed.decode("utf-8", "replace")))
    assert "a compressed body as text" in evaluated([mangled]).unjudged["entry 2"]


def test_without_headers_the_bytes_show_their_coding(tmp_path: Path) -> None:
    made = entry(PLAIN, "firefox", text=base64_of(gzip.compress(PLAIN.body)), encoding="base64")
    made["response"]["headers"] = None
    assert one_of(tmp_path, made).exchange.body == PLAIN.body


def test_a_cut_compressed_body_is_unfinished(tmp_path: Path) -> None:
    packed = gzip.compress(STREAM.body)[:700]
    one = one_of(tmp_path, changed(STREAM, coded("gzip"), text=base64_of(packed), encoding="base64", size=0))
    assert STREAM.body.startswith(one.exchange.body)
    assert one.in_part
    assert broken(evaluated([one])) == set()


def messages(exchange: Exchange, **changes: Any) -> list[dict[str, Any]]:
    datas = [line[6:].decode() for line in exchange.body.splitlines() if line.startswith(b"data: ")]
    return [{"time": 1.0, "eventName": "message", "eventId": "", "data": data} | changes for data in datas]


@pytest.mark.parametrize("holder", [(), ("response",), ("response", "content")])
@pytest.mark.parametrize("text", ["", None])
def test_the_events_that_chrome_keeps(holder: tuple[str, ...], text: str | None, tmp_path: Path) -> None:
    wrong = received("text.stream", FAULTS["lifecycle.no-in-progress"])
    for exchange, rules in ((STREAM, set()), (wrong, {"lifecycle.in-progress-second"})):
        made = entry(exchange, "chrome", text=text, size=0)
        inner = made
        for name in holder:
            inner = inner[name]
        inner["_eventSourceMessages"] = messages(exchange)
        found = evaluated([one_of(tmp_path, made)])
        assert broken(found) == rules
        assert not any(line.requirement.startswith("sse.event-line") for line in found.cases)


def test_events_are_named_as_the_browser_read_them(tmp_path: Path) -> None:
    made = entry(STREAM, "chrome", text=None)
    made["_eventSourceMessages"] = [
        {"eventName": "response.created", "data": '{"a":\r\n1}'}, {"data": ""}, 7, {"eventName": "x", "data": {"b": 2}},
    ]  # fmt: skip
    one = one_of(tmp_path, made)
    assert one.exchange.body == b'event: response.created\ndata: {"a":\ndata: 1}\n\nevent: x\ndata: {"b": 2}\n\n'


@pytest.mark.parametrize(
    "status", ["200", " 200 ", "200 OK", 200.0], ids=["text", "spaces", "with its reason", "fraction"]
)
def test_statuses_as_text(status: Any, tmp_path: Path) -> None:
    one = one_of(tmp_path, changed(PLAIN, lambda made: made["response"].update(status=status)))
    assert one.exchange.status == 200
    assert broken(evaluated([one])) == set()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (0, "no response: reset (the client cancelled the request or the connection was refused)"),
        (-1, "no response: reset (the client cancelled the request or the connection was refused)"),
        (None, "no response: reset (the capture contains no status)"),
        ("", "no response: reset (the capture contains no status)"),
        ("failed", "no response"),
        ([], "no response"),
        (True, "no response"),
        (103, "HTTP 103 is not a final response"),
        ("429", "HTTP 429 may be temporary"),
        ("503", "HTTP 503 may be temporary"),
    ],
)
def test_statuses_that_say_nothing_of_the_contract(status: Any, says: str, tmp_path: Path) -> None:
    found = evaluated([one_of(tmp_path, changed(PLAIN, lambda made: made["response"].update(status=status)))])
    assert found.cases == []
    assert says in found.unjudged["entry 2"]


@pytest.mark.parametrize("exchange", [PLAIN, STREAM], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [204, "204", 205])
def test_a_response_without_a_body_is_no_lost_one(exchange: Exchange, status: Any, tmp_path: Path) -> None:
    made = changed(exchange, lambda made: made["response"].update(status=status), text=None, size=0)
    found = evaluated([one_of(tmp_path, made)])
    assert (broken(found), found.unjudged) == ({"http.success-is-200"}, {})


def test_an_empty_body_is_lost_unless_its_length_is_said(tmp_path: Path) -> None:
    def empty(made: dict[str, Any]) -> None:
        made["response"]["headers"].append({"name": "content-length", "value": "0"})

    assert one_of(tmp_path, changed(PLAIN, lambda made: None, text=None, size=0)).missing
    assert broken(evaluated([one_of(tmp_path, changed(PLAIN, empty, text=None, size=0))])) == {"http.body-is-utf8-json"}


@pytest.mark.parametrize("held", [None, [], "x", [None, {}, {"name": None, "value": 3}]])
def test_headers_that_are_not_there(held: Any, tmp_path: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        made["response"]["headers"] = made["request"]["headers"] = held

    one = one_of(tmp_path, changed(STREAM, change))
    assert one.unavailable >= {"headers"}
    assert broken(evaluated([one])) == set()


def test_headers_in_an_object(tmp_path: Path) -> None:
    held = {":status": "200", "Content-Type": "text/event-stream", "x-a": ["1", 2], "x-b": None}
    one = one_of(tmp_path, changed(STREAM, lambda made: made["response"].update(headers=held)))
    assert one.exchange.headers == (("Content-Type", "text/event-stream"), ("x-a", "1"), ("x-a", "2"), ("x-b", ""))
    assert broken(evaluated([one])) == set()


SENT = PLAIN.request.body.decode()


@pytest.mark.parametrize(
    ("posted", "is_there"),
    [
        ({"text": SENT}, True),
        ({"text": base64_of(SENT.encode()), "encoding": "base64"}, True),
        ({"text": base64_of(SENT.encode())}, True),
        ({"text": json.loads(SENT)}, True),
        ({"params": [{"name": SENT, "value": ""}]}, True),
        ({"params": [{"name": "", "value": SENT}], "text": ""}, True),
        ({"params": [{"name": "a", "value": "b"}, {"name": "c"}]}, False),
        ({"text": None}, False),
        ({"text": "@@", "encoding": "base64"}, False),
        ({"text": 7}, False),
        ({}, False),
        (None, False),
        ([], False),
    ],
)
def test_the_request_in_its_forms(posted: Any, is_there: bool, tmp_path: Path) -> None:
    one = one_of(tmp_path, changed(PLAIN, lambda made: made["request"].update(postData=posted)))
    assert ("request" not in one.unavailable) == is_there
    assert (one.sent == json.loads(SENT)) == is_there
    assert broken(evaluated([one])) == set()


def test_a_request_that_is_still_compressed_is_not_known(tmp_path: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        made["request"]["headers"].append({"name": "content-encoding", "value": "zstd"})
        made["request"]["postData"]["text"] = "(\ufffd/\ufffd"

    one = one_of(tmp_path, changed(PLAIN, change))
    assert "request" in one.unavailable


@pytest.mark.parametrize(
    ("started", "at"),
    [
        ("2026-08-29T10:40:00.000Z", 1788000000.0),
        ("2026-08-29T12:40:00.1234567+02:00", 1788000000.123456),
        ("2026-08-29T10:40:00+0000", 1788000000.0),
        (1788000000, 1788000000.0),
        (1788000000123, 1788000000.123),
        ("2026-08-29T10:40:00", None),
        ("29.08.2026", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
@pytest.mark.parametrize("took", [12.5, "12.5", None, "fast", -1, [], "nan", "1e999"])
def test_times_in_their_forms(started: Any, at: float | None, took: Any, tmp_path: Path) -> None:
    one = one_of(tmp_path, changed(PLAIN, lambda made: made.update(startedDateTime=started, time=took)))
    assert ("clock" in one.unavailable) == (at is None)
    assert one.exchange.sent_at == (at or 0.0)
    assert one.exchange.elapsed == (12.5 if took in (12.5, "12.5") else 0.0)


@pytest.mark.parametrize(
    "url", ["/v1/responses", "v1/responses", "responses", "https://h/v1/responses/?a=b", " /responses "]
)
@pytest.mark.parametrize("method", ["POST", "post", " Post "])
def test_requests_of_ours(url: str, method: str, tmp_path: Path) -> None:
    one = one_of(tmp_path, changed(PLAIN, lambda made: made["request"].update(url=url, method=method)))
    assert one.exchange.request.method == "POST"
    assert broken(evaluated([one])) == set()


def test_a_mark_at_the_beginning_of_the_file(tmp_path: Path) -> None:
    path = har(tmp_path / "a.har", entry(PLAIN, "firefox"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_har(path).captured) == 1


def test_bodies_that_playwright_puts_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "body.sse").write_bytes(STREAM.body)
    (tmp_path / "sent.json").write_bytes(STREAM.request.body)

    def change(made: dict[str, Any]) -> None:
        made["request"]["postData"] = {"_file": "sent.json"}

    one = one_of(tmp_path, changed(STREAM, change, text=None, _file="body.sse"))
    assert (one.exchange.body, one.sent) == (STREAM.body, json.loads(STREAM.request.body))
    (tmp_path / "in").mkdir()
    for name in ("../body.sse", str(tmp_path / "body.sse"), "none.sse", "..", "", "."):
        path = har(tmp_path / "in" / "a.har", entry(STREAM, "firefox", text=None, _file=name))
        assert "not there" in read_har(path).captured[0].unjudged


def at(made: dict[str, Any], started: Any, took: float) -> dict[str, Any]:
    return made | {"startedDateTime": started, "time": took}


START, LATER, MUCH_LATER = (f"2026-08-29T10:40:{seconds}Z" for seconds in ("00.000", "00.100", "10.000"))


def test_one_exchange_captured_twice_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = entry(PLAIN, "firefox")
    assert main(["judge", str(har(tmp_path / "a.har", made, made, entry(STREAM, "firefox", text=None)))]) == 0
    said = capsys.readouterr().out
    assert "2 exchanges with POST .../responses; 2 with other requests, not evaluated" in said
    assert "entry 3: the same exchange as entry 2, counted once" in said


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        (at(entry(PLAIN, "firefox"), START, 500), at(entry(PLAIN, "mitmproxy"), START, 480), 1),
        (at(entry(PLAIN, "firefox"), START, 500), at(entry(PLAIN, "firefox"), LATER, 300), 1),
        (at(entry(PLAIN, "firefox"), LATER, 300), at(entry(PLAIN, "firefox"), START, 500), 1),
        (at(entry(PLAIN, "firefox"), START, 500), at(entry(PLAIN, "firefox", text=None), START, 500), 1),
        (at(entry(STREAM, "firefox", text=STREAM.body[:900].decode(), size=0), START, 5),
         at(entry(STREAM, "firefox"), START, 500), 1),
        (at(entry(PLAIN, "firefox"), START, 500), at(entry(PLAIN, "firefox"), MUCH_LATER, 300), 2),
        (at(entry(PLAIN, "firefox"), START, 500), at(entry(PLAIN, "firefox"), LATER, 600), 2),
        (at(entry(PLAIN, "firefox"), START, 0), at(entry(PLAIN, "firefox"), LATER, 0), 2),
        (at(entry(PLAIN, "firefox"), None, 500), at(entry(PLAIN, "firefox"), None, 500), 2),
        (at(entry(PLAIN, "firefox"), START, 500), at(entry(STREAM, "firefox"), START, 500), 2),
    ],
)  # fmt: skip
def test_what_is_one_exchange_and_what_is_two(
    first: dict[str, Any], second: dict[str, Any], number: int, tmp_path: Path
) -> None:
    made = read(tmp_path, first, second)
    assert len(made.captured) == number
    assert all(not one.missing and not one.in_part for one in made.captured)
    twice = first["response"]["content"].get("text") == second["response"]["content"].get("text")
    assert ("response.id-unique" in broken(evaluated(list(made.captured)))) == (number == 2 and twice)


def socket_entry(url: str = "wss://api.example.com/v1/responses", **members: Any) -> dict[str, Any]:
    return {"request": {"method": "GET", "url": url}, "response": {"status": 101, "content": {}}} | members


def test_a_websocket_at_the_path_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = socket_entry(_webSocketMessages=[{"type": "send", "data": "{}"}], _resourceType="websocket")
    assert main(["judge", str(har(tmp_path / "a.har", seen))]) == 5
    said = capsys.readouterr().out
    assert "0 exchanges with POST .../responses; 2 with other requests, not evaluated" in said
    assert "entry 2: a WebSocket at .../responses (1 message), which is not" in said
    assert main(["judge", str(har(tmp_path / "b.har", seen, entry(PLAIN, "firefox"))), "--json"]) == 0
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert end["partial"] == {"exchanges": 1, "in_part": 0, "aside": 0, "websockets": 1}


@pytest.mark.parametrize(
    ("made", "is_one"),
    [
        (socket_entry(), True),
        (socket_entry("https://h/v1/responses"), True),
        (socket_entry("https://h/v1/responses", _webSocketMessages=None, response=None), True),
        (socket_entry("wss://h/v1/realtime", _webSocketMessages=[]), False),
        ({"request": {"method": "GET", "url": "https://h/v1/responses"}, "response": {"status": 405}}, False),
    ],
)
def test_what_is_a_websocket_of_ours(made: dict[str, Any], is_one: bool, tmp_path: Path) -> None:
    found = read(tmp_path, made)
    assert (len(found.websockets), found.others, found.captured) == (int(is_one), 2 + (not is_one), ())


def queued(status: str = "queued", **request: Any) -> dict[str, Any]:
    body = json.loads(PLAIN.body) | {"status": status, "output": [], "output_text": "", "usage": None}
    made = entry(PLAIN, "firefox", text=json.dumps(body), size=0)
    made["request"]["postData"]["text"] = json.dumps(json.loads(SENT) | request)
    return made


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_in_the_background_is_not_final(status: str, tmp_path: Path) -> None:
    found = evaluated([one_of(tmp_path, queued(status, background=True))])
    assert (broken(found), found.in_part) == (set(), {"entry 2"})
    assert f"the Response is {status}, with background" in found.unjudged["entry 2"]


def test_without_background_it_should_be_final(tmp_path: Path) -> None:
    assert broken(evaluated([one_of(tmp_path, queued(background=False))]))
    found = evaluated([one_of(tmp_path, queued())])
    causes = {line.requirement for line in found.cases if line.verdict == "fail" and not line.cause}
    assert found.unjudged == {}
    assert causes <= {"response.ends-final", "response.schema"}
    assert causes


@pytest.mark.parametrize("error", [{"code": "server_error", "message": "overloaded"}, None])
def test_a_failed_response_may_be_temporary(error: dict[str, str] | None, tmp_path: Path) -> None:
    """Whether the live service sends one is not known, and a 5xx is not evaluated either; without a message it is no
    report of an error."""
    made = queued("failed")
    made["response"]["content"]["text"] = json.dumps(json.loads(made["response"]["content"]["text"]) | {"error": error})
    found = evaluated([one_of(tmp_path, made)])
    assert broken(found) == (set() if error else {"response.ends-final"})
    assert ("which may be temporary: overloaded" in found.unjudged.get("entry 2", "")) is bool(error)


def test_a_stream_that_ends_with_an_error_is_evaluated_up_to_it(tmp_path: Path) -> None:
    made = entry(received("text.stream", FAULTS["lifecycle.ends-with-error"]), "firefox")
    found = evaluated([one_of(tmp_path, made)])
    assert "response.ends-final" not in {line.requirement for line in found.cases}
    assert "the response reports an error, which may be temporary: " in found.unjudged["entry 2"]
    assert "lifecycle.created-first" in {line.requirement for line in found.cases if line.verdict == "pass"}


def test_a_queued_snapshot_of_the_background_is_legal(tmp_path: Path) -> None:
    wrong = received("text.stream", FAULTS["lifecycle.snapshot-says-queued"])
    made = entry(wrong, "firefox")
    assert "lifecycle.snapshots" in broken(evaluated([one_of(tmp_path, made)]))
    made["request"]["postData"]["text"] = json.dumps(json.loads(wrong.request.body) | {"background": True})
    assert broken(evaluated([one_of(tmp_path, made)])) == set()


PRELUDES = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nx: 1\r\n\r\n",
    '{"statusCode":200}\0\0\0\0',
    '{"statusCode":200}\n',
    "<!-- -->\n\n",
]


@pytest.mark.parametrize("prelude", PRELUDES)
@pytest.mark.parametrize("kind", ["text/event-stream", "text/event-stream; charset=utf-8"])
def test_bytes_before_the_stream_are_the_cause(prelude: str, kind: str, tmp_path: Path) -> None:
    made = changed(STREAM, lambda made: made["response"].update(headers=[{"name": "content-type", "value": kind}]),
                   text=prelude + STREAM.body.decode(), size=0)  # fmt: skip
    found = evaluated([one_of(tmp_path, made)])
    (cause,) = [line for line in found.cases if line.verdict in ("fail", "warning") and not line.cause]
    assert cause.requirement == "sse.frames-parse"
    assert cause.findings[0].message == "bytes before the first event are not a field of the event stream"
    assert {line.requirement for line in found.cases if line.verdict == "pass"} >= {"usage.total-is-sum"}


@pytest.mark.parametrize("before", ["\ufeff", "\n\n", ": ping\n\n", "x-vendor: 1\n\n", "retry: 10\n", "id\n", "foo:\n"])
def test_what_may_stand_before_the_first_event(before: str, tmp_path: Path) -> None:
    one = one_of(tmp_path, entry(STREAM, "firefox", text=before + STREAM.body.decode(), size=0))
    assert broken(evaluated([one])) == set()


@pytest.mark.parametrize("body", [PLAIN.body.decode(), '{"a":\n "data: {}"}', '<p>data: {"a": 1}', '[\n "data:"]'])
def test_a_document_under_the_type_of_a_stream_is_no_stream(body: str, tmp_path: Path) -> None:
    found = evaluated([one_of(tmp_path, entry(STREAM, "firefox", text=body, size=0))])
    causes = [line.requirement for line in found.cases if line.verdict == "fail" and not line.cause]
    assert causes == ["sse.plain-stays-plain"]


def test_the_end_says_how_much_was_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = entry(STREAM, "firefox", text=STREAM.body[:900].decode(), size=0)
    busy = changed(PLAIN, lambda made: made["response"].update(status=503))
    path = har(tmp_path / "a.har", short, entry(PLAIN, "firefox"), busy)
    results = tmp_path / "r.jsonl"
    assert main(["judge", str(path), "--results", str(results)]) == 0
    said = capsys.readouterr().out
    assert "conforms" not in said
    assert "No violation found in the evaluated part; " in said
    assert "1 of 3 exchanges evaluated in part, 1 of 3 exchanges not evaluated." in said
    end = json.loads(results.read_text(encoding="utf-8").splitlines()[-1])
    assert end["partial"] == {"exchanges": 3, "in_part": 1, "aside": 1, "websockets": 0}
    for kind in ("--markdown", "--html"):
        assert main(["report", str(results), kind, str(tmp_path / "report")]) == 0
        text = (tmp_path / "report").read_text(encoding="utf-8")
        assert "onforms" not in text
        assert "No violation found in the evaluated part" in text


def test_the_end_names_only_commands_that_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = json.loads(PLAIN.body) | {key: {} for key in ("object", "created_at", "status", "model", "output")}
    path = har(tmp_path / "a.har", entry(PLAIN, "firefox", text=json.dumps(wrong), size=0))
    assert main(["judge", str(path)]) == 1
    said = capsys.readouterr().out
    assert " more findings\n" in said
    assert "results file" not in said
    assert "conformance baseline" not in said
    assert f"write all findings     conformance judge {path} --results results.jsonl\n" in said
    assert main(["judge", str(path), "--results", str(tmp_path / "r.jsonl")]) == 1
    said = capsys.readouterr().out
    assert f"results                {tmp_path / 'r.jsonl'}\n" in said
    assert ("write all findings" in said, "conformance baseline" in said) == (False, False)


def test_warnings_in_what_was_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = "".join(line + "\n" for line in STREAM.body.decode().split("\n")[:-1] if not line.startswith("event:"))
    assert main(["judge", str(har(tmp_path / "a.har", entry(STREAM, "firefox", text=bare[:2000], size=0)))]) == 0
    said = capsys.readouterr().out
    assert "No MUST violation found in the evaluated part; 1 SHOULD rule is" in said
