"""The text of a failed case: findings, rule, location, neighbouring events, affected clients, commands."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from conformance.contract.rules import CLIENTS, requirement
from conformance.decode.response import CannotEvaluate, Received
from conformance.exchange.exchange import Exchange
from conformance.exchange.run_directory import RunDirectory
from conformance.exchange.scrubbing import KEPT
from conformance.report.columns import VALUES, counted, fit, labelled, listed, with_label
from conformance.results.plain_words import in_scenario
from conformance.results.records import LONGEST_VALUE, CaseRecord, FindingRecord

#: Number of findings shown in full; the results file has all of them.
_MAX_SHOWN = 3

#: Number of further scenarios of a finding that are shown.
_MAX_SCENARIOS = 5

_WIDTH = 100

#: Maximum characters of a curl command at the terminal, and of the beginning that is shown of a longer one.
_LONGEST_CURL, _CURL_BEGINNING = 2_000, 600

#: Shown for an empty string.
EMPTY = "(empty string)"

#: Credential headers of the suite: their recorded value contains the key as a shell variable.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")

#: The recorded value of a header of the target file that names environment variables (others are quoted).
_VARIABLES = re.compile(r"[\w .:/=+-]*(\$[A-Za-z_]\w*[\w .:/=+-]*)+")


#: Reads the response of a finding; None if it was not recorded.
Responses = Callable[[FindingRecord], Received | None]


def recorded(folder: RunDirectory) -> Responses:
    """A reader of the responses in a run folder."""
    last: dict[str, Exchange | None] = {}

    def read(finding: FindingRecord) -> Received | None:
        if finding.exchange not in last:
            last.clear()
            last[finding.exchange] = folder.read(finding.exchange) if finding.exchange else None
        exchange = last[finding.exchange]
        return Received(exchange, finding.scenario) if exchange else None

    return read


def render(case: CaseRecord, responses: Responses, folder: RunDirectory, again: str) -> str:
    """The text of a case with findings, without the affected clients, which are those of its root cause. ``again`` is
    the command of the run; ``--only`` restricts it to the case."""
    return "\n".join([*case_lines(case, responses), *_next(case, responses, folder, again)])


def brief(case: CaseRecord, folder: RunDirectory, again: str) -> str:
    """The same without the parts from the recorded response, for a case that may be grouped under a root cause."""
    return "\n".join([*case_lines(case), *affects(case.requirement, case.breaks), *_next(case, None, folder, again)])


def affects(rule: str, clients: Sequence[str]) -> Iterator[str]:
    """The affected clients, and the command that shows the trials; nothing without an affected client."""
    if clients:
        names = ", ".join(CLIENTS.get(name, name) for name in clients)
        yield from labelled("affects", f"{names} (conformance explain {rule})")


def case_lines(
    case: CaseRecord, responses: Responses | None = None, others_in: str = "the results file"
) -> Iterator[str]:
    """The lines about a result: rule, source, findings with their locations. ``others_in``: where the findings are that
    are not shown; empty if that is not known yet."""
    row = requirement(case.requirement)
    yield f"{case.id}   {case.level}"
    yield from labelled("rule", row.says)
    yield from labelled("source", row.source)
    for one in case.findings[:_MAX_SHOWN]:
        yield from _finding(one, responses)
    if len(case.findings) > _MAX_SHOWN:
        more = counted(len(case.findings) - _MAX_SHOWN, "more finding")
        yield f"  ... and {more}" + (f", in {others_in}" if others_in else "")


def _next(case: CaseRecord, responses: Responses | None, folder: RunDirectory, again: str) -> Iterator[str]:
    first = case.findings[0]
    yield with_label("rerun", f"{again} --only '{case.id}'")
    if responses and (received := responses(first)):
        yield with_label("curl", _shortened(curl(received), received.exchange.request.body))
    yield with_label("exchange", str(folder.file(first.exchange)))


def _finding(one: FindingRecord, responses: Responses | None) -> Iterator[str]:
    times = f" ({one.count} occurrences, this is the first)" if one.count > 1 else ""
    yield from labelled("found", show(one.message, 3 * _WIDTH) + times)
    known = responses(one) if responses and one.scenario else None
    sent = known.exchange.scenario if known else one.scenario
    place = in_scenario(one.scenario) + (f", sent as {sent}" if sent != one.scenario else "")
    if one.event is not None:
        place += f", event {one.event}"
    if one.pointer:
        place += f", at {show(one.pointer)}"
    yield from labelled("where", place + also_in(one))
    for name, value in _beyond_message(one):
        yield from labelled(VALUES[name], _value(value))
    if one.event is not None and responses and (received := responses(one)):
        yield from _around(received, one.event)


def also_in(one: FindingRecord) -> str:
    """The other scenarios with the same finding, to be appended to the first; empty if there are none."""
    if one.count == 1 or not one.also:
        return ""
    return f"; also in {listed(one.also, _MAX_SCENARIOS)}"


def _beyond_message(one: FindingRecord) -> Iterator[tuple[str, Any]]:
    """The expected and the received value; neither if the message states both."""
    if not all(_states(one.message, value) for value in one.compared.values()):
        yield from one.compared.items()


def _states(message: str, value: Any) -> bool:
    """Whether the message contains the value as a word."""
    shown = show(value)
    return bool(shown) and re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w]|\.\w)", message) is not None


def _value(value: Any) -> str:
    """A value of a finding. The length of one that was shortened in the results is not known."""
    shown = show(value) or EMPTY
    return clipped(value, _WIDTH) if isinstance(value, str) and len(value) > LONGEST_VALUE else shown


def _around(received: Received, index: int) -> Iterator[str]:
    """The event and its neighbours, a line each."""
    try:
        events = received.events
    except CannotEvaluate:
        return
    for event in events[max(0, index - 1) : index + 2]:
        mark = ">" if event.index == index else " "
        # What repeats the line is left out: of long data only the beginning fits.
        members = {"type": event.data.get("type"), "sequence_number": event.index, "item_id": event.data.get("item_id")}
        more = {name: value for name, value in event.data.items() if name not in members or value != members[name]}
        more = dict(sorted(more.items(), key=lambda member: member[0].endswith("_index")))
        line = f"{event.index:>5} {event.frame.at:>6.0f} ms  {event.type} {json.dumps(more, ensure_ascii=False)}"
        yield fit(f"  {mark}{printable(line[:_WIDTH])}")


def _shortened(command: str, body: bytes) -> str:
    """The command, or the beginning of a long one and where the request is."""
    if len(command) <= _LONGEST_CURL:
        return command
    rest = f"the body has {len(body):,} bytes, the exchange file contains all of it"
    return f"{command[:_CURL_BEGINNING]}... (cut: {rest})"


def curl(received: Received) -> str:
    """The request as a curl command, with the key as an unexpanded shell variable."""
    request = received.exchange.request
    words = ["curl -isN"]
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
        # Double quotes, so that the shell expands the variable; all other headers are fully quoted.
        named = "$" in value and (name.lower() in _CREDENTIALS or _is_of_target_file(name, value))
        quoted = f'"{name}: {value}"' if named else shlex.quote(f"{name}: {value}")
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


def _is_of_target_file(name: str, value: str) -> bool:
    """Whether a header can be one of the target file that names environment variables: captured traffic has only
    :data:`KEPT` headers beside the credentials, and a target file none of these."""
    return name.lower() not in KEPT and bool(_VARIABLES.fullmatch(value))


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
