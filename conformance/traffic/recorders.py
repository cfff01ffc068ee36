"""Recordings of HTTP mocks, proxies and API clients in JSON, converted to interactions of a cassette.

Each tool has names of its own for the same parts: the recorder of nock, Hoverfly, mountebank, the request journal of
WireMock, Charles, Postman (saved examples) and Newman, the reports of Bruno, talkback, EasyVCR, and the output of
batches. Logs of libraries and gateways that write their own Response object, or that of a stream in place of its
events, are not read: they are no evidence of what was received.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlunsplit

from conformance.contract.revisions import DEFAULT
from conformance.decode.events import mapping, objects, text
from conformance.traffic.content import unbase64

_Record = dict[str, Any]


def recorded_by_tools(document: Any) -> list[_Record] | None:
    """The interactions in the recording of a known tool; None if the document is none."""
    for tool in (_of_list, _of_hoverfly, _of_mountebank, _of_journal, _of_postman, _of_newman, _of_talkback):
        if found := list(tool(document)):
            return found
    return None


def _of_list(document: Any) -> Iterator[_Record]:
    """A list of records, or a single one, of which all have the same form."""
    records = objects(document) if isinstance(document, list) else [mapping(document)]
    for form in _FORMS:
        found = [form(one) for one in records]
        if all(one is not None for one in found):
            yield from (one for each in found if each for one in each)
            return


def _nock(one: _Record) -> list[_Record] | None:
    if not {"scope", "path", "status", "response"} <= one.keys():
        return None
    raw = one.get("rawHeaders")
    headers = [list(pair) for pair in zip(raw[::2], raw[1::2], strict=False)] if isinstance(raw, list) else []
    body_received = one["response"]
    if isinstance(body_received, list) and body_received and all(isinstance(chunk, str) for chunk in body_received):
        body_received = _from_hex(body_received)  # The chunks of a compressed body.
    url = text(one["scope"]) + text(one["path"])
    return [_pair(one.get("method"), url, one.get("body"), one["status"], headers, body_received)]


def _charles(one: _Record) -> list[_Record] | None:
    request, response = mapping(one.get("request")), mapping(one.get("response"))
    if not {"host", "scheme", "durations"} <= one.keys():
        return None
    url = urlunsplit((text(one["scheme"]), text(one["host"]), text(one.get("path")), text(one.get("query")), ""))
    headers = _named(mapping(response.get("header")).get("headers"))
    headers_sent = _named(mapping(request.get("header")).get("headers"))
    sent, body_received = _charles_body(request), _charles_body(response)
    return [_pair(one.get("method"), url, sent, response.get("status"), headers, body_received, headers_sent)]


def _charles_body(message: _Record) -> Any:
    body = mapping(message.get("body"))
    return unbase64(text(body["encoded"])) if "encoded" in body else body.get("text")


def _bruno(one: _Record) -> list[_Record] | None:
    if "results" not in one or "iterationIndex" not in one:
        return None
    return [
        _pair(
            request.get("method"), text(request.get("url")), request.get("data"), response.get("status"),
            mapping(response.get("headers")), response.get("data"), mapping(request.get("headers")),
        )
        for each in objects(one["results"])
        for request, response in [(mapping(each.get("request")), mapping(each.get("response")))]
    ]  # fmt: skip


def _easyvcr(one: _Record) -> list[_Record] | None:
    request, response = mapping(one.get("Request")), mapping(one.get("Response"))
    if "Uri" not in request or "Status" not in response:
        return None
    headers = {**mapping(response.get("ResponseHeaders")), **mapping(response.get("ContentHeaders"))}
    status = mapping(response["Status"]).get("Code")
    return [
        _pair(request.get("Method"), text(request["Uri"]), request.get("Body"), status, headers, response.get("Body"))
    ]


def _batch(one: _Record) -> list[_Record] | None:
    """A line of a batch's output. Its request is in another file; other APIs have batches too."""
    if not {"custom_id", "response", "error"} <= one.keys():
        return None
    response = mapping(one["response"])
    url = DEFAULT.path if mapping(response.get("body")).get("object") == "response" else ""
    headers = {"content-type": "application/json"}
    return [_pair("POST", url, None, response.get("status_code"), headers, response.get("body"))]


_FORMS: tuple[Callable[[_Record], list[_Record] | None], ...] = (_nock, _charles, _bruno, _easyvcr, _batch)


def _of_hoverfly(document: Any) -> Iterator[_Record]:
    for one in objects(mapping(mapping(document).get("data")).get("pairs")):
        request, response = mapping(one.get("request")), mapping(one.get("response"))
        names = ("scheme", "destination", "path", "method", "body")
        scheme, host, path, method, sent = (_exactly(request.get(name)) for name in names)
        body = response.get("body")
        body_received = unbase64(text(body)) if response.get("encodedBody") else body
        yield _pair(
            method, f"{scheme}://{host}{path}", sent, response.get("status"), response.get("headers"), body_received
        )


