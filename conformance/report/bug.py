"""A violated rule of a recorded run as a Markdown issue: self-contained, and safe to post.

Text of the server or the client is inside code spans and fences that it cannot close; keys were redacted when the
exchanges were recorded.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from conformance.contract.rules import CLIENTS, requirement
from conformance.decode.events import Event
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.report.columns import counted, listed
from conformance.report.failure import also_in, clipped, curl, show
from conformance.report.markdown import block, code
from conformance.report.outputs import again_of
from conformance.report.summary import quoted
from conformance.results.affected_clients import sentences
from conformance.results.causes import Cause, causes
from conformance.results.records import CaseRecord, FindingRecord
from conformance.results.results_file import Results

#: Number of events shown before and after the marked one, and characters of each.
_BEFORE, _AFTER, _LINE = 3, 2, 1_000

#: Maximum characters of a body and of a command; maximum number of listed scenarios or rules.
_BODY, _COMMAND, _NAMES = 4_000, 12_000, 8

#: Response headers that vary between responses and are irrelevant to a violation.
_NOISE = ("cf-ray", "alt-svc", "nel", "report-to", "server-timing")


def cause_of(run: Results, line: CaseRecord) -> tuple[Cause, str]:
    """The cases of a failed case's rule with their consequences, and the root cause under which the run groups the
    case, or empty: the last two arguments of :func:`issue`."""
    same = [one for one in run.cases if one.requirement == line.requirement and one.has_problem]
    for cause in causes(run.cases):
        if cause.rule == line.requirement and any(one.id == line.id for one in cause.cases):
            return cause, ""
        if any(one.id == line.id for one in cause.consequences):
            alone = Cause(line.requirement, line.level, line.verdict, tuple(same), ())
            return alone, cause.cases[0].id
    return Cause(line.requirement, line.level, line.verdict, tuple(same), ()), ""


def issue(run: Results, line: CaseRecord, cause: Cause, grouped: str) -> str:
    """The Markdown of a failed case of a run.

    ``cause`` has the cases of its rule. ``grouped`` is the id of the root cause under which the run groups the case;
    empty if the case is a root cause.
    """
    return "\n".join(_lines(run, line, cause, grouped)) + "\n"


def _lines(run: Results, line: CaseRecord, cause: Cause, grouped: str) -> Iterator[str]:
    finding = line.findings[0] if line.findings else None
    exchange = run.folder.read(finding.exchange) if finding and finding.exchange else None
    yield f"# {code(line.requirement)}: {code(show(finding.message if finding else line.reason.text, 160))}"
    yield ""
    yield from _rule_and_findings(run, line, finding, grouped)
    yield from _expected(finding)
    yield from _evidence(finding, exchange)
    yield from _other_cases(line, cause)
    yield from _reproduction(run, line, exchange)
    yield from _affected_clients(line, cause, grouped)
    yield from _about_the_run(run)


def _rule_and_findings(run: Results, line: CaseRecord, finding: FindingRecord | None, grouped: str) -> Iterator[str]:
    target = run.head.target
    yield f"{code(target.endpoint)} violates a {line.level} rule of the Responses API."
    yield ""
    try:
        row = requirement(line.requirement)
        yield f"- Rule: {row.says}"
        yield f"- Source: {row.source}"
    except KeyError:
        pass  # A rule of another version of the suite.
    times = f" ({finding.count} occurrences, this is the first)" if finding and finding.count > 1 else ""
    for number, one in enumerate(line.findings[:3]):
        yield f"- Found: {code(one.message, 600)}{times if number == 0 else ''}"
    if finding:
        yield f"- Where: {_place(finding)}"
    if grouped:
        yield ""
        yield f"This is a consequence of {code(grouped)}: report that violation instead."


def _place(finding: FindingRecord) -> str:
    words = [f"the response to {code(finding.scenario)}"]
    words += [f"event {finding.event}"] if finding.event is not None else []
    words += [f"at {code(finding.pointer)}"] if finding.pointer else []
    return ", ".join(words) + also_in(finding)


def _expected(finding: FindingRecord | None) -> Iterator[str]:
    if finding is None or not finding.compared:
        return
    yield from ("", "## Expected and received", "")
    for title, name in (("Expected", "want"), ("Received", "got")):
        if name in finding.compared:
            yield f"- {title}: {code(clipped(finding.compared[name], 600), 700)}"


def _evidence(finding: FindingRecord | None, exchange: Exchange | None) -> Iterator[str]:
    yield from ("", "## Evidence", "")
    if exchange is None:
        yield "The recorded exchange is not stored with these results."
        return
    request = exchange.request
    yield "The request:"
    yield ""
    head = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers)]
    yield block("\n".join([*head, "", _short(_pretty(request.body), _BODY)]), "http")
    yield ""
    detail = f", {code(exchange.detail)}" if exchange.detail else ""
    yield f"The status and headers of the response (ended: {code(exchange.ended)}{detail}):"
    yield ""
    kept = [f"{name}: {value}" for name, value in exchange.headers if name.lower() not in _NOISE]
    yield block("\n".join([f"HTTP {exchange.status if exchange.status is not None else '(none)'}", *kept]), "http")
    yield ""
    yield from _body(finding, Received(exchange, exchange.scenario))


def _body(finding: FindingRecord | None, received: Received) -> Iterator[str]:
    index = finding.event if finding else None
    try:
        events = received.events if index is not None or received.looks_like_stream else ()
    except CannotEvaluate:
        events = ()
    if not events:
        body = _pretty(received.exchange.body)
        yield from ("The body:", "", block(_short(body, _BODY), "json"))
        if len(body) > _BODY and finding and finding.pointer:
            with contextlib.suppress(CannotEvaluate):
                yield from _parent_value(received.json, finding.pointer)
        return
    first = max(0, index - _BEFORE) if index is not None else max(0, len(events) - _BEFORE)
    shown = events[first : (index + _AFTER + 1) if index is not None else None]
    yield (
        f"Events {first} to {first + len(shown) - 1} of {len(events)}:"
        if shown
        else f"The stream has no event {index}:"
    )
    yield ""
    yield block("\n".join(_event(event, event.index == index) for event in shown), "text")
    wrong = next((event for event in shown if event.index == index), None)
    if wrong and finding and len(_raw(wrong)) > _LINE:
        yield from _parent_value(wrong.data, finding.pointer)


def _event(event: Event, wrong: bool) -> str:
    """The event as it was received, with number and time; further lines are aligned below the first."""
    begun = f"{'>' if wrong else ' '}{event.index:>5} {event.frame.at:>7.0f} ms  "
    return begun + _short(_raw(event), _LINE).replace("\n", "\n" + " " * len(begun))


def _raw(event: Event) -> str:
    frame = event.frame
    text = frame.body[frame.start : frame.end].decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _parent_value(value: Any, pointer: str) -> Iterator[str]:
    """The parent value of the pointer, or its nearest existing ancestor; nothing if that is the complete document."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    inner, taken = value, 0
    for step in steps[:-1]:
        if isinstance(inner, list) and step.isdigit() and int(step) < len(inner):
            inner = inner[int(step)]
        elif isinstance(inner, dict) and step in inner:
            inner = inner[step]
        else:
            break
        taken += 1
    if taken:
        yield from ("", f"The part at {code('/' + '/'.join(steps[:taken]))}:", "")
        yield block(_short(json.dumps(inner, indent=2, ensure_ascii=False), _BODY), "json")


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _other_cases(line: CaseRecord, cause: Cause) -> Iterator[str]:
    others = [one.scenario for one in cause.cases if one.id != line.id]
    rules = list(dict.fromkeys(one.requirement for one in cause.consequences))
    if others:
        yield ""
        yield f"The same violation in {counted(len(others), 'further scenario')}: {_names(others)}."
    if rules:
        yield ""
        yield f"Rules violated as a consequence: {_names(rules)}."


