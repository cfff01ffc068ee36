"""What a client ended with against the record: pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.contract.clients import client
from conformance.decode.events import integer, mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.client_outcomes import Outcome

_COUNTERS = ("input_tokens", "output_tokens", "total_tokens")


@dataclass(frozen=True)
class Expected:
    """What the record says; ``usage`` is None where it holds no usage, which is then not compared."""

    text: str
    calls: Sequence[tuple[str, str, str]]
    reasoning: str
    usage: dict[str, Any] | None


@dataclass(frozen=True)
class Difference:
    """One way in which a client did not end with what is recorded: ``what`` is raised, or a part of the answer."""

    what: str
    message: str
    want: Any
    got: Any


def expected(received: Received, then: Received | None = None) -> Expected:
    """What a client must end with, by the final Response, or by the items that were done where there is none.

    One of two turns is given ``then`` once it has run what ``answer`` calls: it ends with the text of the last, the
    calls and the reasoning of both, and their tokens added.

    ``CannotEvaluate`` where there is no response; ``DoesNotApply`` where one did not end completed (some clients may
    raise then), where a first turn does not call, or a second calls again, which would go on.
    """
    if then is None:
        return _expected(received)
    first, last = _expected(received), _expected(then)
    if not first.calls or last.calls:
        raise DoesNotApply("the model called again" if first.calls else "the model called nothing")
    return Expected(last.text, first.calls, first.reasoning + last.reasoning, _added(first.usage, last.usage))


def _expected(received: Received) -> Expected:
    try:
        response = received.response
    except CannotEvaluate:
        if not received.exchange.ok or not received.looks_like_stream:
            raise
        response = {"output": [event.data.get("item") for event in received.of("response.output_item.done")]}
    status = response.get("status", "completed")
    if status in ("incomplete", "failed"):
        raise DoesNotApply(f"the answer ended {status}, and some clients raise then")
    items = objects(response.get("output"))
    usage = response.get("usage")
    return Expected(
        _texts(items, "message", "output_text"),
        [
            (text(item.get("call_id")), text(item.get("name")), canonical(item.get("arguments")))
            for item in items
            if item.get("type") == "function_call"
        ],
        _texts(items, "reasoning", "reasoning_text"),
        {name: usage.get(name) for name in _COUNTERS} if isinstance(usage, dict) else None,
    )


def _added(first: dict[str, Any] | None, last: dict[str, Any] | None) -> dict[str, Any] | None:
    if first is None or last is None:
        return None
    pairs = {name: (integer(first[name]), integer(last[name])) for name in _COUNTERS}
    return {name: None if None in pair else sum(pair) for name, pair in pairs.items()}


def _texts(items: Sequence[dict[str, Any]], kind: str, part: str) -> str:
    return "".join(
        text(one.get("text"))
        for item in items
        if item.get("type") == kind
        for one in objects(item.get("content"))
        if one.get("type") == part
    )


def differences(outcome: Outcome, want: Expected) -> Iterator[Difference]:
    """How the outcome differs from what is expected: what was raised, or else each part that is not the same."""
    if raised(outcome):
        yield Difference("raised", f"raised {raised(outcome)}", "no exception", mapping(outcome.error).get("type"))
        return
    got = {"text": outcome.text, "reasoning": outcome.reasoning, "calls": _calls(outcome.calls), "usage": outcome.usage}
    for name, wanted in (("text", want.text), ("calls", list(want.calls)), ("reasoning", want.reasoning)):
        if got[name] is not None and got[name] != wanted:
            yield Difference(name, f"ended with other {name}", wanted, got[name])
    # What comes piece by piece is the text of all messages, as the text at the end is.
    if outcome.shown is not None and outcome.shown != want.text and got["text"] in (None, want.text):
        yield Difference("text", "showed another text while it streamed", want.text, outcome.shown)
    if want.usage is not None and outcome.usage is not None:
        counted = {name: mapping(outcome.usage).get(name) for name in _COUNTERS}
        if counted != want.usage:
            yield Difference("usage", "ended with other usage", want.usage, counted)


def raised(outcome: Outcome) -> str:
    """What the client raised, its kind and words; empty if nothing, or only for what MiMo's page does not have."""
    if not outcome.error:
        return ""
    complaints = outcome.error["message"].split("; ")
    left = [one for one in complaints if one not in client(outcome.client).waived]
    return f"{outcome.error['type']}: {_short('; '.join(left))}" if left else ""


def _calls(calls: Any) -> Any:
    if not isinstance(calls, list):
        return calls
    return [
        (one.get("call_id"), one.get("name"), canonical(one.get("arguments"))) if isinstance(one, dict) else one
        for one in calls
    ]


def canonical(arguments: Any) -> str:
    """The same text for arguments that are the same JSON: some clients give them parsed."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return str(arguments)


def _short(message: str, size: int = 300) -> str:
    line = " ".join(message.split())
    return line[:size] + ("..." if len(line) > size else "")
