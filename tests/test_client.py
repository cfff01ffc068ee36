"""The client against servers that answer well, badly or not at all: whatever they do, an exchange says it."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from conformance.config.target import resolve
from conformance.exchange.credential_forms import filler
from conformance.exchange.exchange import Exchange, Headers, from_json, to_json
from conformance.exchange.planned import OutgoingRequest
from conformance.version import __version__
from conformance.wire import receive as module
from conformance.wire import retry
from conformance.wire.client import Client
from tests.support.rawserver import Peer, RawServer, Script, chunk, head, received

KEY = "sk-canary-4f7a91c2e8d05b63"
BODY = b'{"model":"m","input":"hi"}'
CHUNKED = "Transfer-Encoding: chunked"
STREAM = "Content-Type: text/event-stream"
COMPLETED = b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'

Serve = Callable[..., RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, and stops them after the test."""
    with contextlib.ExitStack() as started:

        def start(*scripts: Script) -> RawServer:
            server = RawServer(*scripts)
            started.callback(server.close)
            return server

        yield start


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACK_OFF", (0.01, 0.02, 0.03))


def planned(
    url: str,
    *,
    auth: str = "api-key",
    headers: Headers = (),
    method: str = "POST",
    body: bytes = BODY,
    tries: int = 1,
    key: str = KEY,
    **options: float | str,
) -> Exchange:
    """One exchange with the server; no form of it may hold the key."""
    limits: dict[str, float | str] = {"endpoint": url, "first-byte-timeout": 5, "read-timeout": 5, "total-timeout": 5}
    limits |= {name.replace("_", "-"): value for name, value in options.items()}
    client = Client(resolve(limits, {}, "nonce", None), key)
    try:
        exchange = client.send(OutgoingRequest("key", "scenario", 0, method, body, auth, headers, tries))
    finally:
        client.close()
    kept = json.dumps(to_json(exchange))
    windows = [key[start : start + 8] for start in range(len(key) - 7)]
    assert not [part for part in windows if part in kept and re.search(r"\d", part)]
    return exchange


def ended(exchange: Exchange) -> list[tuple[int | None, str, float]]:
    """Status, end and wait of each request that was retried."""
    return [(one.status, one.ended, one.waited) for one in exchange.attempts]


def texts(exchange: Exchange) -> list[bytes]:
    return [one.data for one in exchange.chunks]


def test_content_length_ends_clean(serve: Serve) -> None:
    got = planned(serve(received(b'{"a":1}', "Content-Type: application/json", "X-Own: yes")).url)
    assert (got.status, got.ended, got.detail, got.body) == (200, "clean", "", b'{"a":1}')
    assert got.headers == (("Content-Type", "application/json"), ("X-Own", "yes"), ("Content-Length", "7"))
    assert (got.key, got.scenario, got.sample, got.attempts, got.leaks) == ("key", "scenario", 0, (), ())


def test_chunked_ends_clean(serve: Serve) -> None:
    got = planned(serve(lambda peer: peer.send(head(CHUNKED) + chunk(b"one") + chunk(b"two") + chunk(b""))).url)
    assert (got.ended, got.body) == ("clean", b"onetwo")


def test_close_delimited_ends_clean(serve: Serve) -> None:
    got = planned(serve(lambda peer: peer.send(head("X: y") + b"till the end")).url)
    assert (got.status, got.ended, got.body) == (200, "clean", b"till the end")


def test_no_content_is_an_empty_body(serve: Serve) -> None:
    got = planned(serve(lambda peer: peer.send(head(status="204 No Content"))).url)
    assert (got.status, got.ended, got.chunks) == (204, "clean", ())


def cut_in_length(peer: Peer) -> None:
    peer.send(head("Content-Length: 100") + b"half of")


def cut_in_chunk(peer: Peer) -> None:
    peer.send(head(CHUNKED) + chunk(b"half of") + b"20\r\nthe rest")


def cut_between_chunks(peer: Peer) -> None:
    peer.send(head(CHUNKED) + chunk(b"half of"))


