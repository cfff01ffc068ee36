"""Requests in unusual forms: what is sent, and how the command that repeats them sends the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence

import pytest

from conformance.config.target import resolve
from conformance.decode.response import Received
from conformance.emulator import Endpoint, Reply, serve
from conformance.emulator.faults import FAULTS
from conformance.exchange.exchange import Exchange
from conformance.judge.verdict import evaluate
from conformance.report.failure import curl
from conformance.scenarios.item_ids import with_own_ids
from conformance.scenarios.plan import Plan
from conformance.wire.client import Client
from tools.in_process import KEY, cases, context, record, target

FORMS = [one.name for one in context().scenarios.values() if "unusual" in one.tags or one.name == "http.put"]


class Noting:
    """An endpoint that keeps what it was sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self._endpoint = Endpoint(key=KEY, model=target().model)

    def respond(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        self.got.append((method, path, {name.lower(): value for name, value in headers}, body))
        return self._endpoint.respond(method, path, headers, body)


def sent(name: str) -> tuple[Noting, Exchange]:
    """One scenario over a socket."""
    noting = Noting()
    with serve(noting) as server:
        client = Client(resolve({"endpoint": server.url}, {}, "5eed5eed", None), KEY)
        here = context()
        alone = {**here.scenarios}
        plan = Plan(here, alone)
        planned = next(one for one in plan.requests if one.key == plan.key_of[name])
        outgoing = planned.build([])
        assert outgoing is not None
        exchange = client.send(outgoing)
        client.close()
    return noting, exchange


@pytest.mark.parametrize("name", FORMS)
def test_form_reaches_the_server(name: str) -> None:
    noting, exchange = sent(name)
    method, path, headers, body = noting.got[-1]
    scenario = context().scenarios[name]
    assert exchange.ended == "clean"
    assert (method, path) == (scenario.method, "/v1/responses" + scenario.suffix)
    for header, value in scenario.headers:
        assert headers.get(header.lower(), "") == value
    if method in ("POST", "PUT"):
        plain = gzip.decompress(body) if "content-encoding" in headers else body
        assert json.loads(plain)["input"] == with_own_ids(scenario, scenario.body, 0)["input"]
    assert ("content-length" in headers) == (method in ("POST", "PUT") and "transfer-encoding" not in headers)


def test_the_curl_command_sends_the_same_form() -> None:
    compressed = curl(Received(sent("http.gzip-body")[1], "http.gzip-body"))
    assert compressed.startswith("printf %s '{")
    assert compressed.endswith("--data-binary @-")
    assert "-H 'Content-Type:'" in curl(Received(sent("http.no-content-type")[1], "x"))
    assert "curl -isN --head" in curl(Received(sent("http.head")[1], "x"))
    assert "-X PUT" in (put := curl(Received(sent("http.put")[1], "x")))
    assert "-d '{" in put


def test_forms_are_sent_alone_only_where_all_at_once_are_not_served() -> None:
    served = record(None)
    assert served.received("http.chunked").exchange.scenario == "http.combined"
    refused = record(FAULTS["http.chunked-refused"])
    assert refused.received("http.chunked").exchange.scenario == "http.chunked"
    told = {
        case.label: evaluate(case, refused).verdict for case in cases() if case.rule == "http.request-form-served"
    }  # fmt: skip
    assert told == {
        "http.charset": "pass",
        "http.chunked": "warning",
        "http.expect-continue": "pass",
        "http.combined": "not-applicable",
    }


def test_a_busy_status_of_every_request_for_json_is_reported_once() -> None:
    case = next(one for one in cases() if one.id == "request.text.format-accepted@json")
    result = evaluate(case, record(FAULTS["request.json-object-is-429"]))
    assert result.verdict == "fail"
    assert len(result.findings) == 1
    assert result.findings[0].message.startswith("every request with text.format json_object receives HTTP 429")
