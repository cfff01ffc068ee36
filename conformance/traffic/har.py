"""HAR 1.2 as browsers and mitmproxy write it, read as captured exchanges.

A HAR holds answers unpacked and mostly as text: how they were framed, compressed and timed is lost, and so, without
base64, are their bytes. It does not say who ended an answer: one that breaks off is held against nobody unless there is
proof that it is whole. Bodies are read as they were: what is shown of them is redacted where it is shown.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from conformance.answer import Answer, CannotJudge
from conformance.stream.events import DONE_MARKER, mapping, objects, text
from conformance.target import Misconfigured
from conformance.traffic.captured import UNFINISHED, Captured, Lost, is_ours
from conformance.wire.exchange import Chunk, Ended, Exchange, Headers, Request
from conformance.wire.redact import Known, Secret, echoes
from conformance.wire.secrets import blanked, kept_answer, kept_request, kept_url, keys_of, secrets_of

#: Headers that tell of a form of the body which a HAR does not keep.
_OF_THE_FORM = ("content-encoding", "content-length", "transfer-encoding")

_GZIP = b"\x1f\x8b"

#: A byte order mark is not counted by all who write a size.
_SLACK = 3


@dataclass(frozen=True)
class Har:
    """What was read: the exchanges of ours, how many other entries there are, and the credentials that were met."""

    captured: tuple[Captured, ...]
    others: int
    secrets: tuple[Secret, ...]


def read_har(path: Path) -> Har:
    """Read a HAR file; :class:`Misconfigured` says in one line why it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        entries = document["log"]["entries"]
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Misconfigured(f"{path} is no HAR: it is not JSON in UTF-8") from None
    except (KeyError, TypeError):
        raise Misconfigured(f"{path} is no HAR: it has no log with entries") from None
    if not isinstance(entries, list):
        raise Misconfigured(f"{path} is no HAR: its entries are no array")
    numbered = [(place, mapping(entry)) for place, entry in enumerate(entries)]
    secrets = Known(dict.fromkeys(one for _, entry in numbered for one in _secrets(entry)))
    ours = [(place, entry) for place, entry in numbered if _is_ours(entry)]
    captured = tuple(_captured(place, entry, secrets) for place, entry in ours)
    return Har(captured, len(entries) - len(ours), secrets)


def _secrets(entry: dict[str, Any]) -> tuple[Secret, ...]:
    request = mapping(entry.get("request"))
    return secrets_of(_headers(request), text(request.get("url")))


def _is_ours(entry: dict[str, Any]) -> bool:
    request = mapping(entry.get("request"))
    return is_ours(text(request.get("method")), text(request.get("url")))


def _headers(message: dict[str, Any]) -> Headers:
    """The headers of a request or an answer, without the pseudo headers of HTTP/2."""
    pairs = [(text(one.get("name")), text(one.get("value"))) for one in objects(message.get("headers"))]
    return tuple((name, value) for name, value in pairs if name and not name.startswith(":"))


def _captured(place: int, entry: dict[str, Any], secrets: Sequence[Secret]) -> Captured:
    response = mapping(entry.get("response"))
    headers = _headers(response)
    lost: set[Lost] = {"framing"}
    sent, sent_at = _sent(entry), _started(entry)
    lost |= {"request"} if sent is None else set()
    lost |= {"clock"} if sent_at is None else set()
    body, missing = _body(mapping(response.get("content")), headers, lost)
    status = response.get("status")
    answered = status if isinstance(status, int) and status > 0 else None
    exchange = _exchange(place, entry, _shown(response, headers, body, lost), body, answered, sent_at or 0.0, secrets)
    missing = "" if answered and 300 <= answered < 400 else missing
    whole = answered is None or bool(missing) or not exchange.ok or _is_whole(exchange, response, headers)
    return Captured(f"entry {place}", exchange if whole else _cut(exchange), frozenset(lost), missing)


