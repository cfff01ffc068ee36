"""The bodies of responses and requests in HAR files of different programs.

Chrome, Firefox and Safari write decoded text; mitmproxy, Charles and Fiddler text or base64; Playwright, on request, a
separate file; Chrome the events of a stream instead of its bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.decode.events import mapping, objects, text
from conformance.decode.response import EVENT_STREAM
from conformance.exchange.codings import GZIP, is_text
from conformance.exchange.exchange import CODINGS, Headers, codings_in, content_coding
from conformance.judge.applicability import Unavailable
from conformance.traffic.placeholders import is_placeholder, without_note

BODY_NOT_CAPTURED = "the capture does not contain the body"

#: A byte order mark is not counted by all who write a size.
_SLACK = 3

#: A body of fewer bytes may be a placeholder; no Response object is as short.
_SHORTEST = 60

#: The limit in bytes of a body file that belongs to a HAR.
_MOST = 16_000_000

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}\Z")

#: How a body begins that is worth a guess: JSON, an event stream, or one of them compressed.
_LIKELY = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:[{\[]|:|(?:data|event|id|retry):)|\x1f\x8b|\x28\xb5\x2f\xfd")

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Body:
    """``data``: the bytes, as far as they were kept. ``missing``: why they cannot be evaluated at all, empty if they
    can. ``short``: how many bytes are not there. ``unavailable``: what the record does not contain."""

    data: bytes = b""
    missing: str = ""
    short: str = ""
    unavailable: frozenset[Unavailable] = frozenset()


def body_of(entry: dict[str, Any], headers: Headers, folder: Path) -> Body:
    """The body of an entry's response; ``folder`` is the folder of the HAR."""
    response = mapping(entry.get("response"))
    content = mapping(response.get("content"))
    body = _kept(content, headers, folder)
    # Chrome writes the events at the entry; other writers have put them at the response or the content.
    frames = b"".join(_frames([*_messages(entry), *_messages(response), *_messages(content)]))
    if frames and (body is None or not body.data):
        return Body(frames, unavailable=frozenset({"bytes", "lines"}))
    if body is None:
        return Body(missing=BODY_NOT_CAPTURED)
    return body if body.missing else _decodable(body, headers, content)


def has_no_body(status: int | None, headers: Headers) -> bool:
    """Whether the response has no body (RFC 9110 15.3.5, 15.3.6 and 8.6)."""
    sizes = [value.strip() for name, value in headers if name.lower() == "content-length"]
    return status in (204, 205) or "0" in sizes


def _kept(content: dict[str, Any], headers: Headers, folder: Path) -> Body | None:
    """The body as captured, in its content coding; None if it was not captured."""
    stated = content.get("text")
    if not isinstance(stated, str) or not stated:
        if isinstance(name := content.get("_file"), str):
            return _beside(folder, name)
        return Body() if has_no_body(None, headers) else None
    declared = text(content.get("encoding")).strip().lower() == "base64"
    if (declared or content.get("_isBinary") is True) and (joined := _joined_chunks(stated, declared)) is not None:
        return Body(joined)
    if declared:
        data = unbase64(stated)
        return Body(missing="the body is declared as base64, but is not valid base64") if data is None else Body(data)
    kind = (_header(headers, "content-type") or text(content.get("mimeType"))).partition(";")[0].strip().lower()
    if (kind == EVENT_STREAM or kind.endswith("json")) and (guessed := _plainly_base64(stated)) is not None:
        return Body(guessed)
    return Body(stated.encode("utf-8", "replace"), unavailable=frozenset({"bytes"}))


def _decodable(body: Body, headers: Headers, content: dict[str, Any]) -> Body:
    """The body, if it is text or in a supported coding, and has its declared length."""
    data, unavailable = body.data, body.unavailable
    packed = bool(codings_in(content_coding(headers))) and not is_text(data)
    if packed and "bytes" in unavailable:
        try:
            data, unavailable = (
                data.decode("utf-8").encode("latin-1"),
                frozenset(),
            )  # A byte a character, as some write it.
        except UnicodeEncodeError:
            return Body(missing="the capture contains a compressed body as text, which cannot be decoded")
    size, saved = number(content.get("size")) or 0, number(content.get("compression")) or 0
    least = min(size, size + saved)
    short = f"the capture contains {len(data)} of {least} bytes" if len(data) + _SLACK < least and not packed else ""
    if is_placeholder(stated := data[:_SHORTEST].decode("utf-8", "replace").strip()) and len(data) < _SHORTEST:
        return Body(missing=f"the capture contains {stated!r} in place of the body")
    if _LIKELY.match(data) and (kept := without_note(data)) is not data:
        data, short = kept, "the capture ends with a note that the body was shortened"
    return Body(data, short=short, unavailable=unavailable)


