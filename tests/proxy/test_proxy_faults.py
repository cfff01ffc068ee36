"""The reference proxy conforms, each of its faults is reported under its rules alone, and each legal variant passes."""

from __future__ import annotations

import pytest
from both_sides import combined, problems, recorded, violated

from conformance.contract.rules import proxy_catalogue
from conformance.emulator.proxy import FAULTS, VARIANTS
from conformance.proxy import DIALECTS
from conformance.proxy.evaluation import evaluate
from conformance.proxy.rules import RULES

#: The probes that show the violation of a rule.
PROBES = {
    "request.served": "request.large response.text connection.after-refused-key request.chunked",
    "request.reaches-upstream": "request.string request.repeated",
    "request.sent-once": "request.string failure.cut-in-body silence.plain",
    "request.no-useless-retry": "failure.400",
    "request.dialect": "request.string request.parts request.tool-results request.tools",
    "request.host": "request.string",
    "request.hop-by-hop": "request.hop-by-hop",
    "request.model": "request.string failure.once-503",
    "request.system-texts": "request.instructions request.late-developer-message request.everything",
    "request.texts": "request.instructions request.image request.hard-text request.white-space request.large "
    "request.parts request.history request.long-history request.results-last failure.once-503",
    "request.roles-and-order": "request.everything request.tool-results request.history request.late-developer-message "
    "request.image request.long-history request.system-messages",
    "request.calls": "request.tool-results request.tool-result-parts request.large-tool-result "
    "request.reasoning-item request.call-round-trip",
    "request.reasoning": "request.reasoning-item",
    "request.media": "request.image request.result-image",
    "request.tools": "request.tools request.many-tools",
    "request.strict": "request.many-tools",
    "request.parameters": "request.reasoning-item request.tools request.lowest-values request.highest-values "
    "request.effort-* request.json-object request.json-object.stream",
    "request.nothing-added": "request.string request.hard-text request.results-last",
    "credentials.client-key-kept": "request.string key.without-scheme",
    "credentials.upstream-key-sent": "request.string",
    "credentials.upstream-key-hidden": "request.string failure.500 failure.quoted-key",
    "credentials.refused-without-upstream": "key.wrong",
    "request.undocumented": "request.undocumented",
    "credentials.refused-as-client-error": "key.wrong key.missing",
    "response.text": "response.text response.text.stream response.equal-deltas response.blank-deltas "
    "response.reasoning response.two-rounds response.reasoning.stream response.call response.call.stream "
    "response.parallel-calls.stream",
    "response.reasoning": "response.reasoning",
    "response.calls": "response.call response.parallel-calls.stream response.large-call",
    "response.call-ids": "request.call-round-trip request.call-round-trip.stream",
    "response.finish": "response.cut response.text.stream response.long-line",
    "response.usage": "response.reasoning response.text.stream",
    "response.form": "response.text response.text.stream response.long.stream response.long-line form.crlf form.cr "
    "silence.middle failure.after.stream connection.after-stream",
    "response.not-mixed": "concurrent.streams concurrent.calls concurrent.plain",
    "streaming.text": "streaming.text streaming.after-tools connection.stream",
    "streaming.reasoning": "streaming.reasoning",
    "streaming.arguments": "streaming.arguments",
    "streaming.first-event": "streaming.first-event",
    "streaming.events": "streaming.events",
    "streaming.silence": "silence.middle",
    "streaming.concurrent": "concurrent.streams concurrent.plain",
    "cancel.upstream-closed": "cancel.stream cancel.many",
    "cancel.closed-in-silence": "cancel.in-silence cancel.before-response cancel.plain",
    "cancel.next-served": "cancel.stream cancel.many",
    "failure.honest": "failure.cut-in-text.stream failure.untyped-error.stream failure.500 failure.empty-stream.stream "
    "failure.invalid-event.stream "
    "failure.cut-in-body",
    "failure.client-error-kept": "failure.400 failure.429",
    "failure.server-error-kept": "failure.500",
    "failure.retry-after": "failure.429",
    "failure.no-address": "failure.reset-before-head",
    "failure.no-internals": "failure.500 failure.reset-before-head",
    "failure.survives": "failure.500 failure.after",
    "failure.no-hang": "failure.cut-in-text.stream",
    "forms.same-response": "form.cr form.crlf form.no-space form.split-lines form.no-done form.http-1.0 "
    "form.plain-gzip form.call-in-one-chunk form.no-usage form.empty-arguments",
    "forms.rare-same-response": "form.cr form.two-data-lines form.interim form.text-after-calls",
}

CASES = [(dialect, name) for name, fault in FAULTS.items() for dialect in fault.dialects]


def test_every_rule_has_a_row_a_check_and_a_fault() -> None:
    assert {rule.name for rule in RULES} == set(proxy_catalogue())
    reported = {f"proxy.{rule}" for fault in FAULTS.values() for rule in fault.rules}
    assert set(proxy_catalogue()) - reported == set()
    assert {f"proxy.{name}" for name in PROBES} == set(proxy_catalogue())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_reference_proxy_conforms(dialect: str) -> None:
    assert problems(evaluate(recorded(dialect))) == {}


@pytest.mark.parametrize(("dialect", "name"), CASES, ids=[f"{name}-{dialect}" for dialect, name in CASES])
def test_a_fault_is_reported_under_its_rules_alone(dialect: str, name: str) -> None:
    fault = FAULTS[name]
    probes = {probe for rule in fault.rules for probe in PROBES[rule].split()}
    assert set(violated(dialect, fault, probes)) == set(fault.rules)


#: The probes of legal variants: those that show what a proxy sends, and what it does with failures.
VARIED = (
    "request.*",
    "response.*",
    "streaming.*",
    "cancel.*",
    "failure.[45]*",
    "failure.*-before-head*",
    "failure.cut-*",
    "failure.early-end*",
    "form.gzip",
    "form.*empty-arguments",
    "form.*large-header",
    "form.plain-content-type",
)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_legal_variants_pass(dialect: str, half: int) -> None:
    """Every second variant at once: neighbours exclude each other."""
    variants = [one for one in VARIANTS.values() if dialect in one.dialects][half::2]
    assert violated(dialect, combined(variants), VARIED) == {}
