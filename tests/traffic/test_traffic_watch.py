"""The watcher between a client and an endpoint: nothing is changed, nothing is held back, no key is kept."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.cli import main
from conformance.config.target import resolve
from conformance.emulator import Behaviour, Endpoint, serve
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.exchange.credential_forms import Cookie, filler
from conformance.exchange.exchange import Chunk
from conformance.exchange.run_directory import RunDirectory
from conformance.exchange.scrubbing import scrubbed_url, secrets_of
from conformance.traffic.observer import Observer, to_exchange, to_stored_exchange
from conformance.traffic.proxy import CLIENT_DISCONNECTED, ForwardedExchange, Proxy
from conformance.traffic.summary import Screen
from conformance.traffic.upstream import Upstream
from tests.support.rawserver import Peer, RawServer
from tests.support.running import ROOT, environment
from tests.support.runs import folder_at

KEY = "sk-watched-client-key-90ab17"
BODY = {"model": "mimo-v2.5-pro", "input": "Say hello.", "reasoning": {"effort": "none"}}


class Watched:
    """A watcher in this process, its folder and what it said."""

    def __init__(self, upstream: str, path: Path) -> None:
        self.said = io.StringIO()
        self.folder = folder_at(path)
        target = resolve({"endpoint": upstream}, {}, "00000000", None)
        self.observer = Observer(target, RunDirectory(path), Screen(self.said))
        self.passed: list[ForwardedExchange] = []
        self.proxy = Proxy(Upstream(upstream), "127.0.0.1", 0, self._see)

    def _see(self, passed: ForwardedExchange) -> None:
        self.passed.append(passed)
        self.observer(passed)

    def end(self) -> str:
        self.proxy.close()
        self.observer.close()
        return self.said.getvalue()


@contextmanager
def watched(upstream: str, path: Path) -> Iterator[Watched]:
    one = Watched(upstream, path)
    try:
        yield one
    finally:
        one.end()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as one:
        yield one


def planned(client: httpx.Client, base: str, **members: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    with client.stream("POST", f"{base}/responses", json=BODY | members, headers={"api-key": KEY}) as received:
        return received.status_code, received.headers.raw, b"".join(received.iter_raw())


def endpoint(behaviour: Behaviour | None = None) -> Endpoint:
    return Endpoint(key=KEY, behaviour=behaviour, clock=lambda: 1_790_000_000.0)


@pytest.mark.parametrize("members", [{}, {"stream": True}, {"input": 5}], ids=["plain", "stream", "refused"])
def test_what_comes_through_is_the_same_byte_for_byte(
    members: dict[str, Any], client: httpx.Client, tmp_path: Path
) -> None:
    with serve(endpoint()) as direct:
        want = planned(client, direct.url, **members)
    with serve(endpoint()) as server, watched(server.url, tmp_path) as one:
        assert planned(client, one.proxy.url, **members) == want
        planned(client, one.proxy.url, **members)  # The connection is kept.


def test_what_goes_up_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    body = '{"model":"m", "input":"\\u00e9 é"}  '.encode()
    sent = b"POST /v1/responses?b=%7E&a=~&x HTTP/1.1\r\nHost: here\r\nX-Two: 1\r\nX-Two: 2\r\n"
    sent += (
        b"ACCEPT-encoding: br, zstd\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    answered = b"HTTP/1.1 302 Odd Words\r\nLocation: /else where\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok"
    server = RawServer(lambda peer: peer.send(answered))
    try:
        with watched(server.url, tmp_path) as one, socket.create_connection(("127.0.0.1", port(one.proxy.url))) as sock:
            sock.sendall(sent + body)
            sock.settimeout(5)
            got = b""
            while not got.endswith(b"ok"):
                got += sock.recv(9999)
    finally:
        server.close()
    assert got.startswith(b"HTTP/1.1 302 Odd Words\r\n")
    assert b"Location: /else where\r\n" in got
    lines = server.head()
    assert lines[0] == b"POST /v1/responses?b=%7E&a=~&x HTTP/1.1"
    assert {b"X-Two: 1", b"X-Two: 2", b"ACCEPT-encoding: br, zstd"} <= set(lines)
    assert not any(line.lower().startswith((b"x-hop", b"user-agent", b"accept:")) for line in lines)
    assert b"Host: here" not in lines
    assert server.requests[0].endswith(body)


def port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def chunked(*pieces: bytes, pause: float = 0.0, end: bool = True) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(*(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces), pause=pause)
        if end:
            peer.send(b"0\r\n\r\n")
        else:
            peer.wait()

    return script


def test_the_first_piece_arrives_before_the_last_was_sent(client: httpx.Client, tmp_path: Path) -> None:
    server = RawServer(chunked(b"data: 1\n\n", b"data: 2\n\n", pause=0.6))
    try:
        with watched(server.url, tmp_path) as one:
            started = time.monotonic()
            with client.stream("POST", f"{one.proxy.url}/responses", json=BODY) as received:
                pieces = received.iter_raw()
                assert next(pieces) == b"data: 1\n\n"
                assert time.monotonic() - started < 0.5
                assert b"".join(pieces) == b"data: 2\n\n"
    finally:
        server.close()


def test_a_client_that_goes_away_ends_the_request_upstream(client: httpx.Client, tmp_path: Path) -> None:
    gone = threading.Event()

    def script(peer: Peer) -> None:
        chunked(b"data: 1\n\n", end=False)(peer)
        gone.set()

    server = RawServer(script)
    try:
        with watched(server.url, tmp_path) as one:
            with client.stream("POST", f"{one.proxy.url}/responses", json=BODY) as received:
                next(received.iter_raw())
            client.close()
            assert gone.wait(3)
            said = one.end()
    finally:
        server.close()
    assert one.passed[0].detail == CLIENT_DISCONNECTED
    assert "exchange 1: " in said


def test_a_cut_upstream_is_cut_for_the_client_too_and_told(client: httpx.Client, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(b"9\r\ndata: 1\n\n\r\n")

    server = RawServer(script)
    try:
        with watched(server.url, tmp_path) as one:
            with pytest.raises(httpx.RemoteProtocolError):
                client.post(f"{one.proxy.url}/responses", json=BODY | {"stream": True})
            said = one.end()
    finally:
        server.close()
    assert "sse.not-cut" in said


def test_an_upstream_that_is_not_there_is_a_502_in_the_watchers_name(client: httpx.Client, tmp_path: Path) -> None:
    with watched("http://127.0.0.1:9/v1", tmp_path) as one:
        received = client.post(f"{one.proxy.url}/responses", json=BODY)
        assert received.status_code == 502
        error = received.json()["error"]
        assert error["message"].startswith("conformance watch: no response from the upstream")
        assert set(error) == {"message", "type", "param", "code"}
        assert "not evaluated: no response: unreachable" in one.end()


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        ("/responses", {"Connection": "Upgrade", "Upgrade": "websocket"}, 426, "WebSockets are not forwarded"),
        ("x/responses", {}, 404, "not below /v1"),
    ],
)
def test_what_is_not_passed_on_is_refused_clearly(
    path: str, headers: dict[str, str], status: int, says: str, client: httpx.Client, tmp_path: Path
) -> None:
    with watched("http://127.0.0.1:9/v1", tmp_path) as one:
        received = client.get(one.proxy.url + path, headers=headers)
    assert (received.status_code, one.passed) == (status, [])
    assert says in received.json()["error"]["message"]


def test_the_clean_endpoint_and_legal_variety_stay_green(client: httpx.Client, tmp_path: Path) -> None:
    variants = [None, *(VARIANTS[name] for name in sorted(VARIANTS)[::25])]
    for place, behaviour in enumerate(variants):
        now = Endpoint(key=KEY, behaviour=behaviour)
        with serve(now) as server, watched(server.url, tmp_path / str(place)) as one:
            for members in ({}, {"stream": True}, {"stream": True, "store": False}):
                planned(client, one.proxy.url, **members)
            said = one.end()
        told = [line for line in said.splitlines() if line.startswith("exchange ")]
        assert len(told) == 3
        assert not any(" fail" in line for line in told), said
        assert behaviour or said.count(": ok, ") == 3


def test_a_fault_is_told_and_no_file_holds_a_key(client: httpx.Client, tmp_path: Path) -> None:
    with (
        serve(Endpoint(key=KEY, behaviour=FAULTS["lifecycle.no-in-progress"])) as server,
        watched(server.url, tmp_path) as one,
    ):
        bearer = {"Authorization": f"Bearer {KEY}", "Cookie": "sid=c00kie-1234567", "X-Machine": "my-laptop"}
        client.post(f"{one.proxy.url}/responses", json=BODY | {"stream": True, "user": KEY}, headers=bearer)
        said = one.end()
    assert "exchange 1: 1 fail" in said
    assert "in exchange 1, event 1, at /type" in said
    text = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file())
    assert "Bearer $MIMO_API_KEY" in text
    assert not any(secret in text + said for secret in (KEY, "c00kie-1234567", "my-laptop"))


def passed(**changes: Any) -> ForwardedExchange:
    usual: dict[str, Any] = {
        "method": "POST", "url": "http://h/v1/responses", "sent": (("api-key", KEY),), "body": b"{}", "status": 200,
        "headers": (("content-type", "application/json"), ("set-cookie", "a=b")), "chunks": (Chunk(1.0, b"{}"),),
        "ended": "clean", "detail": "", "sent_at": 1.0, "elapsed": 2.0,
    }  # fmt: skip
    return ForwardedExchange(**(usual | changes))


def test_keys_are_redacted_wherever_they_come_up() -> None:
    body = json.dumps({"a": KEY}).encode()
    one = to_stored_exchange(passed(body=body, chunks=(Chunk(1.0, body[:20]), Chunk(2.0, body[20:]))), 1, (KEY,))
    assert KEY not in repr(one)
    assert one.leaks == ("body, byte 7",)
    assert [name for name, _ in one.headers] == ["content-type"]
    # The same in request and response: what was equal stays so.
    assert json.loads(one.body) == json.loads(one.request.body) == {"a": filler(KEY.encode()).decode()}


def test_what_is_judged_is_what_was_received() -> None:
    body = json.dumps({"a": KEY}).encode()
    one = to_exchange(passed(body=body, chunks=(Chunk(1.0, body),)), 1, (KEY,))
    assert (one.body, one.request.body, one.leaks) == (body, body, ("body, byte 7",))
    assert KEY not in repr(one.request.headers)


def test_a_key_that_is_a_word_is_no_echo() -> None:
    held = passed(sent=(("api-key", "placeholder"),), chunks=(Chunk(1.0, b'"a placeholder"'),))
    word = to_stored_exchange(held, 1, ("placeholder",))
    assert (word.leaks, word.detail, word.body) == ((), "", b'"a redactedred"')


def test_the_latest_credentials_are_remembered(tmp_path: Path) -> None:
    observer = Observer(resolve({}, {}, "00000000", None), RunDirectory(tmp_path), Screen(io.StringIO()))
    for number in range(1_200):
        observer(passed(url="http://h/v1/models", sent=(("cookie", f"sid={number:08}"), ("api-key", KEY))))
    observer.close()
    assert len(observer.secrets) == 1_000
    assert {KEY, Cookie("00001199")} <= set(observer.secrets)


def test_of_a_url_the_secrets_go() -> None:
    url = "https://user:pass@h:1/v1/responses?api-version=2&api_key=abc&sig#part"
    assert scrubbed_url(url, ()) == "https://h:1/v1/responses?api-version=2&api_key=***&sig"
    assert secrets_of((), "https://h/?access_token=12345678%2B&v=87654321") == ("12345678%2B", "12345678+")


def test_a_packed_request_is_unpacked_to_be_judged() -> None:
    import gzip

    sent = (("content-encoding", "gzip"), ("content-type", "application/json"))
    one = to_stored_exchange(passed(sent=sent, body=gzip.compress(b'{"stream":true}')), 1, ())
    assert one.request.body == b'{"stream":true}'
    assert one.request.headers == (("content-type", "application/json"),)


def test_the_command_from_start_to_end(
    client: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [sys.executable, "-m", "conformance", "watch", "--run-dir", str(tmp_path / "run"), "--upstream"]
    with serve(Endpoint(key=KEY, behaviour=FAULTS["lifecycle.no-in-progress"])) as server:
        watcher = subprocess.Popen([*words, server.url], cwd=ROOT, env=environment(None), stdout=-1, text=True)
        try:
            assert watcher.stdout is not None
            head = [watcher.stdout.readline() for _ in range(3)]
            base = head[1].split()[-1]
            assert planned(client, base, stream=True)[0] == 200
            os.kill(watcher.pid, signal.SIGINT)
            said = watcher.communicate(timeout=20)[0]
        finally:
            watcher.kill()
    assert watcher.returncode == 1
    assert "lifecycle.in-progress-second@exchange 1" in said
    assert "1 fault; 1 MUST rule fails because of it" in said
    assert main(["judge", str(tmp_path / "run")]) == 1
    assert main(["report-bug", str(tmp_path / "run"), "lifecycle.in-progress-second"]) == 0
    assert "--only 'lifecycle.in-progress-second@exchange 1'" in capsys.readouterr().out


@pytest.mark.parametrize("upstream", ["ftp://h", "http://u:p@h/v1", "http://h/v1/responses"])
def test_an_upstream_that_cannot_be_is_one_line(
    upstream: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", "--upstream", upstream, "--run-dir", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
