"""One run in one process: the target, its world of scenarios, the pool that sends them, and the judging."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from conformance import __version__
from conformance.clients.drive import ClientInput, feedable
from conformance.clients.lane import Lane, made_of
from conformance.config.target import Target
from conformance.contract.rules import CLIENT
from conformance.engine.preflight import Preflight
from conformance.exchange.client_outcomes import Outcome
from conformance.exchange.exchange import Exchange
from conformance.exchange.redaction import Secret
from conformance.exchange.run_directory import RunDirectory
from conformance.exchange.scrubbing import scrubbed
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case, Result, evaluate
from conformance.scenarios.context import Context
from conformance.scenarios.plan import Plan, plan
from conformance.scenarios.tools import turns
from conformance.wire.client import Client
from conformance.wire.limits import Limits
from conformance.wire.memory import return_large_blocks
from conformance.wire.pool import Pool, Sender
from conformance.wire.presence import Presence
from conformance.wire.replay import Recording, Replay

#: Seconds that judging may keep the threads that send and read from their turn: five milliseconds, as Python has it,
#: several times in each exchange would come to a second in a run.
_SWITCH = 0.0005

#: What of a case's line comes from the endpoint.
_SAID = ("findings", "observed", "reason", "text")


class Session:
    """Sends what the cases need, each request once, and judges them; or judges what a recording holds."""

    def __init__(
        self,
        context: Context,
        folder: RunDirectory,
        key: str,
        turn: int = 0,
        recording: Recording | None = None,
        lane: Lane | None = None,
    ) -> None:
        self.lane = lane
        self._fed: list[str] = []
        self.context = context
        self.folder = folder
        self.recording = recording
        self._key = key
        self._turn = turn
        self._pool: Pool | None = None
        self._recorded: Recorded | None = None
        self._preflight: Preflight | None = None
        self.plan: Plan | None = None

    def selects(self, case: Case) -> bool:
        """Whether a case is to be judged unless the user says which: in a replay, those that were to be judged."""
        if self.recording is None:
            return True
        return self.recording.selects(case.id, {name: self._keys.get(name, "") for name in case.scenarios})

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        return Plan(self.context, self.context.scenarios).key_of

    def begin(self) -> None:
        """Begin to send what all the cases there are need, before they are known."""
        self._send(self.context.scenarios)

    def start(self, cases: Sequence[Case]) -> None:
        """Begin to send what these cases need, if that has not begun."""
        needed = [name for case in cases for name in case.scenarios]
        pool = self._pool or self._send(needed)
        self._fed = [name for case in cases if case.requirement.area == CLIENT for name in case.scenarios]
        whole = len(plan(self.context, needed)) == len(plan(self.context, self.context.scenarios))
        try:
            self.folder.select(whole, [case.id for case in cases])
        except OSError as error:
            pool.give_up(error)

    def _send(self, needed: Iterable[str]) -> Pool:
        needed, sender = list(needed), self._sender()
        self.plan = Plan(self.context, needed)
        self._pool = Pool(self.plan.requests, self.folder, sender, self.context.target.concurrency, self._turn)
        self._recorded = Recorded(self.plan, self._pool.get_or_send, self._seen)
        sys.setswitchinterval(_SWITCH)
        return_large_blocks()
        earlier = self.recording.exchanges.values() if self.recording else ()
        self._preflight = Preflight(self.context, needed, self.folder, sender, self._key, earlier)
        self._preflight.start(self._pool.start)
        return self._pool

    def setup_error(self) -> str:
        """What of the target is set up wrong, so that nothing is to be evaluated; empty if nothing is. Waits for the
        first requests."""
        error = self._preflight.error() if self._preflight else ""
        if not error:
            return ""
        if self.recording:  # What was found out then cannot be asked again.
            error = RunDirectory(self.recording.path).stopped() or error
        error = str(without([self._key], error))
        try:
            self.folder.stop(error)
        except OSError as problem:
            assert self._pool is not None
            raise self._pool.give_up(problem) from problem
        return error

    def _sender(self) -> Sender:
        if self.recording:
            return Replay(self.recording)
        target = self.context.target
        limits = Limits(target, self.folder.locks)

        def within(seconds: float) -> Client:
            return Client(replace(target, first_byte_timeout=seconds, total_timeout=seconds), self._key, limits)

        return Presence(Client(target, self._key, limits), target, self.folder, within)

    def _seen(self, client: str, exchange: Exchange) -> tuple[str, Outcome | None]:
        """What a client of the lane made of an exchange; the first to ask waits until all have run."""
        if self.lane is None:
            return "the clients were not run", None
        try:
            outcomes = self.lane.prepare(self._feed, partial(without, [self._key]))
        except OSError as error:
            assert self._pool is not None
            raise self._pool.give_up(error) from error
        return made_of(outcomes, client, exchange)

    def _feed(self) -> list[ClientInput]:
        planned = self.plan.key_of if self.plan else {}
        found = {name: self.record().received(name).exchange for name in self._fed if name in planned}
        return feedable(found, turns(self.context.scenarios))

    @property
    def planned(self) -> int:
        """How many requests are planned, repeated tries left out."""
        return self.plan.expected if self.plan else 0

    def wait(self) -> None:
        """Wait until all has been answered."""
        if self._pool and not self.setup_error():
            self._pool.join()

    def evaluate(self, case: Case) -> Result:
        """The verdict of a case; waits for its exchanges. ``CannotRecord`` if the run folder cannot take them."""
        if self._recorded is None:
            raise RuntimeError("the session has not been started")
        return evaluate(case, self._recorded)

    def scrubbed_record(self, line: dict[str, Any]) -> dict[str, Any]:
        """The line of a case without the key: what stood in pieces in a response may stand whole in a finding."""
        return scrubbed_record([self._key], line)

    def record(self) -> Recorded:
        """The answers so far."""
        if self._recorded is None:
            raise RuntimeError("the session has not been started")
        return self._recorded

    def close(self, wait: bool = True) -> None:
        """Stop sending; without ``wait``, at once."""
        if self._preflight and self._pool and wait:
            self._preflight.error()
        if self._pool:
            self._pool.close(wait)


def head(target: Target, mode: str) -> dict[str, Any]:
    """The first line of a results file."""
    return {
        "kind": "run",
        "format": 1,
        "suite": __version__,
        "revision": target.revision,
        "target": {"name": target.name, "endpoint": target.endpoint, "model": target.model},
        "mode": mode,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def without(secrets: Sequence[Secret], value: Any) -> Any:
    """The value with the credentials replaced in every string of it."""
    if not secrets:
        return value
    # Most values hold none, which one look at the whole of it shows.
    said = "\n".join(_strings(value))
    return value if said == scrubbed(said, secrets) else _without(secrets, value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def _without(secrets: Sequence[Secret], value: Any) -> Any:
    if isinstance(value, str):
        return scrubbed(value, secrets)
    if isinstance(value, dict):
        return {_without(secrets, name): _without(secrets, inner) for name, inner in value.items()}
    return [_without(secrets, inner) for inner in value] if isinstance(value, list | tuple) else value


def scrubbed_record(secrets: Sequence[Secret], line: dict[str, Any]) -> dict[str, Any]:
    """The line of a case with the credentials replaced in what comes from the endpoint."""
    said = {name: line[name] for name in _SAID if line.get(name)}
    return {**line, **without(secrets, said)} if said else line
