"""Cassettes: the recordings of VCR libraries and of tools like them, converted to entries of a HAR.

A cassette is a list of interactions, each a request and its response. The libraries differ in names and in the form of
a body: vcrpy and pytest-recording write ``interactions`` with ``body: {string}``, in YAML text or ``!!binary``, in JSON
also ``base64_string``; the VCR of Ruby and Betamax ``http_interactions`` with ``body: {encoding, string}``; go-vcr and
recorders of JSON files a body that is a string; some projects a ``parsed_body``, the JSON value itself; WireMock a
``body``, ``jsonBody`` or ``base64Body``, and no body of the request.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from conformance.decode.events import mapping, objects, text
from conformance.judge.applicability import Unavailable

#: The most characters of a body that is stored as a value: an alias in YAML may repeat one without end.
_MOST = 16_000_000

_BODIES = ("body", "parsed_body", "jsonBody", "base64Body", "content")

#: Those of them that contain the body as a JSON value.
_PARSED = ("parsed_body", "jsonBody")


def interactions_of(document: Any) -> list[dict[str, Any]] | None:
    """The interactions of a cassette; None if the document is none."""
    if isinstance(document, list):
        found = objects(document)
        return found if found and all(map(_is_interaction, found)) else None
    held = mapping(document)
    for name in ("interactions", "http_interactions", "recorded_interactions", "records", "mappings"):
        if isinstance(held.get(name), list):
            return objects(held[name])
    return [held] if _is_interaction(held) and "log" not in held else None


def _is_interaction(one: dict[str, Any]) -> bool:
    request = mapping(one.get("request"))
    return isinstance(one.get("response"), dict) and bool(_url(request)) and "method" in request


def entries_of(interactions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The interactions as entries of a HAR. What a cassette does not contain is in ``_unavailable``."""
    return [_entry(one) for one in interactions]


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    request, response = mapping(one.get("request")), mapping(one.get("response"))
    sent, received = _body(request), _body(response)
    unavailable: list[Unavailable] = [*received.get("_unavailable", [])]
    entry: dict[str, Any] = {
        "request": {"method": text(request.get("method")), "url": _url(request), "headers": _headers(request)},
        "response": {"status": _status(response), "headers": _headers(response), "content": received},
        "_unavailable": unavailable,
    }
    if "text" in sent:
        entry["request"]["postData"] = sent
    if one.get("transport") == "websocket" or _url(request).startswith(("ws:", "wss:")):
        entry["_resourceType"] = "websocket"
    return entry


def _url(request: dict[str, Any]) -> str:
    return next((stated for name in ("uri", "url", "urlPath") if (stated := text(request.get(name)))), "")


def _headers(message: dict[str, Any]) -> Any:
    """The headers; an object of values or of lists of values stays what it is."""
    held = message.get("headers")
    if isinstance(held, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in held):
        return [{"name": name, "value": value} for name, value in held]
    return held


def _status(response: dict[str, Any]) -> Any:
    """The status: a number, a text (``200 OK``), or an object with ``code``; go-vcr writes both of the former."""
    stated = response.get("status", response.get("status_code"))
    if isinstance(code := response.get("code"), int):
        return code
    held = mapping(stated)
    return held.get("code", held.get("status_code")) if held else stated


def _body(message: dict[str, Any]) -> dict[str, Any]:
    """A body as the content of a HAR: ``text``, with ``encoding`` if it is in base64; empty without a body."""
    name = next((one for one in _BODIES if message.get(one) not in (None, "")), "")
    value, parsed = message.get(name), name in _PARSED
    if not name and isinstance(message.get("bodyFileName"), str):
        return {"_file": message["bodyFileName"]}  # Of WireMock, in the folder __files.
    if name == "base64Body":
        return _content({"base64": value}, parsed)
    if isinstance(value, dict) and not parsed:
        value, parsed = _held(value)
    return _content(value, parsed)


def _held(body: dict[str, Any]) -> tuple[Any, bool]:
    """The value of a body that is an object, and whether it is the body itself as a JSON value."""
    for name in ("base64_string", "base64"):
        if isinstance(body.get(name), str):
            return {"base64": body[name]}, False
    if "string" in body:
        return body["string"], False
    encoded = isinstance(body.get("data"), str) and body.get("encoding") == "base64"
    return ({"base64": body["data"]}, False) if encoded else (body, True)


def _content(value: Any, parsed: bool) -> dict[str, Any]:
    if value is None:
        return {"text": ""}
    if isinstance(value, bytes):
        return {"text": base64.b64encode(value).decode("ascii"), "encoding": "base64"}
    if isinstance(value, str):
        return {"text": value}
    if not parsed and isinstance(value, dict):
        return {"text": text(value.get("base64")), "encoding": "base64"}
    return {"text": written(value), "_unavailable": ["bytes", "framing"]}


def written(value: Any) -> str:
    """A value as JSON text; empty if it is too long or not JSON."""
    parts, size = [], 0
    try:
        for part in _pieces(value):
            parts.append(part)
            size += len(part)
            if size > _MOST:
                return ""
    except (TypeError, ValueError, RecursionError):
        return ""
    return "".join(parts)


def _pieces(value: Any) -> Iterator[str]:
    return json.JSONEncoder(ensure_ascii=False, default=str).iterencode(value)
