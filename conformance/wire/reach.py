"""Whether anything listens at a target, asked before the first request: a dead endpoint is one line, not a thousand."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from conformance.target import Misconfigured, Target, is_loopback
from conformance.wire.client import Client
from conformance.wire.transport import tls

_PORTS = {"http": 80, "https": 443}


def reach(target: Target) -> None:
    """Open a connection and close it again; :class:`Misconfigured` if nothing listens there, if its certificate is not
    trusted, or if a variable that names a proxy or certificates cannot be used. Behind a proxy only that is reached."""
    try:
        context = tls()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names: {error}") from None
    Client(target, "none").close()
    proxy = _proxy(target.endpoint)
    url = urlsplit(proxy or target.endpoint)
    port = _PORTS.get(url.scheme, 1080) if url.port is None else url.port
    what = f"the proxy {url.hostname}:{port}" if proxy else target.endpoint
    try:
        with socket.create_connection((url.hostname or "", port), timeout=target.connect_timeout) as connection:
            if url.scheme == "https":
                context.wrap_socket(connection, server_hostname=url.hostname).close()
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(
            f"the certificate of {what} is not trusted: {error.verify_message} (SSL_CERT_FILE names a private CA's)"
        ) from None
    except ssl.SSLError as error:
        raise Misconfigured(f"{what} does not speak TLS: {error.reason or _line(error)}") from None
    except (OSError, UnicodeError, OverflowError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise Misconfigured(f"nothing answers at {what}: {said or _line(error)}") from None


def _proxy(endpoint: str) -> str | None:
    """The proxy for an endpoint by the environment, as the client takes it."""
    url = urlsplit(endpoint)
    if is_loopback(endpoint) or proxy_bypass(url.netloc):
        return None
    named = getproxies()
    found = named.get(url.scheme) or named.get("all")
    return found if not found or "://" in found else f"http://{found}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
