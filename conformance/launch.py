"""Sets a run up: the target from its options, the built-in endpoint if it is the one, the folder, the session."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from conformance import emulator
from conformance.clients.lane import lane
from conformance.session import Session, head, world_of
from conformance.target import Misconfigured, Target, key_of, resolve
from conformance.wire.reach import reach
from conformance.wire.record import Folder
from conformance.wire.replay import open_recording

#: The built-in endpoint's key; it opens nothing else.
BUILT_IN_KEY = "built-in-key-0f3c9a7e51"

_CHECKS = Path(__file__).resolve().parent / "checks"


def asked_for_all(arguments: Sequence[str], folder: Path) -> bool:
    """Whether pytest was asked to collect all the checks and nothing else."""
    return {(folder / argument).resolve() for argument in arguments} <= {_CHECKS, _CHECKS.parent}


def asked_for_checks(arguments: Sequence[str], folder: Path) -> bool:
    """Whether pytest was asked to collect the checks, by path or as part of a folder that holds them."""
    for argument in arguments:
        path = (folder / argument.partition("::")[0]).resolve()
        if path == _CHECKS or path in _CHECKS.parents or _CHECKS in path.parents:
            return True
    return False


def in_controller(
    options: Mapping[str, Any],
    file: Path | None,
    path: Path | None,
    plan_only: bool,
    replay: Path | None = None,
    clients: Path | None = None,
) -> tuple[Session, emulator.Server | None]:
    """The session of the only process, or of the one that starts workers, and the built-in endpoint if it runs.

    :class:`conformance.target.Misconfigured` says what cannot be used. With ``plan_only`` nothing is opened.
    ``replay`` is the folder of a recorded run that takes the endpoint's place. ``clients`` is
    the folder with the clients of the client lane.
    """
    target = resolve(options, os.environ, secrets.token_hex(4), file)
    recording = open_recording(replay.absolute()) if replay else None
    if recording:
        target = recording.target(target)
        if path and path.resolve() == recording.path.resolve():
            raise Misconfigured(f"run folder {path} is the recording itself; name another")
    folder = Folder(path.absolute() if path else fresh())
    fed = lane(folder, clients, recording.path if recording else None)
    judged = fed.names if fed else ()
    if plan_only:
        return Session(world_of(target, judged), folder, "not-needed", recording=recording, lane=fed), None
    mode = "replay" if recording else "built-in" if target.built_in else "live"
    key = _key(target)
    if mode == "live":
        reach(target)
    folder.create(head(target, mode), target.nonce, sorted(target.lacks), target.unknown_parameters)
    server = None
    if target.built_in:
        server = emulator.serve(emulator.Endpoint(key=key, revision=target.revision, model=target.model))
        target = replace(target, endpoint=server.url)
    return Session(world_of(target, judged), folder, key, recording=recording, lane=fed), server


def _key(target: Target) -> str:
    """The key of a run. A replay needs none, but keeps one that is there out of what it writes."""
    if target.recorded:
        return os.environ.get(target.api_key_env, "")
    return BUILT_IN_KEY if target.built_in else key_of(target)


def fresh() -> Path:
    """A folder named by the time that no run has yet."""
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    runs = (Path("reports") / "runs").absolute()
    names = (f"{started}-{number}" if number > 1 else started for number in count(1))
    return next(runs / name for name in names if not (runs / name).exists())


def for_worker(session: Session) -> dict[str, Any]:
    """What a worker needs to join a run; the key travels in the environment only."""
    target = session.world.target
    plain = {**vars(target), "lacks": sorted(target.lacks), "sources": dict(target.sources)}
    recording = str(session.recording.path) if session.recording else ""
    clients = str(session.lane.install) if session.lane and session.lane.install else ""
    return {"target": plain, "folder": str(session.folder.path), "recording": recording, "clients": clients}


def in_worker(given: Mapping[str, Any], worker: str) -> Session:
    """The session of a worker such as ``gw3``."""
    target = Target(**{**given["target"], "lacks": frozenset(given["target"]["lacks"])})
    recording = open_recording(Path(given["recording"])) if given["recording"] else None
    key = _key(target)
    turn = int(worker.removeprefix("gw"))
    folder = Folder(Path(given["folder"]))
    fed = lane(folder, Path(given["clients"]) if given["clients"] else None, recording.path if recording else None)
    return Session(world_of(target, fed.names if fed else ()), folder, key, turn, recording, fed)
