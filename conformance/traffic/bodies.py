"""Bodies that a project keeps as files without headers, converted to entries of a HAR.

Such a file is one response: a Response object in JSON, an event stream as received (``.sse``, ``.txt``), or the data of
its events, one JSON object a line (the ``.chunks.txt`` of the AI SDK) or in an array. Its status and headers were not
recorded: it was a success, or it would be an error body. The request may be beside it in a file of its own.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.decode.events import DONE_MARKER, mapping, text
from conformance.decode.json_prefix import scan_text
from conformance.judge.applicability import Unavailable

#: What no file of a body contains.
_NOT_HERE: tuple[Unavailable, ...] = ("framing", "headers", "clock")

#: The first line of an event stream, and of one of the Responses API.
_STREAM = re.compile(r"\ufeff?\s*(?::|(?:data|event|id|retry):)")
_OURS = re.compile(r"(?:\A\ufeff?|[\r\n])(?:event: ?response\.|data: ?\{.*\"type\": ?\"(?:response\.|error\"))")

#: The beginning of a Response object: ``object`` is before its first array or object.
_RESPONSE = re.compile(r'\ufeff?\s*\{[^{}\[\]]{0,500}?"object"\s*:\s*"response"')

#: The types that end a response.
_ENDS = ("response.completed", "response.incomplete", "response.failed", "error")

#: The most bytes of a request that is read beside a response.
_MOST = 16_000_000

#: Where an event of the Responses API is wrapped by a program that logs them.
_WRAPPERS = ("data", "event", "chunk")

#: Where a fixture with further members contains the events of its response.
_LISTS = ("events", "chunks")


#: The end of the line about a request body that belongs to no response.
LONE_REQUEST = "a request body, without a response beside it"


class Unrelated(Exception):
    """A file that contains nothing that can be evaluated; the message is what it contains instead."""


def is_event_stream(string: str) -> bool:
    """Whether a text begins like an event stream."""
    return _STREAM.match(string) is not None


def stream_entry(string: str, path: Path) -> dict[str, Any]:
    """The entry of an event stream as received. Raises :class:`Unrelated` if it is of another API."""
    if not _OURS.search(string):
        raise Unrelated("an event stream without an event of the Responses API")
    return entry_of({"text": string, "mimeType": "text/event-stream"}, path, [*_NOT_HERE])


def invalid_entry(data: bytes, path: Path) -> dict[str, Any] | None:
    """The entry of a body that is not valid UTF-8 or JSON; None if it is not recognised as one of this API. The bytes
    were received, so that what is invalid in them is evaluated."""
    if not (kind := body_kind(data)):
        return None
    content = {"text": base64.b64encode(data).decode("ascii"), "encoding": "base64", "mimeType": kind}
    return entry_of(content, path, [*_NOT_HERE])


def body_kind(data: bytes) -> str:
    """The media type of a body of this API, which need not be valid; empty if it is not recognised as one."""
    string = data.decode("utf-8", "replace")
    if is_event_stream(string) and _OURS.search(string):
        return "text/event-stream"
    return "application/json" if _RESPONSE.match(string) else ""


def value_entries(values: list[Any], path: Path) -> list[dict[str, Any]]:
    """The entries of Response objects, or of the data of events: one for each response, as some files contain those of
    several turns. Raises :class:`Unrelated` if they are of another API."""
    if values and all(map(is_response, values)):
        return [object_entry(one, json.dumps(one, ensure_ascii=False), path) for one in values]
    events = [_unwrapped(one) for one in values]
    if not events or not any(_is_event(one) for one in events[:3]):
        raise Unrelated("JSON values that are no events of the Responses API")
    return [_event_entry(one, path) for one in _responses(events)]


def _event_entry(events: list[Any], path: Path) -> dict[str, Any]:
    unavailable: list[Unavailable] = [*_NOT_HERE, "bytes", "lines", "deltas"]
    entry = entry_of({"mimeType": "text/event-stream"}, path, unavailable)
    entry["_eventSourceMessages"] = [{"data": json.dumps(one, ensure_ascii=False)} for one in events]
    if why := _shortened(events):
        entry["_shortened"] = why
    return entry


def _responses(events: list[Any]) -> Iterator[list[Any]]:
    """The events of each response: one begins with a response.created after the end of the one before it."""
    begin, over = 0, False
    for place, one in enumerate(events):
        kind = text(mapping(one).get("type"))
        if kind == "response.created" and over:
            yield events[begin:place]
            begin, over = place, False
        over = over or kind in _ENDS
    yield events[begin:]


def _shortened(events: list[Any]) -> str:
    """Why the events are not all that were sent: a number is left out, or all are; empty if nothing shows it."""
    numbers = [mapping(one).get("sequence_number") for one in events]
    known = [one for one in numbers if isinstance(one, int)]
    if not known:
        return "no event in the file has a sequence_number: they were written or edited by hand"
    gap = next(((a, b) for a, b in pairwise(known) if b > a + 1), None)
    return f"the file leaves out events: sequence_number {gap[1]} follows {gap[0]}" if gap else ""


def lines_of(string: str, name: str = "") -> list[Any] | None:
    """The values of a text with one JSON value a line, some after ``data:``; None if it is none. The last line of a
    response that goes on may be cut. Raises :class:`Unrelated` if ``name`` is that of JSON lines and one is invalid."""
    values: list[Any] = []
    lines = string.split("\n")  # JSON contains other line ends as they are, such as U+2028.
    for number, line in enumerate(lines, 1):
        bare = line.strip().removeprefix("data:").strip()
        if not bare or bare == DONE_MARKER:
            continue
        try:
            values.append(json.loads(bare))
        except (ValueError, RecursionError):
            if number == len(lines) and _goes_on(values) and scan_text(bare).state == "prefix":
                return values
            if values and name.endswith((".jsonl", ".ndjson")):
                raise Unrelated(f"JSON lines of which line {number} is not valid JSON") from None
            return None
    return values or None


def _goes_on(values: list[Any]) -> bool:
    """Whether the last of these values is an event that does not end its response."""
    last = _unwrapped(values[-1]) if values else None
    return _is_event(last) and text(mapping(last).get("type")) not in _ENDS


def object_entry(document: dict[str, Any], string: str, path: Path) -> dict[str, Any]:
    """The entry of a Response object. Raises :class:`Unrelated` for another one."""
    if is_response(document):
        return entry_of({"text": string, "mimeType": "application/json"}, path, [*_NOT_HERE, "bytes"])
    events = next((document[name] for name in _LISTS if isinstance(document.get(name), list)), [document])
    if events and _is_event(events[0]):
        return value_entries(events, path)[0]
    raise Unrelated(_what(document))


def is_response(document: Any) -> bool:
    """Whether a JSON value is a Response object."""
    held = mapping(document)
    return held.get("object") == "response" and "output" in held


def is_request(document: Any) -> bool:
    """Whether a JSON value is the body of a request."""
    held = mapping(document)
    return "input" in held and "output" not in held and isinstance(held.get("model"), str)


def _what(document: dict[str, Any]) -> str:
    if is_request(document):
        return LONE_REQUEST
    if isinstance(document.get("error"), dict) or document.get("type") == "error":
        return "an error body, whose status is not recorded"
    if "choices" in document:
        return "a response of Chat Completions"
    kind = text(document.get("object"))
    return f"a JSON object of another kind ({kind})" if kind else "a JSON object that is no recording"


def _unwrapped(value: Any) -> Any:
    """The event of a logged value; the value itself if it is not wrapped."""
    held = mapping(value)
    if not _is_event(value):
        for name in _WRAPPERS:
            inner = held.get(name)
            if isinstance(inner, str) and inner.startswith("{"):
                try:
                    inner = json.loads(inner)
                except ValueError:
                    continue
            if _is_event(inner):
                return inner
    return value


def _is_event(value: Any) -> bool:
    kind = text(mapping(value).get("type"))
    return kind.startswith("response.") or (kind == "error" and "sequence_number" in value)


def entry_of(content: dict[str, Any], path: Path, unavailable: list[Unavailable]) -> dict[str, Any]:
    """The entry of a body with status 200, and with the request of the file beside it."""
    sent = _request_beside(path)
    entry: dict[str, Any] = {
        "request": {"method": "POST", "url": DEFAULT.path},
        "response": {"status": 200, "content": content},
        "_unavailable": unavailable,
    }
    if sent:
        entry["request"]["postData"] = {"text": sent}
    return entry


def _request_beside(path: Path) -> str:
    """The text of the request body beside a response: ``request.json`` for ``response.txt``, ``x.json`` for ``x.sse``,
    or the only one of its folder; empty without one."""
    names = [path.name.replace("response", "request"), f"{path.name.partition('.')[0]}.request"]
    found = [path.with_name(f"{name.partition('.')[0]}.json") for name in names]
    for file in dict.fromkeys([*found, path.with_suffix(".json"), path.with_name("request.json")]):
        if file == path or not file.is_file() or file.stat().st_size > _MOST:
            continue
        try:
            string = file.read_text(encoding="utf-8")
            if is_request(json.loads(string)):
                return string
        except (OSError, ValueError, RecursionError):
            continue
    return ""
