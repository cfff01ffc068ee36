"""Certificates are verified, a private CA is named by the usual variable, and a proxy is for the world outside only."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.config.target import Misconfigured, resolve
from conformance.exchange.exchange import Exchange
from conformance.exchange.planned import OutgoingRequest
from conformance.wire.client import Client
from conformance.wire.reach import reach
from tests.support.rawserver import RawServer, received
from tests.test_plugin import pytest_run

#: A certificate that signs itself, for 127.0.0.1 and localhost; its key opens nothing.
CERTIFICATE = Path(__file__).parent / "support" / "tls" / "cert.pem"
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture
def secure() -> Iterator[str]:
    """An endpoint behind TLS: hands what arrives to a raw server and back."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as connection:
                    came = b""
                    while not came.endswith(b"{}") and (piece := connection.recv(65536)):
                        came += piece
                    if came:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def planned(url: str) -> Exchange:
    client = Client(resolve({"endpoint": url, "total-timeout": 5}, {}, "nonce", None), "key-1234")
    try:
        return client.send(OutgoingRequest("key", "scenario", 0, "POST", b"{}", "api-key", (), 1))
    finally:
        client.close()


def refused(url: str) -> str:
    with pytest.raises(Misconfigured) as raised:
        reach(resolve({"endpoint": url, "connect-timeout": 2}, {}, "nonce", None))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_certificate_nobody_vouches_for_is_not_taken(secure: str) -> None:
    got = planned(secure)
    assert (got.ended, got.status, "certificate verify failed" in got.detail) == ("unreachable", None, True)
    assert refused(secure).startswith(f"the certificate of {secure} is not trusted: self")
    assert "SSL_CERT_FILE" in refused(secure)


def test_a_private_ca_is_taken_from_the_usual_variable(secure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    reach(resolve({"endpoint": secure}, {}, "nonce", None))
    assert (planned(secure).ended, planned(secure).body) == ("clean", b"{}")


def test_another_name_than_the_certificate_says_is_not_taken(secure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    elsewhere = secure.replace("127.0.0.1", "127.0.0.2").replace("127.0.0.2", "[::ffff:127.0.0.1]")
    assert "is not trusted" in refused(elsewhere)


def test_a_run_against_it_is_one_line(secure: str) -> None:
    run = pytest_run("--endpoint", secure)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert "is not trusted" in run.stderr


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_used_are_one_line(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    if content:
        (tmp_path / "ca.pem").write_text(content)
    assert refused("https://127.0.0.1:9/v1").startswith("the certificates that SSL_CERT_FILE")


def test_plain_http_behind_https_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")
                connection.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert "does not speak TLS" in refused(f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
        thread.join(5)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_asked_for_the_world_outside(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = RawServer(received(b"from the proxy"))
    monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
    try:
        reach(resolve({"endpoint": "http://elsewhere.invalid/v1"}, {}, "nonce", None))
        assert planned("http://elsewhere.invalid/v1").body == b"from the proxy"
        assert proxy.head(-1)[0] == b"POST http://elsewhere.invalid/v1/responses HTTP/1.1"
    finally:
        proxy.close()


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "elsewhere.invalid")
    assert refused("http://elsewhere.invalid/v1").startswith("cannot connect to http://elsewhere.invalid/v1")
    assert refused("http://other.invalid/v1").startswith("cannot connect to the proxy 127.0.0.1:9")


@pytest.mark.parametrize("proxy", ["http://[::1", "gopher://127.0.0.1:9", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_one_line(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    assert "proxy" in refused("http://elsewhere.invalid/v1")
