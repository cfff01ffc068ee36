"""HAR 1.2 as browsers, proxies and HTTP clients write it, read as captured exchanges.

A HAR contains responses decompressed and mostly as text: framing, compression and timing are not available, nor,
without base64, are the bytes. It does not show who ended a response: one that ends early is a violation only if no
continuation could complete it, or if the capture proves that it is complete. Bodies are evaluated unchanged; what is
shown of them is redacted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance.decode.events import mapping, objects, text
from conformance.exchange.exchange import Chunk, Ended, Exchange, Headers, Request, codings_in, content_coding
from conformance.exchange.redaction import Known, Secret, echoes
from conformance.exchange.scrubbing import (
    keys_of,
    scrubbed,
    scrubbed_request,
    scrubbed_response,
    scrubbed_url,
    secrets_of,
)
from conformance.judge.applicability import Unavailable
from conformance.traffic.captured import Captured, is_ours, is_path_of_ours
from conformance.traffic.content import Body, body_of, coding_of, has_no_body, number, sent_of, shown
from conformance.traffic.duplicates import Copy, repeats
from conformance.traffic.har_entries import HarEntries
from conformance.traffic.incomplete import marked, may_go_on
from conformance.traffic.placeholders import is_placeholder

#: Unix seconds beyond this are milliseconds.
_MILLISECONDS = 10**11

_STATUS = re.compile(r"\s*([1-9]\d\d)\b", re.ASCII)


@dataclass(frozen=True)
class Har:
    """The content of a HAR: the exchanges of POST .../responses, the number of other entries, and the credentials
    found.

    ``websockets`` and ``repeated``: by label, the WebSocket entries of the path and the duplicate exchanges, which are
    not evaluated, each with the reason. ``unread``: the same for the files of a folder that contain no exchange.
    """

    captured: tuple[Captured, ...]
    others: int
    secrets: tuple[Secret, ...]
    websockets: Mapping[str, str] = field(default_factory=dict)
    repeated: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)


def read_har(path: Path, named: Sequence[str] = (), prefix: str = "") -> Har:
    """Read a HAR file; ``named``: further headers with a key; ``prefix`` precedes the label of each exchange.
    Raises :class:`conformance.Misconfigured` if it is not a HAR file."""
    return read_entries(HarEntries(path), path.parent, named, lambda place: f"{prefix}entry {place}")


def read_entries(entries: Iterable[Any], folder: Path, named: Sequence[str], label: Callable[[int], str]) -> Har:
    """The exchanges in the entries of a HAR, which are iterated over twice; ``folder`` is where the files are that they
    name, ``label`` makes the label of an exchange from its index. An entry that was made of another form than a HAR has
    ``_unavailable``."""
    secrets = Known(dict.fromkeys(secret for one in entries for secret in _secrets(mapping(one), named)))
    sockets: dict[str, str] = {}
    captured: dict[int, Captured] = {}
    others = 0
    for place, one in enumerate(entries):  # A second time: an entry takes much more memory than what is kept of it.
        entry = mapping(one)
        if _is_socket(entry):
            sockets[label(place)] = _socket(entry)
        elif _is_ours(entry):
            captured[place] = _captured(label(place), entry, secrets, folder, named)
        else:
            others += 1
    again = repeats([_copy(place, one) for place, one in captured.items()])
    repeated = {label(place): f"the same exchange as {label(first)}, counted once" for place, first in again.items()}
    kept = tuple(one for place, one in captured.items() if place not in again)
    return Har(kept, others, secrets, sockets, repeated)


def _secrets(entry: dict[str, Any], named: Sequence[str]) -> tuple[Secret, ...]:
    request = mapping(entry.get("request"))
    return secrets_of(_headers(request), text(request.get("url")), named)


def _is_ours(entry: dict[str, Any]) -> bool:
    request = mapping(entry.get("request"))
    return is_ours(text(request.get("method")), text(request.get("url"))) and not _is_socket(entry)


def _is_socket(entry: dict[str, Any]) -> bool:
    """Whether it is a WebSocket at the path of the endpoint: Codex and others attempt one before they send a
    request."""
    url = text(mapping(entry.get("request")).get("url"))
    marks = "_webSocketMessages" in entry or entry.get("_resourceType") == "websocket"
    switched = _status(mapping(entry.get("response"))) == 101
    return is_path_of_ours(url) and (marks or switched or url.lower().startswith(("ws:", "wss:")))


def _socket(entry: dict[str, Any]) -> str:
    messages = len(objects(entry.get("_webSocketMessages")))
    held = f"{messages} message{'' if messages == 1 else 's'}"
    return f"a WebSocket at .../responses ({held}), which is not evaluated: the contract covers HTTP only"


def _headers(message: dict[str, Any]) -> Headers:
    """The headers of a request or a response, without the pseudo headers of HTTP/2."""
    held = message.get("headers")
    if isinstance(held, dict):  # Some write an object in place of the array.
        pairs = [(name, value) for name, one in held.items() for value in (one if isinstance(one, list) else [one])]
    else:
        pairs = [(text(one.get("name")), one.get("value")) for one in objects(held)]
    return tuple((name, _value(value)) for name, value in pairs if name and not name.startswith(":"))


def _value(value: Any) -> str:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else text(value)


def _status(response: dict[str, Any]) -> int | None:
    """The status, also if it is written as a string; None if no response was received."""
    stated = response.get("status")
    status = number(stated)
    if status is None and (found := _STATUS.match(text(stated))):
        status = int(found[1])
    return status if status and status > 0 else None


def _captured(
    label: str, entry: dict[str, Any], secrets: Sequence[Secret], folder: Path, named: Sequence[str]
) -> Captured:
    response = mapping(entry.get("response"))
    headers = tuple(pair for pair in _headers(response) if not is_placeholder(pair[1]))
    status = _status(response)
    sent, sent_at = _sent(entry, folder), _started(entry)
    body = body_of(entry, headers, folder)
    unavailable: set[Unavailable] = {"framing", *body.unavailable, *entry.get("_unavailable", ())}
    unavailable |= {"request"} if sent is None else set()
    unavailable |= {"clock"} if sent_at is None else set()
    fitting = _fitting(response, shown(headers, body), body, unavailable)
    exchange = _exchange(label, entry, sent or b"", fitting, body.data, status, sent_at or 0.0, secrets, named)
    # A redirect is evaluated without its body, and of these statuses there is none.
    needless = status is not None and (300 <= status < 400 or has_no_body(status, headers))
    missing = "" if needless else body.missing
    if status is not None and not missing and not needless:
        exchange, missing = _ended(exchange, body, response, headers)
    return Captured(label, exchange, frozenset(unavailable), missing, shortened=text(entry.get("_shortened")))


def _ended(exchange: Exchange, body: Body, response: dict[str, Any], headers: Headers) -> tuple[Exchange, str]:
    """The exchange, marked if it may be incomplete, and why it cannot be evaluated (empty if it can)."""
    if body.short and exchange.media_type != "text/event-stream":
        return exchange, body.short  # Who shortens a text may have put a mark at its end.
    if may_go_on(exchange) and (body.short or not _is_proven(exchange, body, response, headers)):
        return marked(exchange, body.short or exchange.detail or "without a reason in the capture"), ""
    return exchange, ""


def _is_proven(exchange: Exchange, body: Body, response: dict[str, Any], headers: Headers) -> bool:
    """Whether the file proves that the body is complete, even if it looks incomplete."""
    if "_error" in response and response["_error"] is None:
        return True
    sizes = [value.strip() for name, value in headers if name.lower() == "content-length"]
    plain = not codings_in(content_coding(headers)) or bool(content_coding(exchange.headers))
    return plain and "lines" not in body.unavailable and sizes == [str(len(body.data))]


def _exchange(
    label: str, entry: dict[str, Any], sent: bytes, headers: Headers, body: bytes, status: int | None, sent_at: float,
    secrets: Sequence[Secret], named: Sequence[str],
) -> Exchange:  # fmt: skip
    request, elapsed = mapping(entry.get("request")), _milliseconds(entry.get("time"))
    requested = _headers(request)
    kept, chunks = scrubbed_response(headers), (Chunk(elapsed, body),)
    ended: Ended = "clean" if status else "reset"
    return Exchange(
        key=label.replace(" ", "-"), scenario=label, sample=0,
        request=Request(
            text(request.get("method")).strip().upper(), scrubbed_url(text(request.get("url")), secrets),
            scrubbed_request(requested, secrets, named), sent,
        ),
        status=status, headers=kept, chunks=chunks, ended=ended,
        detail=scrubbed(_failure_text(mapping(entry.get("response")), status), secrets),
        sent_at=sent_at, elapsed=elapsed, leaks=echoes(kept, chunks, keys_of(requested, named)),
    )  # fmt: skip


def _failure_text(response: dict[str, Any], status: int | None) -> str:
    """Why a response ended early or was not received, in the writer's words."""
    words = text(response.get("_error")) or text(response.get("_failureText"))
    if words or status:
        return words
    known = "status" in response and response["status"] not in (None, "")
    return (
        "the client cancelled the request or the connection was refused" if known else "the capture contains no status"
    )


