"""The folder of a run: who was asked, and one file an exchange. Written atomically, read back as it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.target import Misconfigured
from conformance.wire.exchange import Exchange, from_json, to_json

_HEAD = "run.json"


class Folder:
    """One run's folder: ``run.json``, ``exchanges/<key>.json`` and ``locks/``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges = path / "exchanges"
        self.locks = path / "locks"

    def create(self, head: Mapping[str, Any]) -> None:
        """Begin a run here. An earlier run's exchanges are taken out; folders of these names that are not from a run
        are left alone, with :class:`Misconfigured`, as is a place that cannot be written."""
        try:
            if not (self.path / _HEAD).exists() and (self.exchanges.exists() or self.locks.exists()):
                raise Misconfigured(f"run folder {self.path} holds exchanges or locks of no run of ours; name another")
            for part in (self.exchanges, self.locks):
                part.mkdir(parents=True, exist_ok=True)
                for file in part.iterdir():
                    file.unlink()
            write_atomically(self.path / _HEAD, json.dumps(head, indent=1))
        except OSError as error:
            raise Misconfigured(f"run folder {self.path} cannot be written: {error}") from None

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
        document: dict[str, Any] = json.loads((self.path / _HEAD).read_text(encoding="utf-8"))["head"]
        return document

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
