"""Setup of a run: the target from the options, the built-in endpoint if it is the target, the run folder, the
session."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.clients.lane import Lane, lane
from conformance.config.target import Misconfigured, Target, key_of, resolve
from conformance.contract.revisions import contracts
from conformance.contract.schemas import Schemas
from conformance.engine.session import Session, run_head
from conformance.exchange.run_directory import RunDirectory
from conformance.judge import case_selection, own_rules
from conformance.judge.cases import all_cases, context_of, load_checks
from conformance.scenarios.context import Context
from conformance.scenarios.drawing import explored
from conformance.scenarios.explore import from_json, to_json
from conformance.scenarios.scenario import Scenario
from conformance.wire.replay import Recording, open_recording

if TYPE_CHECKING:
    from conformance.emulator import Server

#: The key of the built-in endpoint; it is valid nowhere else.
BUILT_IN_KEY = "built-in-key-0f3c9a7e51"

_CHECKS = Path(__file__).resolve().parent.parent / "checks"

#: The rules of the latency budgets, which are loaded where a budget is set.
BUDGETS = _CHECKS / "budgets"

#: The parent of run folders that the user does not name.
_RUN_FOLDERS = Path("reports") / "runs"


def collects_all_checks(arguments: Sequence[str], folder: Path) -> bool:
    """Whether the arguments of pytest select all checks and nothing else."""
    return {_path_of(argument, folder) for argument in arguments} <= {_CHECKS, _CHECKS.parent}


def collects_checks(arguments: Sequence[str], folder: Path) -> bool:
    """Whether the arguments of pytest select checks, by path or by a folder that contains them."""
    for argument in arguments:
        path = _path_of(argument.partition("::")[0], folder)
        if path == _CHECKS or path in _CHECKS.parents or _CHECKS in path.parents:
            return True
    return False


def _path_of(argument: str, folder: Path) -> Path:
    """The path that an argument of pytest names: a path, or with ``--pyargs`` a module of this package."""
    package, *names = argument.split(".")
    if package == "conformance" and names[:1] == ["checks"]:
        module = _CHECKS.joinpath(*names[1:])
        return module if module.is_dir() else module.with_suffix(".py")
    return (folder / argument).resolve()


def create_session(
    options: Mapping[str, Any],
    file: Path | None,
    path: Path | None,
    plan_only: bool,
    replay: Path | None = None,
    clients: Path | None = None,
    overwrite: bool = False,
    selections: Sequence[str] = (),
    explore: int = 0,
    explore_seed: int | None = None,
    skips: Sequence[str] = (),
    label: str = "",
    stopped: bool = False,
) -> tuple[Session, Server | None]:
    """The session of the main process, and the built-in endpoint if it is the target (else None).

    ``options`` are the settings by name, ``file`` is the target file, ``path`` the run folder (None: a new one).
    ``plan_only``: no connection is opened and no file written. ``replay`` is the run folder of a recorded run, whose
    responses are used instead of the endpoint's. ``clients`` is the folder with the installed real clients.
    ``overwrite``: an earlier run in ``path`` is removed. ``selections`` are those of ``--only``, ``skips`` those of
    ``--skip``; each must select a case. ``explore`` is the number of random requests, ``explore_seed`` the seed from
    which they are drawn (None: the run's nonce). ``label`` names the run. ``stopped``: the endpoint
    is a proxy that served nothing more already, so that it need not accept connections. Raises
    :class:`conformance.config.target.Misconfigured` for an option or file that cannot be used.
    """
    target = resolve(options, os.environ, secrets.token_hex(4), file)
    if target.has_budgets:
        own_rules.load(BUDGETS)
    recording = _recording(replay.absolute(), path) if replay else None
    if recording:
        target = recording.target(target)
    random = _random(target, recording, explore, explore_seed)
    if plan_only:
        folder = RunDirectory(path.absolute() if path else _RUN_FOLDERS.absolute() / _timestamp())
        client_lane = lane(folder, clients, recording.path if recording else None)
        context = _context(target, client_lane, selections, skips, random)
        return Session(context, folder, "not-needed", recording=recording, lane=client_lane), None
    mode = "replay" if recording else "built-in" if target.built_in else "live"
    key = _key(target)
    with open_run_folder(path, overwrite) as folder:
        client_lane = lane(folder, clients, recording.path if recording else None)
        context = _context(target, client_lane, selections, skips, random)
        if mode == "live" and not stopped:
            from conformance.wire.reach import reach  # A replay needs no HTTP client, which takes a tenth of a second.

            reach(target)
        folder.create(
            run_head(target, mode, label).to_json(), target.nonce, sorted(target.lacks), target.unknown_parameters,
            overwrite, target.reasoning,
        )  # fmt: skip
        folder.keep_explored([to_json(one) for one in random])
    server = None
    if target.built_in:
        from conformance import emulator  # Other runs need none of it.

        server = emulator.serve(emulator.Endpoint(key=key, revision=target.revision, model=target.model))
        context = replace(context, target=replace(target, endpoint=server.url))
    return Session(context, folder, key, recording=recording, lane=client_lane), server


def _random(target: Target, recording: Recording | None, count: int, seed: int | None) -> list[Scenario]:
    """The random requests of a run, or of the recording; empty without them."""
    if recording and count:
        raise Misconfigured("--explore cannot be set with --replay: the random requests are those of the recording")
    if recording:
        found = _kept(recording.path)
    else:
        number = int(target.nonce, 16) if seed is None else seed
        found = explored(count, number, Schemas(target.contract), target.lacks)
    if found:
        load_checks()
    return found


def _kept(folder: Path) -> list[Scenario]:
    """The random requests that a run folder keeps."""
    try:
        return [from_json(one) for one in RunDirectory(folder).explored()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"random requests in {folder} cannot be read: {type(error).__name__}: {error}") from None


def _context(
    target: Target,
    client_lane: Lane | None,
    selections: Sequence[str],
    skips: Sequence[str],
    random: Sequence[Scenario],
) -> Context:
    """The scenarios of a run. Raises :class:`Misconfigured` for a selection that selects no case."""
    context = context_of(target, client_lane.names if client_lane else (), random)
    if selections or skips:
        load_checks()
        case_ids = [case.id for case in all_cases(context)]
        for option, globs in (("--only", selections), ("--skip", skips)):
            case_selection.check(globs, case_ids, f"revision {target.revision}", option)
    return context


def _recording(path: Path, folder: Path | None) -> Recording:
    """The recording in ``path``; ``folder`` is the run folder of the replay (None: a new one)."""
    if folder and folder.resolve() == path.resolve():
        raise Misconfigured(f"--run-dir {folder} is the recording to replay; expected another folder")
    if holder := RunDirectory(path).claim.holder():
        raise Misconfigured(f"recording {path} is still being written ({holder}); replay it after that run has ended")
    return open_recording(path)


def _key(target: Target) -> str:
    """The key of a run. A replay sends no key; it redacts the one in the environment."""
    if target.recorded:
        return os.environ.get(target.api_key_env, "")
    return BUILT_IN_KEY if target.built_in else key_of(target)


@contextlib.contextmanager
def open_run_folder(path: Path | None, overwrite: bool) -> Iterator[RunDirectory]:
    """The run folder: ``path`` after :meth:`RunDirectory.check`, or a new one, which is removed if the run cannot
    start."""
    if path:
        folder = RunDirectory(path.absolute())
        folder.check(overwrite)
        yield folder
        return
    folder = RunDirectory(create_run_folder())
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        raise


def create_run_folder() -> Path:
    """A new run folder, named by the time. Creating it here excludes that a process started in the same second uses it
    too."""
    runs, started = _RUN_FOLDERS.absolute(), _timestamp()
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            with contextlib.suppress(FileExistsError):
                created = runs / (f"{started}-{number}" if number > 1 else started)
                created.mkdir()
                break
    except OSError as error:
        raise Misconfigured(f"run folder {runs} cannot be written: {error}") from None
    return created


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def worker_settings(session: Session) -> dict[str, Any]:
    """The values that a worker needs to join a run. The key is not among them: a worker reads it from the
    environment."""
    target = session.context.target
    contract = {"folder": str(target.contract.folder.parent), "revision": target.revision}
    settings = {**vars(target), "lacks": sorted(target.lacks), "sources": dict(target.sources), "contract": contract}
    recording = str(session.recording.path) if session.recording else ""
    clients = str(session.lane.install) if session.lane and session.lane.install else ""
    return {"target": settings, "folder": str(session.folder.path), "recording": recording, "clients": clients}


def create_worker_session(worker_input: Mapping[str, Any], worker: str) -> Session:
    """The session of a worker of pytest-xdist, from :func:`worker_settings` and its id, such as ``gw3``."""
    settings = worker_input["target"]
    contract = contracts(Path(settings["contract"]["folder"]))[settings["contract"]["revision"]]
    headers = tuple((name, value) for name, value in settings["headers"])
    target = Target(**{**settings, "lacks": frozenset(settings["lacks"]), "contract": contract, "headers": headers})
    if target.has_budgets:
        own_rules.load(BUDGETS)
    recording = open_recording(Path(worker_input["recording"])) if worker_input["recording"] else None
    key = _key(target)
    turn = int(worker.removeprefix("gw"))
    folder = RunDirectory(Path(worker_input["folder"]))
    folder.claim.join()
    client_lane = lane(
        folder,
        Path(worker_input["clients"]) if worker_input["clients"] else None,
        recording.path if recording else None,
    )
    random = _kept(folder.path)
    if random:
        load_checks()
    context = context_of(target, client_lane.names if client_lane else (), random)
    return Session(context, folder, key, turn, recording, client_lane)
