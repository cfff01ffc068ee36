"""Whether the target is set up right, by the first requests of a run: then no verdict is given, but one line.

A base that is not the API's, a key that is not accepted and a model that is not known each make the endpoint refuse
every request. The run's first request is sent alone. Only if it is refused in one of these ways, a few more of the
run's own requests follow that differ from it as much as possible (the other way to authenticate, streaming, another
effort, ...), and only if every one of them is refused in the same way, the run ends. A server that serves one kind of
request is therefore evaluated as any other.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal

from conformance.contract.revisions import Contract
from conformance.decode.events import mapping, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.scenarios.context import Context
from conformance.scenarios.controls import effort_of
from conformance.scenarios.plan import Plan, plan
from conformance.scenarios.scenario import Scenario
from conformance.wire import probe
from conformance.wire.limits import Stopped
from conformance.wire.pool import CannotRecord, Pool, Sender
from conformance.wire.presence import unconnected

Kind = Literal["", "path", "key", "model"]
"""How a request was refused. ``path``: 404 or 405. ``key``: 401 or 403. ``model``: the model is not known. Empty: not
in one of these ways."""

#: Requests that confirm the first one's refusal, at most.
_CONFIRMED_BY = 5

#: Seconds that the other requests of a run wait for the first response; a slow model must not hold them up.
_HEAD_START = 3.0

#: Models and characters of a name or message that are shown.
_MODELS, _LONGEST = 8, 160

_UNKNOWN_MODEL = re.compile(
    r"model_not_found|access[^.]{0,20} models?\b|(?:unknown|invalid|unsupported|no such|nonexistent)[ _-]model"
    r"|\bmodels?\b[^.]{0,160}?(?:not found|not exist|n.t exist|unknown|not supported|unsupported|not available|invalid"
    r"|not allowed|no access|not have access|not recogni[sz]ed|no endpoints|not a valid)",
    re.IGNORECASE,
)


class Preflight:
    """The check of one process, in a thread of its own; the processes of a run share its exchanges.

    ``recorded`` are the exchanges of the recording that is replayed, if there is one.
    """

    def __init__(
        self,
        context: Context,
        needed: Iterable[str],
        folder: RunDirectory,
        sender: Sender,
        key: str,
        recorded: Iterable[Exchange] = (),
    ) -> None:
        self._context = context
        self._folder = folder
        self._sender = sender
        self._key = key
        self._earlier = recorded
        self._contract = context.contract
        ways = {one.name for one in self._contract.authentication}
        good = [one for one in plan(context, needed) if _is_plain_good(one, ways)]
        # One that waits for the response to another would bring that one along.
        self._planned = [one for one in good if not effort_of(one, self._contract)]
        self._error = ""
        self._done = threading.Event()
        self._released = threading.Event()

    def start(self, go_on: Callable[[], None]) -> None:
        """Begin; ``go_on`` is called when the run may send the rest."""

        def check() -> None:
            try:
                self._error = self._check()
            except (CannotRecord, Stopped):
                pass  # The run's own requests end the same way.
            finally:
                self._done.set()

        def release() -> None:
            self._done.wait(_HEAD_START)
            if not self._error:
                go_on()
            self._released.set()

        threading.Thread(target=check, daemon=True).start()
        threading.Thread(target=release, daemon=True).start()

    def error(self) -> str:
        """What is set up wrong, in one line; empty if nothing is. Waits until that is known."""
        self._done.wait()
        self._released.wait()
        return self._error

    def _check(self) -> str:
        if not self._planned:
            return ""  # Nothing of the run expects to be served.
        first, *others = self._planned
        refused = list(self._send(first))
        kind = kind_of(refused[0])
        if unconnected(refused[0]) and not any(one.status for one in self._recorded()):
            return f"nothing answers at {self._context.target.endpoint} any more: {refused[0].detail}"
        if not kind or any(kind_of(one) != kind for one in refused if not one.withheld):
            return ""
        for one in self._confirming(first, others, both=len(refused) > 1):
            exchange = self._send(one)[-1]
            if exchange.withheld:
                continue  # A limit of ours, or not in the recording.
            if kind_of(exchange) != kind:
                return ""
            refused.append(exchange)
        if any(one.ok for one in self._recorded()):
            return ""
        return self._says(kind, first, refused)

    def _confirming(self, first: Scenario, others: Sequence[Scenario], both: bool) -> Iterator[Scenario]:
        """The planned requests that differ most from the first; the other way to authenticate, planned or not, unless
        ``both`` have been sent."""
        other = None if both else self._authenticated_otherwise(first)
        if other and not {one.name for one in self._contract.authentication} & self._context.target.lacks:
            yield other
        seen = _features(first) | (_features(other) if other else set())
        left = [one for one in others if other is None or one.name != other.name]
        for _ in range(_CONFIRMED_BY - 1):
            one = max(left, key=lambda one: len(_features(one) - seen), default=None)
            if one is None or not _features(one) - seen:
                return
            yield one
            seen |= _features(one)

    def _authenticated_otherwise(self, first: Scenario) -> Scenario | None:
        """A request that sends the key in another way than the first; None where the contract has one way only."""
        other = next((one.name for one in self._contract.authentication if one.name != first.auth), "")
        named = "text" if other == self._contract.way.name else f"auth.{other}"
        return self._context.scenarios.get(named)

    def _send(self, scenario: Scenario) -> tuple[Exchange, ...]:
        """The samples of a scenario: from the folder if it was sent before."""
        here = Plan(self._context, [scenario.name])
        pool = Pool(here.requests, self._folder, self._sender, self._context.target.concurrency)
        return pool.get_or_send(here.key_of[scenario.name])

    def _recorded(self) -> Iterator[Exchange]:
        yield from self._earlier
        yield from (one for key in self._folder.recorded() if (one := self._folder.read(key)))

    # -- the one line ----------------------------------------------------------------------------------------------

    def _says(self, kind: Kind, first: Scenario, refused: Sequence[Exchange]) -> str:
        target = self._context.target
        statuses = " or ".join(str(status) for status in sorted({one.status or 0 for one in refused}))
        many = f"each of {len(refused)} requests" if len(refused) > 1 else "the request"
        received = f"{many} to {target.url} received HTTP {statuses}"
        words = next((f" ({said})" for one in refused if (said := _words(one, self._contract))), "")
        lacks = first.auth in target.lacks
        auth = next((one.name for one in self._contract.authentication if one.name != first.auth), first.auth)
        auth = auth if lacks else first.auth
        if kind == "path":
            return f"{received}, so the Responses API is not there{self._elsewhere(refused[0], auth)}"
        if kind == "key":
            sent = {name.lower() for one in refused for name, _ in one.request.headers}
            ways = (
                " and ".join(one.shown for one in self._contract.authentication if one.header.lower() in sent)
                or "the profile says"
            )
            return f"{received}{words}: the key in {target.api_key_env} is not accepted, sent as {ways}"
        return f"the endpoint does not serve the model {target.model!r}: {received}{words}{self._models(auth)}"

    def _elsewhere(self, first: Exchange, auth: str) -> str:
        target = self._context.target
        base, end = target.endpoint.rstrip("/"), self._contract.base_path
        if not base.endswith(end):
            if not self._may_probe():
                return f"; the base URL does not end in {end}"
            there = probe.post(target, self._key, f"{base}{end}", first.request.body, auth)
            responses = f"answers with HTTP {there.status}" if there.status else "does not answer"
            responses += " too" if there.status in (404, 405) else ""
            return f"; the base URL does not end in {end}, and {base}{end}{self._contract.path} {responses}"
        if not self._may_probe():
            return ""
        status, _ = probe.models(target, self._key, auth)
        too = " too" if status in (404, 405) else ", so the base URL is right" if status == 200 else ""
        return f"; GET {base}/models answers with HTTP {status}{too}" if status else ""

    def _models(self, auth: str) -> str:
        target = self._context.target
        there = probe.models(target, self._key, auth)[1] if self._may_probe() else []
        if not there:
            return "; --model names another"
        shown = ", ".join(_printable(name, 60) for name in there[:_MODELS])
        more = f" and {len(there) - _MODELS} more" if len(there) > _MODELS else ""
        return f"; {target.endpoint.rstrip('/')}/models lists {shown}{more}: --model names one"

    def _may_probe(self) -> bool:
        """Whether there is an endpoint to ask, and the run's limit of requests allows one more."""
        target = self._context.target
        most = target.max_requests
        return not target.recorded and (most is None or len(self._folder.recorded()) < most)


