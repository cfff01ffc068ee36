"""One exchange that somebody else made, with what its record does not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from conformance.answer import Answer
from conformance.report.failure import printable
from conformance.run import Recorded
from conformance.schemas import Schemas
from conformance.stream.events import mapping
from conformance.stream.jsontext import load
from conformance.target import Misconfigured
from conformance.wire.exchange import Exchange, content_coding
from conformance.wire.record import Folder

Lost = Literal["framing", "bytes", "lines", "headers", "request", "clock"]
"""``framing``: how the body was cut, ended and compressed. ``bytes``: the body was decoded to text by somebody else.
``lines``: what stood around the data of the events. ``headers``: those of the answer. ``request``: its body.
``clock``: when it was sent."""

#: How the detail begins in old recordings of ``watch`` whose bytes were changed where the key, a word, stood in them.
WORDLIKE = "the client's key is a word of the answer"

#: How the detail begins where the capture ends before the answer does.
UNFINISHED = "the capture ends before the answer does"


@dataclass(frozen=True)
class Captured:
    """``label`` names the exchange among the others (``entry 12``); ``lost`` is what the capture does not hold,
    ``missing`` says in words why it holds too little to judge anything."""

    label: str
    exchange: Exchange
    lost: frozenset[Lost] = frozenset()
    missing: str = ""

    @cached_property
    def answer(self) -> Answer:
        """The exchange as the checks read it."""
        return Answer(self.exchange, self.label)

    @cached_property
    def sent(self) -> dict[str, Any] | None:
        """The request's body; None where it was not captured or is no JSON object."""
        try:
            body = load(self.exchange.request.body)
        except ValueError:
            return None
        return mapping(body) if isinstance(body, dict) and "request" not in self.lost else None

    def strange(self, schemas: Schemas) -> frozenset[str]:
        """The members of the request that the contract does not document, or not with this value; ``*`` for all."""
        if self.sent is None:
            return frozenset({"*"})
        problems = schemas.errors("request.json", self.sent)
        return frozenset(one.pointer.split("/")[1] if one.pointer else "*" for one in problems)

    @property
    def unjudged(self) -> str:
        """Why nothing at all can be said of it; empty if something can."""
        exchange = self.exchange
        if exchange.status is None:
            return f"no answer: {exchange.ended}{f' ({exchange.detail})' if exchange.detail else ''}"
        if exchange.status == 429 or exchange.status >= 500:
            return f"HTTP {exchange.status}: a trouble that may pass says nothing of the contract"
        if exchange.status < 200:
            return f"HTTP {exchange.status} is no answer"
        if exchange.ended == "oversize" or exchange.detail.startswith(WORDLIKE):
            return exchange.detail
        return self.missing

    @property
    def unfinished(self) -> str:
        """How the capture ends before the answer does, by whoever's doing; empty if it does not."""
        return self.exchange.detail if self.exchange.detail.startswith(UNFINISHED) else ""


class Captures(Recorded):
    """Captured exchanges in the place of a run's record."""

    def __init__(self, captured: Sequence[Captured]) -> None:
        self._key_of = {one.label: one.exchange.key for one in captured}
        self._within = {}
        self._answers = {one.label: one.answer for one in captured}


def is_ours(method: str, url: str) -> bool:
    """Whether a request asks for a response: ``POST`` to a path that ends in ``/responses``."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return method.upper() == "POST" and path.rstrip("/").endswith("/responses")


def lost_in(exchange: Exchange) -> frozenset[Lost]:
    """What a recorded exchange does not hold: a request body in a coding that nobody here can undo."""
    return frozenset({"request"} if content_coding(exchange.request.headers) else ())


def read_run(path: Path) -> tuple[list[Captured], int, Mapping[str, Any]]:
    """The exchanges in a run folder, how many others it holds, and the first line of the run's results;
    :class:`Misconfigured` says in one line why it is no run folder."""
    folder = Folder(path)
    try:
        head = json.loads((path / "run.json").read_text(encoding="utf-8"))["head"]
        found = [one for key in folder.recorded() if (one := folder.read(key)) and one.ended != "not-sent"]
    except FileNotFoundError as error:
        raise Misconfigured(f"{path} is no run folder: there is no {Path(error.filename).name}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"run folder {path} cannot be read: {error}") from None
    ours = sorted((one for one in found if is_ours(one.request.method, one.request.url)), key=_order)
    named: dict[str, Captured] = {}
    for one in ours:
        label = printable(f"{one.scenario} ({one.sample + 1})" if one.sample else one.scenario)
        label = printable(one.key) if label in named else label
        named[label] = Captured(label, one, lost_in(one))
    return list(named.values()), len(found) - len(ours), head


def _order(exchange: Exchange) -> tuple[float, str]:
    return exchange.sent_at, exchange.key
