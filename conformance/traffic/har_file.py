"""A file that should be a HAR: its entries, or one error message with what it is instead and where.

Users pass the wrong file: one that the browser wrote in part, a compressed one, the log of a proxy, a bare body. Each
kind has its own message, as "not JSON" would not help.
"""

from __future__ import annotations

import codecs
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.config.target import Misconfigured
from conformance.decode.json_prefix import scan_text
from conformance.exchange.codings import GZIP
from conformance.report.failure import show

#: The first bytes of files that are not a HAR, and what they are.
_MAGIC = (
    (GZIP, "gzip-compressed (magic number 1F 8B at byte 0): decompress it first"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed (magic number 28 B5 2F FD at byte 0): decompress it first"),
    (b"BZh", "bzip2-compressed (magic number BZh at byte 0): decompress it first"),
    (b"\xfd7zXZ\0", "xz-compressed (magic number FD 37 7A 58 5A at byte 0): decompress it first"),
    (b"PK\x03\x04", "a ZIP archive (magic number PK at byte 0), as Fiddler and Playwright write: name the HAR in it"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture (magic number D4 C3 B2 A1 at byte 0)"),
    (b"\xa1\xb2\xc3\xd4", "a packet capture (magic number A1 B2 C3 D4 at byte 0)"),
    (b"\x0a\x0d\x0d\x0a", "a packet capture (magic number 0A 0D 0D 0A at byte 0)"),
    (codecs.BOM_UTF32_LE, "UTF-32 (byte order mark FF FE 00 00 at byte 0), expected UTF-8"),
    (codecs.BOM_UTF32_BE, "UTF-32 (byte order mark 00 00 FE FF at byte 0), expected UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16 (byte order mark FF FE at byte 0), expected UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 (byte order mark FE FF at byte 0), expected UTF-8"),
)

#: Text with a zero byte before or after each ASCII character.
_UTF16 = re.compile(rb"\s?\0[\t\n\r {\[]\0[\t\n\r \"{}]|[\t\n\r {\[]\0[\t\n\r \"{}]\0")

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")

#: The first line of texts that are not a HAR, and what they are.
_LINES = (
    (re.compile(r"<"), "HTML or XML"),
    (re.compile(r":|(?:data|event|id|retry):"), "an event stream, which is the body of one response"),
    (re.compile(r"HTTP/\d"), "a raw HTTP response, whose body is none of the Responses API"),
    (re.compile(r"[A-Z]+(?= \S+ HTTP/\d)"), "a raw HTTP request"),
    (
        re.compile(r"== Info:|\* +(?:Trying|Host|Connected|Uses proxy|Could not|Rebuilt)|[<>] "),
        "the log of curl -v or --trace: save the output of curl -i",
    ),
    (re.compile(r"\d+:\d+:"), "a flow file of mitmproxy: write a HAR of it with mitmdump -nr FLOWS --set hardump=HAR"),
)

#: How a results file of this suite begins.
_RESULTS = re.compile(r'\s*\{"kind": ?"run"')

#: Members that identify a JSON object without a log.
_OBJECTS = (
    ({"format", "request", "chunks"}, "one exchange of a run folder: name the folder"),
    ({"format", "head", "profile"}, "the run.json of a run folder: name the folder"),
    ({"object", "output"}, "a bare Response object: a HAR also contains the request and the headers"),
    ({"model", "input"}, "a bare request body: a HAR also contains the response"),
    ({"type", "sequence_number"}, "one event of a stream: a HAR contains complete exchanges"),
    ({"error"}, "a bare error body: a HAR also contains the request and the status"),
    ({"entries"}, "an object with entries at the top: a HAR has them in log.entries"),
    ({"request", "response"}, "one entry of a HAR: a HAR has it in log.entries"),
)

#: Levels of arrays and objects at which the parser of the standard library may fail.
_DEEP = 500

#: The end of the line about a HAR without entries.
NOTHING = "nothing was captured"

#: Members listed of an object that is no HAR.
_NAMES = 6


def entries_of(path: Path) -> list[Any]:
    """The entries of a HAR file; :class:`Misconfigured` if it is not a HAR file."""
    try:
        if stat.S_ISCHR(path.stat().st_mode) or stat.S_ISBLK(path.stat().st_mode):
            raise Misconfigured(f"{path} cannot be read: it is a device")
        data = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    for why in _bytes_are(data):
        raise Misconfigured(f"{path} is not a HAR: it is {why}")
    bom = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    document = _parsed(path, data[bom:].decode("utf-8", "ignore"), bom)
    for why in _value_is(document):
        raise Misconfigured(f"{path} is not a HAR: {why}")
    return list(document["log"]["entries"])


def _bytes_are(data: bytes) -> Iterator[str]:
    """What bytes are that are no text in UTF-8."""
    if not data.strip():
        yield "empty (0 bytes)" if not data else f"empty ({len(data)} bytes of white space)"
    yield from (says for magic, says in _MAGIC if data.startswith(magic))
    if _UTF16.match(data):
        yield "UTF-16 without a byte order mark (a zero byte before or after each character), expected UTF-8"
    control = _CONTROL.search(data[:4096])
    if control:
        yield f"binary: byte {control.start()} is 0x{control[0][0]:02X}"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return  # It ends inside a character; the JSON scanner reports where.
        place = _place(data[: error.start].decode("utf-8"), error.start)
        yield f"not UTF-8: 0x{data[error.start]:02X} at {place} ({error.reason})"


def known_by_first_line(text: str) -> str:
    """What the first line of a text that is no HAR shows it to be; empty if nothing."""
    return _known_line(text.lstrip(), 0)[1]


def _known_line(text: str, at: int) -> tuple[str, str]:
    """How the line at this place begins, and what this shows the text to be; empty if nothing."""
    begun = ((begins[0], what) for pattern, what in _LINES if (begins := pattern.match(text, at)))
    return next(begun, ("", ""))


def _parsed(path: Path, text: str, bom: int) -> Any:
    at = len(text) - len(text.lstrip())
    begins, what = _known_line(text, at)
    if what:
        raise Misconfigured(f"{path} is not a HAR: it is {what} ({begins!r} at {_place(text[:at], bom + at)})")
    try:
        return json.loads(text, parse_constant=refused, parse_int=to_integer)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
    raise Misconfigured(f"{path} is not a HAR: {_broken(text, bom, deep)}")


def _broken(text: str, bom: int, deep: bool) -> str:
    """Why a text is not JSON, and where."""
    found = scan_text(text, _DEEP if deep else None)
    place = _place(text[: found.offset], bom + len(text[: found.offset].encode("utf-8")))
    if found.state == "prefix":
        return f"its JSON ends at {place} before it is complete: the file was cut short"
    if found.why == "text after the value" and text[found.offset] in "{[":
        ours = _RESULTS.match(text)
        what = "a results file of this suite: name the run folder" if ours else "JSON lines"
        return f"it is {what} (a second JSON value begins at {place})"
    return f"its JSON is invalid at {place}: {found.why}"


def _value_is(document: Any) -> Iterator[str]:
    """Why a JSON value is no HAR."""
    if not isinstance(document, dict):
        yield f"it contains {_kind(document)}, expected an object with log.entries"
    elif "log" not in document:
        what = next((what for names, what in _OBJECTS if names <= document.keys()), "")
        yield f"it is {what}" if what else f"it has no log; {_members(document)}"
    elif not isinstance(document["log"], dict):
        yield f"/log is {_kind(document['log'])}, expected an object"
    elif "entries" not in document["log"]:
        yield f"/log has no entries; {_members(document['log'])}"
    elif not isinstance(document["log"]["entries"], list):
        yield f"/log/entries is {_kind(document['log']['entries'])}, expected an array"
    elif not document["log"]["entries"]:
        yield f"/log/entries is empty: {NOTHING}"


def _members(document: dict[str, Any]) -> str:
    if not document:
        return "it has no member at all"
    return f"its members are {show(', '.join(list(document)[:_NAMES]), 120)}{', ...' * (len(document) > _NAMES)}"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _place(before: str, offset: int) -> str:
    """A position in words: line and column from 1, the byte from 0."""
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return f"line {line}, column {column} (byte {offset})"


def refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def to_integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # More digits than Python accepts.
        return float(digits)
