"""The folder of a run: its target, its cases, and one file for each exchange, written atomically."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.config.target import Misconfigured
from conformance.exchange import client_outcomes as clients
from conformance.exchange.exchange import Exchange, from_json, to_json
from conformance.exchange.run_lock import Claim, taken

#: The format of ``run.json``. Format 1 had neither format nor profile, and no ``cases.json``.
FORMAT = 2

_HEAD, _CASES, _EXPLORED = "run.json", "cases.json", "explore.json"

RESULTS, REPORT = "results.jsonl", "report.html"

#: File in ``locks/`` of a run that sends nothing more.
_HALTED = "halted"

#: Member of ``run.json`` of a run that evaluated nothing because the target is misconfigured: the message.
_SETUP_ERROR = "setup_error"


class RunDirectory:
    """One run's folder: ``run.json``, ``cases.json``, ``exchanges/<key>.json``, ``locks/`` and the results."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges = path / "exchanges"
        self.locks = path / "locks"
        self.claim = Claim(path)
        self._head: Mapping[str, Any] | None = None

    def check(self, overwrite: bool) -> None:
        """Raise :class:`Misconfigured` if a run cannot begin here: another run uses the folder, or it contains an
        earlier run that must not be replaced. Writes nothing."""
        if holder := self.claim.holder():
            raise Misconfigured(taken(self.path, holder))
        self._keep_earlier(overwrite)

    def create(
        self,
        head: Mapping[str, Any],
        nonce: str,
        lacks: Sequence[str],
        unknown_parameters: str,
        overwrite: bool = False,
        reasoning: str = "visible",
    ) -> None:
        """Begin a run here, record the settings that determine its cases, and lock the folder until :meth:`close`.

        With ``overwrite`` an earlier run is removed. :class:`Misconfigured` as by :meth:`check`, and if the folder
        contains directories of these names that are not from a run, or cannot be written.
        """
        profile = {"lacks": list(lacks), "unknown_parameters": unknown_parameters, "reasoning": reasoning}
        document = {"format": FORMAT, "head": head, "nonce": nonce, "profile": profile}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.claim.take()
            self._empty(overwrite)
            write_atomically(self.path / _HEAD, json.dumps(document, indent=1))
            self._head = head
        except OSError as error:
            self.close()
            raise Misconfigured(f"run folder {self.path} cannot be written: {error.strerror or error}") from None
        except Misconfigured:
            self.close()
            raise

    def _empty(self, overwrite: bool) -> None:
        self._keep_earlier(overwrite)
        ours = (self.path / _HEAD).exists()
        if not ours and (self.exchanges.exists() or self.locks.exists()):
            raise Misconfigured(
                f"run folder {self.path} contains exchanges or locks that are not from a run; choose another folder"
            )
        for part in (self.exchanges, self.locks):
            part.mkdir(parents=True, exist_ok=True)
            for file in part.iterdir():
                file.unlink()
        for name in (_CASES, _EXPLORED, RESULTS, REPORT, clients.FILE) if ours else ():
            (self.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let the next run have the folder."""
        self.claim.release()

    def _keep_earlier(self, overwrite: bool) -> None:
        if not overwrite and (earlier := self._earlier()):
            raise Misconfigured(
                f"run folder {self.path} contains {earlier}: replace it with --overwrite, or choose another folder"
            )

    def _earlier(self) -> str:
        """The earlier run in this folder, for a message; empty if there is none to preserve: no run, a run without
        responses, or one that ended before it evaluated anything."""
        results = (self.path / RESULTS).exists()
        try:
            document = json.loads((self.path / _HEAD).read_text(encoding="utf-8"))
            if not results and (_SETUP_ERROR in document or not any(self.exchanges.glob("*.json"))):
                return ""
            return f"the run of {document['head']['started_at']}"
        except (FileNotFoundError, NotADirectoryError):
            return "the results of a run" if results else ""
        except (OSError, ValueError, KeyError, TypeError):
            return "a run that cannot be read"

    def stop(self, why: str) -> None:
        """Record why nothing is evaluated: the message about the misconfigured target."""
        document = json.loads((self.path / _HEAD).read_text(encoding="utf-8"))
        write_atomically(self.path / _HEAD, json.dumps({**document, _SETUP_ERROR: why}, indent=1))

    def stopped(self) -> str:
        """The message of :meth:`stop`; empty without one."""
        try:
            return str(json.loads((self.path / _HEAD).read_text(encoding="utf-8")).get(_SETUP_ERROR, ""))
        except (OSError, ValueError, AttributeError):
            return ""  # Writing the report fails then, with its own message.

    def halt(self) -> None:
        """Let no process of the run send anything more."""
        with contextlib.suppress(OSError):  # A folder that is gone takes no exchange either.
            (self.locks / _HALTED).touch()

    def halted(self) -> bool:
        """Whether :meth:`halt` was called in any process."""
        return (self.locks / _HALTED).exists()

    def select(self, everything: bool, cases: Sequence[str]) -> None:
        """Record the selected cases: all of the suite, or these."""
        chosen = {"whole": True} if everything else {"whole": False, "cases": list(cases)}
        write_atomically(self.path / _CASES, json.dumps(chosen))

    def selected(self) -> tuple[bool, frozenset[str] | None]:
        """The arguments of :meth:`select`; all of the suite if a run was killed after its first requests, before it."""
        try:
            chosen = json.loads((self.path / _CASES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return bool(self.recorded()), None
        return bool(chosen["whole"]), None if chosen["whole"] else frozenset(chosen["cases"])

    def keep_explored(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Keep the random requests of the run; nothing where there are none. :class:`Misconfigured` if that fails."""
        try:
            if requests:
                write_atomically(self.path / _EXPLORED, json.dumps(requests))
        except OSError as error:
            raise Misconfigured(f"run folder {self.path} cannot be written: {error.strerror or error}") from None

    def explored(self) -> list[dict[str, Any]]:
        """What :meth:`keep_explored` kept; ``OSError`` or ``ValueError`` if it cannot be read."""
        try:
            return list(json.loads((self.path / _EXPLORED).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return []

    def read(self, key: str) -> Exchange | None:
        """The recorded exchange of that key, or None."""
        try:
            text = self.file(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError(f"{self.file(key).name} is not a JSON object")
        return from_json(document)

    def write(self, exchange: Exchange) -> None:
        """Store an exchange atomically."""
        write_atomically(self.file(exchange.key), json.dumps(to_json(exchange), ensure_ascii=False))

    def head(self) -> dict[str, Any]:
        """The first line of the run's results."""
        if self._head is None:
            self._head = json.loads((self.path / _HEAD).read_text(encoding="utf-8"))["head"]
        return dict(self._head or {})

    def recorded(self) -> list[str]:
        """The keys of all recorded exchanges."""
        return sorted(file.stem for file in self.exchanges.glob("*.json"))

    def file(self, key: str) -> Path:
        """Where the exchange of that key lies."""
        return self.exchanges / f"{key}.json"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file atomically. A device, a pipe (``/dev/stdout``) or a link stays, and is written in place."""
    in_place = path.is_symlink() or (path.exists() and not path.is_file())
    file = path if in_place else path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        file.write_text(text, encoding="utf-8", newline="")
        if not in_place:
            file.replace(path)
    except OSError as error:
        if not in_place:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None  # A full disk names no file.


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock on a file; without ``wait``, False if another process holds it."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True  # Closing the file frees the lock, and so does the end of the process.
