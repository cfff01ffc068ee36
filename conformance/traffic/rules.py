"""Which rules need no scenario: those that hold of any one answer, with what of the exchange they are read from.

A rule is judged where the capture holds what it reads, and where the request's own members that it leans on are within
the contract: nobody can say what an undocumented parameter does. Each other rule stands in :data:`ASIDE` with the
reason; that none is left out is held by a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from conformance.stream.events import mapping, objects
from conformance.traffic.captured import Lost

Over = Literal["answers", "finished", "streams", "plain", "refusals", "denials", "refused", "others", "all-answers"]
"""``answers``: every 2xx. ``finished``: those that do not end in a failure. ``streams``, ``plain``: those that were
asked for so. ``refusals``: 4xx but 401, 403 and 429. ``denials``: 401, 403. ``refused``: both. ``others``: all but the
denials. ``all-answers``: all of the traffic's finished answers, as one case."""

Sent = Mapping[str, Any]

#: What follows the first byte of a character beyond ASCII, as Latin-1 and Windows-1252 read it.
_CONTINUED = "".join(bytes([byte]).decode(code, "ignore") for code in ("latin-1", "cp1252") for byte in range(128, 192))

#: UTF-8 taken for one of the two; or what stands for a character that was lost.
_MANGLED = re.compile(f"[\u00c2-\u00f4][{re.escape(_CONTINUED)}]|\ufffd")


@dataclass(frozen=True)
class Passive:
    """Rules (globs) judged ``over`` these exchanges: where nothing of ``reads`` was lost in the capture, where each
    request member in ``leans_on`` is absent or as documented (``*``: all of them), and where ``when`` holds of the
    request's body (None: it is not known, and the rule does not need it)."""

    rules: tuple[str, ...]
    over: Over
    reads: frozenset[Lost] = frozenset()
    leans_on: tuple[str, ...] = ()
    when: Callable[[Sent], bool] | None = None

    def names(self, rule: str) -> bool:
        """Whether it is about this rule, which may hold placeholders."""
        return any(fnmatchcase(rule, glob) for glob in self.rules)


def _effort_none(sent: Sent) -> bool:
    return mapping(sent.get("reasoning")).get("effort") == "none"


def _no_tools(sent: Sent) -> bool:
    return "tools" not in sent


def _functions(sent: Sent) -> bool:
    """Whether every tool is a function whose parameters are a schema that stands for itself."""
    added = [one for item in objects(sent.get("input")) if "type" in item for one in objects(item.get("tools"))]
    tools = [*objects(sent.get("tools")), *added]
    return all(tool.get("type") == "function" and _whole(tool.get("parameters")) for tool in tools)


def _whole(schema: Any) -> bool:
    try:
        Draft202012Validator.check_schema(schema if schema is not None else {})
    except SchemaError:
        return False
    return "$ref" not in str(schema) and "$dynamicRef" not in str(schema)


def _unmangled(sent: Sent) -> bool:
    """Whether the request holds no text that was mangled before: an answer may be about it."""
    return not _MANGLED.search(_texts(sent))


def _no_replacement(sent: Sent) -> bool:
    return "\ufffd" not in _texts(sent)


def _texts(value: Any) -> str:
    if isinstance(value, str):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "".join(map(_texts, inner))


def _a_model(sent: Sent) -> bool:
    return isinstance(sent.get("model"), str)


_BYTES: frozenset[Lost] = frozenset({"bytes"})
_FRAMING: frozenset[Lost] = frozenset({"framing"})
_LINES: frozenset[Lost] = frozenset({"lines"})
_HEADERS: frozenset[Lost] = frozenset({"headers"})
_REQUEST: frozenset[Lost] = frozenset({"request"})
_CLOCK: frozenset[Lost] = frozenset({"clock"})

#: The members of a request that may bring tools along: those that are declared, and those of an earlier request.
_TOOLS = ("tools", "previous_response_id", "conversation", "prompt")

