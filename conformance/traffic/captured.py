"""One captured exchange, with the parts that its record does not contain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.config.target import Misconfigured
from conformance.contract.revisions import DEFAULT, Contract
from conformance.contract.schemas import Schemas
from conformance.decode.events import mapping, text
from conformance.decode.memory_size import discard_decoded
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange, content_coding
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.applicability import Unavailable, undocumented_members
from conformance.judge.recorded import Recorded
from conformance.report.failure import printable
from conformance.traffic.placeholders import Placeholders, placeholders_in

#: The detail in recordings of earlier versions of ``watch`` whose key is a word, which was replaced in the response.
KEY_IS_A_WORD = "the client's key is a word of the answer"

#: Prefix of the detail if the capture ends before the response does.
UNFINISHED = "the capture ends before the response does"

#: The prefix in recordings of earlier versions of ``watch``.
_UNFINISHED_BEFORE = "the capture ends before the answer does"


#: Statuses of a Response that is not final.
_BEGUN = ("queued", "in_progress")


@dataclass(frozen=True)
class Captured:
    """``label`` names the exchange among the others (``entry 12``); ``unavailable`` is what the capture does not
    contain, ``missing`` the reason why it contains too little to evaluate anything, ``shortened`` the reason why only
    single events can be evaluated. ``source`` is the file of a folder, empty for a single one."""

    label: str
    exchange: Exchange
    unavailable: frozenset[Unavailable] = frozenset()
    missing: str = ""
    contract: Contract = DEFAULT
    shortened: str = ""
    source: str = ""

    def by(self, contract: Contract) -> Captured:
        """The same, to be read by another contract."""
        return self if self.contract.decoding is contract.decoding else replace(self, contract=contract)

    @cached_property
    def received(self) -> Received:
        """The exchange as the checks read it."""
        return Received(self.exchange, self.label, contract=self.contract)

    @property
    def sent(self) -> dict[str, Any] | None:
        """The request body; None if it was not captured or is not a JSON object."""
        return self.received.request_json if "request" not in self.unavailable else None

    @cached_property
    def streaming(self) -> bool:
        """Whether the request has ``stream: true``, or, if it was not captured, the response is a stream."""
        return self.received.looks_like_stream if self.sent is None else self.sent.get("stream") is True

    def undocumented(self, schemas: Schemas) -> frozenset[str]:
        """The members of the request that the contract does not document, or not with this value; ``*`` for all."""
        return undocumented_members(self.sent, schemas)

    @property
    def unjudged(self) -> str:
        """Why the exchange cannot be evaluated; empty if it can."""
        exchange = self.exchange
        if exchange.status is None:
            return f"no response: {exchange.ended}{f' ({exchange.detail})' if exchange.detail else ''}"
        if exchange.status == 429 or exchange.status >= 500:
            return f"HTTP {exchange.status} may be temporary and is no evidence about the contract"
        if exchange.status < 200:
            return f"HTTP {exchange.status} is not a final response"
        if exchange.ended == "oversize" or exchange.detail.startswith(KEY_IS_A_WORD):
            return exchange.detail
        if exchange.undecoded:
            return f"Content-Encoding {exchange.undecoded} is not decoded here"
        return self.missing

    @property
    def unfinished(self) -> str:
        """The detail if the capture ends before the response does; empty if it is complete."""
        return self.exchange.detail if self.exchange.detail.startswith((UNFINISHED, _UNFINISHED_BEFORE)) else ""

    @property
    def in_part(self) -> str:
        """Why only a part of the rules for such an exchange can be evaluated; empty if all can."""
        # If it is ``clean``, the terminal event was received and only the end of the framing is missing.
        if self.unfinished and self.exchange.ended != "clean":
            return self.unfinished
        return self.shortened or self.not_final or self.failed or self.placeholders.why

    @cached_property
    def placeholders(self) -> Placeholders:
        """What the writer of a file replaced; nothing in what the suite recorded itself."""
        return placeholders_in(self.received) if self.is_of_file else Placeholders()

    @property
    def is_of_file(self) -> bool:
        """Whether others wrote the exchange: no file but a recording of the suite has the framing."""
        return "framing" in self.unavailable

    @property
    def in_background(self) -> bool:
        """Whether the request has, or may have, ``background: true``, so that its Response need not be final."""
        return self.sent is None or self.sent.get("background") not in (None, False)

    @cached_property
    def not_final(self) -> str:
        """Why the Response is not the final one, as with ``background``; empty if it is, or if it should be."""
        if not self.in_background or not self.exchange.ok or self.received.looks_like_stream:
            return ""
        try:
            status = self.received.response.get("status")
        except CannotEvaluate:
            return ""
        why = "with background" if self.sent else "and the request, which may set background, was not captured"
        return f"the Response is {status}, {why}: it is not final" if status in _BEGUN else ""

    @cached_property
    def failed(self) -> str:
        """The error that the endpoint reports in place of a final Response, by an event or status ``failed``; empty
        without one. Like a 5xx it may be temporary, and whether the live service sends it is not known."""
        try:
            error = _error_of(self.received) if self.exchange.ok else ""
        except CannotEvaluate:
            return ""
        return f"the response reports an error, which may be temporary: {error[:160]}" if error else ""

    def release(self) -> None:
        """Discard what was decoded; it is decoded again when needed."""
        if (received := self.__dict__.pop("received", None)) is not None:
            discard_decoded(received)
        self.exchange.discard_decoded()


def _error_of(received: Received) -> str:
    """The message of an error event, or of a Response with status ``failed``; empty without one."""
    is_stream = received.looks_like_stream
    if is_stream and received.terminal.type == "error":
        data = received.terminal.data
        return text(mapping(data.get("error")).get("message")) or text(data.get("message"))
    response = received.response
    return text(mapping(response.get("error")).get("message")) if response.get("status") == "failed" else ""


class Captures(Recorded):
    """Captured exchanges in the place of a run's record."""

    def __init__(self, captured: Sequence[Captured], ids: Mapping[str, dict[str, Any]] | None = None) -> None:
        """``ids``: what is kept of each Response object; without it they are decoded."""
        self._ids = ids or {}
        self._captured = {one.label: one for one in captured}

    def key(self, scenario: str) -> str:
        """The key of an exchange; empty without it."""
        one = self._captured.get(scenario)
        return one.exchange.key if one else ""

    def received(self, scenario: str) -> Received:
        """The response of an exchange."""
        if scenario not in self._ids:
            return self._captured[scenario].received
        one = self._captured[scenario]
        received = Received(one.exchange, one.label, contract=one.contract)
        received.__dict__["response"] = self._ids[scenario]  # In the place of the decoded one.
        return received


