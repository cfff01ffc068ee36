"""What the newest revision adds: its part of the fault matrix, and the outcomes of its requests."""

from __future__ import annotations

import json

import pytest

from conformance.contract.schemas import REVISIONS
from conformance.emulator.faults import FAULTS
from conformance.emulator.variants import VARIANTS
from conformance.emulator.variants.clients import NOT_LITE
from tools.fault_matrix import broken, revisions
from tools.in_process import ADDED, cases, context, record, verdicts

LITE = "client.codex-lite.turn"


def test_the_clean_endpoint_passes_the_added_cases() -> None:
    assert {result.verdict for result in verdicts(None, ADDED)} <= {"pass", "not-applicable"}
    added = {case.rule for case in cases(ADDED)} - {case.rule for case in cases(REVISIONS[0])}
    assert added >= {"tools.custom-call-shape", "tools.call-namespace", "tools.added-items-accepted"}
    assert len(context(ADDED).scenarios) < 40


def test_the_namespace_of_a_call_is_evaluated_in_the_turn_after_a_custom_call_too() -> None:
    evaluated_in = {case.id.partition("@")[2] for case in cases(ADDED) if case.rule == "tools.call-namespace"}
    assert evaluated_in >= {"tools.custom", "tools.namespace", "tools.custom-output"}


def test_a_fault_is_evaluated_in_its_revision_and_on_what_is_added() -> None:
    assert revisions("response.no-output") == (REVISIONS[0], ADDED)
    assert revisions("tools.agent-message-refused") == (REVISIONS[1],)
    assert broken("clients.approval-is-500") == {"causes": {"http.client-request-answered": "fail"}, "follows": {}}
    assert list(broken("tools.namespace-undeclared")["causes"]) == ["tools.call-namespace"]


def test_a_server_may_serve_custom_tools_in_lite_mode_only() -> None:
    recorded = record(VARIANTS["outside.custom-tools-in-lite-mode-only"], ADDED)
    statuses = {name: recorded.received(name).exchange.status for name in (LITE, f"{LITE}-without-header")}
    assert statuses == {LITE: 200, f"{LITE}-without-header": 400}
    body = recorded.received(f"{LITE}-without-header").exchange.body.decode().removeprefix("data:")
    assert json.loads(body)["error"]["message"] == NOT_LITE
    # Without custom tools a namespace is served alone.
    assert recorded.received("tools.namespace").exchange.status == 200
    assert recorded.received("tools.namespace").exchange.key != recorded.received("tools.custom").exchange.key


@pytest.mark.parametrize("fault", ["tools.agent-message-refused", "tools.namespaced-call-refused"])
def test_each_added_item_is_sent_alone_where_all_are_refused(fault: str) -> None:
    recorded = record(FAULTS[fault], ADDED)
    statuses = [
        recorded.received(name).exchange.status
        for name in ("tools.additional", "turns.agent-message", "turns.namespaced-call")
    ]
    assert sorted(statuses, key=str) == [200, 400, 400]
