"""The check of the target's settings by the first requests of a run.

A wrong base URL, key or model makes the endpoint refuse every request; the run then ends with one line and no verdicts.
The first request of the run is sent alone. If it is refused in one of these ways, up to four more requests of the run
are sent, chosen to differ from it as much as possible (authentication, streaming, effort, ...). Only if all of them are
refused in the same way, the run ends: a server that serves at least one kind of request is evaluated.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from conformance.contract.revisions import Contract
from conformance.decode.events import mapping, text
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.disappearance import AWAY, is_page, unconnected
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.scenarios.context import Context
from conformance.scenarios.controls import effort_of
from conformance.scenarios.plan import Plan, plan
from conformance.scenarios.scenario import Scenario
from conformance.wire.limits import Stopped
from conformance.wire.pool import CannotRecord, Pool, Sender

Kind = Literal["", "path", "key", "model", "balance", "away", "page"]
"""How a request was refused. ``path``: 404 or 405. ``key``: 401 or 403. ``model``: unknown model. ``balance``: 402.
``away``: 502, 503 or 504. ``page``: an HTML page with a 2xx. Empty: in none of these ways."""

#: Requests that confirm the first one's refusal, at most.
_MAX_CONFIRMATIONS = 5

#: Seconds that the other requests of a run wait for the first response; a slow model must not delay them.
_MAX_HEAD_START = 3.0

#: Models and characters of a name or message that are shown.
_MAX_MODELS, _MAX_CHARACTERS = 8, 160

_UNKNOWN_MODEL = re.compile(
    r"model_not_found|access[^.]{0,20} models?\b|(?:unknown|invalid|unsupported|no such|nonexistent)[ _-]model"
    r"|\bmodels?\b[^.]{0,160}?(?:not found|not exist|n.t exist|unknown|not supported|unsupported|not available|invalid"
    r"|not allowed|no access|not have access|not recogni[sz]ed|no endpoints|not a valid)",
    re.IGNORECASE,
)


class Preflight:
    """The check in one process, in a thread of its own; the processes of a run share its exchanges.

    ``recorded`` are the exchanges of the recording in a replay.
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
        self._replayed = recorded
        self._contract = context.contract
        methods = {one.name for one in self._contract.authentication}
        good = [one for one in plan(context, needed) if _must_be_served(one, methods)]
        # One that waits for the response to another would bring that one along.
        self._planned = [one for one in good if not effort_of(one, self._contract)]
        self._error = ""
        self._done = threading.Event()
        self._released = threading.Event()

    def start(self, send_rest: Callable[[], None]) -> None:
        """Start the check; ``send_rest`` is called when the run may send its other requests."""

        def check() -> None:
            try:
                self._error = self._check()
            except (CannotRecord, Stopped):
                pass  # The other requests of the run raise and report the same error.
            finally:
                self._done.set()

        def release() -> None:
            self._done.wait(_MAX_HEAD_START)
            if not self._error:
                send_rest()
            self._released.set()

        threading.Thread(target=check, daemon=True).start()
        threading.Thread(target=release, daemon=True).start()

    def error(self) -> str:
        """The error in the target's settings, in one line; empty if there is none. Waits until the check has ended."""
        self._done.wait()
        self._released.wait()
        return self._error

    def _check(self) -> str:
        if not self._planned:
            return ""  # No request of the run must be served.
        first, *others = self._planned
        refused = list(self._send(first))
        kind = refusal_kind(refused[0])
        if unconnected(refused[0]) and not any(one.status for one in self._recorded()):
            return f"{self._context.target.endpoint} is no longer reachable: {refused[0].detail}"
        if not kind or any(refusal_kind(one) != kind for one in refused if not one.withheld):
            return ""
        for one in self._confirming(first, others, both=len(refused) > 1):
            exchange = self._send(one)[-1]
            if exchange.withheld:
                continue  # Not sent: a limit of the run, or not in the recording.
            if refusal_kind(exchange) != kind:
                return ""
            refused.append(exchange)
        if any(one.ok and not is_page(one) for one in self._recorded()):
            return ""
        return self._message(kind, first, refused)

    def _confirming(self, first: Scenario, others: Sequence[Scenario], both: bool) -> Iterator[Scenario]:
        """The planned requests that differ most from the first; the other way to authenticate, planned or not, unless
        ``both`` have been sent."""
        other = self._with_other_authentication(first)
        if other and not both and not {one.name for one in self._contract.authentication} & self._context.target.lacks:
            yield other
        covered = _features(first) | (_features(other) if other else set())
        remaining = [one for one in others if other is None or one.name != other.name]
        for _ in range(_MAX_CONFIRMATIONS - 1):
            one = max(remaining, key=lambda one: len(_features(one) - covered), default=None)
            if one is None or not _features(one) - covered:
                return
            yield one
            covered |= _features(one)

    def _with_other_authentication(self, first: Scenario) -> Scenario | None:
        """A request with another authentication header than the first; None if the contract has only one."""
        other = next((one.name for one in self._contract.authentication if one.name != first.auth), "")
        named = "text" if other == self._contract.way.name else f"auth.{other}"
        return self._context.scenarios.get(named)

    def _send(self, scenario: Scenario) -> tuple[Exchange, ...]:
        """The samples of a scenario: from the folder if it was sent before."""
        here = Plan(self._context, [scenario.name])
        alone = [replace(planned, together=False) for planned in here.requests]
        pool = Pool(alone, self._folder, self._sender, self._context.target.concurrency)
        return pool.get_or_send(here.key_of[scenario.name])

    def _recorded(self) -> Iterator[Exchange]:
        yield from self._replayed
        yield from (one for key in self._folder.recorded() if (one := self._folder.read(key)))

    # -- the message -----------------------------------------------------------------------------------------------

    def _message(self, kind: Kind, first: Scenario, refused: Sequence[Exchange]) -> str:
        target = self._context.target
        statuses = " or ".join(str(status) for status in sorted({one.status or 0 for one in refused}))
        requests = f"each of {len(refused)} requests" if len(refused) > 1 else "the request"
        received = f"{requests} to {target.url} received HTTP {statuses}"
        words = next((f" ({message})" for one in refused if (message := _server_message(one, self._contract))), "")
        lacks = first.auth in target.lacks
        auth = next((one.name for one in self._contract.authentication if one.name != first.auth), first.auth)
        auth = auth if lacks else first.auth
        if kind == "path":
            return f"the Responses API is not at this path: {received}{self._path_hint(refused[0], auth)}"
        if kind == "page":
            return f"{received} and an HTML page, as of a login or a maintenance: this is not the Responses API"
        if kind == "away":
            return f"{received}{words}: the endpoint is not ready"
        if kind == "balance":
            return f"{received}{words}: the account of the key in {target.api_key_env} has no balance"
        if kind == "key":
            sent = {name.lower() for one in refused for name, _ in one.request.headers}
            methods = (
                " and ".join(one.shown for one in self._contract.authentication if one.header.lower() in sent)
                or "the profile requires"
            )
            return f"{received}{words}: the key in {target.api_key_env} is not accepted, sent as {methods}"
        return f"the endpoint does not serve the model {target.model!r}: {received}{words}{self._model_hint(auth)}"

    def _path_hint(self, first: Exchange, auth: str) -> str:
        from conformance.wire import probe  # It needs an HTTP client, which a replay does not.

        target = self._context.target
        base, end = target.endpoint.rstrip("/"), self._contract.base_path
        if not base.endswith(end):
            if not self._may_probe():
                return f"; the base URL does not end in {end}"
            probed = probe.post(target, self._key, f"{base}{end}", first.request.body, auth)
            result = f"returns HTTP {probed.status}" if probed.status else "sends no response"
            result += " too" if probed.status in (404, 405) else ""
            return f"; the base URL does not end in {end}, and {base}{end}{self._contract.path} {result}"
        if not self._may_probe():
            return ""
        status, _ = probe.models(target, self._key, auth)
        also = " too" if status in (404, 405) else ", so the base URL is valid" if status == 200 else ""
        return f"; GET {base}/models returns HTTP {status}{also}" if status else ""

    def _model_hint(self, auth: str) -> str:
        from conformance.wire import probe  # As above.

        target = self._context.target
        probed = probe.models(target, self._key, auth)[1] if self._may_probe() else []
        if not probed:
            return "; set another one with --model"
        shown = ", ".join(_printable(name, 60) for name in probed[:_MAX_MODELS])
        more = f" and {len(probed) - _MAX_MODELS} more" if len(probed) > _MAX_MODELS else ""
        return f"; {target.endpoint.rstrip('/')}/models lists {shown}{more}: set one with --model"

    def _may_probe(self) -> bool:
        """Whether a request outside the plan can be sent: there is an endpoint, and --max-requests is not reached."""
        target = self._context.target
        most = target.max_requests
        return not target.recorded and (most is None or len(self._folder.recorded()) < most)


