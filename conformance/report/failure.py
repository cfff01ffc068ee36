"""The text of a failed case: findings, rule, location, neighbouring events, affected clients, commands."""

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
from conformance.report.columns import counted, fit, labelled, with_label
from conformance.results import affected_clients
from conformance.results.baseline import ready
from conformance.results.client_trials import Effect

#: Number of findings shown in full; the results file has all of them.
_MAX_SHOWN = 3

_WIDTH = 100

#: Shown for an empty string.
EMPTY = "(empty string)"

#: Credential headers of the suite: their recorded value contains the key as a shell variable.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")


def render(result: Result, record: Recorded, folder: RunDirectory, again: str) -> str:
    """The text of a failed or warned case. ``again`` is the command of the run; ``--only`` restricts it to the case."""
    return "\n".join(_lines(result, record, folder, again))


def told(result: Result, record: Recorded) -> Iterator[str]:
    """The lines about a result: rule, findings with their locations, affected clients."""
    case, requirement = result.case, result.case.requirement
    yield f"{case.id}   {requirement.level}"
    yield from labelled("rule", requirement.says)
    yield from labelled("source", requirement.source)
    for one in result.findings[:_MAX_SHOWN]:
        yield from _finding(one, record)
    if len(result.findings) > _MAX_SHOWN:
        yield f"  ... and {counted(len(result.findings) - _MAX_SHOWN, 'more finding')}, in the results file"
    effects: dict[str, Effect] = {}
    for found in affected_clients.of_result(result):
        effects = {**found, **effects}
    for place, name in enumerate(name for name in CLIENTS if name in effects):
        yield from labelled("" if place else "affects", show(str(effects[name]), 3 * _WIDTH))


def _lines(result: Result, record: Recorded, folder: RunDirectory, again: str) -> Iterator[str]:
    yield from told(result, record)
    case, first = result.case, result.findings[0]
    received = record.received(first.scenario)
    yield with_label("rerun", f"{again} --only '{case.id}'")
    yield with_label("curl", curl(received))
    yield with_label("exchange", str(folder.file(received.exchange.key)))
    yield with_label("baseline", ready(case.id, result.verdict, [one.message for one in result.findings]))


def _finding(one: Finding, record: Recorded) -> Iterator[str]:
    times = f" ({one.count} occurrences, this is the first)" if one.count > 1 else ""
    yield from labelled("found", show(one.message, 3 * _WIDTH) + times)
    place = f"in {one.scenario}"
    if one.event is not None:
        place += f", event {one.event}"
    if one.pointer:
        place += f", at {show(one.pointer)}"
    yield from labelled("where", place)
    for label, value in (("expected", one.want), ("received", one.got)):
        if value is not MISSING:
            yield from labelled(label, show(value) or EMPTY)
    if one.event is not None:
        yield from _around(record.received(one.scenario), one.event)


def _around(received: Received, index: int) -> Iterator[str]:
    """The event and its neighbours, a line each."""
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
    """The request as a curl command, with the key as an unexpanded shell variable."""
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
        # Double quotes, so that the shell expands the key variable; all other headers are fully quoted.
        ours = "$" in value and name.lower() in _CREDENTIALS
        quoted = f'"{name}: {value}"' if ours else shlex.quote(f"{name}: {value}")
        words.append(f"-H {quoted}")
    if has_body and "content-type" not in names:
        words.append("-H 'Content-Type:'")  # curl adds a default otherwise.
    if has_body:
        body = (_unzipped(request.body) if compressed else request.body).decode("utf-8", "replace")
        # JSON escapes keep the request equivalent and control characters away from the terminal.
        body = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in body)
        if compressed:
            return f"printf %s {shlex.quote(body)} | gzip | {' '.join(words)} --data-binary @-"
        words.append(f"-d {shlex.quote(body)}")
    return " ".join(words)


def _unzipped(body: bytes) -> bytes:
    """The decompressed request body; unchanged if it is not gzip."""
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
    """A value from a results file on one line. The file may have truncated it, so its length is not shown."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return printable(text[:width]) + "..." * (len(text) > width) or EMPTY


def printable(text: str) -> str:
    """The text with control characters escaped, so that server data cannot control the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
