"""A failed case on one screen: what, by which rule, where, the events around it, affected clients, how to repeat it."""

from __future__ import annotations

import gzip
import json
import shlex
import zlib
from collections.abc import Iterator
from typing import Any

from conformance.contract.rules import CLIENTS
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.run_directory import RunDirectory
from conformance.judge.recorded import Recorded
from conformance.judge.verdict import MISSING, Finding, Result
from conformance.report.columns import fit, labelled
from conformance.results import affected_clients
from conformance.results.baseline import ready
from conformance.results.client_trials import Effect

#: Findings shown in full; the results file has them all.
_MOST = 3

_WIDTH = 100

#: Headers of which we wrote the value: the key as a shell makes it from its variable.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")


def render(result: Result, record: Recorded, folder: RunDirectory, again: str) -> str:
    """The text of a failed or warned case; ``again`` is the command that runs just it."""
    return "\n".join(_lines(result, record, folder, again))


def told(result: Result, record: Recorded) -> Iterator[str]:
    """What was found, by which rule, where, and which clients it affects."""
    case, requirement = result.case, result.case.requirement
    yield f"{case.id}   {requirement.level}"
    yield from labelled("rule", requirement.says)
    yield from labelled("source", requirement.source)
    for one in result.findings[:_MOST]:
        yield from _finding(one, record)
    if len(result.findings) > _MOST:
        yield f"  ... and {len(result.findings) - _MOST} more findings, all in the results file"
    effects: dict[str, Effect] = {}
    for found in affected_clients.of_result(result):
        effects = {**found, **effects}
    for place, name in enumerate(name for name in CLIENTS if name in effects):
        yield from labelled("" if place else "affects", show(str(effects[name]), 3 * _WIDTH))


def _lines(result: Result, record: Recorded, folder: RunDirectory, again: str) -> Iterator[str]:
    yield from told(result, record)
    case, first = result.case, result.findings[0]
    received = record.received(first.scenario)
    yield f"  again   {again} --only '{case.id}'"
    yield f"  curl    {curl(received)}"
    yield f"  bytes   {folder.file(received.exchange.key)}"
    yield f"  expect  {ready(case.id, result.verdict, [one.message for one in result.findings])}"


def _finding(one: Finding, record: Recorded) -> Iterator[str]:
    times = f" ({one.count} times in all, here first)" if one.count > 1 else ""
    yield from labelled("found", show(one.message, 3 * _WIDTH) + times)
    sent = record.received(one.scenario).exchange.scenario if one.scenario else ""
    place = f"in {one.scenario}" + (f", sent as {sent}" if sent not in (one.scenario, "") else "")
    if one.event is not None:
        place += f", event {one.event}"
    if one.pointer:
        place += f", at {show(one.pointer)}"
    yield from labelled("where", place)
    for name, value in (("want", one.want), ("got", one.got)):
        if value is not MISSING:
            yield from labelled(name, show(value) or "(an empty text)")
    if one.event is not None:
        yield from _around(record.received(one.scenario), one.event)


def _around(received: Received, index: int) -> Iterator[str]:
    """The event and its neighbours."""
    try:
        events = received.events
    except CannotEvaluate:
        return
    for event in events[max(0, index - 1) : index + 2]:
        mark = ">" if event.index == index else " "
        more = {name: value for name, value in event.data.items() if name != "type"}
        line = f"{event.index:>5} {event.frame.at:>6.0f} ms  {event.type} {json.dumps(more, ensure_ascii=False)}"
        yield fit(f"  {mark}{printable(line[:_WIDTH])}")


def curl(received: Received) -> str:
    """The request as a curl command; the key stays an unexpanded variable."""
    request = received.exchange.request
    words = ["curl -sN"]
    names = {name.lower(): value for name, value in request.headers}
    has_body = request.method in ("POST", "PUT")
    compressed = has_body and names.get("content-encoding") == "gzip"
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != "POST":
        words.append(f"-X {shlex.quote(request.method)}")
    words.append(shlex.quote(request.url))
    for name, value in request.headers:
        if name.lower() in ("accept-encoding", "user-agent") or (name.lower(), value) == ("accept", "*/*"):
            continue
        # Double quotes, so that the shell puts the key in; nothing else of a header is for the shell.
        ours = "$" in value and name.lower() in _CREDENTIALS
        quoted = f'"{name}: {value}"' if ours else shlex.quote(f"{name}: {value}")
        words.append(f"-H {quoted}")
    if has_body and "content-type" not in names:
        words.append("-H 'Content-Type:'")  # Else curl adds one.
    if has_body:
        body = (_unzipped(request.body) if compressed else request.body).decode("utf-8", "replace")
        # Escaped as JSON does it, so that the command stays the same request and the terminal stays whole.
        body = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in body)
        if compressed:
            return f"printf %s {shlex.quote(body)} | gzip | {' '.join(words)} --data-binary @-"
        words.append(f"-d {shlex.quote(body)}")
    return " ".join(words)


def _unzipped(body: bytes) -> bytes:
    """A body of ours before it was compressed; as it is where it is no gzip."""
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return body


def show(value: Any, width: int = _WIDTH) -> str:
    """A value on one line, safe for a terminal."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = printable(text[:width])[:width]
    return shown + (f"... ({len(text)} characters)" if len(text) > width else "")


def clipped(value: Any, width: int) -> str:
    """A value from a results file on one line: it may have been cut there, so that its length says nothing."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return printable(text[:width]) + "..." * (len(text) > width) or "(an empty text)"


def printable(text: str) -> str:
    """The text with control characters written out: what a server sends must not move the cursor."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