def refusal_kind(exchange: Exchange) -> Kind:
    """How a request was refused (see :data:`Kind`)."""
    if exchange.status == 402:
        return "balance"
    if exchange.status in AWAY:
        return "away"
    if exchange.ok and is_page(exchange):
        return "page"
    if not exchange.refused:
        return ""
    if _UNKNOWN_MODEL.search(exchange.body[:20_000].decode("utf-8", "replace")):
        return "model"
    return {401: "key", 403: "key", 404: "path", 405: "path"}.get(exchange.status or 0, "")  # type: ignore[return-value]


def _must_be_served(one: Scenario, methods: Collection[str]) -> bool:
    """Whether a request is valid, has a valid key, and depends on no other request, so that it must be served."""
    has_valid_key = one.auth in methods
    is_independent = not (one.after or one.within or one.last or one.factors)
    return one.expect == "answer" and one.must_fit_schema and is_independent and has_valid_key


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


def _server_message(exchange: Exchange, contract: Contract) -> str:
    """The error message of the server, in one line; empty if its body has none."""
    try:
        error = contract.error.of(Received(exchange, exchange.scenario, contract=contract).envelope)
    except CannotEvaluate:
        return ""
    return _printable(text(error) or text(mapping(error).get(contract.error.message)), _MAX_CHARACTERS)


def _printable(value: str, most: int) -> str:
    line = "".join(letter if letter.isprintable() else " " for letter in value)
    line = " ".join(line.split())
    return line if len(line) <= most else line[:most] + "..."
