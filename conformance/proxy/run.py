"""A run: starts the upstream, sends every probe, and returns the recording."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from itertools import groupby

from conformance.proxy.kit import Clock, Kit, Settings
from conformance.proxy.probes import probes
from conformance.proxy.probes.probe import Probe
from conformance.proxy.records import Record, Recording
from conformance.proxy.setup import check_setup
from conformance.proxy.upstream import Upstream

#: The probes that show whether the proxy is set up.
_FIRST = ("request.string", "request.string.stream")


def open_upstream(settings: Settings, port: int, clock: Clock) -> Upstream:
    """The upstream of a run. Raises ``OSError`` if the port is in use."""
    keys = {"own": settings.upstream_key, "client": settings.client_key}
    return Upstream(settings.dialect, port, keys, settings.wait, clock)


def selected(dialect: str, only: Collection[str] = ()) -> list[Probe]:
    """The probes whose names match one of these globs; all without any."""
    found = probes(dialect)
    return [one for one in found if not only or any(fnmatchcase(one.name, glob) for glob in only)]


def record(
    settings: Settings, upstream: Upstream, clock: Clock, chosen: Sequence[Probe],
    seen: Callable[[str], None] = lambda _: None,
) -> Recording:  # fmt: skip
    """Send the probes one after another, neighbours that wait at the same time; ``seen`` receives each name."""
    records = []
    for waits, group in groupby(chosen, lambda probe: probe.waits):
        neighbours = list(group)
        if waits:
            seen(", ".join(probe.name for probe in neighbours))
            records += _together(settings, upstream, clock, neighbours)
            continue
        for probe in neighbours:
            seen(probe.name)
            records.append(_sent(settings, upstream, clock, probe))
    about = {**settings.to_json(), "upstream": upstream.authority, "started_at": clock.started_at}
    return Recording(about, tuple(records))


def record_checked(settings: Settings, upstream: Upstream, clock: Clock, chosen: Sequence[Probe]) -> Recording:
    """:func:`record`, after :func:`conformance.proxy.setup.check_setup` with the first probes."""
    first = record(settings, upstream, clock, selected(settings.dialect, _FIRST))
    check_setup(first, upstream.other)
    return record(settings, upstream, clock, chosen)


def _sent(settings: Settings, upstream: Upstream, clock: Clock, probe: Probe) -> Record:
    kit = Kit(settings, upstream, clock)
    probe.run(kit)
    about = {**probe.about, "kinds": list(probe.kinds), **({"together": True} if probe.waits else {})}
    return Record(probe.name, about, kit.take())


def _together(settings: Settings, upstream: Upstream, clock: Clock, chosen: Sequence[Probe]) -> list[Record]:
    made: dict[str, Record] = {}

    def send(probe: Probe) -> None:
        made[probe.name] = _sent(settings, upstream, clock, probe)

    threads = [threading.Thread(target=send, args=(probe,), daemon=True) for probe in chosen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [made[probe.name] for probe in chosen if probe.name in made]
