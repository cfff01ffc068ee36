"""``conformance clients``: install real clients, and replay the responses of a recorded run to them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.clients.differences import Difference, differences, expected
from conformance.clients.drive import drive, feedable
from conformance.clients.install import CannotInstall, install
from conformance.commands import CommandError
from conformance.config.target import Misconfigured
from conformance.contract.clients import CLIENTS, Client, client
from conformance.contract.schemas import Schemas
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange import client_outcomes
from conformance.exchange.client_outcomes import Outcomes, Ran
from conformance.exchange.exchange import Exchange
from conformance.scenarios import scenarios
from conformance.scenarios.scenario import Scenario
from conformance.scenarios.tools import turns
from conformance.wire.replay import Recording, open_recording

HELP = "replay the responses of a recorded run to real clients, or install the clients"

#: Differences printed for one client; the outcomes file has all of them.
_MAX_PRINTED = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: the run, the clients and the directory of their installations."""
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="run folder of a recorded run")
    parser.add_argument("--install", type=Path, metavar="DIR", help="install the pinned clients in DIR (pip and npm)")
    parser.add_argument("--clients", type=Path, metavar="DIR", help="the directory given to --install earlier")
    parser.add_argument(
        "--client", action="append", default=[], metavar="NAME", help="only this client; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Print the result of each client; exit code 1 if one differs from the recorded response."""
    where = options.clients or options.install
    if where is None or (options.run is None and options.install is None):
        raise CommandError(
            "nothing to do; expected --install DIR (installs the clients) or RUN --clients DIR (replays a run to them)"
        )
    chosen = _chosen(options.client)
    if options.install:
        try:
            install(options.install.absolute(), lambda line: None if options.json else print(line, flush=True))
        except CannotInstall as error:
            raise CommandError(str(error)) from None
    if options.run is None:
        return 0
    if not where.is_dir():
        raise CommandError(
            f"the clients directory {where} does not exist; conformance clients --install DIR creates it"
        )
    return _replay(options.run, where.absolute(), chosen, options.json)


def _replay(run: Path, where: Path, chosen: Sequence[Client], as_json: bool) -> int:
    try:
        recording = open_recording(run)
        known = scenarios(Schemas(recording.head["revision"]), recording.nonce)
        exchanges = _ordinary(recording, known)
        pairs = turns(known)
        outcomes = drive(chosen, feedable(exchanges, pairs), where)
        client_outcomes.write(run / client_outcomes.FILE, outcomes)
    except Misconfigured as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{run / client_outcomes.FILE} cannot be written: {error.strerror}") from None
    found = tally(outcomes, exchanges, pairs)
    print(json.dumps([one.as_json() for one in found], indent=1) if as_json else "\n".join(_described(found)))
    return int(any(one.troubles for one in found))


def _ordinary(recording: Recording, known: Mapping[str, Scenario]) -> dict[str, Exchange]:
    """The last exchange of each scenario that expects a 200; no client sends requests like those of the others."""
    last = {one.scenario: one for one in sorted(recording.exchanges.values(), key=lambda one: one.sample)}
    return {name: one for name, one in last.items() if name in known and known[name].expect == "answer"}


@dataclass
class Tally:
    """The results of one client: numbers of exchanges, and in ``troubles`` each difference with its scenario."""

    ran: Ran
    replayed: int = 0
    same: int = 0
    troubles: list[tuple[str, Difference]] = field(default_factory=list)

    @property
    def raised(self) -> int:
        """The number of exchanges at which the client raised an exception."""
        return sum(one.what == "raised" for _, one in self.troubles)

    @property
    def differs(self) -> int:
        """The number of exchanges whose result differs from the recorded response."""
        return self.replayed - self.same - self.raised

    def as_json(self) -> dict[str, Any]:
        """The JSON representation."""
        troubles = [{"scenario": name, **vars(one)} for name, one in self.troubles]
        counts = {"exchanges": self.replayed, "same": self.same, "raised": self.raised, "differs": self.differs}
        return {**vars(self.ran), **counts, "troubles": troubles}


def tally(outcomes: Outcomes, exchanges: Mapping[str, Exchange], turns: Mapping[str, str]) -> list[Tally]:
    """The results of each client with these exchanges, given by scenario.

    ``turns`` maps the scenario of a call to that of the next turn. A response without status completed is not counted.
    """
    scenario = {one.key: name for name, one in exchanges.items()}
    found = {name: Tally(ran) for name, ran in outcomes.clients.items()}
    for one in outcomes.all:
        name = scenario[one.key]
        responses = [
            Received(exchanges[each], each) for each in ((name, turns[name]) if client(one.client).turns else (name,))
        ]
        try:
            troubles = list(differences(one, expected(*responses)))
        except (CannotEvaluate, DoesNotApply):
            continue
        mine = found[one.client]
        mine.replayed += 1
        mine.same += not troubles
        mine.troubles += [(name, trouble) for trouble in troubles]
    return list(found.values())


def _described(found: Sequence[Tally]) -> Iterator[str]:
    yield f"{'client':<26}{'version':<12}{'exchanges':>9}{'same':>8}{'raised':>8}{'differs':>9}"
    for one in found:
        if one.ran.reason:
            yield f"{one.ran.client:<26}not applicable ({one.ran.reason})"
        else:
            counts = f"{one.replayed:>9}{one.same:>8}{one.raised:>8}{one.differs:>9}"
            yield f"{one.ran.client:<26}{one.ran.version:<12}{counts}"
    for one in found:
        for scenario, trouble in one.troubles[:_MAX_PRINTED]:
            yield f"\n{one.ran.client} at {scenario}: {trouble.message}"
            yield f"  expected  {_short(trouble.want)}"
            yield f"  received  {_short(trouble.got)}"
        if len(one.troubles) > _MAX_PRINTED:
            yield f"\n{one.ran.client}: {len(one.troubles) - _MAX_PRINTED} more"


def _chosen(names: Sequence[str]) -> list[Client]:
    known = sorted({one.client for one in CLIENTS} | {one.name for one in CLIENTS})
    for name in names:
        if name not in known:
            raise CommandError(f"unknown client {name!r}; expected one of {', '.join(known)}")
    return [one for one in CLIENTS if not names or one.client in names or one.name in names]


def _short(value: Any, size: int = 200) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return ascii(text[:size])[1:-1] + ("..." if len(text) > size else "")