def _exactly(body_received: Any) -> str:
    """The value of a matcher: a list of objects since version 5, before that an object or the value itself."""
    first = body_received[0] if isinstance(body_received, list) and body_received else body_received
    held = mapping(first)
    return text(held.get("value", held.get("exactMatch")) if held else first)


def _of_mountebank(document: Any) -> Iterator[_Record]:
    held = mapping(document)
    for imposter in objects(held.get("imposters")) or [held]:
        for stub in objects(imposter.get("stubs")):
            wanted: _Record = {}
            for predicate in objects(stub.get("predicates")):
                wanted |= mapping(predicate.get("deepEquals")) | mapping(predicate.get("equals"))
            for one in objects(stub.get("responses")):
                response = mapping(one.get("is"))
                body = response.get("body")
                body_received = unbase64(text(body)) if response.get("_mode") == "binary" else body
                headers, status = response.get("headers"), response.get("statusCode", 200)
                yield _pair(
                    wanted.get("method"), text(wanted.get("path")), wanted.get("body"), status, headers, body_received
                )


def _of_journal(document: Any) -> Iterator[_Record]:
    for one in objects(mapping(document).get("requests")):
        request, response = mapping(one.get("request")), mapping(one.get("response"))
        url = text(request.get("absoluteUrl")) or text(request.get("url"))
        packed = text(response.get("bodyAsBase64"))
        body = unbase64(packed) if packed else response.get("body")
        yield _pair(
            request.get("method"), url, request.get("body"), response.get("status"), response.get("headers"), body,
            request.get("headers"),
        )  # fmt: skip


def _of_postman(document: Any) -> Iterator[_Record]:
    """The examples that were saved with the requests of a collection and of its folders."""
    for item in objects(mapping(document).get("item")):
        yield from _of_postman(item)
        for one in objects(item.get("response")):
            request = mapping(one.get("originalRequest")) or mapping(item.get("request"))
            yield _postman_pair(request, one, one.get("body"))


def _of_newman(document: Any) -> Iterator[_Record]:
    for one in objects(mapping(mapping(document).get("run")).get("executions")):
        response = mapping(one.get("response"))
        data = mapping(response.get("stream")).get("data")
        if isinstance(data, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in data):
            yield _postman_pair(mapping(one.get("request")), response, bytes(data))


def _postman_pair(request: _Record, response: _Record, body_received: Any) -> _Record:
    url, headers_sent = request.get("url"), _named(request.get("header"), "key")
    if isinstance(url, dict):
        parts = {name: url[name] if isinstance(url.get(name), list) else [] for name in ("host", "path")}
        host, path = ".".join(map(str, parts["host"])), "/".join(map(str, parts["path"]))
        url = text(url.get("raw")) or f"{text(url.get('protocol'))}://{host}/{path}"
    sent = mapping(request.get("body")).get("raw")
    headers = _named(response.get("header"), "key")
    return _pair(request.get("method"), text(url), sent, response.get("code"), headers, body_received, headers_sent)


def _of_talkback(document: Any) -> Iterator[_Record]:
    held = mapping(document)
    request, response, meta = (mapping(held.get(name)) for name in ("req", "res", "meta"))
    if request and response:
        body = response.get("body")
        packed = isinstance(body, str) and meta.get("resHumanReadable") is not True
        body_received = unbase64(text(body)) if packed else body
        headers, status = response.get("headers"), response.get("status")
        yield _pair(
            request.get("method"), text(request.get("url")), request.get("body"), status, headers, body_received
        )


def _pair(
    method: Any, url: str, sent: Any, status: Any, headers: Any, body_received: Any, headers_sent: Any = None
) -> _Record:  # fmt: skip
    """An interaction with these parts; ``sent`` and ``body_received`` are bodies as text, bytes or JSON values."""
    request = {"method": text(method), "url": url, "headers": headers_sent, **_body(sent)}
    return {"request": request, "response": {"status": status, "headers": headers, **_body(body_received)}}


def _body(value: Any) -> _Record:
    if isinstance(value, bytes):
        return {"body": {"base64": base64.b64encode(value).decode("ascii")}}
    return {"body" if isinstance(value, str) else "parsed_body": value}


def _named(headers: Any, name: str = "name") -> list[list[Any]]:
    return [[one.get(name), one.get("value")] for one in objects(headers)]


def _from_hex(chunks: list[str]) -> Any:
    try:
        return bytes.fromhex("".join(chunks))
    except ValueError:
        return chunks
