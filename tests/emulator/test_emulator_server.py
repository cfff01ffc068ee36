"""The endpoint on a socket, and its command line."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead
from urllib.parse import urlsplit

import pytest
from emulator_asks import KEY, PATH, SPEECH, body, endpoint

from conformance.emulator import Behaviour, Context, Reply, Server, serve
from conformance.emulator.__main__ import main
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS

HEADERS = {"api-key": KEY, "Content-Type": "application/json"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(endpoint()) as running:
        yield running


def connect(server: Server) -> HTTPConnection:
    return HTTPConnection(urlsplit(server.url).netloc, timeout=5)


def twisted(one: Behaviour) -> Server:
    return serve(endpoint(one))


def raw(server: Server, request: bytes) -> bytes:
    """Everything the server sends until it hangs up."""
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    with socket.create_connection((host, port), 5) as line:
        line.sendall(request)
        received = b""
        while data := line.recv(65536):
            received += data
        return received


def asking(payload: bytes, *more: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", f"api-key: {KEY}", f"Content-Length: {len(payload)}", *more]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def test_one_connection_serves_many_requests(server: Server) -> None:
    line = connect(server)
    statuses = []
    for payload, headers in ((body(), HEADERS), (body(stream=True), HEADERS), (b"{", HEADERS), (body(), {})):
        line.request("POST", PATH, payload, headers)
        opened = line.sock
        respond = line.getresponse()
        respond.read()
        statuses.append(respond.status)
        assert line.sock is opened
    assert statuses == [200, 200, 400, 401]
    assert server.requests == 4
    assert server.url.endswith("/v1")


def test_other_methods_and_head(server: Server) -> None:
    line = connect(server)
    for method, status in (("GET", 405), ("HEAD", 405), ("BREW", 405), ("OPTIONS", 405)):
        line.request(method, PATH, headers=HEADERS)
        respond = line.getresponse()
        assert (respond.status, respond.getheader("Allow")) == (status, "POST")
        assert bool(respond.read()) is (method != "HEAD")


def test_a_stream_arrives_chunk_by_chunk(server: Server) -> None:
    received = raw(server, asking(body(input=SPEECH, stream=True), "Connection: close"))
    head, _, rest = received.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    frames = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            break
        frames.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    assert rest == b"\r\n"
    assert len(frames) > 20
    assert all(frame.startswith(b"event: ") and frame.endswith(b"\n\n") for frame in frames)


def test_a_chunked_request_is_understood(server: Server) -> None:
    line = connect(server)
    line.request("POST", PATH, iter([b'{"model":"mimo-v2.5-pro",', b'"input":"x"}']), HEADERS, encode_chunked=True)
    assert line.getresponse().status == 200


def test_delays_are_kept() -> None:
    with serve(endpoint(first_byte_ms=60, event_ms=3)) as running:
        line = connect(running)
        began = time.monotonic()
        line.request("POST", PATH, body(stream=True), HEADERS)
        respond = line.getresponse()
        assert respond.read(1)
        assert time.monotonic() - began >= 0.06
        respond.read()
        assert time.monotonic() - began >= 0.16


def test_a_cut_stream_has_no_end() -> None:
    with twisted(FAULTS["sse.cut-midway"]) as running:
        line = connect(running)
        line.request("POST", PATH, body(stream=True), HEADERS)
        with pytest.raises(IncompleteRead):
            line.getresponse().read()


def test_a_cut_body_is_shorter_than_promised() -> None:
    with twisted(FAULTS["http.body-cut-by-connection"]) as running:
        line = connect(running)
        line.request("POST", PATH, body(), HEADERS)
        with pytest.raises(IncompleteRead):
            line.getresponse().read()


def test_a_reset_is_a_reset() -> None:
    with twisted(FAULTS["sse.reset-midway"]) as running, pytest.raises(ConnectionResetError):
        raw(running, asking(body(stream=True)))


def test_a_stall_lasts_until_the_server_closes() -> None:
    running = twisted(FAULTS["sse.left-open"])
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(raw(running, asking(body(stream=True)))))
    reader.start()
    time.sleep(0.2)
    assert reader.is_alive()
    running.close()
    reader.join(3)
    assert b"response.completed" in received[0]
    assert not received[0].endswith(b"0\r\n\r\n")


def test_a_hanging_answer_never_begins() -> None:
    with twisted(FAULTS["unsupported.background-hangs"]) as running:
        host, port = urlsplit(running.url).hostname, urlsplit(running.url).port
        with socket.create_connection((host, port), 0.2) as line:
            line.sendall(asking(body(background=True)))
            with pytest.raises(TimeoutError):
                line.recv(1)


def test_a_body_may_end_with_its_connection() -> None:
    with twisted(VARIANTS["framing.closed-without-length"]) as running:
        received = raw(running, asking(body()))
    head, _, rest = received.partition(b"\r\n\r\n")
    assert b"content-length" not in head.lower()
    assert json.loads(rest)["status"] == "completed"


def test_the_log_holds_no_headers() -> None:
    log = io.StringIO()
    with serve(endpoint(), log=log) as running:
        line = connect(running)
        line.request("POST", PATH, body(), {"Authorization": "Bearer other-secret", "X-Note": "private"})
        line.getresponse().read()
    entry = json.loads(log.getvalue())
    digest = hashlib.sha256(body()).hexdigest()
    assert entry == {"method": "POST", "path": PATH, "sha256": digest, "status": 401}


def test_what_is_not_http_is_answered_and_a_broken_twist_is_a_500(server: Server) -> None:
    assert b'{"error":' in raw(server, b"NONSENSE\r\n\r\n")
    for size in (b"one", b"-1"):
        assert b" 400 " in raw(server, asking(b"x").replace(b"Content-Length: 1", b"Content-Length: " + size))

    def broken(_: Context, reply: Reply) -> Reply:
        raise KeyError("twist")

    with twisted(Behaviour("test.broken", "test", "Raises.", reply=broken)) as running:
        assert b" 500 " in raw(running, asking(body(), "Connection: close"))


def test_many_callers_at_once(server: Server) -> None:
    ids: list[str] = []

    def call() -> None:
        line = connect(server)
        line.request("POST", PATH, body(), HEADERS)
        ids.append(json.loads(line.getresponse().read())["id"])

    callers = [threading.Thread(target=call) for _ in range(30)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(set(ids)) == 30


def test_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-faults"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)
    assert main(["--list-variants"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(VARIANTS)


def test_an_unknown_name_is_one_line_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fault", "usage.total-of-by-one"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "usage.total-off-by-one" in complaint
    assert main(["--variant", "framing.clrf"]) == 2
    assert "framing.crlf" in capsys.readouterr().err


def test_a_taken_port_is_told(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", str(urlsplit(server.url).port)]) == 2
    assert capsys.readouterr().err.startswith("conformance: cannot listen on 127.0.0.1 port ")


def test_the_command_serves_with_the_key_of_the_environment() -> None:
    command = [sys.executable, "-m", "conformance.emulator", "--fault", "usage.null", "--variant", "framing.crlf"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"MIMO_API_KEY": KEY}) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        line = HTTPConnection(urlsplit(url).netloc, timeout=5)
        line.request("POST", PATH, body(), HEADERS)
        assert json.loads(line.getresponse().read())["usage"] is None
        running.terminate()
        assert running.wait(5) == 0
