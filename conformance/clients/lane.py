"""The lane of a run: once all answers are in, one process runs the clients; all read what they ended with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conformance.clients.drive import ClientInput, drive
from conformance.config.target import Misconfigured
from conformance.contract.clients import CLIENTS, NAMES
from conformance.exchange import client_outcomes
from conformance.exchange.client_outcomes import Outcome, Outcomes
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory, locked


class Lane:
    """What the clients of a run end with: those in folder ``install`` are run, or what was ``recorded`` is taken."""

    def __init__(self, folder: RunDirectory, install: Path | None, recorded: Outcomes | None = None) -> None:
        self._folder = folder
        self.install = install
        self._recorded = recorded
        self._outcomes: Outcomes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The clients, each with its mode, that are judged."""
        return NAMES if self._recorded is None else tuple(name for name in NAMES if name in self._recorded.clients)

    def prepare(self, feed: Callable[[], Sequence[ClientInput]], clean: Callable[[Any], Any]) -> Outcomes:
        """What they end with at what they are fed; kept in the run folder, ``clean``-ed of what must not be kept.

        ``OSError`` if the run folder cannot take it.
        """
        if self._outcomes is None:
            given = feed()  # Before the lock: to wait for them may take long.
            path = self._folder.path / client_outcomes.FILE
            with locked(self._folder.locks / "clients.lock"):
                if not path.exists():
                    client_outcomes.write(path, self._made(given), clean)
                self._outcomes = client_outcomes.read(path)
        return self._outcomes

    def _made(self, given: Sequence[ClientInput]) -> Outcomes:
        if self._recorded is not None or self.install is None:
            return self._recorded or Outcomes()
        return drive(CLIENTS, given, self.install)


def lane(folder: RunDirectory, install: Path | None, recording: Path | None) -> Lane | None:
    """The lane of a run: with the clients in a folder, or with what a recorded run kept; None where there is neither.

    :class:`Misconfigured` says what cannot be used.
    """
    if install is not None:
        if not install.is_dir():
            raise Misconfigured(f"clients folder {install} is not there; conformance clients --install makes it")
        return Lane(folder, install.absolute())
    if recording is None or not (recording / client_outcomes.FILE).exists():
        return None
    try:
        return Lane(folder, None, client_outcomes.read(recording / client_outcomes.FILE))
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def made_of(outcomes: Outcomes, client: str, exchange: Exchange) -> tuple[str, Outcome | None]:
    """Why a client was not run (empty if it was), and what it made of an exchange."""
    ran = outcomes.clients.get(client)
    reason = "the client was not run" if ran is None else ran.reason
    return reason, None if reason else outcomes.of(client, exchange.key)