@pytest.mark.parametrize("script", [cut_in_length, cut_in_chunk, cut_between_chunks])
def test_early_end_is_a_cut(serve: Serve, script: Script) -> None:
    got = planned(serve(script).url)
    assert (got.status, got.ended) == (200, "cut")
    assert got.detail
    assert got.body.startswith(b"half of")


def reset_at_once(peer: Peer) -> None:
    peer.reset()


def reset_in_head(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    time.sleep(0.15)
    peer.reset()


def reset_in_body(peer: Peer) -> None:
    peer.send(head("Content-Length: 100") + b"half of")
    time.sleep(0.15)  # RST throws away what the client has not read yet.
    peer.reset()


@pytest.mark.parametrize("script", [reset_at_once, reset_in_head])
def test_reset_before_the_body_has_no_status(serve: Serve, script: Script) -> None:
    got = planned(serve(script).url)
    assert (got.status, got.headers, got.chunks, got.ended) == (None, (), (), "reset")
    assert got.detail


def test_reset_in_the_body_keeps_what_came(serve: Serve) -> None:
    got = planned(serve(reset_in_body).url)
    assert (got.status, got.ended, got.body) == (200, "reset", b"half of")


def test_close_at_once_is_a_reset(serve: Serve) -> None:
    got = planned(serve(lambda peer: None).url)
    assert (got.status, got.ended) == (None, "reset")


def test_no_http_is_invalid(serve: Serve) -> None:
    got = planned(serve(lambda peer: peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")).url)
    assert (got.status, got.ended, got.chunks) == (None, "invalid", ())


def test_closed_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    got = planned(f"http://127.0.0.1:{port}/v1")
    assert (got.status, got.ended) == (None, "unreachable")


def test_silence_is_a_time_out(serve: Serve) -> None:
    got = planned(serve(Peer.wait).url, first_byte_timeout=0.1)
    assert (got.status, got.ended) == (None, "time-out")
    assert got.detail == "no response, or incomplete headers, within 0.1 s"
    assert 100 <= got.elapsed < 1000


def test_silence_in_the_body_keeps_what_came(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(head("Content-Length: 100") + b"half of")
        peer.wait()

    got = planned(serve(script).url, read_timeout=0.1)
    assert (got.status, got.ended, got.body) == (200, "time-out", b"half of")


@pytest.mark.parametrize("framing", [CHUNKED, "X-Framing: close"])
def test_trickle_ends_at_the_total_time(serve: Serve, framing: str) -> None:
    def script(peer: Peer) -> None:
        peer.send(head(framing))
        while not peer.over:
            peer.send(chunk(b"drip"), pause=0.02)

    got = planned(serve(script).url, total_timeout=0.15, read_timeout=5)
    assert (got.status, got.ended) == (200, "time-out")
    assert "0.15 s" in got.detail
    assert len(got.chunks) > 2
    assert 150 <= got.elapsed < 1000


def test_oversize_is_not_read_to_its_end(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(head(CHUNKED))
        while not peer.over:
            peer.send(chunk(b"x" * 400), pause=0.002)

    got = planned(serve(script).url, max_body=1000)
    assert (got.status, got.ended) == (200, "oversize")
    assert "1000" in got.detail
    assert 1000 < len(got.body) < 20_000


def test_body_of_just_the_limit_is_clean(serve: Serve) -> None:
    got = planned(serve(received(b"x" * 1000)).url, max_body=1000)
    assert (got.ended, len(got.body)) == ("clean", 1000)


def test_redirect_is_not_followed(serve: Serve) -> None:
    other = serve(received(b"elsewhere"))
    first = serve(received(b"", f"Location: {other.url}/responses", status="302 Found"))
    got = planned(first.url)
    assert (got.status, got.header("location"), got.ended) == (302, f"{other.url}/responses", "clean")
    assert len(first.requests) == 1
    assert other.requests == []


@pytest.mark.parametrize("framing", [CHUNKED, "X-Framing: close"])
def test_stream_left_open_after_its_end_is_hung_up(serve: Serve, framing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.1)

    def script(peer: Peer) -> None:
        peer.send(head(STREAM, framing) + (chunk(COMPLETED) if framing == CHUNKED else COMPLETED))
        peer.wait()

    got = planned(serve(script).url)
    assert (got.status, got.ended, got.body) == (200, "time-out", COMPLETED)
    assert got.detail == "still open 0.1 s after the terminal event"
    assert 100 <= got.elapsed < 1000


def test_pause_before_the_end_is_not_hung_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.05)
    delta = b'data: {"type":"response.output_text.delta","delta":"response.completed"}\n\n'

    def script(peer: Peer) -> None:
        peer.send(head(STREAM) + delta, pause=0.2)
        peer.send(COMPLETED)

    got = planned(serve(script).url)
    assert (got.ended, got.body) == ("clean", delta + COMPLETED)


def test_503_then_200_is_one_attempt(serve: Serve) -> None:
    server = serve(received(b"busy", status="503 Busy"), received(b"fine"))
    got = planned(server.url, tries=4)
    assert (got.status, got.body) == (200, b"fine")
    assert ended(got) == [(503, "clean", 0.01)]
    assert [(one.status, one.body) for one in got.retried] == [(503, b"busy")]
    assert server.requests[0] == server.requests[1]


def test_waits_grow_from_try_to_try(serve: Serve) -> None:
    got = planned(serve(received(b"busy", status="503 Busy")).url, tries=4)
    assert [one.waited for one in got.attempts] == [0.01, 0.02, 0.03]


@pytest.mark.parametrize(("asked", "waited"), [("0", 0.0), ("soon", 0.01), ("-1", 0.01)])
def test_retry_after_is_honoured(serve: Serve, asked: str, waited: float) -> None:
    limited = received(b"", f"Retry-After: {asked}", status="429 Too Many Requests")
    got = planned(serve(limited, received(b"fine")).url, tries=2)
    assert (got.status, ended(got)) == (200, [(429, "clean", waited)])


def test_retry_after_has_a_limit(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.05)
    limited = received(b"", "Retry-After: 3", status="429 Too Many Requests")
    assert ended(planned(serve(limited, received(b"fine")).url, tries=2)) == [(429, "clean", 0.05)]


def test_persistent_500_gives_up_after_the_tries(serve: Serve) -> None:
    server = serve(received(b"no", status="500 Broken"))
    got = planned(server.url, tries=3)
    assert (got.status, got.body) == (500, b"no")
    assert [one.status for one in got.attempts] == [500, 500]
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "401 Unauthorized", "404 Not Found", "501 No"])
def test_last_words_are_not_asked_again(serve: Serve, status: str) -> None:
    server = serve(received(b"said", status=status))
    assert planned(server.url, tries=3).attempts == ()
    assert len(server.requests) == 1


def test_reset_without_status_is_asked_again(serve: Serve) -> None:
    got = planned(serve(reset_at_once, received(b"fine")).url, tries=2)
    assert (got.status, ended(got)) == (200, [(None, "reset", 0.01)])
    assert got.attempts[0].detail


def test_error_with_a_cut_body_is_asked_again(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(head("Content-Length: 100", status="400 Bad Request") + b"half of")

    got = planned(serve(script, received(b"said", status="400 Bad Request")).url, tries=2)
    assert (got.status, got.body, ended(got)) == (400, b"said", [(400, "cut", 0.01)])
    assert got.retried[0].body == b"half of"


def test_cut_answer_is_not_asked_again(serve: Serve) -> None:
    server = serve(cut_in_length)
    assert planned(server.url, tries=3).attempts == ()
    assert len(server.requests) == 1


def test_arrival_times_grow(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(head(CHUNKED), *(chunk(piece) for piece in (b"a", b"b", b"c")), pause=0.06)
        peer.send(chunk(b""))

    before = time.time()
    got = planned(serve(script).url)
    times = [one.at for one in got.chunks]
    assert texts(got) == [b"a", b"b", b"c"]
    assert times[0] > 15
    assert times[1] - times[0] > 15
    assert times[2] - times[1] > 15
    assert got.elapsed >= times[2]
    assert before <= got.sent_at <= time.time()


def test_compressed_body_is_kept_as_it_came(serve: Serve) -> None:
    packed = gzip.compress(b'{"a":1}')
    got = planned(serve(received(packed, "Content-Encoding: gzip")).url)
    assert b"".join(texts(got)) == packed
    assert got.body == b'{"a":1}'


LAST = KEY[:-1] + "a"

WIRE = {
    "api-key": [f"api-key: {KEY}"],
    "API-KEY": [f"API-KEY: {KEY}"],
    "bearer": [f"Authorization: Bearer {KEY}"],
    "lower-header": [f"authorization: Bearer {KEY}"],
    "upper-header": [f"AUTHORIZATION: Bearer {KEY}"],
    "lower-scheme": [f"Authorization: bearer {KEY}"],
    "other-scheme": [f"Authorization: Basic {KEY}"],
    "no-scheme": [f"Authorization: {KEY}"],
    "none": [],
    "api-key:empty": ["api-key: "],
    "bearer:empty": ["Authorization: Bearer"],
    "api-key:last-character": [f"api-key: {LAST}"],
    "bearer:last-character": [f"Authorization: Bearer {LAST}"],
    "api-key:prefix": [f"api-key: {KEY[:-1]}"],
    "bearer:prefix": [f"Authorization: Bearer {KEY[:-1]}"],
    "api-key:suffix": [f"api-key: {KEY}0"],
    "bearer:suffix": [f"Authorization: Bearer {KEY}0"],
    "api-key+bearer": [f"api-key: {KEY}", f"Authorization: Bearer {KEY}"],
}

RECORDED = {
    "api-key": ["api-key: $MIMO_API_KEY"],
    "API-KEY": ["API-KEY: $MIMO_API_KEY"],
    "bearer": ["Authorization: Bearer $MIMO_API_KEY"],
    "lower-scheme": ["Authorization: bearer $MIMO_API_KEY"],
    "other-scheme": ["Authorization: Basic $MIMO_API_KEY"],
    "no-scheme": ["Authorization: $MIMO_API_KEY"],
    "none": [],
    "api-key:wrong": ["api-key: sk-wrong"],
    "bearer:wrong": ["Authorization: Bearer sk-wrong"],
    "api-key:prefix": ["api-key: ${MIMO_API_KEY%?}"],
    "bearer:suffix": ["Authorization: Bearer ${MIMO_API_KEY}0"],
    "bearer:last-character": ["Authorization: Bearer ${MIMO_API_KEY%?}_"],
    "api-key:empty": ["api-key: "],
    "api-key:wrong+bearer": ["api-key: sk-wrong", "Authorization: Bearer $MIMO_API_KEY"],
    "api-key+bearer:wrong": ["api-key: $MIMO_API_KEY", "Authorization: Bearer sk-wrong"],
}


def credentials_on_the_wire(server: RawServer) -> list[str]:
    lines = [line.decode() for line in server.head()[1:]]
    return [line for line in lines if line.partition(":")[0].lower() in ("api-key", "authorization")]


def credentials_kept(exchange: Exchange) -> list[str]:
    pairs = exchange.request.headers
    return [f"{name}: {value}" for name, value in pairs if name.lower() in ("api-key", "authorization")]


@pytest.mark.parametrize("auth", WIRE)
def test_auth_goes_out_exactly_so(serve: Serve, auth: str) -> None:
    server = serve(received(b"{}"))
    planned(server.url, auth=auth)
    assert credentials_on_the_wire(server) == WIRE[auth]


@pytest.mark.parametrize(
    ("auth", "message_pattern"),
    [
        ("api-key:wrong", r"api-key: sk-wrong[A-Za-z0-9]{40}"),
        ("bearer:wrong", r"Authorization: Bearer sk-wrong[A-Za-z0-9]{40}"),
        ("api-key:wrong+bearer", rf"api-key: sk-wrong[A-Za-z0-9]{{40}}\nAuthorization: Bearer {KEY}"),
        ("api-key+bearer:wrong", rf"api-key: {KEY}\nAuthorization: Bearer sk-wrong[A-Za-z0-9]{{40}}"),
    ],
)
def test_wrong_key_is_random(serve: Serve, auth: str, message_pattern: str) -> None:
    first, second = serve(received(b"{}")), serve(received(b"{}"))
    planned(first.url, auth=auth)
    planned(second.url, auth=auth)
    assert re.fullmatch(message_pattern, "\n".join(credentials_on_the_wire(first)))
    assert credentials_on_the_wire(first) != credentials_on_the_wire(second)


@pytest.mark.parametrize("auth", RECORDED)
def test_auth_is_recorded_as_a_shell_makes_it(serve: Serve, auth: str) -> None:
    got = planned(serve(received(b"{}")).url, auth=auth)
    assert credentials_kept(got) == RECORDED[auth]


def test_auth_is_recorded_by_the_variable_that_holds_the_key(serve: Serve) -> None:
    got = planned(serve(received(b"{}")).url, api_key_env="OTHER_VARIABLE", auth="api-key+bearer:prefix")
    assert credentials_kept(got) == ["api-key: $OTHER_VARIABLE", "Authorization: Bearer ${OTHER_VARIABLE%?}"]


def test_request_is_whole_on_the_wire(serve: Serve) -> None:
    server = serve(received(b"{}"))
    got = planned(server.url, headers=(("X-Own", "yes"),))
    assert server.head()[0] == b"POST /v1/responses HTTP/1.1"
    assert server.requests[0].endswith(b"\r\n\r\n" + BODY)
    sent = {name.lower(): value for name, _, value in (line.partition(b": ") for line in server.head()[1:])}
    assert sent[b"content-type"] == b"application/json"
    assert sent[b"user-agent"] == f"mimo-responses-conformance/{__version__}".encode()
    assert sent[b"x-own"] == b"yes"
    assert (got.request.method, got.request.url, got.request.body) == ("POST", server.url + "/responses", BODY)
    assert ("X-Own", "yes") in got.request.headers


def test_get_sends_no_body(serve: Serve) -> None:
    server = serve(received(b"{}"))
    planned(server.url, method="GET", body=b"")
    assert server.head()[0] == b"GET /v1/responses HTTP/1.1"
    assert not [line for line in server.head() if line.lower().startswith((b"content-", b"transfer-"))]
    planned(server.url, method="GET", body=BODY)
    assert server.requests[1].endswith(b"\r\n\r\n")
    assert BODY not in server.requests[1]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ((), [b"Accept: */*"]),
        ((("Accept", "application/json"),), [b"Accept: application/json"]),
        ((("accept", "text/event-stream"),), [b"accept: text/event-stream"]),
        ((("Accept", ""),), []),
    ],
)
def test_accept_is_what_the_scenario_says(serve: Serve, headers: Headers, sent: list[bytes]) -> None:
    server = serve(received(b"{}"))
    got = planned(server.url, headers=headers)
    assert [line for line in server.head() if line.lower().startswith(b"accept:")] == sent
    kept = [f"{name}: {value}".encode() for name, value in got.request.headers if name.lower() == "accept"]
    assert kept == sent


def echo(peer: Peer) -> None:
    key = re.search(rb"(?i)^(?:api-key|authorization): (?:bearer )?(.*?)\r$", peer.request, re.MULTILINE)
    said = key[1] if key else b""
    body = b'{"error":{"message":"bad key ' + said + b'"}}'
    fields = (f"X-Echo: {said.decode()}", f"Content-Length: {len(body)}")
    middle = len(body) // 2  # Inside the key.
    peer.send(head(*fields, status="401 Unauthorized") + body[:middle], body[middle:], pause=0.03)


@pytest.mark.parametrize("auth", ["api-key", "bearer", "no-scheme", "api-key:suffix", "bearer:prefix", "bearer:wrong"])
def test_echoed_credential_is_redacted_and_reported(serve: Serve, auth: str) -> None:
    server = serve(echo)
    got = planned(server.url, auth=auth)
    sent = credentials_on_the_wire(server)[0].rpartition(" ")[2]
    assert sent not in json.dumps(to_json(got))
    assert got.leaks == ("header x-echo", "body, byte 29")
    assert len(got.body) == int(got.header("content-length") or 0)
    assert got.body.startswith(b'{"error":{"message":"bad key ')


def test_credential_in_a_broken_status_line_is_redacted(serve: Serve) -> None:
    got = planned(serve(lambda peer: peer.send(f"NOT HTTP {KEY}\r\n\r\n".encode())).url)
    assert got.ended == "invalid"
    assert f"NOT HTTP {filler(KEY.encode()).decode()[:8]}" in got.detail
    assert KEY not in got.detail


def test_exchange_is_the_same_after_its_json_form(serve: Serve) -> None:
    got = planned(serve(received(b"busy", status="503 Busy"), received(b"\xff\x00", "X-Own: yes")).url, tries=2)
    again = from_json(json.loads(json.dumps(to_json(got))))
    assert to_json(again) == to_json(got)
    assert again.body == b"\xff\x00"


def test_proxy_of_the_environment_is_not_for_loopback(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(received(b"from the proxy"))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    got = planned(serve(received(b"direct")).url)
    assert (got.body, proxy.requests) == (b"direct", [])


# -- the first byte, and what is kept of a response that is retried ---------------------------------------------------

CREATED = (
    b'event: response.created\ndata: {"type":"response.created","response":{"status":"in_progress","error":null}}\n\n'
    b'event: response.in_progress\ndata: {"type":"response.in_progress","response":{"status":"in_progress"}}\n\n'
)
ITEM = b'event: response.output_item.added\ndata: {"type":"response.output_item.added","item":{}}\n\n'


@pytest.mark.parametrize("early", [b"", b": keep-alive\n\n", CREATED])
def test_a_head_that_is_sent_at_once_is_not_yet_the_first_byte(serve: Serve, early: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(head(STREAM) + early, pause=0.4)
        peer.send(ITEM + COMPLETED)

    got = planned(serve(script).url, read_timeout=0.15, first_byte_timeout=5)
    assert (got.ended, got.body) == ("clean", early + ITEM + COMPLETED)


@pytest.mark.parametrize("early", [b"", b": keep-alive\n\n", CREATED])
def test_a_head_without_a_first_event_ends_at_the_limit_of_the_first_byte(serve: Serve, early: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(head(STREAM) + early)
        peer.wait()

    got = planned(serve(script).url, first_byte_timeout=0.2)
    assert (got.status, got.ended, got.body) == (200, "time-out", early)
    assert got.detail == "headers, but no event of the model's output within 0.2 s"


def test_after_the_first_event_the_silence_counts(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(head(STREAM) + CREATED + ITEM)
        peer.wait()

    got = planned(serve(script).url, read_timeout=0.2, first_byte_timeout=5)
    assert (got.ended, got.detail) == ("time-out", "no byte for 0.2 s")


def test_a_body_that_begins_late_is_before_its_first_byte(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.send(head("Content-Length: 2"), pause=0.4)
        peer.send(b"{}")

    assert planned(serve(script).url, read_timeout=0.15, first_byte_timeout=5).ended == "clean"


def test_what_is_retried_is_recorded_without_the_key(serve: Serve) -> None:
    busy = received(f"too many for {KEY}".encode(), f"X-Key: {KEY}", status="429 Busy")
    got = planned(serve(busy, received(b"fine")).url, tries=2)
    assert got.leaks == ()
    (first,) = got.attempts
    assert first.leaks == ("header x-key", "body, byte 13")
    assert first.chunks[0].data == b"too many for " + filler(KEY.encode())
    assert from_json(json.loads(json.dumps(to_json(got)))) == replace(got, **_rounded(got))


def _rounded(exchange: Exchange) -> dict[str, object]:
    read = from_json(to_json(exchange))
    return {name: getattr(read, name) for name in ("chunks", "elapsed", "attempts", "lag_ms")}


def test_a_recording_without_retried_responses_is_read(serve: Serve) -> None:
    document = to_json(planned(serve(received(b"fine")).url))
    document["attempts"] = [[503, "clean", 0.2], [None, "reset", 0.6]]
    read = from_json(document)
    assert ended(read) == [(503, "clean", 0.2), (None, "reset", 0.6)]
    assert read.retried == ()
