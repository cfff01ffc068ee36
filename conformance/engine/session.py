"""One run in one process: the target, its world of scenarios, the pool that sends them, and the judging."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial

from conformance import __version__
from conformance.clients.drive import ClientInput, feedable
from conformance.clients.lane import Lane, made_of
from conformance.config.target import Target
from conformance.contract.rules import CLIENT
from conformance.engine.evaluation import Evaluated, evaluate_case
from conformance.engine.preflight import Preflight
from conformance.engine.redaction import without
from conformance.exchange.client_outcomes import Outcome
from conformance.exchange.exchange import Exchange
from conformance.exchange.redaction import Secret
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import Case
from conformance.results.records import RunHead, TargetRecord
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
        self._switch = sys.getswitchinterval()
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
        error = str(without(self.secrets, error))
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
            outcomes = self.lane.prepare(self._feed, partial(without, self.secrets))
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

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What is redacted in all that is kept and shown: the key."""
        return (self._key,)

    def evaluate(self, case: Case) -> Evaluated:
        """Evaluate a case; waits for its exchanges. ``CannotRecord`` if the run folder cannot take them."""
        return evaluate_case(case, self.record(), self.secrets)

    def record(self) -> Recorded:
        """The answers so far."""
        if self._recorded is None:
            raise RuntimeError("the session has not been started")
        return self._recorded

    def close(self, wait: bool = True) -> None:
        """Stop sending, after what is being received; without ``wait`` at once, and in every process of the run."""
        if not wait:
            self.folder.halt()
        if self._preflight and self._pool and wait:
            self._preflight.error()
        if self._pool:
            self._pool.close(wait)
            sys.setswitchinterval(self._switch)


def head(target: Target, mode: str) -> RunHead:
    """The first record of a run that begins now."""
    named = TargetRecord(target.name, target.endpoint, target.model)
    return RunHead(__version__, target.revision, named, mode, datetime.now(UTC).isoformat(timespec="seconds"))
