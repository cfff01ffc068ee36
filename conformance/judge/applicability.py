"""Where a rule applies: predicates on what was recorded of one exchange.

The same predicate is used in a run, for a HAR file, in ``watch`` and for real clients, whichever scenario or client
made the request. It requires a kind of response, parts of the exchange that the capture must contain, and members of
the request that must be absent or documented: the effect of an undocumented parameter is unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from conformance.contract.revisions import Contract
from conformance.contract.schemas import Schemas, schemas_of
from conformance.decode.events import objects
from conformance.decode.json_text import load
from conformance.decode.response import CannotEvaluate, Received

Kind = Literal["answers", "finished", "streams", "plain", "refusals", "denials", "refused", "others", "all-answers"]
"""The responses to which a rule applies.

``answers``: every 2xx. ``finished``: every 2xx that ends with a final Response. ``streams``, ``plain``: 2xx to
requests with, or without, ``stream: true``. ``refusals``: 4xx except 401, 403 and 429. ``denials``: 401, 403.
``refused``: both. ``others``: all except the denials. ``all-answers``: all finished ones together, as one case.
"""

Unavailable = Literal["framing", "bytes", "lines", "headers", "request", "clock", "deltas"]
"""Parts of an exchange that a capture may not contain.

``framing``: chunks, end and content coding of the body. ``bytes``: the body before it was decoded to text.
``lines``: the lines of the event stream other than ``data``. ``headers``: the response headers. ``request``: the
request body. ``clock``: the time at which the request was sent. ``deltas``: every delta (a file of events is often
shortened by hand).
"""

Sent = Mapping[str, Any]

#: Statuses of responses without a body (RFC 9110 15.3.5, 15.3.6).
_WITHOUT_BODY = (204, 205)

#: The continuation bytes of UTF-8, decoded as Latin-1 and as Windows-1252.
_CONTINUED = "".join(bytes([byte]).decode(code, "ignore") for code in ("latin-1", "cp1252") for byte in range(128, 192))

#: UTF-8 that was decoded as one of the two, or the replacement character.
_MANGLED = re.compile(f"[\u00c2-\u00f4][{re.escape(_CONTINUED)}]|\ufffd")


@dataclass(frozen=True, eq=False)  # Compared as an object: it is part of a key that is hashed for each response.
class Where:
    """The exchanges to which a rule applies.

    ``kind``: the kind of response. ``reads``: what the record of the exchange must contain. ``depends_on``: request
    members that must be absent or as documented (``*``: all of them). ``when``: a condition on the request body; None
    if the rule does not read the request. ``without_thinking``: the request turns reasoning off as the contract
    defines. ``other_scenarios``: in a run the rule is also evaluated on exchanges that none of its own cases contains;
    otherwise the predicate is used for captured traffic only.
    """

    kind: Kind
    reads: frozenset[Unavailable] = frozenset()
    depends_on: tuple[str, ...] = ()
    when: Callable[[Sent], bool] | None = None
    other_scenarios: bool = True
    without_thinking: bool = False

    def applies(self, received: Received, unavailable: frozenset[Unavailable], undocumented: frozenset[str]) -> bool:
        """Whether the rule is evaluated on a response.

        ``undocumented`` are the request members that the contract does not document, or not with this value (``*``: the
        body is no JSON object).
        """
        if unavailable & self.reads or not _is_kind(
            self.kind, received, None if unavailable & REQUEST else received.request_json
        ):
            return False
        if self.depends_on and (
            "*" in undocumented
            or (undocumented if "*" in self.depends_on else undocumented & frozenset(self.depends_on))
        ):
            return False
        if not (self.when or self.without_thinking):
            return True
        if received.request_json is None or unavailable & REQUEST:
            return False
        if self.without_thinking and not received.contract.turns_thinking_off(received.request_json):
            return False
        return self.when is None or self.when(received.request_json)


def undocumented_members(sent: Sent | None, schemas: Schemas) -> frozenset[str]:
    """The members of a request whose name or value the contract does not document; ``*`` if there is no object."""
    if sent is None:
        return frozenset({"*"})
    problems = schemas.errors("request.json", sent)
    return frozenset(one.pointer.split("/")[1] if one.pointer else "*" for one in problems)


@lru_cache(maxsize=4096)
def undocumented_in(contract: Contract, body: bytes) -> frozenset[str]:
    """The same as :func:`undocumented_members`, for the bytes of a request body."""
    try:
        sent = load(body or b"null")
    except ValueError:
        return frozenset({"*"})
    return undocumented_members(sent if isinstance(sent, dict) else None, schemas_of(contract))


def _is_kind(kind: Kind, received: Received, sent: Sent | None) -> bool:
    status, ok = received.exchange.status or 0, received.exchange.ok
    is_refused, is_denied = 400 <= status < 500 and status != 429, status in (401, 403)
    if kind in ("refusals", "denials", "refused", "others"):
        return {
            "refusals": is_refused and not is_denied, "denials": is_denied, "refused": is_refused,
            "others": not is_denied,
        }[kind]  # fmt: skip
    if kind in ("streams", "plain"):
        requested = sent.get("stream", False) if sent is not None else received.looks_like_stream
        # The contract does not document stream: null; the rules for plain responses apply if the response is plain.
        plain = requested is False or (requested is None and not received.looks_like_stream)
        return ok and status not in _WITHOUT_BODY and (requested is True if kind == "streams" else plain)
    return ok and (kind == "answers" or not _ends_otherwise(received))


def _ends_otherwise(received: Received) -> bool:
    """Whether the response contains no final Response: it failed, or its background request is still running."""
    try:
        if received.looks_like_stream and received.terminal.type in ("error", "response.failed"):
            return True
        status = received.response.get("status")
        form = received.contract.error
        if isinstance(form.of(received.response), dict) and form.is_error(received.response):
            return True  # An error body with status 200 is not a Response; rules about errors report it.
        return status == "failed" or (bool(received.sent.get("background")) and status in ("queued", "in_progress"))
    except CannotEvaluate:
        return False


# -- predicates over the request body ----------------------------------------------------------------------------------


def no_tools(sent: Sent) -> bool:
    """Whether the request has no ``tools`` member."""
    return "tools" not in sent


def functions_only(sent: Sent) -> bool:
    """Whether every tool is a function whose parameters are a valid JSON Schema without references."""
    added = [one for item in objects(sent.get("input")) if "type" in item for one in objects(item.get("tools"))]
    tools = [*objects(sent.get("tools")), *added]
    return all(tool.get("type") == "function" and _is_alone(tool.get("parameters")) for tool in tools)


def _is_alone(schema: Any) -> bool:
    written = json.dumps(schema)
    return "$ref" not in written and "$dynamicRef" not in written and _is_schema(written)


@lru_cache(maxsize=1024)
def _is_schema(written: str) -> bool:
    """Whether a JSON text is a JSON Schema; null is the empty one. The same tools are sent in many requests."""
    schema = json.loads(written)
    try:
        Draft202012Validator.check_schema(schema if schema is not None else {})
    except SchemaError:
        return False
    return True


def has_no_encoding_errors(sent: Sent) -> bool:
    """Whether the request contains no text with encoding errors, which the model could repeat."""
    return not _MANGLED.search(_texts(sent))


def has_no_replacement_character(sent: Sent) -> bool:
    """Whether the request contains no U+FFFD."""
    return "\ufffd" not in _texts(sent)


def has_model(sent: Sent) -> bool:
    """Whether the ``model`` of the request is a string."""
    return isinstance(sent.get("model"), str)


def _texts(value: Any) -> str:
    if isinstance(value, str):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "".join(map(_texts, inner))


BYTES: frozenset[Unavailable] = frozenset({"bytes"})
FRAMING: frozenset[Unavailable] = frozenset({"framing"})
LINES: frozenset[Unavailable] = frozenset({"lines"})
HEADERS: frozenset[Unavailable] = frozenset({"headers"})
REQUEST: frozenset[Unavailable] = frozenset({"request"})
DELTAS: frozenset[Unavailable] = frozenset({"deltas"})

#: The predicates that most rules use.
ANY_2XX = Where("answers")
FINAL_RESPONSE = Where("finished")
STREAM = Where("streams")
EVERY_DELTA = Where("streams", reads=DELTAS)
PLAIN_RESPONSE = Where("plain")

#: The members of a request that can declare tools, directly or through an earlier request.
TOOL_SOURCES = ("tools", "previous_response_id", "conversation", "prompt")

#: Why a rule is not evaluated on captured traffic.
UNKNOWN_SENDER = "the capture does not show whether the endpoint had to accept the request"
COMPARES = "the rule compares requests that differ in one member only"
GROWS = "the input of a conversation grows with each request"
NEEDS_A_CAUSE = "the rule needs a request that requires this behavior"
WORDING = "the conversation itself may contain the text that the rule looks for"
RETRIES = "captured traffic contains each attempt as a separate exchange"
NEEDS_CLIENTS = "the rule needs the installed clients"

#: Final responses to requests whose ``max_output_tokens`` is absent or documented.
WITH_CAP = Where("finished", depends_on=("max_output_tokens",))
