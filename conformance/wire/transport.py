"""The one way out: how connections are opened, certificates verified and errors read, for all that sends."""

from __future__ import annotations

import logging
import os
import ssl
from functools import cache
from http.cookiejar import CookieJar

import httpx

from conformance.config.target import Misconfigured, is_loopback
from conformance.exchange.exchange import Ended, Headers

# The logs of these contain response headers, and so any secret that a server sends.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


def open_client(base: str, timeout: httpx.Timeout, keeps: int = 0) -> httpx.Client:
    """An httpx client that follows no redirect and stores no cookie; it keeps so many connections open, and without any
    uses a new one for each request. :class:`conformance.config.target.Misconfigured` if the environment configures an
    unusable proxy."""
    https = base.lower().startswith("https:")
    try:
        return httpx.Client(
            follow_redirects=False,
            cookies=NoCookies(),
            event_hooks={"response": [keep_location]},
            verify=tls() if https or not is_loopback(base) else _without_authorities(),
            # A proxy from the environment is for the world outside, never for loopback.
            trust_env=not is_loopback(base),
            timeout=timeout,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=keeps, keepalive_expiry=None),
        )
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        says = " ".join(str(error).split())
        raise Misconfigured(f"the proxy configured in the environment cannot be used: {says}") from None


def headers_of(response: httpx.Response) -> Headers:
    """The headers as received, Location at the end."""
    raw = [*response.headers.raw, *response.extensions.get("location", ())]
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)


class NoCookies(CookieJar):
    """A cookie jar that stores nothing: exchanges do not depend on each other."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Leave them."""


def tls() -> ssl.SSLContext:
    """The TLS context; SSL_CERT_FILE or SSL_CERT_DIR add a private CA, on loopback too."""
    return _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _without_authorities() -> ssl.SSLContext:
    """A context without authorities, for connections that never use TLS: to load their certificates takes
    longer than all requests of a short run."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    return (
        httpx.create_ssl_context()
    )  # Reads the two variables; loading hundreds of certificates takes time, so the context is shared.


def keep_location(response: httpx.Response) -> None:
    """Take Location out of httpx's hands: it would parse it, though no redirect is ever followed."""
    found = [pair for pair in response.headers.raw if pair[0].lower() == b"location"]
    if found:
        del response.headers["location"]
        response.extensions["location"] = found


def ended_by(error: Exception, begun: bool, seconds: float) -> tuple[Ended, str]:
    """How an exchange ended with this error after ``seconds``, and the detail; ``begun``: the headers of the response
    were received."""
    says = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return "unreachable", str(error)
    if isinstance(error, httpx.TimeoutException):
        return "time-out", f"{type(error).__name__} after {seconds:.1f} s"
    if isinstance(error, httpx.RemoteProtocolError):
        return _broken(begun, says), str(error)
    if isinstance(error, httpx.TransportError | httpx.InvalidURL | OSError):
        return "reset", says
    return "invalid", says


def _broken(begun: bool, message: str) -> Ended:
    lowered = message.lower()
    if begun and ("closed" in lowered or "incomplete" in lowered):
        return "cut"
    return "reset" if "disconnected" in lowered else "invalid"