PASSIVE = (
    # The stream as bytes, frames and events.
    Passive(("sse.plain-stays-plain",), "answers", leans_on=("stream",)),
    Passive(("sse.utf8",), "streams", _BYTES),
    Passive(("sse.last-frame-complete", "sse.not-cut"), "streams", _FRAMING),
    Passive(("sse.frames-parse", "sse.event-line-*", "sse.done-marker-last"), "streams", _LINES),
    Passive(("sse.data-is-json-object", "sse.ends-after-terminal"), "streams"),
    Passive(("event.has-type", "event.*.schema", "event.{type}.schema", "event.arguments-done-names-function",
             "sequence.present", "sequence.contiguous"), "streams"),
    Passive(("event.documented-types-only",), "streams", leans_on=("tools", "include")),
    Passive(("sum.no-replacement-characters",), "streams", _BYTES, when=_unmangled),
    Passive(("lifecycle.*", "identity.*", "sum.*"), "streams"),
    # The answer and its Response.
    Passive(("http.success-is-200", "http.no-duplicate-keys", "error.success-is-no-error"), "answers"),
    Passive(("http.json-content-type",), "plain", _HEADERS),
    Passive(("http.stream-content-type",), "streams", _HEADERS),
    Passive(("http.body-complete",), "plain", _FRAMING),
    Passive(("http.body-is-utf8-json",), "plain"),
    Passive(("http.no-redirect",), "others"),
    Passive(("response.schema", "item.*.schema", "item.{type}.schema"), "finished"),
    Passive(("response.ends-final",), "answers", leans_on=("*",)),
    Passive(("response.created-at-is-now",), "finished", _CLOCK),
    Passive(("response.completed-is-clean", "response.items-finished", "response.nullable-members-present",
             "response.output-text-*", "response.message-shape", "response.annotations-array"), "finished"),
    Passive(("response.model-echoed",), "finished", leans_on=("model",), when=_a_model),
    Passive(("response.text-intact",), "finished", _BYTES, when=_unmangled),
    Passive(("response.no-lost-character",), "finished", _BYTES, when=_no_replacement),
    Passive(("response.documented-items-only",), "finished", leans_on=("tools",)),
    Passive(("response.not-empty", "response.echo-honest"), "finished", leans_on=("*",)),
    Passive(("response.id-unique", "tools.call-ids-unique-in-run"), "all-answers"),
    Passive(("usage.*",), "finished"),
    Passive(("truncation.usage-within-cap",), "finished", leans_on=("max_output_tokens",)),
    # Thinking and calls.
    Passive(("effort.none-does-not-think",), "finished", leans_on=("*",), when=_effort_none),
    Passive(("effort.reasoning-precedes-answer", "effort.tokens-agree"), "finished"),
    Passive(("effort.reasoning-item-shape",), "finished", leans_on=("reasoning", "include")),
    Passive(("tools.arguments-are-json", "tools.call-ids-distinct"), "finished"),
    Passive(("tools.call-shape", "tools.arguments-fit-schema"), "finished", leans_on=_TOOLS, when=_functions),
    Passive(("tools.none-declared-none-called",), "finished", leans_on=("*",), when=_no_tools),
    # Refusals.
    Passive(("error.envelope",), "refusals", _REQUEST),
    Passive(("error.json-content-type",), "refused", _REQUEST | _HEADERS),
    Passive(("auth.refusal-is-enveloped",), "denials", _REQUEST),
    Passive(("auth.refusal-never-echoes-key",), "denials"),
    Passive(("auth.key-never-echoed",), "others"),
)  # fmt: skip

#: Rules that are not judged in traffic, and why.
ASIDE: Mapping[str, tuple[str, ...]] = {
    "it is only recorded": (
        "auth.refusal-names-scheme", "auth.both-right", "auth.one-right-one-wrong", "effort.default",
        "http.head-and-accept-tolerated", "lifecycle.items-in-sequence", "request.null-outcome",
        "response.id-prefix", "sequence.starts-at-zero", "sse.done-marker", "tools.custom-accepted",
        "undocumented.outcome",
    ),
    "who sent the request, and whether it had to be served, is not known": (
        "auth.*-accepted", "auth.*-insensitive", "auth.*-refused", "auth.refused-*", "auth.right-key-never-401",
        "effort.{value}-accepted",
        "request.*", "undocumented.*", "unsupported.*", "effort.unknown-value", "error.real-status",
        "http.documented-request-served", "http.client-request-answered", "http.other-method-refused",
        "http.no-sporadic-error", "error.endpoint-survives", "tools.output-accepted",
        "tools.output-parts-accepted", "turns.*",
    ),
    "it compares requests that differ in one thing only": (
        "effort.values-alike", "effort.plain-equals-stream", "error.streaming-same-status", "sum.plain-same-*",
        "parallel.requests-do-not-mix", "tools.called-either-way",
    ),
    "it needs a request that must bring it about": (
        "effort.{value}-thinks", "event.seen.*", "format.json-object", "sse.incremental", "truncation.incomplete",
        "truncation.cap-not-needed",
    ),
    "the words of request or answer may be about just that": (
        "effort.no-markup-leak", "tools.no-markup-leak", "error.no-internals",
    ),
    "it needs the clients themselves": ("client.*",),
}  # fmt: skip


def why_aside(rule: str) -> str:
    """Why a rule is not judged in traffic; empty if it is."""
    return next((why for why, globs in ASIDE.items() for glob in globs if rule == glob or fnmatchcase(rule, glob)), "")


def passive(rule: str) -> Passive | None:
    """How a rule is judged in traffic, the first row that names it; None if it is not."""
    if why_aside(rule):
        return None
    return next((one for one in PASSIVE if one.names(rule)), None)
