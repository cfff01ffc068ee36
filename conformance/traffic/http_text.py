"""HTTP messages as text, converted to the entry of a HAR: what ``curl -i``, ``wget --save-headers``, HTTPie and Fiddler
print or save.

curl writes the bytes of the body behind the head, decoded from chunks; Fiddler writes the chunks. HTTPie writes text,
and with ``--print=HhBb`` the request before the response.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from conformance.contract.revisions import DEFAULT
from conformance.exchange.codings import CODINGS, Decoding
from conformance.traffic.bodies import body_kind, entry_of
from conformance.traffic.content import number

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})\b[^\r\n]*")
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/\d(?:\.\d)?\r?\n")

#: The head of the response that follows a request.
_NEXT = re.compile(rb"\r?\n\s*(?=HTTP/\d(?:\.\d)? +\d{3}\b)")

#: What HTTPie prints in place of a body with a zero byte.
_NOT_SHOWN = b"NOTE: binary data not shown in terminal"

#: The most decoded bytes that are searched for an event, or for the beginning of a Response object.
_MOST = 100_000

_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})(?:;[^\r\n]*)?\r\n")


def message_entry(data: bytes, path: Path) -> dict[str, Any] | None:
    """The entry of an HTTP response, with its request if the text begins with that; None if it is none, or if neither
    the request nor the body shows that it is of this API."""
    method, url, sent = "POST", DEFAULT.path, b""
    is_text = False
    if request_line := _REQUEST.match(data):
        found = _NEXT.search(data)
        if found is None:
            return None
        _, sent = _parted(data[: found.start()])
        method, url = request_line[1].decode("ascii"), request_line[2].decode("utf-8", "replace")
        data, is_text = data[found.end() :], True
    status, headers, body = 0, list[tuple[str, str]](), data
    while begun := _STATUS.match(body):  # Behind the heads of redirects, proxies and 100 Continue.
        head, body = _parted(body)
        status, headers = int(begun[1]), _headers(head)
    body = _complete(body, headers)
    if not status or re.search(rb"(?m)^" + _REQUEST.pattern, body):
        return None  # There are several exchanges, of which this is not the end of one.
    if not (request_line or (status == 200 and body_kind(_decoded(body, headers)))):
        return None
    content: dict[str, Any] = {"text": base64.b64encode(body).decode("ascii"), "encoding": "base64"}
    if is_text:
        content = {"text": "" if _NOT_SHOWN in body else body.decode("utf-8", "replace")}
    entry = entry_of(content, path, ["framing", "clock"])
    entry["request"] = {"method": method, "url": url, "postData": {"text": sent.strip().decode("utf-8", "replace")}}
    entry["response"] |= {"status": status, "headers": [{"name": name, "value": value} for name, value in headers]}
    return entry


def _parted(message: bytes) -> tuple[bytes, bytes]:
    """The head and the body of a message."""
    end = _END.search(message)
    return (message[: end.start()], message[end.end() :]) if end else (message, b"")


def _headers(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode("utf-8", "replace").split("\n")[1:]
    parts = (line.partition(":") for line in lines)
    return [(name.strip(), value.strip()) for name, colon, value in parts if colon]


def _complete(body: bytes, headers: list[tuple[str, str]]) -> bytes:
    """The body without its chunks, and without the line end that HTTPie adds."""
    fields = {name.lower(): value for name, value in headers}
    if "chunked" in fields.get("transfer-encoding", "").lower() and (joined := _joined(body)) is not None:
        return joined
    size = number(fields.get("content-length"))
    return body[:size] if size is not None and size >= 0 and not body[size:].strip() else body


def _decoded(body: bytes, headers: list[tuple[str, str]]) -> bytes:
    """The body without its content coding, if that is a single supported one."""
    coding = next((value.strip().lower() for name, value in headers if name.lower() == "content-encoding"), "")
    return Decoding(coding).feed(body, _MOST) if coding in CODINGS else body


def _joined(body: bytes) -> bytes | None:
    """The content of the chunks (RFC 9112 7.1); None if the body is not a sequence of chunks."""
    parts: list[bytes] = []
    at = 0
    while begun := _CHUNK.match(body, at):
        size, at = int(begun[1], 16), begun.end()
        if size == 0:
            return b"".join(parts)
        parts.append(body[at : at + size])
        at += size + 2
    return None