def is_ours(method: str, url: str, contract: Contract = DEFAULT) -> bool:
    """Whether a request creates a response: ``POST`` to a path that ends as the contract defines (``/responses``)."""
    return method.strip().upper() == "POST" and is_path_of_ours(url, contract)


def is_path_of_ours(url: str, contract: Contract = DEFAULT) -> bool:
    """Whether the path of a URL, which may be relative, ends as the contract defines (``/responses``)."""
    try:
        path = urlsplit(url.strip()).path
    except ValueError:  # A redacted host, such as https://[REDACTED]/v1/responses, is no valid URL.
        path = url.partition("?")[0]
    return f"/{path}".rstrip("/").endswith(contract.path)


def unavailable_in(exchange: Exchange) -> frozenset[Unavailable]:
    """The parts that a recorded exchange does not contain: a request body in an unsupported content coding."""
    return frozenset({"request"} if content_coding(exchange.request.headers) else ())


def read_run(path: Path) -> tuple[list[Captured], int, Mapping[str, Any]]:
    """The exchanges in a run folder, the number of others in it, and the first line of the run's results;
    :class:`Misconfigured` if it is not a run folder."""
    folder = RunDirectory(path)
    try:
        head = json.loads((path / "run.json").read_text(encoding="utf-8"))["head"]
        found = [one for key in folder.recorded() if (one := folder.read(key)) and one.ended != "not-sent"]
    except FileNotFoundError as error:
        raise Misconfigured(
            f"{path} is no run folder: there is no {Path(error.filename).name}, and no capture either"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"run folder {path} cannot be read: {error}") from None
    ours = sorted((one for one in found if is_ours(one.request.method, one.request.url)), key=_order)
    named: dict[str, Captured] = {}
    for one in ours:
        label = printable(f"{one.scenario} ({one.sample + 1})" if one.sample else one.scenario)
        label = printable(one.key) if label in named else label
        named[label] = Captured(label, one, unavailable_in(one))
    return list(named.values()), len(found) - len(ours), head


def _order(exchange: Exchange) -> tuple[float, str]:
    return exchange.sent_at, exchange.key