def _exchange(
    place: int, entry: dict[str, Any], headers: Headers, body: bytes, status: int | None, sent_at: float,
    secrets: Sequence[Secret],
) -> Exchange:  # fmt: skip
    request, took = mapping(entry.get("request")), entry.get("time")
    elapsed = float(took) if isinstance(took, int | float) else 0.0
    sent = _headers(request)
    kept, chunks = kept_answer(headers), (Chunk(elapsed, body),)
    asked = Request(
        text(request.get("method")).upper(),
        kept_url(text(request.get("url")), secrets),
        kept_request(sent, secrets),
        _sent(entry) or b"",
    )
    ended: Ended = "clean" if status else "reset"
    said = text(mapping(entry.get("response")).get("_error")) or ("" if status else "the client gave up or was refused")
    return Exchange(
        key=f"entry-{place}", scenario=f"entry {place}", sample=0, request=asked, status=status, headers=kept,
        chunks=chunks, ended=ended, detail=blanked(said, secrets), sent_at=sent_at,
        elapsed=elapsed, leaks=echoes(kept, chunks, keys_of(sent)),
    )  # fmt: skip


def _sent(entry: dict[str, Any]) -> bytes | None:
    """The request's body; None where it was not captured."""
    said = mapping(mapping(entry.get("request")).get("postData")).get("text")
    return said.encode("utf-8", "replace") if isinstance(said, str) and said else None


def _started(entry: dict[str, Any]) -> float | None:
    try:
        return datetime.fromisoformat(text(entry.get("startedDateTime"))).timestamp()
    except (ValueError, OverflowError):
        return None


def _shown(response: dict[str, Any], headers: Headers, body: bytes, lost: set[Lost]) -> Headers:
    """The answer's headers as they fit the body that was kept."""
    packed = body.startswith(_GZIP)
    kept = [pair for pair in headers if packed or pair[0].lower() not in _OF_THE_FORM]
    if not any(name.lower() == "content-type" for name, _ in kept):
        lost.add("headers")
        kind = text(mapping(response.get("content")).get("mimeType"))
        kept += [("content-type", kind)] if "/" in kind else []
    return tuple(kept)


def _body(content: dict[str, Any], headers: Headers, lost: set[Lost]) -> tuple[bytes, str]:
    """The body, and why it is not there if it is not."""
    said, messages = content.get("text"), content.get("_eventSourceMessages")
    if not isinstance(said, str) or (not said and not _is_empty(headers)):
        if not isinstance(messages, list) or not messages:
            return b"", "the capture does not hold the body"
        lost |= {"bytes", "lines"}
        return b"".join(_frames(messages)), ""
    if content.get("encoding") == "base64":
        try:
            body = base64.b64decode(said, validate=False)
        except (binascii.Error, ValueError):
            return b"", "the body is not the base64 that it says"
    else:
        lost |= {"bytes"}
        body = said.encode("utf-8", "replace")
    size, saved = _number(content.get("size")), _number(content.get("compression"))
    least = min(size, size + saved)
    return body, f"the capture holds {len(body)} of {least} bytes" if len(body) + _SLACK < least else ""


def _is_empty(headers: Headers) -> bool:
    return any(name.lower() == "content-length" and value.strip() == "0" for name, value in headers)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _frames(messages: Sequence[Any]) -> Iterator[bytes]:
    """The events that a browser's own reader dispatched, written as a stream once more."""
    for one in objects(messages):
        lines = "".join(f"data: {line}\n" for line in text(one.get("data")).split("\n"))
        yield f"{lines}\n".encode("utf-8", "replace")


def _is_whole(exchange: Exchange, response: dict[str, Any], headers: Headers) -> bool:
    """Whether the body is whole by what it holds, or is shown to be."""
    answer = Answer(exchange, exchange.scenario)
    try:
        if answer.looks_like_stream:
            whole = not answer.undispatched and any(event.terminal for event in answer.events)
            whole = whole or any(frame.data.strip() == DONE_MARKER for frame in answer.frames[-1:])
        else:
            whole = answer.json is not None
    except CannotJudge:
        whole = False
    return whole or ("_error" in response and response["_error"] is None) or _as_announced(headers, exchange.body)


def _as_announced(headers: Headers, body: bytes) -> bool:
    named = {name.lower(): value.strip() for name, value in headers}
    return "content-encoding" not in named and named.get("content-length") == str(len(body))


def _cut(exchange: Exchange) -> Exchange:
    stream = Answer(exchange, exchange.scenario)
    over = stream.looks_like_stream and any(event.terminal for event in stream.events)
    why = exchange.detail or "it does not say why"
    return replace(exchange, ended="clean" if over else "time-out", detail=f"{UNFINISHED} ({why})")
