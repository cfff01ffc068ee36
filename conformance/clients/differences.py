"""The differences between a client's result and the recorded response: pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.contract.clients import client
from conformance.decode.events import integer, mapping, objects, text
from conformance.decode.response import CannotEvaluate, DoesNotApply, Received
from conformance.exchange.client_outcomes import Outcome

#: The types of calls, with the member that the tool receives.
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}

_COUNTERS = ("input_tokens", "output_tokens", "total_tokens")


@dataclass(frozen=True)
class Expected:
    """The result that follows from the recorded response; ``usage`` is None (not compared) if the response has none."""

    text: str
    calls: Sequence[tuple[str, str, str]]
    reasoning: str
    usage: dict[str, Any] | None


@dataclass(frozen=True)
class Difference:
    """One difference: ``what`` is ``raised``, or the part that differs (text, calls, reasoning, usage)."""

    what: str
    message: str
    want: Any
    got: Any


def expected(received: Received, then: Received | None = None) -> Expected:
    """The expected result of a client, from the final Response object, or without one from the items that were done.

    A client of two turns receives ``then`` after the results of the calls in ``received``. Its result has the text of
    the last response, the calls and the reasoning of both, and the sum of their tokens.

    Raises CannotEvaluate if there is no response, and DoesNotApply if a response is not completed (some clients raise
    an exception then), if the first turn has no call, or if the second has one, which would need a third turn.
    """
    if then is None:
        return _expected(received)
    first, last = _expected(received), _expected(then)
    if not first.calls or last.calls:
        raise DoesNotApply(
            "the second response calls a tool too" if first.calls else "the first response calls no tool"
        )
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
        raise DoesNotApply(f"the response has status {status}, at which some clients raise an exception")
    items = objects(response.get("output"))
    usage = response.get("usage")
    return Expected(
        _texts(items, "message", "output_text"),
        [
            (text(item.get("call_id")), text(item.get("name")), canonical(item.get(_CALLS[item["type"]])))
            for item in items
            if item.get("type") in _CALLS
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
    """The exception that the client raised, or each part of its result that differs from the expected one."""
    if raised(outcome):
        yield Difference("raised", f"raised {raised(outcome)}", "no exception", mapping(outcome.error).get("type"))
        return
    got = {"text": outcome.text, "reasoning": outcome.reasoning, "calls": _calls(outcome.calls), "usage": outcome.usage}
    for name, wanted in (("text", want.text), ("calls", list(want.calls)), ("reasoning", want.reasoning)):
        if got[name] is not None and got[name] != wanted:
            yield Difference(name, f"{name} differs from the recorded response", wanted, got[name])
    # The streamed text is that of all messages, as the final text is.
    if outcome.shown is not None and outcome.shown != want.text and got["text"] in (None, want.text):
        yield Difference("text", "the streamed text differs from the recorded response", want.text, outcome.shown)
    if want.usage is not None and outcome.usage is not None:
        counted = {name: mapping(outcome.usage).get(name) for name in _COUNTERS}
        if counted != want.usage:
            yield Difference("usage", "usage differs from the recorded response", want.usage, counted)


def raised(outcome: Outcome) -> str:
    """Type and message of the client's exception; empty without one, or if it is only about undocumented members."""
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
    """Arguments as canonical JSON, because some clients return them parsed; unchanged if they are not JSON."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return str(arguments)


def _short(message: str, size: int = 300) -> str:
    line = " ".join(message.split())
    return line[:size] + ("..." if len(line) > size else "")