def kind_of(exchange: Exchange) -> Kind:
    """How a request was refused."""
    if not exchange.refused:
        return ""
    if _UNKNOWN_MODEL.search(exchange.body[:20_000].decode("utf-8", "replace")):
        return "model"
    return {401: "key", 403: "key", 404: "path", 405: "path"}.get(exchange.status or 0, "")  # type: ignore[return-value]


def _is_plain_good(one: Scenario, ways: Collection[str]) -> bool:
    """Whether a request stands alone, carries the right key, and must be served."""
    right = one.auth in ways
    alone = not (one.after or one.within or one.last)
    return one.expect == "answer" and one.must_fit_schema and alone and right


def _features(one: Scenario) -> set[tuple[str, str]]:
    body = one.body
    return {
        ("auth", one.auth),
        ("stream", str(one.streaming)),
        ("effort", str(mapping(body.get("reasoning")).get("effort"))),
        ("input", type(body.get("input")).__name__),
        ("tools", str("tools" in body)),
        ("capped", str("max_output_tokens" in body)),
    }


def _words(exchange: Exchange, contract: Contract) -> str:
    """The server's message, on one line; empty if its body has none."""
    try:
        error = contract.error.of(Received(exchange, exchange.scenario, contract=contract).envelope)
    except CannotEvaluate:
        return ""
    return _printable(text(error) or text(mapping(error).get(contract.error.message)), _LONGEST)


def _printable(value: str, most: int) -> str:
    line = "".join(letter if letter.isprintable() else " " for letter in value)
    line = " ".join(line.split())
    return line if len(line) <= most else line[:most] + "..."
