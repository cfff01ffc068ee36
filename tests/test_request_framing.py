"""One reader of request bodies for the built-in endpoint, the reference proxy and `conformance watch`: an invalid
framing is refused at once."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from conformance.emulator import Endpoint, serve
from conformance.emulator.framing import read_body
from conformance.emulator.proxy import ReferenceProxy
from tests.traffic.test_traffic_watch import watched

#: Chunked bodies with an invalid size, or data that is longer than its size.
INVALID = {
    "negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "signed": b"+5\r\nhello\r\n0\r\n\r\n",
    "prefixed": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "blank before": b" 5\r\nhello\r\n0\r\n\r\n",
    "empty": b"\r\nhello\r\n0\r\n\r\n",
    "a word": b"five\r\nhello\r\n0\r\n\r\n",
    "too short": b"3\r\nhello\r\n0\r\n\r\n",
}


def _headers(**values: str) -> Message:
    made = Message()
    for name, value in values.items():
        made[name.replace("_", "-")] = value
    return made


def _read(data: bytes, most: int | None = None, **headers: str) -> bytes:
    return read_body(_headers(**headers), io.BytesIO(data), most)


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID)
def test_an_invalid_size_of_a_chunk_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="chunk"):
        _read(data, Transfer_Encoding="chunked")


@pytest.mark.parametrize("data", [b"9\r\nhello", b"5\r\nhello\r\n", b""], ids=["data", "end", "nothing"])
def test_a_chunked_body_without_its_end_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="chunk"):
        _read(data, Transfer_Encoding="chunked")


@pytest.mark.parametrize("length", ["-1", "+5", "5.0", "0x5", "1_0", "five", "\u0665"])
def test_an_invalid_length_is_an_error(length: str) -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        _read(b"hello", Content_Length=length)


def test_a_body_that_is_shorter_than_its_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="ends after 5 bytes, expected 6"):
        _read(b"hello", Content_Length="6")


def test_what_the_standard_allows_is_read() -> None:
    assert _read(b"hello", Content_Length=" 5 ") == b"hello"
    assert _read(b"ignored") == b""
    data = b'5 ;name="a;b"\r\nhello\r\n00a\nmore bytes\n0;last\r\nX-Trailer: 1\r\n\r\nnext'
    stream = io.BytesIO(data)
    assert read_body(_headers(Transfer_Encoding="gzip, Chunked"), stream) == b"hellomore bytes"
    assert stream.read() == b"next"


def test_a_body_is_read_up_to_the_limit() -> None:
    chunked = b"5\r\nhello\r\nA\r\nmore bytes\r\n0\r\n\r\n"
    assert _read(chunked, 7, Transfer_Encoding="chunked") == b"hellomo"
    assert _read(b"hello", 4, Content_Length="5") == b"hell"


@contextlib.contextmanager
def _server(kind: str, folder: Path) -> Iterator[str]:
    """The base URL of a running server."""
    with serve(Endpoint(key="sk-framing")) as endpoint:
        if kind == "endpoint":
            yield endpoint.url
        elif kind == "watch":
            with watched(endpoint.url, folder) as one:
                yield one.proxy.url
        else:
            with ReferenceProxy(endpoint.url, "responses", "sk-client", "sk-framing") as proxy:
                yield proxy.url


@pytest.mark.parametrize("kind", ["endpoint", "watch", "reference proxy"])
@pytest.mark.parametrize("size", [b"-1", b"-FFFFFF", b"+5", b"five"])
def test_servers_refuse_an_invalid_size_while_the_client_waits(kind: str, size: bytes, tmp_path: Path) -> None:
    head = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-client\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    with _server(kind, tmp_path) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(head + size + b"\r\nhello")
            received = b""
            while data := sock.recv(9999):
                received += data
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b'"error"' in received