def _sent(entry: dict[str, Any], folder: Path) -> bytes | None:
    """The request body; None if it was not captured, or only in a content coding."""
    body = sent_of(entry, folder)
    packed = codings_in(content_coding(_headers(mapping(entry.get("request")))))
    return None if body is not None and packed and not body.lstrip().startswith(b"{") else body


def _started(entry: dict[str, Any]) -> float | None:
    """When the request was sent, in unix seconds; None if unknown or without a time zone."""
    stated = entry.get("startedDateTime")
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        return float(stated) / 1000 if stated > _MILLISECONDS else float(stated)
    try:
        started = datetime.fromisoformat(text(stated).strip())
        return started.astimezone(UTC).timestamp() if started.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _milliseconds(value: Any) -> float:
    try:
        taken = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return taken if math.isfinite(taken) and taken > 0 else 0.0


def _fitting(response: dict[str, Any], headers: Headers, body: Body, unavailable: set[Unavailable]) -> Headers:
    """The headers, completed from other members of the entry if they were not captured."""
    kept = list(headers)
    if not any(name.lower() == "content-type" for name, _ in kept):
        unavailable.add("headers")
        kind = text(mapping(response.get("content")).get("mimeType"))
        kept += [("content-type", kind)] if "/" in kind else []
        coding = "" if content_coding(headers) else coding_of(body.data)
        kept += [("content-encoding", coding)] if coding else []
    return tuple(kept)


def _copy(place: int, one: Captured) -> Copy:
    exchange = one.exchange
    requested = (exchange.request.method, exchange.request.url, exchange.request.body, exchange.status)
    begun = None if "clock" in one.unavailable else exchange.sent_at
    return Copy(place, requested, begun, exchange.elapsed / 1000, exchange.body, bool(one.missing))
