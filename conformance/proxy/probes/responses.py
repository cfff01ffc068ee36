"""Probes about what reaches the client: text, reasoning, calls, finish reason, usage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

from conformance.emulator.shapes import Dict, Plan
from conformance.proxy.kit import plan
from conformance.proxy.probes.deltas import divide
from conformance.proxy.probes.probe import HARD, Probe, both, simple
from conformance.proxy.probes.requests import LONG_NAME, TOOLS
from conformance.proxy.script import Objects, Script

RESPONSE = ("response",)

#: Characters of a delta of large responses.
_PART = 100

#: Arguments with what a translator could damage: escapes, numbers, order, an empty object.
ARGUMENTS = (
    '{"zone":"south","trip":{"stops":[{"at":[1.5,-0.0,12345678901234567890]}],"speed":null},"note":"\\"漢\\\\字\\"\\n"}'
)


def _large_arguments(canary: str) -> str:
    """Arguments of 5 kB, such as those of a tool that writes a file."""
    return '{"zone":"north","note":"' + f"{canary} " + "line線line線line線line\\n" * 250 + '"}'


def _tools(canary: str) -> dict[str, Any]:
    return {"input": f"Use the tools for {canary}.", "tools": TOOLS}


def _two_rounds(canary: str) -> Plan:
    """Reasoning and a text, and then both again."""
    first = plan(canary, f"I look for {canary}. ", "Look first. ")
    second = plan(f"{canary}2", "I have it.", "Found.", [("planTrip", ARGUMENTS)])
    return replace(first, items=first.items + second.items)


def _filtered(plan_: Any) -> Script:
    return Script(plan_, events=_filter_events, plain=_filter_plain)


def _filter_plain(body: Dict, dialect: str) -> Dict:
    if dialect == "chat":
        body["choices"][0]["finish_reason"] = "content_filter"
    else:
        body.update(status="incomplete", incomplete_details={"reason": "content_filter"})
    return body


def _filter_events(objects: Objects, dialect: str) -> Objects:
    for one in objects:
        if dialect == "chat" and one["choices"] and one["choices"][0]["finish_reason"]:
            one["choices"][0]["finish_reason"] = "content_filter"
        elif one.get("type") in ("response.completed", "response.incomplete"):
            one["type"] = "response.incomplete"
            one["response"] = _filter_plain(one["response"], dialect)
    return objects


def _interleaved(plan_: Any) -> Script:
    """Two parallel calls whose arguments alternate, as both dialects allow."""
    return Script(plan_, events=_interleave)


def _interleave(objects: Objects, dialect: str) -> Objects:
    if dialect != "chat":
        return objects
    calls: dict[int, Objects] = {}
    rest: Objects = []
    for one in objects:
        found = one["choices"][0]["delta"].get("tool_calls") if one["choices"] else None
        (calls.setdefault(found[0]["index"], []) if found else rest).append(one)
    mixed: Objects = []
    queues = list(calls.values())
    while any(queues):
        mixed += [queue.pop(0) for queue in queues if queue]
    return [rest[0], *mixed, *rest[1:]]


def _beginning(*deltas: str) -> Callable[[Plan], Script]:
    """A stream that begins with these deltas of the text in place of its first one: one of 300 kB in a line, over the
    limit of 64 KiB of some readers of lines, or equal ones, which are not the same one again, and white space."""
    return lambda plan_: Script(plan_, events=partial(_begin, deltas))


def _begin(deltas: Sequence[str], objects: Objects, dialect: str) -> Objects:
    if dialect == "chat":
        at = next(at for at, one in enumerate(objects) if one["choices"] and one["choices"][0]["delta"].get("content"))
        made = [deepcopy(objects[at]) for _ in deltas]
        for one, delta in zip(made, deltas, strict=True):
            one["choices"][0]["delta"]["content"] = delta
        return [*objects[:at], *made, *objects[at + 1 :]]
    at = next(at for at, one in enumerate(objects) if one["type"] == "response.output_text.delta")
    objects[at : at + 1] = [{**objects[at], "delta": delta} for delta in deltas]
    text = "".join(one["delta"] for one in objects if one["type"] == "response.output_text.delta")
    for one in objects:
        if one["type"] == "response.output_text.done":
            one["text"] = text
        for part in (one.get("part"), *(one.get("item") or {}).get("content", ())):
            if part and part.get("text"):
                part["text"] = text
        if one["type"] == "response.completed":
            one["response"]["output"][0]["content"][0]["text"] = one["response"]["output_text"] = text
    return objects


def _in_parts(kind: str) -> Callable[[Plan], Script]:
    """A stream with deltas of this many characters: with smaller ones, it takes minutes to a proxy that needs a while
    for each event."""

    def script(made: Plan) -> Script:
        text = made.items[-1].texts[0]
        parts = [text[at : at + _PART] for at in range(0, len(text), _PART)]
        return Script(made, events=lambda objects, dialect: divide(objects, kind, dialect, parts))

    return script


_PARALLEL = [("planTrip", ARGUMENTS), (LONG_NAME, "{}"), ("planTrip", '{"zone":"north"}')]

PROBES: list[Probe] = [
    *both("response.text", RESPONSE, response=lambda canary: plan(canary, f" {canary} {HARD}\n")),
    *both(
        "response.reasoning", RESPONSE,
        response=lambda canary: plan(canary, f"So {canary}.", reasoning=f"Consider {canary}. {HARD}"),
    ),
    *both("response.call", RESPONSE, body=_tools,
          response=lambda canary: plan(canary, calls=[("planTrip", ARGUMENTS)])),
    *both("response.call-without-arguments", RESPONSE, body=_tools,
          response=lambda canary: plan(canary, calls=[(LONG_NAME, "{}")])),
    *both(
        "response.parallel-calls", RESPONSE, body=_tools,
        response=lambda canary: plan(canary, calls=_PARALLEL),
        script=_interleaved,
    ),
    *both(
        "response.text-and-call", RESPONSE, body=_tools,
        response=lambda canary: plan(canary, f"I check {canary}.", "Check first.", [(LONG_NAME, '{"a": 1}')]),
    ),
    *both("response.two-rounds", RESPONSE, body=_tools, response=_two_rounds, dialects=("responses",)),
    *both("response.cut", RESPONSE, response=lambda canary: plan(canary, f"{canary} is cut in the mid", cut=True)),
    *both(
        "response.cut-call", RESPONSE, body=_tools,
        response=lambda canary: plan(canary, calls=[("planTrip", '{"zone":"no')], cut=True),
    ),
    *both("response.cut-reasoning", RESPONSE,
          response=lambda canary: plan(canary, "", reasoning=f"Consider {canary} and", cut=True)),
    *both("response.large-call", RESPONSE, body=_tools,
          response=lambda canary: plan(canary, calls=[("planTrip", _large_arguments(canary))]),
          script=_in_parts("arguments")),
    *both("response.filtered", RESPONSE, response=lambda canary: plan(canary, f"{canary} is"), script=_filtered),
    *both("response.long", RESPONSE, response=lambda canary: plan(canary, f"{canary} " + "sea海sea海sea海 " * 400),
          script=_in_parts("text")),
    simple("response.long-line", RESPONSE, stream=True, response=lambda canary: plan(canary, f"{canary} end"),
           script=_beginning("wide water " * 27_000)),
    simple("response.equal-deltas", RESPONSE, stream=True, response=lambda canary: plan(canary, f"{canary} end"),
           script=_beginning("no, ", "no, ", "no, ")),
    # Tokens of white space alone, as between words and paragraphs.
    simple("response.blank-deltas", RESPONSE, stream=True, response=lambda canary: plan(canary, f"{canary} end"),
           script=_beginning("one", " ", "word", "\n\n", "\t", "then ")),
]  # fmt: skip
