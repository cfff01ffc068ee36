"""Checks before the first request that the target accepts connections, so that a dead endpoint is one error message."""

from __future__ import annotations

import socket
import ssl
import time
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from conformance.config.target import Misconfigured, Target, is_loopback
from conformance.wire.client import Client
from conformance.wire.transport import tls

_PORTS = {"http": 80, "https": 443}

#: Seconds between attempts to connect while ``--wait`` lasts.
_LOOK = 0.25

#: Seconds that the last of these attempts has, however little of ``--wait`` is left.
_SHORTEST = 1.0


def reach(target: Target) -> None:
    """Open a connection and close it again, with attempts for ``target.wait`` seconds; :class:`Misconfigured` if
    nothing listens there, if its certificate is not trusted, or if a variable that names a proxy or certificates cannot
    be used. Behind a proxy only the proxy is reached."""
    try:
        context = tls()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names: {error}") from None
    Client(target, "none").close()
    proxy = _proxy(target.endpoint)
    url = urlsplit(proxy or target.endpoint)
    port = _PORTS.get(url.scheme, 1080) if url.port is None else url.port
    what = f"the proxy {url.hostname}:{port}" if proxy else target.endpoint
    until = time.monotonic() + target.wait
    while True:
        seconds = target.connect_timeout
        if target.wait:
            seconds = min(seconds, max(until - time.monotonic(), _SHORTEST))
        try:
            connect(url.hostname or "", port, seconds, context if url.scheme == "https" else None)
            return
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(
                f"the certificate of {what} is not trusted: {error.verify_message} (set SSL_CERT_FILE for a private CA)"
            ) from None
        except (OSError, UnicodeError, OverflowError) as error:
            left = until - time.monotonic()
            if left <= 0 or not isinstance(error, OSError):
                raise Misconfigured(_unreachable(what, error, target.wait)) from None
            time.sleep(min(_LOOK, left))


def connect(host: str, port: int, seconds: float, context: ssl.SSLContext | None) -> None:
    """Open a connection, with TLS if there is a context, and close it; ``OSError`` if that fails."""
    with socket.create_connection((host, port), timeout=seconds) as connection:
        if context:
            context.wrap_socket(connection, server_hostname=host).close()


def _unreachable(what: str, error: Exception, waited: float) -> str:
    after = f" after {waited:g} s (--wait)" if waited else ""
    if isinstance(error, ssl.SSLError):
        return f"{what} does not speak TLS{after}: {error.reason or _line(error)}"
    os_words = error.strerror if isinstance(error, OSError) else None
    return f"cannot connect to {what}{after}: {os_words or _line(error)}"


def _proxy(endpoint: str) -> str | None:
    """The proxy for an endpoint by the environment, as httpx selects it."""
    url = urlsplit(endpoint)
    if is_loopback(endpoint) or proxy_bypass(url.netloc):
        return None
    named = getproxies()
    found = named.get(url.scheme) or named.get("all")
    return found if not found or "://" in found else f"http://{found}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
