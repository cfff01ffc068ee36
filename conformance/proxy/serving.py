"""A proxy for a run of the suite: its upstream is the built-in endpoint, in one of the dialects."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance import emulator
from conformance.config.target import Misconfigured, is_loopback
from conformance.emulator.chat import ChatEndpoint
from conformance.emulator.server import Responder
from conformance.proxy.process import OUTPUT, NotStarted, started

#: The environment variable of the upstream's key, and its default.
UPSTREAM_KEY, DEFAULT_UPSTREAM_KEY = "UPSTREAM_KEY", "upstream-key-2f9c47d1b8e6"

#: Seconds for the proxy to listen.
STARTUP = 60.0


def upstream_key() -> str:
    """The key that the upstream accepts."""
    return os.environ.get(UPSTREAM_KEY) or DEFAULT_UPSTREAM_KEY


@dataclass
class Served:
    """A proxy that runs; ``keep`` copies its output into a run folder."""

    folder: Path

    def keep(self, run: Path) -> None:
        """Copy the output of the proxy, if there is any."""
        if (self.folder / OUTPUT).exists() and run.is_dir():
            shutil.copyfile(self.folder / OUTPUT, run / OUTPUT)


@contextlib.contextmanager
def serving(
    endpoint: str | None, dialect: str, port: int, start: str | None, revision: str, model: str | None
) -> Iterator[Served]:
    """Serve the upstream of a proxy, and start the proxy if there is a command.

    Raises :class:`Misconfigured` if the endpoint is not on loopback, the port is in use, or nothing listens.
    """
    if not endpoint or not is_loopback(endpoint):
        raise Misconfigured("--dialect, --start and --upstream-port need --endpoint with a proxy on loopback")
    key = upstream_key()
    upstream: Responder
    upstream = (
        ChatEndpoint(key=key, model=model)
        if dialect == "chat"
        else emulator.Endpoint(key=key, revision=revision, model=model)
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            server = stack.enter_context(emulator.serve(upstream, port=port))
            if start:
                values = {"upstream": server.url, "key": key}
                stack.enter_context(started(start, values, endpoint, folder, STARTUP))
        except (OSError, OverflowError) as error:
            raise Misconfigured(f"port {port} cannot be used for the upstream: {error}") from None
        except NotStarted as error:
            raise Misconfigured(str(error)) from None
        yield Served(folder)
