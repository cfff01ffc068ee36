"""The clients of a run: after the last response, one process runs them; all processes read the outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.config.target import Misconfigured
from conformance.contract.clients import CLIENTS, NAMES
from conformance.exchange import client_outcomes
from conformance.exchange.client_outcomes import Outcome, Outcomes
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory, locked

if TYPE_CHECKING:
    from conformance.clients.drive import ClientInput


class Lane:
    """The outcomes of the clients of a run: of the clients installed in ``install``, or the ``recorded`` ones."""

    def __init__(self, folder: RunDirectory, install: Path | None, recorded: Outcomes | None = None) -> None:
        self._folder = folder
        self.install = install
        self._recorded = recorded
        self._outcomes: Outcomes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The evaluated clients (name and mode)."""
        return NAMES if self._recorded is None else tuple(name for name in NAMES if name in self._recorded.clients)

    def prepare(self, feed: Callable[[], Sequence[ClientInput]], clean: Callable[[Any], Any]) -> Outcomes:
        """The outcomes of the clients with the inputs of ``feed``, stored in the run folder.

        ``clean`` redacts an outcome before it is stored. Raises OSError if the file cannot be written.
        """
        if self._outcomes is None:
            given = feed()  # Before the lock, because it waits for the responses.
            path = self._folder.path / client_outcomes.FILE
            with locked(self._folder.locks / "clients.lock"):
                if not path.exists():
                    client_outcomes.write(path, self._made(given), clean)
                self._outcomes = client_outcomes.read(path)
        return self._outcomes

    def _made(self, given: Sequence[ClientInput]) -> Outcomes:
        if self._recorded is not None or self.install is None:
            return self._recorded or Outcomes()
        from conformance.clients.drive import drive  # Few runs have clients; the others need none of it.

        return drive(CLIENTS, given, self.install)


def lane(folder: RunDirectory, install: Path | None, recording: Path | None) -> Lane | None:
    """The clients of a run: those installed in a directory, or the outcomes of a recorded run; None without both.

    Raises :class:`Misconfigured` if the directory does not exist or the recorded outcomes are invalid.
    """
    if install is not None:
        if not install.is_dir():
            raise Misconfigured(
                f"the clients directory {install} does not exist; conformance clients --install DIR creates it"
            )
        return Lane(folder, install.absolute())
    if recording is None or not (recording / client_outcomes.FILE).exists():
        return None
    try:
        return Lane(folder, None, client_outcomes.read(recording / client_outcomes.FILE))
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def made_of(outcomes: Outcomes, client: str, exchange: Exchange) -> tuple[str, Outcome | None]:
    """The reason why a client was not run (empty if it was), and its outcome for an exchange."""
    ran = outcomes.clients.get(client)
    reason = "the client was not run" if ran is None else ran.reason
    return reason, None if reason else outcomes.of(client, exchange.key)
