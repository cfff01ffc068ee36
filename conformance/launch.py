"""Sets a run up: the target from its options, the built-in endpoint if it is the one, the folder, the session."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance import emulator
from conformance.session import Session, head, world_of
from conformance.target import Target, key_of, resolve
from conformance.wire.reach import reach
from conformance.wire.record import Folder

#: The built-in endpoint's key; it opens nothing else.
BUILT_IN_KEY = "built-in-key-0f3c9a7e51"

_CHECKS = Path(__file__).parent / "checks"


def asked_for_checks(arguments: Sequence[str], folder: Path) -> bool:
    """Whether pytest was asked to collect the checks, by path or as part of a folder that holds them."""
    for argument in arguments:
        path = (folder / argument.partition("::")[0]).resolve()
        if path == _CHECKS or path in _CHECKS.parents or _CHECKS in path.parents:
            return True
    return False


def in_controller(
    options: Mapping[str, Any], file: Path | None, path: Path | None, plan_only: bool
) -> tuple[Session, emulator.Server | None]:
    """The session of the only process, or of the one that starts workers, and the built-in endpoint if it runs.

    :class:`conformance.target.Misconfigured` says what cannot be used. With ``plan_only`` nothing is opened.
    """
    target = resolve(options, os.environ, secrets.token_hex(4), file)
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = Folder((path or Path("reports") / "runs" / started).absolute())
    if plan_only:
        return Session(world_of(target), folder, "not-needed"), None
    key = BUILT_IN_KEY if target.built_in else key_of(target)
    if not target.built_in:
        reach(target)
    folder.create({"head": head(target, "built-in" if target.built_in else "live"), "nonce": target.nonce})
    server = None
    if target.built_in:
        server = emulator.serve(emulator.Endpoint(key=key, revision=target.revision, model=target.model))
        target = replace(target, endpoint=server.url)
    return Session(world_of(target), folder, key), server


def for_worker(session: Session) -> dict[str, Any]:
    """What a worker needs to join a run; the key travels in the environment only."""
    target = session.world.target
    plain = {**vars(target), "lacks": sorted(target.lacks), "sources": dict(target.sources)}
    return {"target": plain, "folder": str(session.folder.path)}


def in_worker(given: Mapping[str, Any], worker: str) -> Session:
    """The session of a worker such as ``gw3``."""
    target = Target(**{**given["target"], "lacks": frozenset(given["target"]["lacks"])})
    key = BUILT_IN_KEY if target.built_in else key_of(target)
    turn = int(worker.removeprefix("gw"))
    return Session(world_of(target), Folder(Path(given["folder"])), key, turn)
