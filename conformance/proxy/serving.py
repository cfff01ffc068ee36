"""A proxy for a run of the suite: first both sides of it are recorded, then its upstream is the built-in endpoint."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from conformance import emulator
from conformance.config.target import Misconfigured
from conformance.emulator.chat import ChatEndpoint
from conformance.emulator.server import Responder
from conformance.exchange.run_directory import RunDirectory, write_atomically
from conformance.judge.verdict import FAIL
from conformance.proxy import records, report, run
from conformance.proxy.evaluation import Evaluated, evaluate
from conformance.proxy.kit import Settings
from conformance.proxy.probes.probe import Probe
from conformance.proxy.process import OUTPUT, NotStarted
from conformance.proxy.records import FILE, Recording
from conformance.results.records import RunHead
from conformance.results.results_file import Results

#: The HTML report of both sides in a run folder.
PAGE = "proxy.html"

#: The rule that a proxy violates that serves nothing more.
SURVIVES = "proxy.failure.survives"

#: What precedes the reason for which a proxy that had stopped does not start again.
_NOT_AGAIN = (
    "the proxy served nothing more after the recorded failures and could not be started again (conformance proxy "
    "reports both sides alone): "
)

#: The rules that a proxy violates that sends the client's key, or another model, to its upstream: then the endpoint
#: behind it accepts that.
KEY_KEPT, MODEL = "proxy.credentials.client-key-kept", "proxy.request.model"


@dataclass
class Served:
    """A proxy that runs. ``folder`` has its output; ``recording``: both sides, with the keys redacted, and
    ``evaluated`` its cases; None without a probe."""

    folder: Path
    recording: Recording | None = None
    evaluated: Evaluated | None = None

    @property
    def has_stopped(self) -> bool:
        """Whether the proxy serves nothing more after a failure of its upstream or a request without a response."""
        cases = self.evaluated.cases if self.evaluated else []
        return any(one.requirement == SURVIVES and one.verdict == FAIL for one in cases)

    def keep(self, folder: RunDirectory) -> None:
        """Copy the output of the proxy into the run folder, if there is any."""
        if (self.folder / OUTPUT).exists() and folder.path.is_dir():
            shutil.copyfile(self.folder / OUTPUT, folder.path / OUTPUT)

    def write(self, folder: RunDirectory) -> None:
        """Write the recording and the HTML report of both sides into the run folder."""
        if self.recording and self.evaluated:
            results = Results(folder.path / PAGE, RunHead.from_json(folder.head()), self.evaluated.cases, None)
            write_atomically(folder.path / FILE, records.to_text(self.recording))
            write_atomically(results.path, report.page(results, self.evaluated))

    @property
    def passes_key(self) -> bool:
        """Whether the upstream received the client's key in a header, whatever the profile states."""
        cases = self.evaluated.cases if self.evaluated else []
        findings = (each for one in cases if one.requirement == KEY_KEPT for each in one.findings)
        return any("in request header" in each.message for each in findings)

    @property
    def model(self) -> str:
        """The model that the upstream received in place of the expected one; empty if there is none, or several."""
        cases = self.evaluated.cases if self.evaluated else []
        found = {each.got for one in cases if one.requirement == MODEL for each in one.findings}
        model = found.pop() if len(found) == 1 else ""
        return model if isinstance(model, str) else ""


@contextlib.contextmanager
def serving(
    settings: Settings,
    port: int,
    start: str | None,
    revision: str,
    chosen: Sequence[Probe],
    only: Sequence[str],
    wait: float,
) -> Iterator[Served]:
    """Start the proxy if there is a command, else ``wait`` for it; record the probes, which ``only`` selected; then
    serve the built-in endpoint to the proxy. One that has stopped serving is started again.

    Raises :class:`Misconfigured` if the port is in use, nothing listens, or the proxy is not set up.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        served = Served(folder)
        proxy = stack.enter_context(contextlib.ExitStack())
        with run.opened(settings, port) as opened:
            port = urlsplit(opened.upstream.url).port or port
            _start(proxy, opened.proxy(start, folder, wait))
            if chosen:
                recording = opened.record(chosen)
                served.recording = replace(recording, settings={**recording.settings, "only": list(only)})
                served.evaluated = evaluate(served.recording)
        try:
            passes, model = settings.passes_key or served.passes_key, served.model or settings.upstream_model
            behind = replace(settings, passes_key=passes, upstream_model=model)
            stack.enter_context(emulator.serve(_built_in(behind, revision), port=port))
        except (OSError, OverflowError) as error:
            raise run.port_unusable(port, error) from None
        if start and served.has_stopped:
            proxy.close()
            _start(proxy, opened.proxy(start, folder, wait), _NOT_AGAIN)
        yield served


def _start(proxy: contextlib.ExitStack, context: contextlib.AbstractContextManager[None], when: str = "") -> None:
    """Start the proxy, which the stack ends. Raises :class:`Misconfigured`, with ``when`` it was started, if it does
    not listen."""
    try:
        proxy.enter_context(context)
    except NotStarted as error:
        raise Misconfigured(f"{when}{error}") from None


def _built_in(settings: Settings, revision: str) -> Responder:
    """The built-in endpoint in the dialect of the proxy."""
    key = settings.client_key if settings.passes_key else settings.upstream_key
    model = settings.upstream_model or settings.model
    if settings.dialect == "chat":
        return ChatEndpoint(key=key, model=model)
    return emulator.Endpoint(key=key, revision=revision, model=model)
