"""The folder of a run: who was asked, for which cases, and one file an exchange. Written atomically, read as it was."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.clients import outcome as clients
from conformance.target import Misconfigured
from conformance.wire.exchange import Exchange, from_json, to_json

#: Of ``run.json``. Format 1 had neither the format nor the profile, and no ``cases.json`` beside it.
FORMAT = 2

_HEAD, _CASES = "run.json", "cases.json"

RESULTS = "results.jsonl"


class Folder:
    """One run's folder: ``run.json``, ``cases.json``, ``exchanges/<key>.json``, ``locks/`` and the results."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges = path / "exchanges"
        self.locks = path / "locks"
        self._head: Mapping[str, Any] | None = None

    def create(self, head: Mapping[str, Any], nonce: str, lacks: Sequence[str], unknown_parameters: str) -> None:
        """Begin a run here, with all that decides what is judged. An earlier run is taken out; folders of these names
        that are not from a run are left alone, with :class:`Misconfigured`, as is a place that cannot be written."""
        profile = {"lacks": list(lacks), "unknown_parameters": unknown_parameters}
        document = {"format": FORMAT, "head": head, "nonce": nonce, "profile": profile}
        try:
            ours = (self.path / _HEAD).exists()
            if not ours and (self.exchanges.exists() or self.locks.exists()):
                raise Misconfigured(f"run folder {self.path} holds exchanges or locks of no run of ours; name another")
            for part in (self.exchanges, self.locks):
                part.mkdir(parents=True, exist_ok=True)
                for file in part.iterdir():
                    file.unlink()
            for name in (_CASES, RESULTS, clients.FILE) if ours else ():
                (self.path / name).unlink(missing_ok=True)
            write_atomically(self.path / _HEAD, json.dumps(document, indent=1))
            self._head = head
        except OSError as error:
            raise Misconfigured(f"run folder {self.path} cannot be written: {error}") from None

    def select(self, whole: bool, cases: Sequence[str]) -> None:
        """Keep which cases are to be judged: all that the suite has, or these."""
        chosen = {"whole": True} if whole else {"whole": False, "cases": list(cases)}
        write_atomically(self.path / _CASES, json.dumps(chosen))

    def selected(self) -> tuple[bool, frozenset[str] | None]:
        """What :meth:`select` kept; False and None where nothing was."""
        try:
            chosen = json.loads((self.path / _CASES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False, None
        return bool(chosen["whole"]), None if chosen["whole"] else frozenset(chosen["cases"])

    def read(self, key: str) -> Exchange | None:
        """The recorded exchange of that key, or None."""
        try:
            text = self.file(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return from_json(json.loads(text))

    def write(self, exchange: Exchange) -> None:
        """Keep an exchange; a reader sees all of it or nothing."""
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
    """Write a text file so that no reader ever sees half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(path)


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock on a file; without ``wait``, False if somebody else holds it."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True  # Closing the file frees the lock, and so does the end of the process.
