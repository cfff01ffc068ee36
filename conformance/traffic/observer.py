"""The observer of ``conformance watch``: evaluates each exchange, stores it redacted and prints its result."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Sequence

from conformance.config.target import Target
from conformance.exchange.exchange import CODINGS, Chunk, Exchange, Request, content_coding, unfold
from conformance.exchange.redaction import Known, Secret, echoes, redacted
from conformance.exchange.run_directory import RunDirectory
from conformance.exchange.scrubbing import (
    keys_of,
    scrubbed,
    scrubbed_request,
    scrubbed_response,
    scrubbed_url,
    secrets_of,
)
from conformance.traffic.captured import Captured, is_ours, unavailable_in
from conformance.traffic.evaluation import evaluate_captures
from conformance.traffic.incomplete import marked
from conformance.traffic.proxy import CLIENT_DISCONNECTED, ForwardedExchange
from conformance.traffic.summary import Screen, brief

_NAME = "exchange"

#: Maximum number of stored credentials, the latest ones: some clients send another cookie with each request.
_MAX_SECRETS = 1000


class Observer:
    """Receives finished exchanges from any thread and evaluates them one after another in its own thread."""

    def __init__(self, target: Target, folder: RunDirectory, screen: Screen) -> None:
        self._target, self._folder, self._screen = target, folder, screen
        self._waiting: queue.SimpleQueue[ForwardedExchange | None] = queue.SimpleQueue()
        self._secrets: dict[Secret, None] = {}
        self._number = 0
        self._shown: set[tuple[str, str]] = set()
        self.others = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The credentials in the requests so far, at most :data:`_MAX_SECRETS`."""
        return Known(self._secrets)

    def __call__(self, passed: ForwardedExchange) -> None:
        """Add an exchange. Returns at once, so that the client does not wait for the evaluation."""
        self._waiting.put(passed)

    def close(self) -> None:
        """Evaluate the waiting exchanges and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (passed := self._waiting.get()) is not None:
            try:
                self._evaluate(passed)
            except OSError as error:
                self._screen.line(f"run folder {self._folder.path} cannot be written: {error.strerror or error}")
            except Exception:  # An internal error must not end the proxy; its traceback can contain a key.
                for line in traceback.format_exc().splitlines():
                    self._screen.line(scrubbed(line, self.secrets))

    def _evaluate(self, passed: ForwardedExchange) -> None:
        for secret in secrets_of(passed.sent, passed.url, self._target.credential_headers):
            self._secrets.pop(secret, None)
            self._secrets[secret] = None
        for secret in list(self._secrets)[:-_MAX_SECRETS]:
            del self._secrets[secret]
        if not is_ours(passed.method, passed.url):
            self.others += 1
            return
        self._number += 1
        exchange = to_exchange(passed, self._number, self.secrets, self._target.credential_headers)
        self._folder.write(redacted(exchange, self.secrets))
        captured = Captured(exchange.scenario, exchange, unavailable_in(exchange))
        evaluated = evaluate_captures([captured], self._target, self.secrets, together=False)
        first, *others = brief(captured.label, evaluated, self._shown)
        for line in (f"{first} ({exchange.status or 'no response'}, {exchange.elapsed:.0f} ms)", *others):
            self._screen.line(line)


def to_stored_exchange(passed: ForwardedExchange, number: int, secrets: Sequence[Secret]) -> Exchange:
    """The exchange in the form in which it is stored: with credentials redacted."""
    return redacted(to_exchange(passed, number, secrets), secrets)


def to_exchange(
    passed: ForwardedExchange, number: int, secrets: Sequence[Secret], credential_headers: Sequence[str] = ()
) -> Exchange:
    """The exchange as it is evaluated: its original bodies, and no private header.

    ``credential_headers`` are further headers that contain a key.
    """
    coding = content_coding(passed.sent)
    body, sent = passed.body, passed.sent
    if coding.strip().lower() in CODINGS:
        chunks, _ = unfold((Chunk(0.0, body),), coding)
        body = b"".join(chunk.data for chunk in chunks)
        sent = tuple(pair for pair in sent if pair[0].lower() != "content-encoding")
    headers = scrubbed_response(passed.headers)
    exchange = Exchange(
        key=f"{_NAME}-{number:04}",
        scenario=f"{_NAME} {number}",
        sample=0,
        request=Request(
            passed.method, scrubbed_url(passed.url, secrets), scrubbed_request(sent, secrets, credential_headers), body
        ),
        status=passed.status,
        headers=headers,
        chunks=passed.chunks,
        ended=passed.ended,
        detail=scrubbed(passed.detail, secrets),
        sent_at=passed.sent_at,
        elapsed=passed.elapsed,
        leaks=echoes(headers, passed.chunks, keys_of(passed.sent, credential_headers)),
    )
    return _unfinished(exchange)


def _unfinished(exchange: Exchange) -> Exchange:
    """The exchange, marked as incomplete if the proxy or the client ended it."""
    if exchange.status is None or exchange.ended != "time-out":
        return exchange
    return marked(exchange, exchange.detail or CLIENT_DISCONNECTED)
