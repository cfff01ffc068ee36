"""A recorded exchange as the checks read it: the response, its events, the final Response object.

Missing or malformed data raises :class:`CannotEvaluate`: the case is inconclusive, another check reports the defect.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from conformance.contract.revisions import DEFAULT, Contract
from conformance.decode import events as decoding
from conformance.decode import sse
from conformance.decode.automata import followed
from conformance.decode.body_kind import is_stream
from conformance.decode.cannot_evaluate import CannotEvaluate, DoesNotApply, InvalidJson, load_or_invalid, need_valid
from conformance.decode.events import Event, integer, item_types, mapping, objects, places, text
from conformance.decode.json_text import LimitExceeded, load
from conformance.decode.sums import Text, texts
from conformance.decode.violation import Violation
from conformance.exchange.client_outcomes import Outcome
from conformance.exchange.exchange import OF_THE_ACCOUNT, Exchange
from conformance.exchange.planned import attempts

#: The names that other modules import from here.
__all__ = ["EVENT_STREAM", "FINAL", "CannotEvaluate", "DoesNotApply", "OutcomeLookup", "Received"]

EVENT_STREAM = "text/event-stream"
FINAL = ("completed", "incomplete")

_DATA_PREFIX = re.compile(r"^\ufeff?(?:event:[^\r\n]*\s+)?data:\s*")


#: (client, exchange) -> why the client was not run (empty if it was), and its outcome.
OutcomeLookup = Callable[[str, Exchange], tuple[str, Outcome | None]]


class Received:
    """One exchange and what can be read from it.

    ``sent`` is the JSON body that was sent (empty if it was none), ``scenario`` the scenario's name, ``contract`` the
    one by which its events are decoded.
    """

    def __init__(
        self, exchange: Exchange, scenario: str, samples: Sequence[Exchange] = (), seen: OutcomeLookup | None = None,
        contract: Contract = DEFAULT,
    ) -> None:  # fmt: skip
        self._seen = seen
        self.contract = contract
        self.exchange = exchange
        self.scenario = scenario
        self.samples = tuple(samples) or (exchange,)
        #: Called whenever something large was decoded, so that the owner can release other responses.
        self.decoded: Callable[[Received], None] = lambda _: None
        #: What the evaluation found out about this response, kept for its next case.
        self.kept: dict[Hashable, Any] = {}

    @cached_property
    def request_json(self) -> dict[str, Any] | None:
        """The request body; None if it is not a JSON object."""
        try:
            body = load(self.exchange.request.body or b"null")
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    @property
    def sent(self) -> dict[str, Any]:
        """The request body as a JSON object; empty if it is not one."""
        return self.request_json or {}

    def ended(self, client: str) -> Outcome:
        """The outcome of a client; :class:`DoesNotApply` if it was not run, :class:`CannotEvaluate` without outcome."""
        reason, outcome = self._seen(client, self.exchange) if self._seen else ("the clients were not run", None)
        if reason:
            raise DoesNotApply(reason)
        if outcome is None:
            raise CannotEvaluate("the client did not receive this response")
        return outcome

    @property
    def streaming(self) -> bool:
        """Whether the request has ``stream: true``."""
        return self.sent.get("stream") is True

    @property
    def status(self) -> int:
        """The status code; :class:`CannotEvaluate` without one, or if it is temporary or about the account."""
        status = self.arrived
        if status in OF_THE_ACCOUNT or status >= 500:
            raise CannotEvaluate(f"received HTTP {status} after {attempts(self.exchange)}")
        return status

    def need_response(self) -> None:
        """Raise :class:`CannotEvaluate` if no response was received."""
        _ = self.arrived

    @property
    def arrived(self) -> int:
        """The status code received, whatever it is; :class:`CannotEvaluate` if there is none."""
        if self.exchange.ended == "not-sent":
            raise CannotEvaluate(self.exchange.detail)
        if self.exchange.status is None:
            raise CannotEvaluate(f"no response: {self.exchange.ended} ({self.exchange.detail})")
        return self.exchange.status

    @property
    def json(self) -> Any:
        """The body as JSON; :class:`CannotEvaluate` if it is not JSON."""
        self.need_decoded()
        if self.exchange.ended_by_us and isinstance(self._json, InvalidJson):
            raise CannotEvaluate(f"the body was not received completely: {self.exchange.detail}")
        return need_valid(self._json)

    def need_decoded(self) -> None:
        """Raise :class:`CannotEvaluate` if the suite does not support the content coding of the body."""
        if name := self.exchange.undecoded:
            raise CannotEvaluate(f"Content-Encoding {name} is not supported by the suite")

    @property
    def envelope(self) -> Any:
        """The JSON of an error body, with or without ``data:``; :class:`CannotEvaluate` if it is not JSON."""
        return need_valid(self._envelope)

    @cached_property
    def _json(self) -> Any:
        self.decoded(self)
        return load_or_invalid(self.exchange.body)

    @cached_property
    def _envelope(self) -> Any:
        if not self.sent.get("stream") and not isinstance(self._json, InvalidJson):
            return self._json
        self.decoded(self)
        body = self.exchange.body.decode("utf-8", "replace")
        return load_or_invalid(_DATA_PREFIX.sub("", body, count=1) if self.sent.get("stream") else body)

    # -- the stream ------------------------------------------------------------------------------------------------

    @cached_property
    def _frames(self) -> sse.Frames:
        if not self.exchange.ok:
            raise CannotEvaluate(f"no stream: received HTTP {self.status}")
        self.need_decoded()
        if not self.looks_like_stream:
            raise CannotEvaluate("no stream: the body contains no event")
        self.decoded(self)
        return sse.parse(self.exchange.decoded, self.exchange.body)

    @cached_property
    def looks_like_stream(self) -> bool:
        """Whether the body is an event stream by its content, whatever its content type."""
        return is_stream(self.exchange.body, self.exchange.media_type == EVENT_STREAM)

    @property
    def frames(self) -> tuple[sse.Frame, ...]:
        """The dispatched frames; :class:`CannotEvaluate` if there are more than the limit."""
        if self._frames.too_many:
            raise CannotEvaluate(f"the stream has more events than the limit of the suite ({self._frames.too_many:,})")
        return self._frames.frames

    @property
    def undispatched(self) -> str:
        """Data at the end that no blank line dispatched."""
        return self._frames.undispatched

    @cached_property
    def _decoded(self) -> tuple[tuple[Event, ...], tuple[sse.Frame, ...]] | InvalidJson:
        self.decoded(self)
        try:
            return decoding.decode(self.frames, self.contract.decoding)
        except LimitExceeded as error:
            return InvalidJson(f"the stream contains {error}")

    @property
    def events(self) -> tuple[Event, ...]:
        """The events in order, without the ``[DONE]`` marker."""
        found: tuple[Event, ...] = need_valid(self._decoded)[0]
        return found

    @property
    def invalid_frames(self) -> tuple[sse.Frame, ...]:
        """Frames whose data is not a JSON object."""
        found: tuple[sse.Frame, ...] = need_valid(self._decoded)[1]
        return found

    def of(self, *types: str) -> list[Event]:
        """The events of these types."""
        found = [self.by_type[name] for name in types if name in self.by_type]
        return found[0] if len(found) == 1 else sorted(chain(*found), key=lambda event: event.index)

    @cached_property
    def by_type(self) -> dict[str, list[Event]]:
        """The events of each type, the types in order of first occurrence."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.type, []).append(event)
        return found

    @property
    def terminal(self) -> Event:
        """The first terminal event; :class:`CannotEvaluate` without one."""
        ends = self.of(*self.contract.decoding.ends)
        if ends:
            return ends[0]
        stopped = f"the suite stopped reading: {self.exchange.detail}" if self.exchange.ended_by_us else ""
        raise CannotEvaluate(stopped or "the stream has no terminal event")

    @cached_property
    def _followed(self) -> tuple[list[Violation], Counter[str]]:
        return followed(self.events, self.exchange.ended_by_us)

    @property
    def violations(self) -> list[Violation]:
        """All violations of opening, lifecycle and identity."""
        return self._followed[0]

    @property
    def examined(self) -> Counter[str]:
        """For each rule of opening, lifecycle and identity the number of events it was evaluated on."""
        return self._followed[1]

    @cached_property
    def placed(self) -> tuple[tuple[Event, int | None], ...]:
        """The events, each with the index of the item it is about (see :func:`conformance.decode.events.places`)."""
        return tuple(places(self.events))

    @cached_property
    def item_types(self) -> dict[int, str]:
        """The type of the item at each output_index, from the first event that contains the item."""
        return item_types(self.placed)

    @cached_property
    def texts(self) -> list[Text]:
        """The texts of the stream, stage by stage."""
        return texts(self.events)

    # -- the Response, plain or from the terminal event ------------------------------------------------------------

    @cached_property
    def response(self) -> dict[str, Any]:
        """The final Response object; :class:`CannotEvaluate` if there is none."""
        if not self.exchange.ok:
            raise CannotEvaluate(f"no Response object: received HTTP {self.status}")
        response = self.terminal.data.get("response") if self.looks_like_stream else self.json
        if not isinstance(response, dict):
            raise CannotEvaluate("no Response object")
        return response

    @property
    def final_status(self) -> str:
        """The status of the final Response; :class:`CannotEvaluate` if it is not a string."""
        status = self.response.get("status")
        if not isinstance(status, str):
            raise CannotEvaluate("the Response has no status")
        return status

    @property
    def pointer(self) -> str:
        """The JSON pointer of the Response: empty in a plain response, ``/response`` in a terminal event."""
        return "/response" if self.looks_like_stream else ""

    @property
    def event(self) -> int | None:
        """The index of the event that contains the Response; None in a plain response."""
        return self.terminal.index if self.looks_like_stream else None

    @property
    def output(self) -> list[dict[str, Any]]:
        """The output items that are objects; from output_item.done events if the Response of a stream has no array."""
        output = self.response.get("output")
        if isinstance(output, list) or not self.looks_like_stream:
            return objects(output)
        return [event.item for event in self.of("response.output_item.done") if event.item]

    def items(self, kind: str) -> list[tuple[int, dict[str, Any]]]:
        """The output items of a type, each with its index in ``output``."""
        return [(index, item) for index, item in enumerate(self.output) if item.get("type") == kind]

    @property
    def usage(self) -> dict[str, Any]:
        """``usage``; :class:`CannotEvaluate` if it is not an object."""
        usage = self.response.get("usage")
        if not isinstance(usage, dict):
            raise CannotEvaluate("no usage object")
        return usage

    def tokens(self, *path: str) -> int | None:
        """A counter of usage, such as ``tokens("output_tokens_details", "reasoning_tokens")``."""
        value: Any = self.usage
        for member in path:
            value = mapping(value).get(member)
        return integer(value)

    @property
    def words(self) -> str:
        """All output_text parts, concatenated."""
        return self._joined("message", "output_text")

    @property
    def reasoning_texts(self) -> str:
        """All reasoning_text parts, concatenated."""
        return self._joined("reasoning", "reasoning_text")

    def _joined(self, kind: str, part_type: str) -> str:
        parts = (part for _, item in self.items(kind) for part in objects(item.get("content")))
        return "".join(text(part.get("text")) for part in parts if part.get("type") == part_type)

    @property
    def has_reasoning(self) -> bool:
        """Whether there is a reasoning item, a reasoning event, or a reasoning token counted."""
        seen = bool(self.items("reasoning"))
        if self.looks_like_stream:
            seen = seen or any("reasoning" in name for name in self.by_type)
        return seen or bool(decoding.reasoning_tokens(self.response))
