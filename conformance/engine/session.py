"""A run in one process: the target, its scenarios, the pool that sends the requests, and the evaluation."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from conformance.clients.lane import Lane, made_of
from conformance.config.request_headers import filled
from conformance.config.target import Target
from conformance.contract.rules import CLIENT
from conformance.engine.arrivals import Arrivals, OnFinding
from conformance.engine.evaluation import EvaluatedCase, evaluate_case, timed
from conformance.engine.preflight import Preflight
from conformance.engine.redaction import redact_value
from conformance.engine.shrinking import Shrinking
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
from conformance.version import __version__
from conformance.wire.limits import Limits
from conformance.wire.memory import return_large_blocks
from conformance.wire.pool import Pool, Sender
from conformance.wire.replay import Recording, Replay

if TYPE_CHECKING:
    from conformance.clients.drive import ClientInput

#: Seconds after which the evaluation yields to the threads that send requests and read responses. Python's default of 5
#: ms delays each exchange several times: about a second in a run.
_SWITCH_INTERVAL = 0.0005


class Session:
    """Sends each request that the cases need once and evaluates the cases; in a replay it reads a recording instead."""

    def __init__(
        self,
        context: Context,
        folder: RunDirectory,
        key: str,
        worker_number: int = 0,
        recording: Recording | None = None,
        lane: Lane | None = None,
    ) -> None:
        self.lane = lane
        self._lane_scenarios: list[str] = []
        other = recording is not None and recording.is_of_other_version
        self.context = replace(context, replays_other_version=True) if other else context
        self.folder = folder
        self.recording = recording
        self._key = key
        self._secrets = (key, *(() if recording else filled(context.target.headers)[1]))
        self._worker_number = worker_number
        self._pool: Pool | None = None
        self._recorded: Recorded | None = None
        self._preflight: Preflight | None = None
        self._arrivals: Arrivals | None = None
        self.plan: Plan | None = None

    def selects(self, case: Case) -> bool:
        """Whether a case is evaluated without ``--only``: in a replay, only if the recorded run had selected it."""
        if self.recording is None or self.recording.complete:
            return True
        return self.recording.selects(case.id, {name: self._keys.get(name, "") for name in case.scenarios})

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        return Plan(self.context, self.context.scenarios).key_of

    def start_all(self) -> None:
        """Start to send the requests of all scenarios, before the cases are collected."""
        self._send(self.context.scenarios)

    def start(self, cases: Sequence[Case]) -> None:
        """Start to send the requests of these cases, unless sending has started."""
        needed = [name for case in cases for name in case.scenarios]
        pool = self._pool or self._send(needed)
        self._lane_scenarios = [name for case in cases if case.requirement.area == CLIENT for name in case.scenarios]
        complete = len(plan(self.context, needed)) == len(plan(self.context, self.context.scenarios))
        try:
            self.folder.select(complete, [case.id for case in cases])
        except OSError as error:
            pool.give_up(error)

    def evaluate_on_arrival(self, cases: Sequence[Case], found: OnFinding = lambda case, finding: None) -> None:
        """Evaluate these cases as far as possible when their responses arrive; each must be evaluated in the end.
        ``found`` is called with each finding when it is known."""
        assert self.plan is not None
        assert self._pool is not None
        self._arrivals = Arrivals(cases, self._pool, self.record(), self.plan, found)

    def _send(self, needed: Iterable[str]) -> Pool:
        needed, sender = list(needed), self._sender()
        self.plan = Plan(self.context, needed, Shrinking(self.context, self._samples))
        self._pool = Pool(self.plan.requests, self.folder, sender, self.context.target.concurrency, self._worker_number)
        self._recorded = Recorded(self.plan, self._pool.get_or_send, self._client_outcome)
        self._previous_interval = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_INTERVAL)
        return_large_blocks()
        earlier = self.recording.exchanges.values() if self.recording else ()
        self._preflight = Preflight(self.context, needed, self.folder, sender, self._key, earlier)
        self._preflight.start(self._pool.send_all if self.recording else self._pool.start)
        return self._pool

    def _samples(self, scenario: str) -> tuple[Exchange, ...]:
        """The exchanges of a planned scenario."""
        assert self.plan is not None
        assert self._pool is not None
        return self._pool.get_or_send(self.plan.key_of[scenario])

    def setup_error(self) -> str:
        """The error in the endpoint's address, key or model that makes a run impossible, in one line; empty if there is
        none. Waits for the first requests."""
        error = self._preflight.error() if self._preflight else ""
        if not error:
            return ""
        if self.recording:  # The recorded error can contain results of probes, which a replay cannot send.
            error = RunDirectory(self.recording.path).stopped() or error
        error = str(redact_value(self.secrets, error))
        try:
            self.folder.stop(error)
        except OSError as problem:
            assert self._pool is not None
            raise self._pool.give_up(problem) from problem
        return error

    def _sender(self) -> Sender:
        if self.recording:
            return Replay(self.recording)
        from conformance.wire.client import Client  # A replay needs no HTTP client, which takes a tenth of a second.
        from conformance.wire.presence import Presence

        target = self.context.target
        limits = Limits(target, self.folder.locks)

        def within(seconds: float) -> Client:
            return Client(replace(target, first_byte_timeout=seconds, total_timeout=seconds), self._key, limits)

        return Presence(Client(target, self._key, limits), target, self.folder, within)

    def _client_outcome(self, client: str, exchange: Exchange) -> tuple[str, Outcome | None]:
        """What a real client did with an exchange: a reason why it was not run, or its outcome. The first call runs all
        clients."""
        if self.lane is None:
            return "the clients were not run", None
        try:
            outcomes = self.lane.prepare(self._client_inputs, partial(redact_value, self.secrets))
        except OSError as error:
            assert self._pool is not None
            raise self._pool.give_up(error) from error
        return made_of(outcomes, client, exchange)

    def _client_inputs(self) -> list[ClientInput]:
        from conformance.clients.drive import feedable  # Few runs have clients; the others need none of it.

        planned = self.plan.key_of if self.plan else {}
        found = {name: self.record().received(name).exchange for name in self._lane_scenarios if name in planned}
        return feedable(found, turns(self.context.scenarios))

    @property
    def planned(self) -> int:
        """The number of planned requests, without retries."""
        return self.plan.expected if self.plan else 0

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The credentials that are redacted in everything stored and shown: the key, and those of further headers."""
        return self._secrets

    def evaluate(self, case: Case) -> EvaluatedCase:
        """Evaluate a case; waits for its exchanges. Raises ``CannotRecord`` if they cannot be written."""
        evaluation = self._arrivals.evaluate if self._arrivals else timed
        return evaluate_case(case, self.record(), self.secrets, evaluation=evaluation)

    def record(self) -> Recorded:
        """The recorded responses; reading one waits for it."""
        if self._recorded is None:
            raise RuntimeError("the session has not been started")
        return self._recorded

    def close(self, wait: bool = True) -> None:
        """Stop sending and wait for the current responses; without ``wait``, stop at once in all processes of the
        run."""
        if not wait:
            self.folder.halt()
        if self._preflight and self._pool and wait:
            self._preflight.error()
        if self._pool:
            self._pool.close(wait)
            sys.setswitchinterval(self._previous_interval)


def run_head(target: Target, mode: str, label: str = "") -> RunHead:
    """The head record of a run that starts now."""
    named = TargetRecord(target.name, target.endpoint, target.model)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    return RunHead(__version__, target.revision, named, mode, started_at, label)
