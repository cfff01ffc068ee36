"""A run: starts the upstream and the proxy, sends every probe, and returns the recording."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.config.target import Misconfigured
from conformance.proxy import records, stopping
from conformance.proxy.kit import Clock, Kit, Settings
from conformance.proxy.probes import probes
from conformance.proxy.probes.probe import Probe
from conformance.proxy.process import listening
from conformance.proxy.records import Pair, Record, Recording
from conformance.proxy.setup import check_setup
from conformance.proxy.steps import are_refused, next_step
from conformance.proxy.upstream import Upstream

#: The probes that show whether the proxy is set up: a proxy may refuse one form of input.
_STRINGS, _MESSAGE = ("request.string", "request.string.stream"), "request.easy-message"
_FIRST = (*_STRINGS, _MESSAGE)


def open_upstream(settings: Settings, port: int, clock: Clock) -> Upstream:
    """The upstream of a run. Raises ``OSError`` if the port is in use."""
    keys = {"own": settings.upstream_key, "client": settings.client_key}
    return Upstream(settings.dialect, port, keys, settings.wait, clock)


@dataclass(frozen=True)
class Run:
    """A run whose upstream listens."""

    settings: Settings
    upstream: Upstream
    clock: Clock

    def at(self, endpoint: str) -> Run:
        """The run with the proxy at this endpoint."""
        return replace(self, settings=replace(self.settings, endpoint=endpoint))

    def proxy(self, start: str | None, folder: Path, wait: float) -> contextlib.AbstractContextManager[None]:
        """A context in which the proxy listens: it is started by the command ``start``, with its output in the folder,
        or was started before. Raises :class:`conformance.proxy.process.NotStarted` if it does not accept connections
        within ``wait`` seconds."""
        values = {"upstream": self.upstream.url, "key": self.settings.upstream_key}
        return listening(start, values, self.settings.endpoint, folder, wait)

    def record(self, chosen: Sequence[Probe]) -> Recording:
        """The recording of the probes, with the keys redacted, after :func:`conformance.proxy.setup.check_setup` with
        the first ones. To a proxy that serves no string as input, or passes none on, the other probes send a
        message."""
        first = record(self.settings, self.upstream, self.clock, selected(self.settings.dialect, _FIRST))
        check_setup(first, self.upstream.other)
        served = {one.probe for one in first.records if any(map(_arrived, one.pairs))}
        settings = replace(self.settings, as_message=_MESSAGE in served and not served & set(_STRINGS))
        recording = record(settings, self.upstream, self.clock, chosen)
        return records.redacted(recording, self.settings.redacted)


def _arrived(pair: Pair) -> bool:
    """Whether a request was served, with its input at the upstream."""
    return pair.client.ok and any(leg.notes.get("matched") for leg in pair.upstream)


@contextlib.contextmanager
def opened(settings: Settings, port: int) -> Iterator[Run]:
    """A run, whose upstream listens on the port (0: any). Raises :class:`Misconfigured` if it cannot be used."""
    clock = Clock()
    try:
        upstream = open_upstream(settings, port, clock)
    except (OSError, OverflowError) as error:
        raise port_unusable(port, error) from None
    with upstream:
        yield Run(settings, upstream, clock)


def port_unusable(port: int, error: Exception) -> Misconfigured:
    """The error for a port on which the upstream cannot listen."""
    return Misconfigured(f"port {port} cannot be used for the upstream: {error}")


def selected(dialect: str, only: Collection[str] = ()) -> list[Probe]:
    """The probes whose names match one of these globs; all without any."""
    found = probes(dialect)
    return [one for one in found if not only or any(fnmatchcase(one.name, glob) for glob in only)]


def record(
    settings: Settings, upstream: Upstream, clock: Clock, chosen: Sequence[Probe],
    seen: Callable[[str], None] = lambda _: None,
) -> Recording:  # fmt: skip
    """Send the probes one after another, neighbours that wait at the same time; ``seen`` receives each name. The
    recording ends where the proxy serves nothing more; it is in the order of the probes."""
    made: list[Record] = []
    one_by_one, left = False, list(chosen)
    while left:
        step = next_step(left, made, settings.wait) if not one_by_one or left[0].waits else [left[0]]
        seen(", ".join(probe.name for probe in step))
        found = _sent(settings, upstream, clock, step)
        if not step[0].waits and are_refused(found):
            one_by_one = True
            continue
        made += found
        left = [probe for probe in left if probe not in step]
        stopped = stopping.ended(Kit(settings, upstream, clock), made, len(step), left)
        if stopped is not None:
            made.append(stopped)
            break
    about = {**settings.to_json(), "upstream": upstream.authority, "started_at": clock.started_at}
    places = {probe.name: at for at, probe in enumerate(chosen)}
    return Recording(about, tuple(sorted(made, key=lambda one: places.get(one.probe, len(places)))))


def _sent(settings: Settings, upstream: Upstream, clock: Clock, step: Sequence[Probe]) -> list[Record]:
    """The records of probes that are sent at the same time."""
    made: dict[str, Record] = {}
    together = {"together": True} if len(step) > 1 or step[0].waits else {}

    def send(probe: Probe) -> None:
        own = replace(settings, as_message=settings.as_message and probe.name not in _STRINGS)
        kit = Kit(own, upstream, clock, 1 if probe.waits else len(step))
        probe.run(kit)
        made[probe.name] = Record(probe.name, {**probe.about, "kinds": list(probe.kinds), **together}, kit.take())

    if len(step) == 1:
        send(step[0])
        return [made[step[0].name]]
    threads = [threading.Thread(target=send, args=(probe,), daemon=True) for probe in step]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [made[probe.name] for probe in step if probe.name in made]
