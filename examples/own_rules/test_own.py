"""The checks of the rules in ``rules.toml``: generators of findings over recorded responses."""

from conformance.decode.response import Received
from conformance.judge.findings import EXAMINED, Finding, Findings
from conformance.judge.selectors import RESPONSES, each
from conformance.judge.verdict import check


@check("own.greets-in-one-message", over=each("own"))
def test_a_greeting_is_one_message(received: Received) -> Findings:
    yield EXAMINED
    kinds = [item.get("type") for item in received.json["output"]]
    if kinds.count("message") != 1:
        yield Finding("the output has another number of messages than one", "/output", got=kinds)


@check("own.names-the-cluster", over=RESPONSES)
def test_each_response_names_the_cluster(received: Received) -> Findings:
    yield EXAMINED
    if received.exchange.header("x-cluster") is None:
        yield Finding("the response has no header X-Cluster", want="X-Cluster", got=None)
