"""A failed case on one screen: what, by which rule, where, the events around it, affected clients, how to repeat it."""

from __future__ import annotations

import gzip
import json
import shlex
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from conformance.contract.rules import requirement
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.report.columns import fit, labelled
from conformance.results import affected_clients
from conformance.results.baseline import format_entry
from conformance.results.records import LONGEST_VALUE, CaseRecord, FindingRecord

#: Findings shown in full; the results file has them all.
_MOST = 3

_WIDTH = 100

#: Headers of which we wrote the value: the key as a shell makes it from its variable.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")


#: Where the response of a finding is read from; None where it was not kept.
Responses = Callable[[FindingRecord], Received | None]


def recorded(folder: RunDirectory) -> Responses:
    """The responses as they lie in a run folder."""
    last: dict[str, Exchange | None] = {}

    def read(finding: FindingRecord) -> Received | None:
        if finding.exchange not in last:
            last.clear()
            last[finding.exchange] = folder.read(finding.exchange) if finding.exchange else None
        exchange = last[finding.exchange]
        return Received(exchange, finding.scenario) if exchange else None

    return read


def render(case: CaseRecord, responses: Responses, folder: RunDirectory, again: str) -> str:
    """The text of a case with findings; ``again`` is the command that runs just it."""
    return "\n".join([*told(case, responses), *_next(case, responses, folder, again)])


def brief(case: CaseRecord, folder: RunDirectory, again: str) -> str:
    """The same without what is read from the recorded response, for a case that may be grouped under another."""
    return "\n".join([*told(case), *_next(case, None, folder, again)])


def told(case: CaseRecord, responses: Responses | None = None) -> Iterator[str]:
    """What was found, by which rule, where, and which clients it affects."""
    row = requirement(case.requirement)
    yield f"{case.id}   {case.level}"
    yield from labelled("rule", row.says)
    yield from labelled("source", row.source)
    for one in case.findings[:_MOST]:
        yield from _finding(one, responses)
    if len(case.findings) > _MOST:
        yield f"  ... and {len(case.findings) - _MOST} more findings, all in the results file"
    for place, said in enumerate(affected_clients.sentences(case)):
        yield from labelled("" if place else "affects", show(said, 3 * _WIDTH))


def _next(case: CaseRecord, responses: Responses | None, folder: RunDirectory, again: str) -> Iterator[str]:
    first = case.findings[0]
    yield f"  again   {again} --only '{case.id}'"
    if responses and (received := responses(first)):
        yield f"  curl    {curl(received)}"
    yield f"  bytes   {folder.file(first.exchange)}"
    yield f"  expect  {format_entry(case.id, case.own_verdict, case.messages)}"


def _finding(one: FindingRecord, responses: Responses | None) -> Iterator[str]:
    times = f" ({one.count} times in all, here first)" if one.count > 1 else ""
    yield from labelled("found", show(one.message, 3 * _WIDTH) + times)
    place = f"in {one.scenario}"
    if one.event is not None:
        place += f", event {one.event}"
    if one.pointer:
        place += f", at {show(one.pointer)}"
    yield from labelled("where", place)
    for name, value in one.compared.items():
        yield from labelled(name, _value(value))
    if one.event is not None and responses and (received := responses(one)):
        yield from _around(received, one.event)


def _value(value: Any) -> str:
    """A value of a finding; of one that was cut in the results its length is not known."""
    shown = show(value) or "(an empty text)"
    return clipped(value, _WIDTH) if isinstance(value, str) and len(value) > LONGEST_VALUE else shown


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
