"""Sets a run up: the target from its options, the built-in endpoint if it is the one, the folder, the session."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from conformance import emulator
from conformance.clients.lane import Lane, lane
from conformance.config.target import Misconfigured, Target, key_of, resolve
from conformance.contract.revisions import contracts
from conformance.engine.session import Session, head
from conformance.exchange.run_directory import RunDirectory
from conformance.judge import case_selection
from conformance.judge.cases import all_cases, context_of, load_checks
from conformance.scenarios.context import Context
from conformance.wire.reach import reach
from conformance.wire.replay import Recording, open_recording

#: The built-in endpoint's key; it opens nothing else.
BUILT_IN_KEY = "built-in-key-0f3c9a7e51"

_CHECKS = Path(__file__).resolve().parent.parent / "checks"

#: Where runs lie that were given no folder.
_RUNS = Path("reports") / "runs"


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
    overwrite: bool = False,
    selections: Sequence[str] = (),
) -> tuple[Session, emulator.Server | None]:
    """The session of the only process, or of the one that starts workers, and the built-in endpoint if it runs.

    :class:`conformance.config.target.Misconfigured` says what cannot be used. With ``plan_only`` nothing is opened or
    written. ``replay`` is the folder of a recorded run that takes the endpoint's place. ``clients`` is the folder
    with the clients of the client lane. ``overwrite``: an earlier run in ``path`` is removed. ``selections`` are those
    of ``--only``, each of which must select something.
    """
    target = resolve(options, os.environ, secrets.token_hex(4), file)
    recording = _recording(replay.absolute(), path) if replay else None
    if recording:
        target = recording.target(target)
    if plan_only:
        folder = RunDirectory(path.absolute() if path else _RUNS.absolute() / _now())
        fed = lane(folder, clients, recording.path if recording else None)
        context = _context(target, fed, selections)
        return Session(context, folder, "not-needed", recording=recording, lane=fed), None
    mode = "replay" if recording else "built-in" if target.built_in else "live"
    key = _key(target)
    with run_folder(path, overwrite) as folder:
        fed = lane(folder, clients, recording.path if recording else None)
        context = _context(target, fed, selections)
        if mode == "live":
            reach(target)
        folder.create(
            head(target, mode).to_json(), target.nonce, sorted(target.lacks), target.unknown_parameters, overwrite
        )
    server = None
    if target.built_in:
        server = emulator.serve(emulator.Endpoint(key=key, revision=target.revision, model=target.model))
        context = replace(context, target=replace(target, endpoint=server.url))
    return Session(context, folder, key, recording=recording, lane=fed), server


def _context(target: Target, fed: Lane | None, selections: Sequence[str]) -> Context:
    """The scenarios of a run, in which each selection selects something."""
    context = context_of(target, fed.names if fed else ())
    if selections:
        load_checks()
        case_selection.check(selections, [case.id for case in all_cases(context)], f"revision {target.revision}")
    return context


def _recording(path: Path, folder: Path | None) -> Recording:
    """The recording to replay into a folder (None: a fresh one)."""
    if folder and folder.resolve() == path.resolve():
        raise Misconfigured(f"run folder {folder} is the recording itself; name another")
    if holder := RunDirectory(path).claim.holder():
        raise Misconfigured(f"recording {path} is still being written ({holder}); replay it when that run has ended")
    return open_recording(path)


def _key(target: Target) -> str:
    """The key of a run. A replay needs none, but keeps one that is there out of what it writes."""
    if target.recorded:
        return os.environ.get(target.api_key_env, "")
    return BUILT_IN_KEY if target.built_in else key_of(target)


@contextlib.contextmanager
def run_folder(path: Path | None, overwrite: bool) -> Iterator[RunDirectory]:
    """The folder for a run that is about to begin: the one at ``path``, which :meth:`Folder.check` allows, or a fresh
    one, which is removed again where the run cannot begin."""
    if path:
        folder = RunDirectory(path.absolute())
        folder.check(overwrite)
        yield folder
        return
    folder = RunDirectory(fresh())
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        raise


def fresh() -> Path:
    """A new folder named by the time. It is created here: no other process can get the same, even in one second."""
    runs, started = _RUNS.absolute(), _now()
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            with contextlib.suppress(FileExistsError):
                made = runs / (f"{started}-{number}" if number > 1 else started)
                made.mkdir()
                break
    except OSError as error:
        raise Misconfigured(f"run folder {runs} cannot be written: {error}") from None
    return made


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def for_worker(session: Session) -> dict[str, Any]:
    """What a worker needs to join a run; the key travels in the environment only."""
    target = session.context.target
    contract = {"folder": str(target.contract.folder.parent), "revision": target.revision}
    plain = {**vars(target), "lacks": sorted(target.lacks), "sources": dict(target.sources), "contract": contract}
    recording = str(session.recording.path) if session.recording else ""
    clients = str(session.lane.install) if session.lane and session.lane.install else ""
    return {"target": plain, "folder": str(session.folder.path), "recording": recording, "clients": clients}


def in_worker(given: Mapping[str, Any], worker: str) -> Session:
    """The session of a worker such as ``gw3``."""
    plain = given["target"]
    contract = contracts(Path(plain["contract"]["folder"]))[plain["contract"]["revision"]]
    target = Target(**{**plain, "lacks": frozenset(plain["lacks"]), "contract": contract})
    recording = open_recording(Path(given["recording"])) if given["recording"] else None
    key = _key(target)
    turn = int(worker.removeprefix("gw"))
    folder = RunDirectory(Path(given["folder"]))
    folder.claim.join()
    fed = lane(folder, Path(given["clients"]) if given["clients"] else None, recording.path if recording else None)
    return Session(context_of(target, fed.names if fed else ()), folder, key, turn, recording, fed)