def shown(headers: Headers, body: Body) -> Headers:
    """The headers that match the captured body: programs that decode it often keep Content-Encoding and -Length."""
    of_the_form = {"content-length", "transfer-encoding"}
    if not codings_in(content_coding(headers)) or is_text(body.data):
        of_the_form.add("content-encoding")
    return tuple(pair for pair in headers if pair[0].lower() not in of_the_form)


def coding_of(data: bytes) -> str:
    """The content coding by the first bytes, if no header was captured; empty without one."""
    return next((name for magic, name in ((GZIP, "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")) if
                 data.startswith(magic) and name in CODINGS), "")  # fmt: skip


def sent_of(entry: dict[str, Any], folder: Path) -> bytes | None:
    """The body of an entry's request; None if it was not captured."""
    posted = mapping(mapping(entry.get("request")).get("postData"))
    stated = posted.get("text")
    if isinstance(stated, dict):
        return json.dumps(stated).encode()
    if not isinstance(stated, str) or not stated:
        stated = _of_params(posted)
        if not stated and isinstance(name := posted.get("_file"), str):
            return _beside(folder, name).data or None
    if not stated:
        return None
    marked = text(posted.get("encoding")).strip().lower() == "base64"
    data = unbase64(stated) if marked else _plainly_base64(stated)
    return stated.encode("utf-8", "replace") if data is None and not marked else data


def _of_params(posted: dict[str, Any]) -> str:
    """A JSON text that was captured as the name, or the value, of a form's only field."""
    fields = objects(posted.get("params"))
    texts = [text(one.get(part)).strip() for one in fields[:1] for part in ("name", "value")]
    return next((one for one in texts if one.startswith("{")), "") if len(fields) == 1 else ""


def unbase64(stated: str) -> bytes | None:
    """The bytes of base64, with or without its padding, in either alphabet (RFC 4648 4 and 5); None if it is none."""
    bare = "".join(stated.split()).replace("-", "+").replace("_", "/").rstrip("=")
    if not _BASE64.match(bare) or len(bare) % 4 == 1:
        return None
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _joined_chunks(stated: str, declared: bool) -> bytes | None:
    """The bytes of a compressed or binary body as Polly.JS writes it: a JSON array with one string for each chunk, in
    base64 if ``declared``, in hexadecimal before its version 6; None for anything else."""
    try:
        chunks = json.loads(stated) if stated.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(chunks, list) or not all(isinstance(chunk, str) for chunk in chunks):
        return None
    try:
        parts = [unbase64(chunk) if declared else bytes.fromhex(chunk) for chunk in chunks]
    except ValueError:
        return None
    return None if None in parts else b"".join(part for part in parts if part)


def _plainly_base64(stated: str) -> bytes | None:
    """The bytes of a text that is base64 without being declared so: decoded, it begins like a body; else None."""
    data = unbase64(stated)
    return data if data and _LIKELY.match(data) else None


def _beside(folder: Path, name: str) -> Body:
    """A body that Playwright wrote to a separate file, read only within the folder of the HAR."""
    missing = Body(missing="the body is in another file, which is not there")
    if not name or name != Path(name).name or name in (".", ".."):
        return missing
    try:
        with (folder / name).open("rb") as file:
            data = file.read(_MOST + 1)
    except (OSError, ValueError):  # No name of a file has a zero byte or an unpaired surrogate.
        return missing
    return Body(data) if len(data) <= _MOST else Body(missing=f"the body is longer than {_MOST} bytes")


def _messages(holder: dict[str, Any]) -> list[dict[str, Any]]:
    return objects(holder.get("_eventSourceMessages"))


def _frames(messages: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """The events that the browser's EventSource parser dispatched, encoded as a stream again."""
    for one in messages:
        stated, name = one.get("data"), text(one.get("eventName"))
        data = stated if isinstance(stated, str) else json.dumps(stated) if isinstance(stated, dict) else ""
        if not data:
            continue  # No reader dispatches an event without data.
        event = f"event: {_LINE_END.sub(' ', name)}\n" if name not in ("", "message") else ""
        lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
        yield f"{event}{lines}\n".encode("utf-8", "replace")


def number(value: Any) -> int | None:
    """An integer, also if it is written as a string; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,15}\s*", value, re.ASCII):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _header(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")