def _names(names: list[str]) -> str:
    return listed([code(name) for name in names], _NAMES)


def _reproduction(run: Results, line: CaseRecord, exchange: Exchange | None) -> Iterator[str]:
    yield from ("", "## Reproduction", "")
    if exchange is not None:
        command = curl(Received(exchange, exchange.scenario))
        yield "With the key in `MIMO_API_KEY`:" if "$MIMO_API_KEY" in command else "With curl:"
        yield ""
        if len(command) <= _COMMAND:
            yield block(command, "sh")
        else:
            yield f"The request body has {len(exchange.request.body):,} bytes; see exchange {code(exchange.key)}."
        yield ""
    yield "With the conformance suite, only this case:"
    yield ""
    passive = f"conformance judge {quoted(str(run.path.parent))}"
    again = passive if run.head.mode == "traffic" else again_of(run)
    yield block(f"{again} --only {quoted(line.id)}", "sh")


def _affected_clients(line: CaseRecord, cause: Cause, grouped: str) -> Iterator[str]:
    """The effects on clients; for a root cause, also the clients affected by its other cases and consequences."""
    yield from ("", "## Affected clients", "")
    others = [name for name in cause.clients if name not in line.breaks] if not grouped else []
    effects = [code(one, 400) for one in sentences(line)]
    effects += [f"{CLIENTS.get(name, name)}, by another case or a consequence" for name in others]
    yield from (f"- {one}" for one in effects)
    if not effects:
        yield "No client is known to be affected: none was tested with it, or all tested ones are unaffected."


def _about_the_run(run: Results) -> Iterator[str]:
    head = run.head
    yield from ("", "## About this report", "")
    yield f"- Suite: {code(head.suite)}, revision of the contract: {code(head.revision)}"
    named = dict.fromkeys((head.target.name, head.target.endpoint))
    yield f"- Target: {', '.join(map(code, named))}, model {code(head.target.model)}"
    yield f"- Recorded: {code(head.started_at)}"
